"""The provider with the real engine and a toy cloud, in which a test can force each event of a resource's life."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.engine.provide import Engine
from tests.localcloud.plugins.toy_cloud import Stack, ToyCloud


@pytest.fixture
def stack(engine: Engine, tmp_path: Path) -> Iterator[Stack]:
    made = Stack(engine, tmp_path, ToyCloud())
    yield made
    made.broker.shutdown()
    made.broker.server_close()


def test_resource_life(stack: Stack) -> None:
    stack.up("thing('a', name='one', size=1)")
    assert stack.steps() == {"create": 2}  # the stack is one
    stack.up("thing('a', name='one', size=1, color='blue')")  # the documented default, declared: no change
    assert stack.steps() == {}
    stack.up("thing('a', name='one', size=2)")
    assert stack.steps() == {"update": 1}
    assert stack.cloud.asked[-1] == "update ['size']"
    stack.up("thing('a', name='two', size=2)")
    assert stack.steps() == {"replace": 1}
    assert [thing["name"] for thing in stack.cloud.things.values()] == ["two"]
    assert stack.cloud.asked[-2:] == ["create two", "delete one"]
    stack.pulumi("destroy", "--yes", "--skip-preview")
    assert stack.cloud.things == {}


def test_computed_output_unknown_in_preview(stack: Stack) -> None:
    program = """
first = thing('first', name='first', size=1)
thing('second', name='second', size=first.arn)
pulumi.export('of', first.arn.apply(lambda arn: f'knows {arn}'))
"""
    said = stack.preview(program)
    assert "knows" not in said
    assert stack.cloud.asked == []  # a preview does not call the cloud
    assert "knows arn:t-0" in stack.up(program)
    assert stack.cloud.things["t-1"]["size"] == "arn:t-0"


def test_secret_stays_secret(stack: Stack) -> None:
    program = "thing('a', outputs=('arn', 'size'), name='one', size=pulumi.Output.secret('hush'), password='pst-word')"
    for said in (stack.preview(program), stack.up(program)):
        assert "hush" not in said
        assert "pst-word" not in said
    assert stack.cloud.things["t-0"]["size"] == "hush"
    assert stack.cloud.things["t-0"]["password"] == "pst-word"
    written = json.dumps(stack.resources())
    assert "hush" not in written
    assert "pst-word" not in written
    stack.up(program)
    assert stack.steps() == {}


def test_refresh_shows_manual_changes_only(stack: Stack) -> None:
    program = """thing('a', name='one', size=1, policy='{"a": 1, "b": 2}', password='p')"""
    stack.up(program)
    stack.cloud.things["t-0"]["policy"] = '{"b":2,"a":1}'  # the same in the cloud's form
    stack.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    stack.cloud.things["t-0"]["protected"] = True  # not declared
    stack.cloud.things["t-0"]["size"] = 7
    assert "updated" in stack.pulumi("refresh", "--yes", "--skip-preview")
    stack.up(program)
    assert stack.steps() == {"update": 1}
    assert (stack.cloud.things["t-0"]["protected"], stack.cloud.things["t-0"]["size"]) == (False, 1)
    del stack.cloud.things["t-0"]
    stack.pulumi("refresh", "--yes", "--skip-preview")
    assert stack.resources() == []


def test_import_existing_object(stack: Stack) -> None:
    stack.cloud.things["t-9"] = {"name": "old", "color": "red", "protected": False, "size": 4, "arn": "arn:t-9"}
    stack.up("thing('a', name='old', size=4, color='red', opts=pulumi.ResourceOptions(import_='t-9'))")
    assert stack.steps() == {"create": 1, "import": 1}
    assert stack.cloud.asked == []
    [imported] = stack.resources()
    assert imported["inputs"] == {"name": "old", "size": 4, "color": "red"} | {
        key: value for key, value in imported["inputs"].items() if key == "__defaults"
    }


def test_unmapped_name_is_reported_in_preview_and_refused_in_update(stack: Stack) -> None:
    for kind, expected in (
        ("size=1, flavour='sweet'", "no mapping for the property `flavour` of toy:index/thing:Thing"),
        ("kind='Gadget'", "no mapping for the resource type toy:index/gadget:Gadget"),
    ):
        # The preview goes on with a resource that depends on this one.
        said = stack.preview(f"a = thing('a', {kind})\nthing('b', size=1, opts=pulumi.ResourceOptions(depends_on=a))")
        assert f"error: the local cloud has {expected}" in said
        assert "toy:index/thing:Thing::b" in said
        assert f"the local cloud has {expected}" in stack.up(f"thing('a', {kind})", fails=True)
    assert stack.cloud.asked == []
    stack.up("thing('a', size=1)")
    assert "no mapping for the property `flavour`" in stack.up("thing('a', size=1, flavour='sweet')", fails=True)


def test_broken_rule_refused_in_preview(stack: Stack) -> None:
    said = stack.preview("thing('a', name='x')", fails=True)
    assert "toy:index/thing:Thing needs `size`" in said
    said = stack.preview("thing('a', size=1, color='green')", fails=True)
    assert "'green'; allowed: 'blue', 'red'" in said
    assert stack.cloud.asked == []


def test_generated_name_is_stable(stack: Stack) -> None:
    stack.up("thing('a', size=1)")
    [made] = stack.cloud.things.values()
    assert made["name"].startswith("a-")
    assert len(made["name"]) == 9
    stack.up("thing('a', size=1)")
    assert stack.steps() == {}


def test_refusal_is_printed(stack: Stack) -> None:
    assert "`name` is 'never'; allowed: anything else" in stack.up("thing('a', name='never', size=1)", fails=True)
    assert stack.resources() == []


def test_partly_created_object_completed(stack: Stack) -> None:
    stack.cloud.fail_settling = True
    assert "lost its temper" in stack.up("thing('a', name='one', size=1)", fails=True)
    [kept] = stack.resources()
    assert kept["id"] == "t-0"
    assert kept["initErrors"]
    stack.cloud.fail_settling = False
    stack.up("thing('a', name='one', size=1)")
    assert list(stack.cloud.things) == ["t-0"]
    assert stack.cloud.asked.count("create one") == 1


def test_plugin_without_running_cloud(stack: Stack) -> None:
    (stack.folder / "cloud" / "running.json").unlink()
    assert "the local cloud is not running" in stack.preview("thing('a', size=1)", fails=True)
