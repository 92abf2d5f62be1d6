"""The network attachment and the services of a load balancer."""

from __future__ import annotations

import ipaddress
from typing import Any, Final

from hcloud import APIException

from localcloud.plugins.hcloud.cloud import Cloud
from localcloud.plugins.hcloud.values import exactly_one, from_api, parse_subnet_id, to_api, two_numbers
from localcloud.plugins.table import GoneError, Property, Props, RefusedError, ResourceType

# -- the network attachment -------------------------------------------------------------------------------------------

# Temporary errors, until a parallel action on the load balancer or the creation of a subnet is complete.
_PASSING = ("conflict", "service_error", "no_subnet_available")


def _attachment(balancer: Props, network: int) -> Props | None:
    return next((entry for entry in balancer["private_net"] if entry["network"] == network), None)


def _network_of(inputs: Props) -> tuple[int, str | None]:
    """Return the network, and the range of its subnet if one is declared."""
    if exactly_one("a load balancer's network", inputs, "networkId", "subnetId") == "subnetId":
        return parse_subnet_id(inputs["subnetId"])
    return inputs["networkId"], None


def _join(cloud: Cloud, inputs: Props) -> str:
    balancer = inputs["loadBalancerId"]
    network, ip_range = _network_of(inputs)
    try:
        cloud.act(
            "load_balancers",
            balancer,
            "attach_to_network",
            _PASSING,
            network=network,
            ip=inputs.get("ip"),
            ip_range=ip_range,
        )
    except APIException as fault:
        attached = fault.code == "load_balancer_already_attached"
        if not attached or _attachment(cloud.get("load_balancers", balancer), network) is None:
            raise
    return f"{balancer}-{network}"


def _set_public_interface(cloud: Cloud, id: str, inputs: Props) -> None:
    balancer, _ = two_numbers(id, "-")
    wanted = bool(inputs.get("enablePublicInterface", True))
    if cloud.get("load_balancers", balancer)["public_net"]["enabled"] != wanted:
        cloud.act("load_balancers", balancer, "enable_public_interface" if wanted else "disable_public_interface")


def _read_network(cloud: Cloud, id: str, state: Props) -> Props:
    number, network = two_numbers(id, "-")
    balancer = cloud.get("load_balancers", number)
    entry = _attachment(balancer, network)
    if entry is None:
        raise GoneError(id)
    found: Props = {
        "loadBalancerId": number,
        "networkId": network,
        "ip": entry["ip"],
        "enablePublicInterface": balancer["public_net"]["enabled"],
    }
    subnet = state.get("subnetId")
    if subnet and ipaddress.ip_address(entry["ip"]) in ipaddress.ip_network(parse_subnet_id(subnet)[1]):
        found["subnetId"] = subnet
    return found


def _update_network(cloud: Cloud, id: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    _set_public_interface(cloud, id, new)


def _leave(cloud: Cloud, id: str, state: Props) -> None:
    number, network = two_numbers(id, "-")
    if _attachment(cloud.get("load_balancers", number), network) is None:
        raise GoneError(id)
    cloud.act("load_balancers", number, "detach_from_network", _PASSING, network=network)


def _find_network(cloud: Cloud, inputs: Props) -> str | None:
    network, _ = _network_of(inputs)
    try:
        joined = _attachment(cloud.get("load_balancers", inputs["loadBalancerId"]), network)
    except GoneError:
        return None
    return f"{inputs['loadBalancerId']}-{network}" if joined else None


LOAD_BALANCER_NETWORK = ResourceType(
    token="hcloud:index/loadBalancerNetwork:LoadBalancerNetwork",  # noqa: S106 - the name of a type
    properties={
        "loadBalancerId": Property(required=True, replaces=True),
        "networkId": Property(replaces=True),
        "subnetId": Property(replaces=True),
        "ip": Property(replaces=True),
        "enablePublicInterface": Property(default=True),
    },
    computed=("networkId", "ip"),
    create=_join,
    settle=_set_public_interface,
    read=_read_network,
    update=_update_network,
    delete=_leave,
    find=_find_network,
)


# -- services ---------------------------------------------------------------------------------------------------------

_HTTP: Final = dict.fromkeys(
    ("certificates", "cookieLifetime", "cookieName", "redirectHttp", "stickySessions", "timeoutIdle")
)
_CHECK: Final[dict[str, Any]] = {
    **dict.fromkeys(("interval", "port", "protocol", "retries", "timeout")),
    "http": dict.fromkeys(("domain", "path", "response", "statusCodes", "tls")),
}
_PORTS = {"http": 80, "https": 443}


def _service(inputs: Props, listen_port: int) -> Props:
    """Return a service in the API's form. The API chooses the values that are not declared."""
    body: Props = {
        "protocol": inputs["protocol"],
        "listen_port": listen_port,
        "destination_port": inputs.get("destinationPort"),
        "proxyprotocol": inputs.get("proxyprotocol"),
    }
    if inputs.get("http"):
        body["http"] = to_api("http", inputs["http"], _HTTP)
    if inputs.get("healthCheck"):
        body["health_check"] = to_api("healthCheck", inputs["healthCheck"], _CHECK)
    return body


def _listen_port(inputs: Props) -> int:
    port = inputs.get("listenPort") or _PORTS.get(inputs["protocol"])
    if port is None:
        raise RefusedError("a service with the protocol tcp needs `listenPort`")
    return int(port)


def _add_service(cloud: Cloud, inputs: Props) -> str:
    balancer, port = inputs["loadBalancerId"], _listen_port(inputs)
    cloud.act("load_balancers", balancer, "add_service", ("service_error",), **_service(inputs, port))
    return f"{balancer}__{port}"


def _find_in(cloud: Cloud, id: str) -> Props:
    balancer, port = two_numbers(id, "__")
    for service in cloud.get("load_balancers", balancer)["services"]:
        if service["listen_port"] == port:
            found: Props = service
            return found
    raise GoneError(id)


def _read_service(cloud: Cloud, id: str, state: Props) -> Props:
    return {"loadBalancerId": id.partition("__")[0], **from_api(_find_in(cloud, id))}


def _update_service(cloud: Cloud, id: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    balancer, port = two_numbers(id, "__")
    body = {**_service(new, port), "proxyprotocol": bool(new.get("proxyprotocol", False))}
    cloud.act("load_balancers", balancer, "update_service", **body)


def _delete_service(cloud: Cloud, id: str, state: Props) -> None:
    _find_in(cloud, id)
    balancer, port = two_numbers(id, "__")
    cloud.act("load_balancers", balancer, "delete_service", listen_port=port)


def _find_service(cloud: Cloud, inputs: Props) -> str | None:
    identity = f"{inputs['loadBalancerId']}__{_listen_port(inputs)}"
    try:
        _find_in(cloud, identity)
    except GoneError:
        return None
    return identity


LOAD_BALANCER_SERVICE = ResourceType(
    token="hcloud:index/loadBalancerService:LoadBalancerService",  # noqa: S106 - the name of a type
    properties={
        "loadBalancerId": Property(required=True, replaces=True),
        "protocol": Property(required=True, replaces=True, choices=("http", "https", "tcp")),
        "listenPort": Property(replaces=True),
        "destinationPort": Property(),
        "proxyprotocol": Property(),
        "http": Property(),
        "healthCheck": Property(),
    },
    computed=("listenPort", "destinationPort", "proxyprotocol", "http", "healthCheck"),
    create=_add_service,
    read=_read_service,
    update=_update_service,
    delete=_delete_service,
    find=_find_service,
)
