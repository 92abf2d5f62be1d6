"""Estimate the monthly cost of resources from their inputs and the price file. Makes no calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from continuity.costs.prices import HOURS_PER_MONTH, Price, Prices
from continuity.engine.events import Resource, short_type

Sums = Mapping[str, float]
"""Amounts a month by currency. They are not converted: an exchange rate would be one more number that ages."""


@dataclass(frozen=True)
class Cost:
    """The cost of one item of a resource in a month."""

    resource: Resource
    price: Price
    currency: str
    amount: float


@dataclass(frozen=True)
class Estimate:
    """The costs of resources, and the resources for which no price is known."""

    costs: tuple[Cost, ...]
    unpriced: tuple[str, ...]

    @property
    def sums(self) -> Sums:
        sums: dict[str, float] = defaultdict(float)
        for cost in self.costs:
            sums[cost.currency] += cost.amount
        return dict(sorted(sums.items()))

    def by_resource(self) -> list[tuple[Resource, list[Cost]]]:
        """The items of each resource that costs something, the most expensive resource first."""
        found: dict[str, list[Cost]] = defaultdict(list)
        for cost in self.costs:
            if cost.amount:
                found[cost.resource.urn].append(cost)
        ordered = sorted(found.values(), key=lambda costs: -sum(cost.amount for cost in costs))
        return [(costs[0].resource, costs) for costs in ordered]

    def assumptions(self, prices: Prices) -> list[str]:
        """The assumptions that the costs depend on, as sentences."""
        used = {cost.price.quantity for cost in self.costs}
        return [f"{each.value:g} {each.about}" for name, each in prices.assumptions.items() if name in used]


def estimate(prices: Prices, resources: Iterable[Resource]) -> Estimate:
    costs: list[Cost] = []
    unpriced: list[str] = []
    for resource in resources:
        if resource.type in prices.free:
            continue
        if resource.type not in prices.prices:
            unpriced.append(f"{short_type(resource.type)} {resource.name}")
        for price in prices.prices.get(resource.type, ()):
            amount = _amount(prices, price, resource.inputs)
            if isinstance(amount, str):
                unpriced.append(f"{short_type(resource.type)} {resource.name}, {price.item}: {amount}")
            else:
                costs.append(Cost(resource, price, prices.currency(price), amount))
    return Estimate(tuple(costs), tuple(unpriced))


def difference(before: Sums, after: Sums) -> Sums:
    """The change of the sums. An amount below a cent is not a change."""
    changes = {currency: after.get(currency, 0) - before.get(currency, 0) for currency in sorted({*before, *after})}
    return {currency: change for currency, change in changes.items() if abs(change) >= 0.005}


def format_sums(sums: Sums, *, signed: bool = False) -> str:
    """Format amounts: `212.94 EUR and 370.12 USD`. With `signed`, `+12.30 EUR`."""
    return " and ".join(f"{amount:{'+' if signed else ''},.2f} {each}" for each, amount in sums.items()) or "nothing"


def _amount(prices: Prices, price: Price, inputs: Mapping[str, Any]) -> float | str:
    """The amount a month, or the input for which no price is known."""
    if any(inputs.get(name) != value for name, value in price.when.items()):
        return 0.0
    if isinstance(price.price, dict):
        selected = inputs.get(str(price.by))
        if selected not in price.price:
            return f"{price.by} is {selected}"
        amount = price.price[selected]
    else:
        amount = price.price
    quantity = _quantity(prices, price, inputs)
    if quantity is None:
        return f"{price.quantity} is not known"
    return amount * quantity * (HOURS_PER_MONTH if price.unit == "hour" else 1) * _copies(price, inputs)


def _quantity(prices: Prices, price: Price, inputs: Mapping[str, Any]) -> float | None:
    if price.quantity is None:
        return 1.0
    if price.quantity in prices.assumptions:
        return prices.assumptions[price.quantity].value
    match inputs.get(price.quantity, price.absent):
        case list() as entries:
            return float(len(entries))
        case int() | float() as number:
            return float(number)
        case _:
            return None


def _copies(price: Price, inputs: Mapping[str, Any]) -> int:
    return 2 if price.twice_if is not None and inputs.get(price.twice_if) is True else 1
