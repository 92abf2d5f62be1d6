"""What is held back of Hetzner's list. What the list itself says is tried with the stacks."""

from __future__ import annotations

import pulumi
import pytest

from components.hosts.availability import refused
from components.hosts.placement import Offer
from plan.names import SOLD_OUT


def test_what_was_refused_is_held_back() -> None:
    assert refused("") == set()
    assert refused("cpx32@nbg1,cpx42@hel1") == {Offer("cpx32", "nbg1"), Offer("cpx42", "hel1")}


@pytest.mark.parametrize("wrong", ["cpx32", "cpx32@", "@nbg1", "cpx32 nbg1"])
def test_another_form_is_refused_by_name(wrong: str) -> None:
    with pytest.raises(pulumi.RunError) as raised:
        refused(f"cpx42@hel1,{wrong}")
    assert str(raised.value) == (
        f"{SOLD_OUT} has {wrong!r}; allowed is TYPE@LOCATION, such as cpx32@nbg1, with commas between"
    )
