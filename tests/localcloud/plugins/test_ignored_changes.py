"""`ignore_changes` under the real engine: an input that says how an object came to be stays what it was.

The engine puts the old input back before it asks the plugin, whether the new one differs inside, is another or is gone.
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
    """Its things say where they come from, once; the cloud does not give it back."""

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


def test_an_origin_counts_only_once(stack: Stack) -> None:
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


def test_an_origin_that_comes_later_is_not_taken_up(stack: Stack) -> None:
    """An object that was made new, or was imported, and is then declared as if it had been restored."""
    stack.up("thing('a', name='one', size=1)")
    ignoring = "opts=pulumi.ResourceOptions(ignore_changes=['origin'])"
    stack.up(f"thing('a', name='one', size=1, origin={{'backup': 'b-1'}}, {ignoring})")
    assert stack.steps() == {}
    assert "origin" not in stack.resources()[0]["inputs"]
