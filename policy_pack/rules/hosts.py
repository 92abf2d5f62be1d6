"""One host's loss is absorbed: it is counted in a pool, apart from the others, and reached by nobody but who should."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from policy_pack.rules.checks import WRITE_IT_OUT, at, given, is_number, listed, literally
from policy_pack.rules.policy import Finding, Policy, Resource, of_type
from policy_pack.rules.promises import compute, security
from policy_pack.rules.resource_types import (
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
"""What Hetzner can be told to refuse, by type: none of it is on by itself."""


def _protected(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    for name, wanted in _PROTECTED.get(resource.type, {}).items():
        if name == "autoDelete":
            remedy = (
                "Set it to false, or the address goes with its server, and the database admits the new one to nothing."
            )
        else:
            remedy = "Set it to true. Left out it is false, and one wrong click takes it away."
        yield from literally(resource, name, wanted, remedy)


def _in_pool(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    remedy = "Say what it does. What is in no pool is nobody's standby, and nobody is its."
    yield from _label(resource, "role", "the name of what it does, such as api", remedy)
    state = at(resource.props, "labels.state")
    if state not in STATES:
        remedy = WRITE_IT_OUT if state is UNKNOWN else "Say whether it works or stands by."
        yield Finding("labels.state", state, " or ".join(STATES), remedy)


def _label(resource: Resource, name: str, allowed: str, remedy: str) -> Iterator[Finding]:
    value = at(resource.props, f"labels.{name}")
    if not isinstance(value, str) or not value:
        yield Finding(f"labels.{name}", value, allowed, WRITE_IT_OUT if value is UNKNOWN else remedy)


def _spread(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    if resource.type == PLACEMENT_GROUP:
        remedy = "Set it to spread: it is what keeps hosts on different machines."
        yield from literally(resource, "type", "spread", remedy)
        return
    remedy = "Put it in a placement group of type spread, or it may be on the same machine as its standby."
    yield from given(resource, "placementGroupId", "the id of a placement group", remedy)


def _firewalled(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    if resource.type == SERVER:
        remedy = "Give it a firewall here: one that is attached afterwards is not there at the first boot."
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
                what = "SSH" if _has_port(at(rule, "port"), 22) else "hosts"
                remedy = f"Let in named ranges of ours only: {what} from everywhere is tried by everybody."
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
    """Whether a port is in what Hetzner takes for ports: `22`, `20-30`, `any`."""
    if not isinstance(ports, str | int):
        return True
    found = re.fullmatch(r"\s*(\d{1,5})(?:\s*-\s*(\d{1,5}))?\s*", str(ports))
    return found is None or int(found[1]) <= port <= int(found[2] or found[1])


def _health_checked(resource: Resource, plan: Plan) -> Iterator[Finding]:
    check = at(resource.props, "healthCheck")
    if not isinstance(check, Mapping):
        remedy = WRITE_IT_OUT if check is UNKNOWN else "Add one over HTTP, or a host that is broken keeps its requests."
        yield Finding("healthCheck", check, "a health check over HTTP", remedy)
        return
    protocol = check.get("protocol")
    if protocol not in ("http", "https"):
        remedy = (
            WRITE_IT_OUT if protocol is UNKNOWN else "Ask the application: a port that is open answers nothing yet."
        )
        yield Finding("healthCheck.protocol", protocol, "http", remedy)
    codes = at(check, "http.statusCodes")
    if not listed(codes) or any(not re.fullmatch(r"2[0-9]{2}|2\?\?", str(code)) for code in listed(codes)):
        remedy = "Count successes alone. Left out, a redirect to an error page is healthy too."
        yield Finding("healthCheck.http.statusCodes", codes, "200", WRITE_IT_OUT if codes is UNKNOWN else remedy)
    most = plan.redundancy.host_failover_seconds
    numbers = [check.get(name) for name in ("interval", "retries", "timeout")]
    interval, retries, timeout = (number if type(number) is int and number >= 0 else None for number in numbers)
    if interval is None or retries is None or timeout is None:
        found = UNKNOWN if UNKNOWN in numbers else None
        remedy = WRITE_IT_OUT if found is UNKNOWN else "Write out interval, retries and timeout: the defaults are slow."
        yield Finding("healthCheck's interval, retries and timeout", found, f"{most} seconds in all or fewer", remedy)
    elif interval * retries + timeout > most:
        remedy = "Ask more often, or give up sooner: until then a dead host gets requests."
        seconds = interval * retries + timeout
        name = "healthCheck's interval x retries + timeout"
        yield Finding(name, seconds, f"{most} seconds or fewer", remedy)


def _over_tls(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    protocol = resource.props.get("protocol")
    if protocol != "https":
        remedy = "Take requests over TLS, and let `redirect_http` send on who comes without."
        yield Finding("protocol", protocol, "https", WRITE_IT_OUT if protocol is UNKNOWN else remedy)
        return
    certificates = at(resource.props, "http.certificates")
    if not present(certificates) or certificates == []:
        yield Finding("http.certificates", certificates, "the id of a certificate", "Give it a certificate.")


def _private_targets(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    remedy = "Set it to true: over the public network requests go unencrypted, and the firewall would have to be open."
    yield from literally(resource, "usePrivateIp", True, remedy)


def _forgotten_soon(resource: Resource, plan: Plan) -> Iterator[Finding]:
    if resource.props.get("type") not in ("A", "AAAA", "CNAME", UNKNOWN):
        return  # nobody connects to it
    most = plan.redundancy.dns_ttl_seconds
    ttl = resource.props.get("ttl")
    if not is_number(ttl) or not 0 <= ttl <= most:
        remedy = "Set it. Left out it is the zone's, an hour, for which resolvers lead to a location that is lost."
        yield Finding("ttl", ttl, f"{most} seconds or fewer", WRITE_IT_OUT if ttl is UNKNOWN else remedy)


PROTECTED: Final = Policy(
    id="hetzner-protected",
    title="What is at Hetzner cannot be deleted by mistake, in its console or by its API.",
    severity="high",
    control="A.8.14",
    promise=compute,
    remedy="Switch on Hetzner's own protection, and keep addresses when their server goes.",
    concerns=of_type(*_PROTECTED),
    rule=_protected,
    fixes={"deleteProtection": lambda _plan: True},
)

IN_POOL: Final = Policy(
    id="host-labelled",
    title="A host says what it does and whether it works or stands by, so that its pool can be counted.",
    severity="high",
    control="A.8.14",
    promise=compute,
    remedy="Give it the labels `role`, and `state` with active or standby.",
    concerns=of_type(SERVER),
    rule=_in_pool,
)

SPREAD: Final = Policy(
    id="host-spread",
    title="Hosts of one pool are on different machines.",
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
    title="A load balancer asks its hosts for their health, and gives up a dead one in the time that is promised.",
    severity="critical",
    control="A.8.14",
    promise=compute,
    remedy="Add a health check over HTTP that counts successes alone and is quick enough.",
    concerns=of_type(LOAD_BALANCER_SERVICE),
    rule=_health_checked,
    thresholds=(Threshold("seconds", "redundancy.host_failover_seconds", "at most"),),
)

OVER_TLS: Final = Policy(
    id="load-balancer-over-tls",
    title="The public entrance takes requests over TLS.",
    severity="critical",
    control="A.5.29",
    promise=security,
    remedy="Set the service's protocol to https, with a certificate.",
    concerns=of_type(LOAD_BALANCER_SERVICE),
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
    title="A name leads to an address for no longer than promised, so that another location can take over.",
    severity="high",
    control="A.8.14",
    promise=compute,
    remedy="Set `ttl` to the plan's `redundancy.dns_ttl_seconds`.",
    concerns=of_type(ZONE_RRSET),
    rule=_forgotten_soon,
    fixes={"ttl": lambda plan: plan.redundancy.dns_ttl_seconds},
    thresholds=(Threshold("seconds", "redundancy.dns_ttl_seconds", "at most"),),
)
