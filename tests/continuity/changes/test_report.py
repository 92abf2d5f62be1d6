"""The comment on a change: what it shows, what stands in the change's way, and that nothing in it can break out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from continuity.changes.report import LABEL, Report
from continuity.engine.events import Heard, PolicyWord, Property, Step, understood
from continuity.engine.stacks import Stack

QUIET = Heard(code=0, steps=(), policies=(), errors=(), notes=(), unchanged=5, unknown=0, finished=True, said="")
DATABASE = "urn:pulumi:prod::botbrains::botbrains:database:Database$aws:rds/instance:Instance::botbrains-prod-database"

STACK = "urn:pulumi:prod::botbrains::pulumi:pulumi:Stack::botbrains-prod"


def report(agreed: bool = False, **prod: Any) -> Report:
    return Report("the local cloud", {Stack.VAULT: QUIET, Stack.PROD: replace(QUIET, **prod)}, agreed)


def metadata(op: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"op": op, "urn": DATABASE, "type": "aws:rds/instance:Instance", **more}}


def test_the_engines_events_become_steps_words_and_errors() -> None:
    old = {"inputs": {"retention": 35, "tags": {"a": "x"}, "password": "[secret]"}}
    new = {"inputs": {"retention": 7, "tags": {"a": "y"}, "key": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"}}
    heard = understood(
        1,
        [
            {"resourcePreEvent": metadata("refresh", old=old, new=old)},
            {"resourcePreEvent": metadata("update", old=old, new=new, diffs=["retention", "tags.a", "key"])},
            {"resOutputsEvent": metadata("update", old=old, new=new, diffs=["retention", "tags.a", "key"])},
            {
                "policyEvent": {
                    "resourceUrn": DATABASE,
                    "policyName": "retention",
                    "enforcementLevel": "advisory",
                    "message": "<{%reset%}>can't run policy 'retention' during preview<{%reset%}>",
                }
            },
            {"diagnosticEvent": {"severity": "error", "message": "no such key\n", "urn": DATABASE}},
            {"diagnosticEvent": {"severity": "error", "message": "preview failed\n"}},
            {"diagnosticEvent": {"severity": "info", "message": "decided at the update\n", "urn": STACK}},
            {"diagnosticEvent": {"severity": "debug", "message": "not this\n", "urn": STACK}},
            {"summaryEvent": {"resourceChanges": {"same": 3, "update": 1}, "result": "failed"}},
        ],
    )
    assert heard.steps == (
        Step(
            "update",
            "aws:rds:Instance",
            "botbrains-prod-database",
            (
                Property("retention", 35, 7),
                Property("tags.a", "x", "y"),
                Property("key", None, "(known after it is done)"),
            ),
        ),
    )
    [word] = heard.policies
    assert word.undecided
    assert word.message == "can't run policy 'retention' during preview"
    assert heard.errors == ("aws:rds:Instance botbrains-prod-database: no such key",)
    assert heard.notes == ("decided at the update",)
    assert (heard.unchanged, heard.unknown, heard.finished) == (3, 1, False)


def test_a_replacement_is_one_step_though_the_engine_tells_it_in_three() -> None:
    events = [
        {"resourcePreEvent": metadata(op, old={"inputs": {"name": "a"}}, new={"inputs": {"name": "b"}}, keys=["name"])}
        for op in ("create-replacement", "replace", "delete-replaced")
    ]
    [step] = understood(0, events).steps
    assert (step.operation, step.properties) == ("replace", (Property("name", "a", "b"),))


@pytest.mark.parametrize("part", ["inputs", "outputs"])
def test_a_step_whose_properties_nobody_names_has_those_that_are_not_the_same(part: str) -> None:
    old, new = {"inputs": {"a": 1}, part: {"a": 1, "b": 2}}, {"inputs": {"a": 1}, part: {"a": 1, "b": 3}}
    [step] = understood(0, [{"resOutputsEvent": metadata("update", old=old, new=new)}]).steps
    assert step.properties == (Property("b", 2, 3),)


def test_a_change_that_stands_in_nobodys_way_is_shown_property_by_property() -> None:
    step = Step("update", "aws:rds:Instance", "db", (Property("retention", 35, 40),))
    one = report(steps=(step,), unknown=2, notes=("the policy pack decides at the update about 2 values",))
    text = one.text()
    assert one.code == 0
    assert text.startswith(one.marker)
    for line in (
        "`prod`: 1 to update, 5 as they are",
        "-     retention: 35",
        "+     retention: 40",
        "`vault`: no change",
    ):
        assert line in text
    assert "decides at the update about 2 values" in text
    assert "Not known until it is done, and so not judged: 2 values" in text


@pytest.mark.parametrize("operation", ["replace", "delete"])
@pytest.mark.parametrize("kind", ["aws:rds:Instance", "aws:kms:Key", "aws:s3:Bucket", "github:index:Repository"])
def test_ending_what_holds_data_is_refused_by_name_until_somebody_agrees(operation: str, kind: str) -> None:
    steps = (Step(operation, kind, "kept"), Step(operation, "hcloud:index:Server", "host"))
    refused = report(steps=steps)
    assert refused.code == 4
    assert [step.name for _, step, _ in refused.endangered] == ["kept"]
    assert f"{operation} of `{kind} kept`" in refused.text()
    assert LABEL in refused.text()
    agreed = report(agreed=True, steps=steps)
    assert agreed.code == 0
    assert f"{operation} of `{kind} kept`" in agreed.text()


def test_making_or_changing_what_holds_data_needs_no_label() -> None:
    assert report(steps=(Step("create", "aws:rds:Instance", "a"), Step("update", "aws:rds:Instance", "b"))).code == 0


def test_what_the_pack_refuses_and_what_it_could_not_decide_are_said_first_and_in_full() -> None:
    refused = PolicyWord("retention", "aws:rds:Instance db", "retention is 1; allowed is 35", mandatory=True)
    skipped = PolicyWord(
        "key", "aws:rds:Instance db", "can't run policy 'key' during preview: unknown", mandatory=False
    )
    advice = PolicyWord("size", "aws:rds:Instance db", "rather large", mandatory=False)
    one = report(code=1, policies=(refused, skipped, advice), finished=False)
    text = one.text()
    assert one.code == 1
    assert "**The policy pack refuses this**: 1 violation." in text
    assert "**could not decide** 1 time" in text
    for title, word in (
        ("Refused by the policy pack", refused),
        ("What the policy pack could not decide", skipped),
        ("Advice", advice),
    ):
        assert word.message in text.partition(f"**{title}**")[2]


def test_a_preview_that_failed_is_never_a_change_of_nothing() -> None:
    one = report(code=255, errors=("no credentials",), unchanged=0, finished=False)
    assert one.code == 1
    assert "`prod`: no preview" in one.text()
    assert "no credentials" in one.text()
    assert "**The preview failed** for `prod`" in one.text()


def test_text_from_outside_stays_inside_its_block() -> None:
    text = report(steps=(Step("update", "a:b:C", "x", (Property("p", "1", "```\n# Approved"),)),)).text()
    assert text.count("```") % 2 == 0
    assert "\n# Approved" not in text


def test_a_comment_is_never_longer_than_github_takes_and_says_that_it_was_cut() -> None:
    step = Step("update", "a:b:C", "x" * 80, tuple(Property(f"p{i}", "y" * 100, "z" * 100) for i in range(10)))
    text = report(steps=tuple(replace(step, name=f"{i}{step.name}") for i in range(140))).text()
    assert len(text) < 65536
    assert text.count("```") % 2 == 0
    assert "it is in the job's log" in text
