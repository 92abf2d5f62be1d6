"""The comment on a change: its content, its exit code, and that foreign text stays inside code blocks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from continuity.changes.report import LABEL, Report
from continuity.engine.events import EngineRun, PolicyResult, PropertyChange, Step, parse_events
from continuity.engine.stacks import Stack

QUIET = EngineRun(code=0, steps=(), policies=(), errors=(), notes=(), unchanged=5, unknown=0, finished=True, output="")
DATABASE = "urn:pulumi:prod::botbrains::botbrains:database:Database$aws:rds/instance:Instance::botbrains-prod-database"

STACK = "urn:pulumi:prod::botbrains::pulumi:pulumi:Stack::botbrains-prod"


def report(agreed: bool = False, **prod: Any) -> Report:
    return Report("the local cloud", {Stack.VAULT: QUIET, Stack.PROD: replace(QUIET, **prod)}, agreed)


def metadata(op: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"op": op, "urn": DATABASE, "type": "aws:rds/instance:Instance", **more}}


def test_events_become_steps_results_and_errors() -> None:
    old = {"inputs": {"retention": 35, "tags": {"a": "x"}, "password": "[secret]"}}
    new = {"inputs": {"retention": 7, "tags": {"a": "y"}, "key": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"}}
    engine_run = parse_events(
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
    assert engine_run.steps == (
        Step(
            "update",
            "aws:rds:Instance",
            "botbrains-prod-database",
            (
                PropertyChange("retention", 35, 7),
                PropertyChange("tags.a", "x", "y"),
                PropertyChange("key", None, "(known after it is done)"),
            ),
        ),
    )
    [word] = engine_run.policies
    assert word.undecided
    assert word.message == "can't run policy 'retention' during preview"
    assert engine_run.errors == ("aws:rds:Instance botbrains-prod-database: no such key",)
    assert engine_run.notes == ("decided at the update",)
    assert (engine_run.unchanged, engine_run.unknown, engine_run.finished) == (3, 1, False)


def test_replacement_is_one_step() -> None:
    events = [
        {"resourcePreEvent": metadata(op, old={"inputs": {"name": "a"}}, new={"inputs": {"name": "b"}}, keys=["name"])}
        for op in ("create-replacement", "replace", "delete-replaced")
    ]
    [step] = parse_events(0, events).steps
    assert (step.operation, step.properties) == ("replace", (PropertyChange("name", "a", "b"),))


@pytest.mark.parametrize("part", ["inputs", "outputs"])
def test_unnamed_properties_are_compared(part: str) -> None:
    old, new = {"inputs": {"a": 1}, part: {"a": 1, "b": 2}}, {"inputs": {"a": 1}, part: {"a": 1, "b": 3}}
    [step] = parse_events(0, [{"resOutputsEvent": metadata("update", old=old, new=new)}]).steps
    assert step.properties == (PropertyChange("b", 2, 3),)


def test_harmless_change_is_shown_by_property() -> None:
    step = Step("update", "aws:rds:Instance", "db", (PropertyChange("retention", 35, 40),))
    one = report(steps=(step,), unknown=2, notes=("the policy pack decides at the update about 2 values",))
    text = one.text()
    assert one.code == 0
    assert text.startswith(one.marker)
    for line in (
        "`prod`: 1 to update, 5 unchanged",
        "-     retention: 35",
        "+     retention: 40",
        "`vault`: no change",
    ):
        assert line in text
    assert "decides at the update about 2 values" in text
    assert "Known only after the update, and not checked by this preview: 2 values" in text


@pytest.mark.parametrize("operation", ["replace", "delete"])
@pytest.mark.parametrize("kind", ["aws:rds:Instance", "aws:kms:Key", "aws:s3:Bucket", "github:index:Repository"])
def test_data_loss_needs_approval(operation: str, kind: str) -> None:
    steps = (Step(operation, kind, "kept"), Step(operation, "hcloud:index:Server", "host"))
    refused = report(steps=steps)
    assert refused.code == 4
    assert [step.name for _, step, _ in refused.data_loss_risks] == ["kept"]
    assert f"{operation} of `{kind} kept`" in refused.text()
    assert LABEL in refused.text()
    agreed = report(agreed=True, steps=steps)
    assert agreed.code == 0
    assert f"{operation} of `{kind} kept`" in agreed.text()


def test_creating_or_updating_data_needs_no_approval() -> None:
    assert report(steps=(Step("create", "aws:rds:Instance", "a"), Step("update", "aws:rds:Instance", "b"))).code == 0


def test_policy_results_are_shown_in_full() -> None:
    refused = PolicyResult("retention", "aws:rds:Instance db", "retention is 1; allowed is 35", mandatory=True)
    skipped = PolicyResult(
        "key", "aws:rds:Instance db", "can't run policy 'key' during preview: unknown", mandatory=False
    )
    advice = PolicyResult("size", "aws:rds:Instance db", "rather large", mandatory=False)
    one = report(code=1, policies=(refused, skipped, advice), finished=False)
    text = one.text()
    assert one.code == 1
    assert "**The policy pack refuses this change**: 1 violation." in text
    assert "**could not decide** 1 time" in text
    for title, word in (
        ("Refused by the policy pack", refused),
        ("Undecided by the policy pack", skipped),
        ("Advice", advice),
    ):
        assert word.message in text.partition(f"**{title}**")[2]


def test_failed_preview_is_not_an_empty_change() -> None:
    one = report(code=255, errors=("no credentials",), unchanged=0, finished=False)
    assert one.code == 1
    assert "`prod`: no preview" in one.text()
    assert "no credentials" in one.text()
    assert "**The preview failed** for `prod`" in one.text()


def test_foreign_text_stays_inside_its_block() -> None:
    text = report(steps=(Step("update", "a:b:C", "x", (PropertyChange("p", "1", "```\n# Approved"),)),)).text()
    assert text.count("```") % 2 == 0
    assert "\n# Approved" not in text


def test_long_comment_is_cut_and_says_so() -> None:
    step = Step("update", "a:b:C", "x" * 80, tuple(PropertyChange(f"p{i}", "y" * 100, "z" * 100) for i in range(10)))
    text = report(steps=tuple(replace(step, name=f"{i}{step.name}") for i in range(140))).text()
    assert len(text) < 65536
    assert text.count("```") % 2 == 0
    assert "The rest is in the job's log" in text


def cost_lines(op: str, old: dict[str, Any] | None, new: dict[str, Any] | None, type_: str = "aws:kms/key:Key") -> str:
    """The line about the cost, for a preview with one step."""
    it = {"type": type_, "custom": True}
    sides = {side: {**it, "inputs": inputs} for side, inputs in (("old", old), ("new", new)) if inputs is not None}
    metadata = {"op": op, "urn": f"urn:pulumi:prod::botbrains::{type_}::one", "type": type_, **sides}
    engine_run = parse_events(
        0, [{"resourcePreEvent": {"metadata": metadata}}, {"summaryEvent": {"resourceChanges": {}}}]
    )
    lines = Report("the local cloud", {Stack.PROD: engine_run}).text().split("\n")
    return "\n".join(line for line in lines if "Cost a month" in line or "No price" in line)


SERVER = "hcloud:index/server:Server"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (cost_lines("same", {}, {}), "no change."),
        (cost_lines("update", {"serverType": "cpx42"}, {"serverType": "cpx32"}, SERVER), "`prod` -"),
        (cost_lines("update", {"serverType": "cpx32"}, {"serverType": "cpx42"}, SERVER), "`prod` +"),
        (cost_lines("create-replacement", {"serverType": "cpx32"}, {"serverType": "cpx32"}, SERVER), "no change."),
        (cost_lines("delete", {}, None), "`prod` -1.00 USD."),
        (cost_lines("create", None, {}), "`prod`, which does not exist, would cost 1.00 USD."),
        (
            cost_lines("create", None, {}, "aws:ec2/instance:Instance"),
            "no change.\nNo price is known for `aws:ec2:Instance one`.",
        ),
        (cost_lines("read", None, {}, "aws:ec2/instance:Instance"), "no change."),
    ],
)
def test_comment_names_the_change_of_the_monthly_cost(lines: str, expected: str) -> None:
    assert expected in lines
    assert lines.startswith("**Cost a month, estimated:** ")


def test_cost_of_a_failed_preview_is_not_shown() -> None:
    stopped = replace(QUIET, finished=False)
    assert "Cost a month" not in Report("the local cloud", {Stack.PROD: stopped}).text()
    assert "Cost a month" in Report("the local cloud", {Stack.PROD: QUIET}).text()
