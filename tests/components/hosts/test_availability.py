"""Tests of the offers that `BOTBRAINS_SOLD_OUT` excludes. The tests of the stacks query Hetzner's own list."""

from __future__ import annotations

import pulumi
import pytest

from components.hosts.availability import parse_sold_out
from components.hosts.placement import Offer
from plan.names import SOLD_OUT


def test_sold_out_offers_are_parsed() -> None:
    assert parse_sold_out("") == set()
    assert parse_sold_out("cpx32@nbg1,cpx42@hel1") == {Offer("cpx32", "nbg1"), Offer("cpx42", "hel1")}


@pytest.mark.parametrize("wrong", ["cpx32", "cpx32@", "@nbg1", "cpx32 nbg1"])
def test_sold_out_of_other_form_is_refused(wrong: str) -> None:
    with pytest.raises(pulumi.RunError) as raised:
        parse_sold_out(f"cpx42@hel1,{wrong}")
    assert str(raised.value).startswith(
        f"The environment variable {SOLD_OUT} has {wrong!r}; allowed is TYPE@LOCATION, such as cpx32@nbg1, with commas"
        " between them. Correct it, or unset it"
    )
