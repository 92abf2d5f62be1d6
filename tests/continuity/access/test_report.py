"""The report on who has which access. `tests/scenarios/test_access.py` reads it from a whole local cloud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

import plan
from continuity.access import hetzner
from continuity.access.report import Holder, Key, Report, Seen, System, report

PROMISED = plan.load()
NOW = datetime(2026, 11, 1, tzinfo=UTC)
PEOPLE = [role.person.lower() for role in PROMISED.roles]


def holder(system: System, person: str | None, **more: Any) -> Holder:
    given: dict[str, Any] = {
        "kind": "user",
        "name": person or "eve",
        "may": "may do everything",
        "administrator": True,
        "mfa": True,
    }
    return Holder(system=system, person=person, **{**given, **more})


BOTH = [holder(System.AWS, person) for person in PEOPLE]


def judged(holders: Sequence[Holder], unknown: Sequence[str] = (), **access: Any) -> Report:
    promised = PROMISED.model_copy(update={"access": PROMISED.access.model_copy(update=access)})
    return report(promised, [Seen(tuple(holders))], unknown, NOW)


def key(days: int, kind: str = "SSH key") -> tuple[Key, ...]:
    return (Key(kind=kind, name="k", made=NOW - timedelta(days=days)),)


def test_two_people_with_second_factors_and_no_keys_are_right() -> None:
    assert judged(BOTH).right
    assert judged([*BOTH, holder(System.AWS, None, machine=True, administrator=False, mfa=None)]).right


@pytest.mark.parametrize(
    ("holders", "promise", "words"),
    [
        (BOTH[:1], "access.administrators_minimum", "1 of the plan's people can administer it (Liam), not 2"),
        ([replace(BOTH[0], administrator=False), BOTH[1]], "access.administrators_minimum", "(Ben), not 2"),
        # The same person twice is one.
        ([BOTH[0], replace(BOTH[0], name="liam-2")], "access.administrators_minimum", "(Liam), not 2"),
        ([replace(BOTH[0], mfa=False), BOTH[1]], "access.mfa_required", "liam has no second factor"),
        ([*BOTH, holder(System.AWS, None)], "roles", "the user eve is none of Liam, Ben"),
        ([*BOTH, holder(System.AWS, None, administrator=False)], "roles", "the user eve is none of"),
        (
            [replace(BOTH[0], keys=key(1, "access key")), BOTH[1]],
            "access.aws_access_keys",
            "liam has the access key k, made 1 days ago, never used",
        ),
    ],
)
def test_a_promise_that_is_not_kept_is_named_once(holders: list[Holder], promise: str, words: str) -> None:
    (finding,) = judged(holders).findings
    assert finding.promise == promise
    assert words in finding.found
    assert finding.sentence().startswith(f"AWS: {finding.found} ({promise}): ")


@pytest.mark.parametrize(("days", "kept"), [(365, True), (366, False)])
def test_a_key_is_replaced_in_time(days: int, kept: bool) -> None:
    holders = [holder(System.HETZNER, person, mfa=None, keys=key(days)) for person in PEOPLE]
    found = judged(holders)
    assert found.right is kept
    assert {finding.promise for finding in found.findings} == (set() if kept else {"access.key_days"})


def test_an_access_key_may_be_allowed_and_still_gets_too_old() -> None:
    holders = [replace(each, keys=key(40, "access key")) for each in BOTH]
    assert judged(holders, aws_access_keys=True).right
    assert len(judged(holders, aws_access_keys=True, key_days=30).findings) == 2
    assert len(judged(holders, aws_access_keys=False, key_days=30).findings) == 4


def test_what_could_not_be_looked_at_is_not_right() -> None:
    found = judged(BOTH, ["GitHub: it does not answer"])
    assert not found.right
    assert found.as_data()["could_not_look"] == ["GitHub: it does not answer"]


def test_each_person_has_a_key_at_hetzner_and_nobody_else_has() -> None:
    def at_hetzner(name: str, public: str) -> Any:
        return SimpleNamespace(name=name, public_key=public, fingerprint=f"of {name}", created=NOW)

    first, second = (role.ssh_key for role in PROMISED.roles)
    right = hetzner.seen(PROMISED, [at_hetzner("a", first), at_hetzner("b", second.rsplit(" ", 1)[0] + " other")])
    assert report(PROMISED, [right], (), NOW).right
    assert right.not_shown
    wrong = hetzner.seen(PROMISED, [at_hetzner("a", first), at_hetzner("b", "ssh-ed25519 AAAA eve")])
    found = report(PROMISED, [wrong], (), NOW)
    assert sorted(finding.promise for finding in found.findings) == ["access.administrators_minimum", "roles", "roles"]
