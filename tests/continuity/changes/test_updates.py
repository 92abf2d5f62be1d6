"""Updates after Hetzner refused a server. `tests/scenarios/test_sold_out.py` runs whole stacks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from continuity.changes import updates
from continuity.engine.events import read_event_log
from continuity.engine.stacks import Stack
from continuity.errors import ContinuityError, StackError, StoppedError
from plan import names

SERVER = "hcloud:index/server:Server"


def refusal(name: str, message: str, kind: str = SERVER, **inputs: str) -> list[dict[str, Any]]:
    """The events that the engine writes for a failed step."""
    urn = f"urn:pulumi:prod::botbrains::botbrains:compute:HostPool${kind}::{name}"
    return [
        {"diagnosticEvent": {"urn": urn, "severity": "error", "message": f"<{{%reset%}}>{message}\n<{{%reset%}}>"}},
        {"resOpFailedEvent": {"metadata": {"op": "create", "urn": urn, "type": kind, "new": {"inputs": inputs}}}},
    ]


SOLD_OUT = refusal("a", "error during placement (resource_unavailable, 4b1e)", serverType="cpx32", location="nbg1")


def test_only_unavailable_server_types_are_sold_out() -> None:
    twice = refusal("b", "error during placement (resource_unavailable, 7a99)", serverType="cpx32", location="nbg1")
    other = refusal("c", "error during placement (resource_unavailable, 11aa)", serverType="cx23", location="hel1")
    limit = refusal("d", "server limit reached (resource_limit_exceeded)", serverType="cpx42", location="nbg1")
    address = refusal("e", "resource_unavailable", kind="hcloud:index/primaryIp:PrimaryIp", location="nbg1")
    unknown = refusal("f", "resource_unavailable")
    assert updates.sold_out([*SOLD_OUT, *twice, *limit, *other, *address, *unknown]) == ["cpx32@nbg1", "cx23@hel1"]
    assert updates.sold_out([{"summaryEvent": {"resourceChanges": {}}}]) == []


def test_reached_limit_is_explained() -> None:
    limit = refusal("d", "server limit exceeded (resource_limit_exceeded)", serverType="cpx42", location="nbg1")
    [sentence] = updates.advice([*SOLD_OUT, *limit])
    assert sentence.startswith("d: the account's limit at Hetzner is reached. Ask for more")


def test_incomplete_last_event_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "events"
    assert read_event_log(file) == []
    file.write_text("".join(json.dumps(event) + "\n" for event in SOLD_OUT))
    assert read_event_log(file) == SOLD_OUT
    with file.open("a") as torn:
        torn.write('{"diagnosticEvent": {"ur')
    assert read_event_log(file) == SOLD_OUT


@pytest.fixture(autouse=True)
def no_half_made_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "complete_databases", lambda stack: False)


@pytest.mark.parametrize(
    ("error", "refusals", "tries"),
    [
        # The program ignored the sold-out types: a further retry would repeat forever.
        (ContinuityError("failed"), [SOLD_OUT, SOLD_OUT], 2),
        # The operator pressed Ctrl-C, so a refusal is not retried.
        (StoppedError("stopped"), [SOLD_OUT], 1),
        (ContinuityError("failed"), [[]], 1),
    ],
)
def test_update_without_alternative_raises_the_error(
    monkeypatch: pytest.MonkeyPatch, error: ContinuityError, refusals: list[list[dict[str, Any]]], tries: int
) -> None:
    held_back = []

    def fails(
        stack: Stack, options: list[str], environment: dict[str, str]
    ) -> tuple[ContinuityError, list[dict[str, Any]]]:
        held_back.append(environment.get(names.SOLD_OUT))
        return error, refusals[len(held_back) - 1]

    monkeypatch.setattr(updates, "_update", fails)
    with pytest.raises(type(error)) as raised:
        updates.up([Stack.PROD], yes=False)
    assert raised.value is error
    assert held_back == [None, "cpx32@nbg1"][:tries]


WARNED = [
    {"diagnosticEvent": {"severity": "warning", "message": f"<{{%reset%}}>a window differs. {names.NEEDS_REFRESH}"}}
]


@pytest.mark.parametrize(
    ("half_made", "warned", "runs", "complete"),
    [
        (False, [[]], [[]], True),
        (False, [WARNED, []], [[], ["--refresh"]], True),
        (False, [WARNED, WARNED], [[], ["--refresh"]], False),
        (True, [[]], [["--refresh"]], True),
        (True, [WARNED], [["--refresh"]], False),
    ],
)
def test_one_more_update_refreshes_what_differs(
    monkeypatch: pytest.MonkeyPatch, half_made: bool, warned: list[Any], runs: list[list[str]], complete: bool
) -> None:
    seen: list[list[str]] = []

    def update(stack: Stack, options: list[str], environment: dict[str, str]) -> tuple[None, list[dict[str, Any]]]:
        seen.append(list(options))
        return None, warned[len(seen) - 1]

    monkeypatch.setattr(updates, "_update", update)
    monkeypatch.setattr(updates, "complete_databases", lambda stack: half_made)
    monkeypatch.setattr(updates, "read_stack", lambda *arguments: [{"resourceChanges": {"same": 3}}])
    if complete:
        [change] = updates.up([Stack.DR], yes=False)
        assert change.steps == {"same": 3}
    else:
        with pytest.raises(StackError, match="dr is up, but not as declared"):
            updates.up([Stack.DR], yes=False)
    assert seen == runs
