"""Policies on hosts at Hetzner: pools, placement, firewalls, load balancers and DNS records."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from policy_pack.rules.checks import WRITE_IT_OUT, at, given, is_number, listed, literally
from policy_pack.rules.policy import Finding, Policy, Resource, of_type
from policy_pack.rules.promises import compute, security
from policy_pack.rules.resource_types import (
    AWS_LISTENERS,
    FIREWALL,
    LOAD_BALANCER,
    LOAD_BALANCER_SERVICE,
    LOAD_BALANCER_TARGET,
    PLACEMENT_GROUP,
    SERVER,
    ZONE_RRSET,
)
from policy_pack.rules.thresholds import Threshold
from policy_pack.rules.values import UNKNOWN, present

if TYPE_CHECKING:
    from plan import Plan


STATES: Final = ("active", "standby")

_PROTECTED: Final[Mapping[str, Mapping[str, bool]]] = {
    SERVER: {"deleteProtection": True, "rebuildProtection": True},
    LOAD_BALANCER: {"deleteProtection": True},
    "hcloud:index/network:Network": {"deleteProtection": True},
    "hcloud:index/primaryIp:PrimaryIp": {"deleteProtection": True, "autoDelete": False},
    "hcloud:index/floatingIp:FloatingIp": {"deleteProtection": True},
    "hcloud:index/zone:Zone": {"deleteProtection": True},
}
"""The protections that Hetzner offers, by type. None of them is on by default."""


def _protected(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    for name, wanted in _PROTECTED.get(resource.type, {}).items():
        if name == "autoDelete":
            remedy = (
                "Set it to false. Otherwise the address is deleted with its server, and the database refuses the next."
            )
        else:
            remedy = (
                "Set it to true. Left out it is false, and a mistake in the console can delete or rebuild the resource."
            )
        yield from literally(resource, name, wanted, remedy)


def _in_pool(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    remedy = "Set the label. A host without a role belongs to no pool, so it has no standby."
    yield from _label(resource, "role", "the name of a role, such as api", remedy)
    state = at(resource.props, "labels.state")
    if state not in STATES:
        remedy = WRITE_IT_OUT if state is UNKNOWN else "Set the label to the state of the host in its pool."
        yield Finding("labels.state", state, " or ".join(STATES), remedy)


def _label(resource: Resource, name: str, allowed: str, remedy: str) -> Iterator[Finding]:
    value = at(resource.props, f"labels.{name}")
    if not isinstance(value, str) or not value:
        yield Finding(f"labels.{name}", value, allowed, WRITE_IT_OUT if value is UNKNOWN else remedy)


def _spread(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    if resource.type == PLACEMENT_GROUP:
        remedy = "Set it to spread: this type places the hosts on different physical machines."
        yield from literally(resource, "type", "spread", remedy)
        return
    remedy = "Put it in a placement group of type spread. Otherwise it may share a physical machine with its standby."
    yield from given(resource, "placementGroupId", "the id of a placement group", remedy)


def _firewalled(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    if resource.type == SERVER:
        remedy = "Set the firewall here: a firewall that is attached later does not protect the first boot."
        yield from given(resource, "firewallIds", "the id of a firewall", remedy)
        return
    rules = resource.props.get("rules")
    if rules is UNKNOWN:
        yield Finding("rules", rules, "rules that are written out", WRITE_IT_OUT)
    for index, rule in enumerate(listed(rules)):
        where = f"rules[{index}]"
        if rule is UNKNOWN:
            yield Finding(where, rule, "a rule that is written out", WRITE_IT_OUT)
            continue
        if at(rule, "direction") == "out" or at(rule, "protocol") in ("icmp",):
            continue
        if at(rule, "direction") is UNKNOWN or at(rule, "protocol") is UNKNOWN or at(rule, "sourceIps") is UNKNOWN:
            yield Finding(where, UNKNOWN, "a rule that is written out", WRITE_IT_OUT)
            continue
        for number, source in enumerate(listed(at(rule, "sourceIps"))):
            if source is UNKNOWN:
                yield Finding(f"{where}.sourceIps[{number}]", source, _NARROW, WRITE_IT_OUT)
            elif not _narrow(source):
                what = "SSH" if _has_port(at(rule, "port"), 22) else "a port"
                remedy = f"Allow the ranges of your operators only: {what} open to the internet is attacked constantly."
                yield Finding(f"{where}.sourceIps[{number}]", source, _NARROW, remedy)


_NARROW: Final = "a range of at most 65536 IPv4 addresses (/16), or of IPv6 a /32 or less"
_NARROWEST: Final = {4: 16, 6: 32}


def _narrow(source: object) -> bool:
    try:
        network = ip_network(str(source), strict=False)
    except ValueError:
        return False
    return network.prefixlen >= _NARROWEST[network.version]


def _has_port(ports: object, port: int) -> bool:
    """Whether a port is in a port range in Hetzner's notation: `22`, `20-30`, `any`."""
    if not isinstance(ports, str | int):
        return True
    found = re.fullmatch(r"\s*(\d{1,5})(?:\s*-\s*(\d{1,5}))?\s*", str(ports))
    return found is None or int(found[1]) <= port <= int(found[2] or found[1])


