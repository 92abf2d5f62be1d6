"""`continuity cost`: the monthly cost of the stacks."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from continuity.console import OUT, SAY, print_rows
from continuity.costs.estimate import Cost, Estimate, estimate, format_sums
from continuity.costs.prices import FILE, load_prices
from continuity.engine import pulumi_cli, stacks
from continuity.engine.events import Resource, run_captured, short_type
from continuity.engine.stacks import PROJECT, Stack
from continuity.errors import EngineError

_PLANNED = "planned, does not exist"


def cost(
    names: Annotated[list[Stack] | None, typer.Option("--stack", help="A stack. Default: every stack.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Estimate the monthly cost of the stacks, for each resource, by the prices in continuity/costs/prices.yaml.

    A stack that exists is read from its state. A stack that does not exist is previewed. AWS bills dollars and Hetzner
    euros, and the sums are not converted. The backend of the state, taxes and unforeseen traffic are not included.

    Example: continuity cost --stack prod --json
    """
    prices = load_prices()
    found: dict[Stack, tuple[str, Estimate]] = {}
    for stack in stacks.in_order(names or list(Stack), with_needs=False):
        state, resources = _resources(stack)
        found[stack] = state, estimate(prices, resources)
    if as_json:
        print(json.dumps({stack: _as_data(state, one) for stack, (state, one) in found.items()}, indent=2))
        return
    for stack, (state, one) in found.items():
        OUT.print(f"{stack} ({state}): {format_sums(one.sums)} a month", style="bold")
        print_rows([_row(resource, costs) for resource, costs in one.by_resource()])
        for sentence in one.unpriced:
            OUT.print(f"no price known: {sentence}", style="yellow")
        OUT.print()
    OUT.print(
        "Assumed: " + "; ".join(dict.fromkeys(each for _, one in found.values() for each in one.assumptions(prices)))
    )
    dates = sorted({source.date for source in prices.sources.values()})
    OUT.print(f"Prices of {dates[0]} to {dates[-1]}, with their sources and tolerances: {FILE.relative_to(PROJECT)}")


def _resources(stack: Stack) -> tuple[str, list[Resource]]:
    """The resources in a stack's state. If it has none, the resources that a preview would create."""
    state = pulumi_cli.read_resources(stack)
    if state:
        return "deployed", [
            Resource(each["urn"], each["type"], each.get("inputs") or {}) for each in state if each["custom"]
        ]
    SAY.print(f"{stack} does not exist: previewing it")
    run = run_captured(stack, "preview")
    if not run.finished:
        raise EngineError(
            f"{stack} does not exist, and its preview failed, so its cost is not known: {'; '.join(run.errors)}. "
            "Create the stacks that it needs first, or name other stacks with --stack"
        )
    return _PLANNED, list(run.after)


def _row(resource: Resource, costs: list[Cost]) -> tuple[str, str, str, str]:
    items = ", ".join(f"{cost.price.item} {cost.amount:,.2f}" for cost in costs) if len(costs) > 1 else ""
    amount = sum(cost.amount for cost in costs)
    return f"{amount:>10,.2f} {costs[0].currency}", short_type(resource.type), resource.name, items


def _as_data(state: str, one: Estimate) -> dict[str, Any]:
    return {
        "state": state,
        "sums": {currency: round(amount, 2) for currency, amount in one.sums.items()},
        "resources": [
            {
                "type": resource.type,
                "name": resource.name,
                "currency": costs[0].currency,
                "items": {cost.price.item: round(cost.amount, 2) for cost in costs},
            }
            for resource, costs in one.by_resource()
        ],
        "no_price_known": list(one.unpriced),
    }
