"""The document matches the policies, and the comparison with other collections names policies that exist."""

from __future__ import annotations

from pathlib import Path

from plan import load
from policy_pack import ALL
from policy_pack.documentation.comparison import comparison
from policy_pack.documentation.documents import policies

DOCUMENT = Path(__file__).parents[3] / "docs" / "policies.md"


def test_the_document_is_what_the_policies_say() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == policies(load()), "run `make policies`"


def test_it_has_an_allowed_and_a_refused_example_of_every_policy() -> None:
    parts = policies(load()).split("\n### ")[1:]
    assert [part.partition("\n")[0] for part in parts] == [policy.id for policy in ALL]
    for part in parts:
        assert "\nAllowed" in part
        assert "\nRefused" in part
        assert "\n> " in part


def test_what_others_check_is_checked_here_or_has_its_reason() -> None:
    ids = {policy.id for policy in ALL}
    for row in comparison():
        assert set(row.ours) <= ids
        assert row.ours or row.why, row.what