def _health_checked(resource: Resource, plan: Plan) -> Iterator[Finding]:
    check = at(resource.props, "healthCheck")
    if not isinstance(check, Mapping):
        remedy = (
            WRITE_IT_OUT if check is UNKNOWN else "Add one over HTTP. Without it, a broken host still gets requests."
        )
        yield Finding("healthCheck", check, "a health check over HTTP", remedy)
        return
    protocol = check.get("protocol")
    if protocol not in ("http", "https"):
        remedy = (
            WRITE_IT_OUT
            if protocol is UNKNOWN
            else "Check the application over HTTP: an open port does not show that the application works."
        )
        yield Finding("healthCheck.protocol", protocol, "http", remedy)
    codes = at(check, "http.statusCodes")
    if not listed(codes) or any(not re.fullmatch(r"2[0-9]{2}|2\?\?", str(code)) for code in listed(codes)):
        remedy = "Accept 2xx only. Left out, a redirect to an error page counts as healthy too."
        yield Finding("healthCheck.http.statusCodes", codes, "200", WRITE_IT_OUT if codes is UNKNOWN else remedy)
    most = plan.redundancy.host_failover_seconds
    numbers = [check.get(name) for name in ("interval", "retries", "timeout")]
    interval, retries, timeout = (number if type(number) is int and number >= 0 else None for number in numbers)
    if interval is None or retries is None or timeout is None:
        found = UNKNOWN if UNKNOWN in numbers else None
        remedy = WRITE_IT_OUT if found is UNKNOWN else "Write out interval, retries and timeout: the defaults are slow."
        yield Finding("healthCheck's interval, retries and timeout", found, f"{most} seconds in all or fewer", remedy)
    elif interval * retries + timeout > most:
        remedy = "Check more often, or retry less: until the check has failed, a dead host gets requests."
        seconds = interval * retries + timeout
        name = "healthCheck's interval x retries + timeout"
        yield Finding(name, seconds, f"{most} seconds or fewer", remedy)


