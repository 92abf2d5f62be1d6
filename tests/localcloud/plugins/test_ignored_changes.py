"""`ignore_changes` with the real engine: the input that names an object's origin keeps its value.

The engine restores the old input before it calls the plugin, if the new input differs in part, differs completely, or
is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from localcloud.engine.provide import Engine
from localcloud.plugins.table import Plugin, Property
from tests.localcloud.plugins.toy_cloud import Stack, ToyCloud


class RestoringCloud(ToyCloud):
    """A cloud whose objects have an origin, which it does not return."""

    def plugin(self) -> Plugin:
        plain = super().plugin()
        [thing] = plain.resources
        properties = {**thing.properties, "origin": Property(replaces=True, write_only=True)}
        return replace(plain, resources=(replace(thing, properties=properties),))


@pytest.fixture
def stack(engine: Engine, tmp_path: Path) -> Iterator[Stack]:
    made = Stack(engine, tmp_path, RestoringCloud())
    yield made
    made.broker.shutdown()
    made.broker.server_close()


def test_ignored_origin_keeps_value(stack: Stack) -> None:
    def program(*origins: str, ignored: bool = True) -> str:
        opts = "pulumi.ResourceOptions(ignore_changes=['origin'])" if ignored else "None"
        declared = "".join(f", origin={origin}" for origin in origins)
        return f"thing('a', name='one', size=1{declared}, opts={opts})"

    latest, moment = "{'backup': 'b-1', 'latest': True}", "{'backup': 'b-1', 'at': '12:00'}"
    stack.up(program(latest))
    for other in (moment, "{'backup': 'b-2', 'latest': True}"):
        stack.up(program(other))
        assert stack.steps() == {}
    stack.up(program())
    assert stack.steps() == {}
    stack.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    [kept] = stack.resources()
    assert kept["inputs"]["origin"] == {"backup": "b-1", "latest": True}
    assert stack.cloud.asked == ["create one"]
    said = stack.preview(program(ignored=False))
    assert "origin" in said
    assert "replace" in said


def test_ignored_origin_added_later(stack: Stack) -> None:
    """An object that was created or imported is later declared with an origin."""
    stack.up("thing('a', name='one', size=1)")
    ignoring = "opts=pulumi.ResourceOptions(ignore_changes=['origin'])"
    stack.up(f"thing('a', name='one', size=1, origin={{'backup': 'b-1'}}, {ignoring})")
    assert stack.steps() == {}
    assert "origin" not in stack.resources()[0]["inputs"]
