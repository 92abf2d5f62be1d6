"""What an update makes of Hetzner's refusals. The whole of it is tried in tests/scenarios/test_sold_out.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from continuity.engine import updates
from continuity.engine.events import recorded
from continuity.engine.stacks import Stack
from continuity.errors import ContinuityError, StoppedError
from plan import names

SERVER = "hcloud:index/server:Server"


def refusal(name: str, message: str, kind: str = SERVER, **inputs: str) -> list[dict[str, Any]]:
    """What the engine writes of a step that failed."""
    urn = f"urn:pulumi:prod::botbrains::botbrains:compute:HostPool${kind}::{name}"
    return [
        {"diagnosticEvent": {"urn": urn, "severity": "error", "message": f"<{{%reset%}}>{message}\n<{{%reset%}}>"}},
        {"resOpFailedEvent": {"metadata": {"op": "create", "urn": urn, "type": kind, "new": {"inputs": inputs}}}},
    ]


SOLD_OUT = refusal("a", "error during placement (resource_unavailable, 4b1e)", serverType="cpx32", location="nbg1")


def test_only_servers_that_hetzner_has_none_of_are_held_back() -> None:
    twice = refusal("b", "error during placement (resource_unavailable, 7a99)", serverType="cpx32", location="nbg1")
    other = refusal("c", "error during placement (resource_unavailable, 11aa)", serverType="cx23", location="hel1")
    limit = refusal("d", "server limit reached (resource_limit_exceeded)", serverType="cpx42", location="nbg1")
    address = refusal("e", "resource_unavailable", kind="hcloud:index/primaryIp:PrimaryIp", location="nbg1")
    unknown = refusal("f", "resource_unavailable")
    assert updates.sold_out([*SOLD_OUT, *twice, *limit, *other, *address, *unknown]) == ["cpx32@nbg1", "cx23@hel1"]
    assert updates.sold_out([{"summaryEvent": {"resourceChanges": {}}}]) == []


def test_the_events_of_an_engine_that_was_killed_are_read_up_to_the_torn_one(tmp_path: Path) -> None:
    file = tmp_path / "events"
    assert recorded(file) == []
    file.write_text("".join(json.dumps(event) + "\n" for event in SOLD_OUT))
    assert recorded(file) == SOLD_OUT
    with file.open("a") as torn:
        torn.write('{"diagnosticEvent": {"ur')
    assert recorded(file) == SOLD_OUT


@pytest.mark.parametrize(
    ("error", "said", "tries"),
    [
        # The program did not heed what was held back: going on would go on for ever.
        (ContinuityError("failed"), [SOLD_OUT, SOLD_OUT], 2),
        # Whatever was refused as well, a person wants it to end.
        (StoppedError("stopped"), [SOLD_OUT], 1),
        (ContinuityError("failed"), [[]], 1),
    ],
)
def test_an_update_that_cannot_go_on_ends_as_pulumi_did(
    monkeypatch: pytest.MonkeyPatch, error: ContinuityError, said: list[list[dict[str, Any]]], tries: int
) -> None:
    told = []

    def fails(stack: Stack, options: list[str], more: dict[str, str]) -> tuple[ContinuityError, list[dict[str, Any]]]:
        told.append(more.get(names.SOLD_OUT))
        return error, said[len(told) - 1]

    monkeypatch.setattr(updates, "_update", fails)
    with pytest.raises(type(error)) as raised:
        updates.up([Stack.PROD], yes=False)
    assert raised.value is error
    assert told == [None, "cpx32@nbg1"][:tries]
