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
from continuity.access.report import Credential, Principal, Report, System, SystemAccess, evaluate

PROMISED = plan.load()
NOW = datetime(2026, 11, 1, tzinfo=UTC)
PEOPLE = [role.person.lower() for role in PROMISED.roles]


def principal(system: System, person: str | None, **more: Any) -> Principal:
    given: dict[str, Any] = {
        "kind": "user",
        "name": person or "eve",
        "permissions": "may do everything",
        "administrator": True,
        "mfa": True,
    }
    return Principal(system=system, person=person, **{**given, **more})


BOTH = [principal(System.AWS, person) for person in PEOPLE]


def evaluated(principals: Sequence[Principal], unknown: Sequence[str] = (), **access: Any) -> Report:
    promised = PROMISED.model_copy(update={"access": PROMISED.access.model_copy(update=access)})
    return evaluate(promised, [SystemAccess(tuple(principals))], unknown, NOW)


def key(days: int, kind: str = "SSH key") -> tuple[Credential, ...]:
    return (Credential(kind=kind, name="k", created=NOW - timedelta(days=days)),)


def test_two_people_with_second_factors_keep_the_promises() -> None:
    assert evaluated(BOTH).complete_and_kept
    assert evaluated(
        [*BOTH, principal(System.AWS, None, machine=True, administrator=False, mfa=None)]
    ).complete_and_kept


@pytest.mark.parametrize(
    ("principals", "promise", "words"),
    [
        (BOTH[:1], "access.administrators_minimum", "1 of the plan's people can administer it (Liam), not 2"),
        ([replace(BOTH[0], administrator=False), BOTH[1]], "access.administrators_minimum", "(Ben), not 2"),
        # The same person twice is one.
        ([BOTH[0], replace(BOTH[0], name="liam-2")], "access.administrators_minimum", "(Liam), not 2"),
        ([replace(BOTH[0], mfa=False), BOTH[1]], "access.mfa_required", "liam has no second factor"),
        ([*BOTH, principal(System.AWS, None)], "roles", "the user eve is none of Liam, Ben"),
        ([*BOTH, principal(System.AWS, None, administrator=False)], "roles", "the user eve is none of"),
        (
            [replace(BOTH[0], credentials=key(1, "access key")), BOTH[1]],
            "access.aws_access_keys",
            "liam has the access key k, created 1 days ago, never used",
        ),
    ],
)
def test_broken_promise_is_reported_once(principals: list[Principal], promise: str, words: str) -> None:
    (finding,) = evaluated(principals).findings
    assert finding.promise == promise
    assert words in finding.found
    assert finding.sentence().startswith(f"AWS: {finding.found} ({promise}): ")


@pytest.mark.parametrize(("days", "kept"), [(365, True), (366, False)])
def test_key_age_is_limited(days: int, kept: bool) -> None:
    principals = [principal(System.HETZNER, person, mfa=None, credentials=key(days)) for person in PEOPLE]
    found = evaluated(principals)
    assert found.complete_and_kept is kept
    assert {finding.promise for finding in found.findings} == (set() if kept else {"access.key_days"})


def test_allowed_access_key_may_be_too_old() -> None:
    principals = [replace(each, credentials=key(40, "access key")) for each in BOTH]
    assert evaluated(principals, aws_access_keys=True).complete_and_kept
    assert len(evaluated(principals, aws_access_keys=True, key_days=30).findings) == 2
    assert len(evaluated(principals, aws_access_keys=False, key_days=30).findings) == 4


def test_unreadable_system_is_incomplete() -> None:
    found = evaluated(BOTH, ["GitHub: it does not answer"])
    assert not found.complete_and_kept
    assert found.as_data()["could_not_look"] == ["GitHub: it does not answer"]


def test_ssh_keys_at_hetzner_are_those_of_the_plan() -> None:
    def at_hetzner(name: str, public: str) -> Any:
        return SimpleNamespace(name=name, public_key=public, fingerprint=f"of {name}", created=NOW)

    first, second = (role.ssh_key for role in PROMISED.roles)
    access = hetzner.from_ssh_keys(
        PROMISED, [at_hetzner("a", first), at_hetzner("b", second.rsplit(" ", 1)[0] + " other")]
    )
    assert evaluate(PROMISED, [access], (), NOW).complete_and_kept
    assert access.notes
    wrong = hetzner.from_ssh_keys(PROMISED, [at_hetzner("a", first), at_hetzner("b", "ssh-ed25519 AAAA eve")])
    found = evaluate(PROMISED, [wrong], (), NOW)
    assert sorted(finding.promise for finding in found.findings) == ["access.administrators_minimum", "roles", "roles"]
