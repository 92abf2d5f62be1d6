"""Policies on the stack's pools of hosts: enough hosts, and load balancers in front of them, in enough locations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from policy_pack.rules.checks import at
from policy_pack.rules.policy import Finding, Resource, Stack, StackPolicy, leads
from policy_pack.rules.promises import compute
from policy_pack.rules.resource_types import LOAD_BALANCER, LOAD_BALANCER_SERVICE, LOAD_BALANCER_TARGET, SERVER
from policy_pack.rules.selectors import parsed, selects
from policy_pack.rules.stack.common import StackFindings

if TYPE_CHECKING:
    from plan import Plan


def _pools(stack: Stack, plan: Plan) -> StackFindings:
    pools: dict[str, list[Resource]] = {}
    for server in stack.of([SERVER]):
        labels = [at(server.props, f"labels.{name}") for name in ("pool", "role")]
        name = next((label for label in labels if isinstance(label, str) and label), None)
        if name is not None:  # without one it is in no pool, which `host-labelled` refuses
            pools.setdefault(name, []).append(server)
    for name, servers in pools.items():
        states = [at(server.props, "labels.state") for server in servers]
        locations = {location for server in servers if isinstance(location := server.props.get("location"), str)}
        least = _least_locations(locations, plan)
        redundancy = plan.redundancy
        for what, found, wanted in (
            ("active hosts", states.count("active"), redundancy.minimum_active_hosts),
            ("standby hosts", states.count("standby"), redundancy.minimum_standby_hosts),
            ("locations", len(locations), least),
        ):
            if found < wanted:
                remedy = f"Add {what} to the pool: the service must survive the loss of one of them."
                yield (
                    servers[0],
                    Finding(f"the number of {what} of its pool {name!r}", found, f"{wanted} or more", remedy),
                )


def _least_locations(used: set[str], plan: Plan) -> int:
    hetzner = plan.residency.hetzner
    least = plan.redundancy.minimum_locations
    # In recovery the pool needs no more locations than the plan has recovery locations.
    if used and used <= set(hetzner.recovery_locations):
        return min(least, len(hetzner.recovery_locations))
    return least


def _entrances(stack: Stack, plan: Plan) -> StackFindings:
    in_front: dict[frozenset[str], list[Resource]] = {}
    for balancer in stack.of([LOAD_BALANCER]):
        if not stack.leading_to(balancer, [LOAD_BALANCER_SERVICE], "loadBalancerId"):
            remedy = "Add `hcloud.LoadBalancerService` with a health check: without a service it answers no requests."
            yield balancer, Finding("a service", None, "one that names it", remedy)
        targets = stack.leading_to(balancer, [LOAD_BALANCER_TARGET], "loadBalancerId")
        for target in targets:
            selector = target.props.get("labelSelector")
            if isinstance(selector, str) and parsed(selector) is None:
                remedy = "Correct it: Hetzner refuses a selector of another form."
                yield target, Finding("labelSelector", selector, "a label selector, such as role=api", remedy)
        behind = frozenset[str]().union(*(hosts_behind(target, stack) for target in targets))
        least = plan.redundancy.minimum_active_hosts + plan.redundancy.minimum_standby_hosts
        if len(behind) < least:
            remedy = (
                "Put every host of the pool behind it, the standby hosts too: then they take over without a change."
            )
            yield balancer, Finding("the number of hosts behind it", len(behind), f"{least} or more", remedy)
        elif behind:
            in_front.setdefault(behind, []).append(balancer)

    for balancers in in_front.values():
        locations = {place for balancer in balancers if isinstance(place := balancer.props.get("location"), str)}
        wanted = _least_locations(locations, plan)
        if len(locations) < wanted:
            name = "the number of locations of the load balancers in front of its hosts"
            remedy = "Add a load balancer in another location: a location's outage stops every load balancer in it."
            yield balancers[0], Finding(name, len(locations), f"{wanted} or more", remedy)


def hosts_behind(target: Resource, stack: Stack) -> frozenset[str]:
    """The hosts that a target selects, by their names."""
    if target.props.get("type") == "label_selector":
        selector = target.props.get("labelSelector")
        if not isinstance(selector, str):
            return frozenset()
        return frozenset(one.name for one in stack.of([SERVER]) if selects(selector, one.props.get("labels")))
    servers = frozenset(one.name for one in stack.of([SERVER]) if leads(target, "serverId", one))
    # A server of another stack, or an address, is a host that has no name here.
    return servers or frozenset({f"the target {target.name} {target.place}"})


POOL_REDUNDANT: Final = StackPolicy(
    id="pool-redundant",
    title="Each pool has enough active hosts, enough standby hosts, and enough locations.",
    severity="critical",
    control="A.8.14",
    promise=compute,
    remedy="Add hosts to the pool, or locations.",
    rule=_pools,
)

ENTRANCE_COMPLETE: Final = StackPolicy(
    id="load-balancer-baseline",
    title="Each load balancer has a service and enough hosts behind it, and each pool has them in enough locations.",
    severity="critical",
    control="A.8.14",
    promise=compute,
    remedy="Add the service, targets for every host, and a load balancer in another location.",
    rule=_entrances,
)