def _over_tls(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    protocol = resource.props.get("protocol")
    if resource.type in AWS_LISTENERS:
        redirects = [at(action, "redirect.protocol") for action in listed(resource.props.get("defaultActions"))]
        if protocol not in ("HTTPS", "TLS") and not (redirects and all(one == "HTTPS" for one in redirects)):
            remedy = "Set it to HTTPS or TLS, or redirect every request to HTTPS."
            yield Finding("protocol", protocol, "HTTPS or TLS", WRITE_IT_OUT if protocol is UNKNOWN else remedy)
        return
    if protocol != "https":
        remedy = "Set it to https, and set `redirect_http` to redirect requests without TLS."
        yield Finding("protocol", protocol, "https", WRITE_IT_OUT if protocol is UNKNOWN else remedy)
        return
    certificates = at(resource.props, "http.certificates")
    if not present(certificates) or certificates == []:
        yield Finding("http.certificates", certificates, "the id of a certificate", "Give it a certificate.")


def _private_targets(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    remedy = (
        "Set it to true: over the public network the requests are unencrypted, and the firewall would have to be open."
    )
    yield from literally(resource, "usePrivateIp", True, remedy)


def _forgotten_soon(resource: Resource, plan: Plan) -> Iterator[Finding]:
    if resource.props.get("type") not in ("A", "AAAA", "CNAME", UNKNOWN):
        return  # clients do not connect to an address of this type
    most = plan.redundancy.dns_ttl_seconds
    ttl = resource.props.get("ttl")
    if not is_number(ttl) or not 0 <= ttl <= most:
        remedy = (
            "Set it. Left out it is the zone's hour, and resolvers return the address of a lost location for that long."
        )
        yield Finding("ttl", ttl, f"{most} seconds or fewer", WRITE_IT_OUT if ttl is UNKNOWN else remedy)


PROTECTED: Final = Policy(
    id="hetzner-protected",
    title="A resource at Hetzner cannot be deleted by mistake, in the console or by the API.",
    severity="high",
    control="A.8.14",
    promise=compute,
    remedy="Switch on Hetzner's protection, and keep addresses when their server is deleted.",
    concerns=of_type(*_PROTECTED),
    rule=_protected,
    fixes={"deleteProtection": lambda _plan: True},
)

IN_POOL: Final = Policy(
    id="host-labelled",
    title="A host has labels for its role and its state, so that the hosts of its pool can be counted.",
    severity="high",
    control="A.8.14",
    promise=compute,
    remedy="Give it the labels `role`, and `state` with active or standby.",
    concerns=of_type(SERVER),
    rule=_in_pool,
)

SPREAD: Final = Policy(
    id="host-spread",
    title="The hosts of a pool are on different physical machines.",
    severity="high",
    control="A.8.14",
    promise=compute,
    remedy="Put every host in a placement group of type spread.",
    concerns=of_type(SERVER, PLACEMENT_GROUP),
    rule=_spread,
)

FIREWALLED: Final = Policy(
    id="host-firewalled",
    title="A host is behind a firewall from its first boot, and SSH is open to named ranges only.",
    severity="critical",
    control="A.5.29",
    promise=security,
    remedy="Give the host a firewall, and its rules the ranges that operators come from.",
    concerns=of_type(SERVER, FIREWALL),
    rule=_firewalled,
)

HEALTH_CHECKED: Final = Policy(
    id="load-balancer-checks-health",
    title="A load balancer checks the health of its hosts, and removes a dead host within the promised time.",
    severity="critical",
    control="A.8.14",
    promise=compute,
    remedy="Add a health check over HTTP that accepts 2xx only and is quick enough.",
    concerns=of_type(LOAD_BALANCER_SERVICE),
    rule=_health_checked,
    thresholds=(Threshold("seconds", "redundancy.host_failover_seconds", "at most"),),
)

OVER_TLS: Final = Policy(
    id="load-balancer-over-tls",
    title="A load balancer accepts requests over TLS.",
    severity="critical",
    control="A.5.29",
    promise=security,
    remedy="Set the service's protocol to https, with a certificate.",
    concerns=of_type(LOAD_BALANCER_SERVICE, *AWS_LISTENERS),
    rule=_over_tls,
)

PRIVATE_TARGETS: Final = Policy(
    id="load-balancer-private",
    title="A load balancer reaches its hosts over the private network.",
    severity="high",
    control="A.5.29",
    promise=security,
    remedy="Set `use_private_ip` to true.",
    concerns=of_type(LOAD_BALANCER_TARGET),
    rule=_private_targets,
    fixes={"usePrivateIp": lambda _plan: True},
)

FORGOTTEN_SOON: Final = Policy(
    id="dns-record-ttl",
    title="A DNS record has a TTL within the promised time, so that clients move to another location quickly.",
    severity="high",
    control="A.8.14",
    promise=compute,
    remedy="Set `ttl` to the plan's `redundancy.dns_ttl_seconds`.",
    concerns=of_type(ZONE_RRSET),
    rule=_forgotten_soon,
    fixes={"ttl": lambda plan: plan.redundancy.dns_ttl_seconds},
    thresholds=(Threshold("seconds", "redundancy.dns_ttl_seconds", "at most"),),
)
