"""The price file knows every declared type, and the estimate multiplies, sums, and names what it does not know."""

from __future__ import annotations

from typing import Any

import pytest

from continuity.costs.estimate import difference, estimate, format_sums
from continuity.costs.prices import Prices, load_prices
from continuity.engine.events import Resource
from tests.conftest import ROOT

PRICES = load_prices()
DATABASE = {
    "instanceClass": "db.m7g.large",
    "multiAz": True,
    "allocatedStorage": 100,
    "storageType": "gp3",
    "publiclyAccessible": True,
    "manageMasterUserPassword": True,
}


def resource(type_: str, **inputs: Any) -> Resource:
    return Resource(f"urn:pulumi:prod::botbrains::{type_}::one", type_, inputs)


def declared_types() -> set[str]:
    urns = [
        line.split(" ")[0] for file in ROOT.glob("tests/snapshots/urns-*.txt") for line in file.read_text().split("\n")
    ]
    types = {urn.split("::")[2].rpartition("$")[2] for urn in urns if urn}
    return {type_ for type_ in types if not type_.startswith(("pulumi:", "botbrains:"))}


def test_every_declared_type_has_a_price_or_is_free() -> None:
    assert declared_types() - set(PRICES.prices) - PRICES.free == set()


def test_every_source_and_assumption_is_used() -> None:
    items = [price for items in PRICES.prices.values() for price in items]
    assert {price.source for price in items} == set(PRICES.sources)
    assert set(PRICES.assumptions) <= {price.quantity for price in items}


def test_multi_az_doubles_instance_and_disk_only() -> None:
    def items(**changes: Any) -> dict[str, float]:
        costs = estimate(PRICES, [resource("aws:rds/instance:Instance", **{**DATABASE, **changes})]).costs
        return {cost.price.item: cost.amount for cost in costs}

    twice, once = items(), items(multiAz=False)
    doubled = {"instance", "disk"}
    assert {name: twice[name] for name in doubled} == {name: pytest.approx(2 * once[name]) for name in doubled}
    assert {name: twice[name] for name in twice if name not in doubled} == {
        name: once[name] for name in once if name not in doubled
    }
    assert items(publiclyAccessible=False)["public address"] == 0


def test_list_multiplies_by_its_length_and_may_be_absent() -> None:
    kind = "aws:secretsmanager/secret:Secret"
    alone = estimate(PRICES, [resource(kind)]).sums
    three = estimate(PRICES, [resource(kind, replicas=[{}, {}])]).sums
    assert three["USD"] == pytest.approx(3 * alone["USD"])


@pytest.mark.parametrize(
    ("unknown", "sentence"),
    [
        (resource("aws:ec2/instance:Instance"), "aws:ec2:Instance one"),
        (
            resource("hcloud:index/server:Server", serverType="cx999"),
            "hcloud:index:Server one, server: serverType is cx999",
        ),
        (
            resource("aws:rds/instance:Instance", **{**DATABASE, "allocatedStorage": None}),
            "aws:rds:Instance one, disk: allocatedStorage is not known",
        ),
    ],
)
def test_unknown_price_is_named_and_not_counted_as_zero(unknown: Resource, sentence: str) -> None:
    assert estimate(PRICES, [unknown]).unpriced == (sentence,)


def test_currencies_are_summed_separately() -> None:
    found = estimate(
        PRICES,
        [resource("hcloud:index/server:Server", serverType="cpx32"), resource("aws:kms/key:Key")],
    )
    assert found.unpriced == ()
    assert list(found.sums) == ["EUR", "USD"]
    assert format_sums({"EUR": 1234.5, "USD": 0.1}) == "1,234.50 EUR and 0.10 USD"
    assert format_sums(difference({"EUR": 10.0, "USD": 1.0}, {"EUR": 12.3, "USD": 1.0}), signed=True) == "+2.30 EUR"


def test_price_file_refuses_a_missing_source_and_a_free_type_with_a_price() -> None:
    data = PRICES.model_dump(by_alias=True)
    with pytest.raises(ValueError, match="these sources do not exist: hetzner"):
        Prices.model_validate({**data, "sources": {k: v for k, v in data["sources"].items() if k != "hetzner"}})
    with pytest.raises(ValueError, match="have a price and are free: aws:kms/key:Key"):
        Prices.model_validate({**data, "free": [*data["free"], "aws:kms/key:Key"]})
