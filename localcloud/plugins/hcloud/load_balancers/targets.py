"""The targets of a load balancer: a server, the servers with a label, or an address."""

from __future__ import annotations

import hashlib
import ipaddress

from hcloud import APIException

from localcloud.plugins.hcloud.cloud import Cloud
from localcloud.plugins.hcloud.values import exactly_one
from localcloud.plugins.table import GoneError, Property, Props, RefusedError, ResourceType

_KINDS = {"serverId": "server", "labelSelector": "label_selector", "ip": "ip"}


def _target(inputs: Props) -> Props:
    """Return the target in the API's form."""
    given = exactly_one("a load balancer target", inputs, *_KINDS)
    kind = _KINDS[given]
    if kind != inputs["type"]:
        raise RefusedError(f"a load balancer target of the type {inputs['type']} cannot have `{given}`")
    if kind == "ip" and inputs.get("usePrivateIp") is not None:
        raise RefusedError("a load balancer target of the type ip cannot have `usePrivateIp`")
    value = {
        "server": {"id": inputs.get("serverId")},
        "label_selector": {"selector": inputs.get("labelSelector")},
        "ip": {"ip": inputs.get("ip")},
    }[kind]
    return {"type": kind, kind: value}


def _identity(balancer: int, target: Props) -> str:
    """Return the provider's id. It contains selectors and addresses as hashes."""
    if target["type"] == "server":
        return f"lb-srv-tgt-{target['server']['id']}-{balancer}"
    if target["type"] == "label_selector":
        return f"lb-label-selector-tgt-{_hash(target['label_selector']['selector'])}-{balancer}"
    return f"lb-ip-tgt-{_hash(str(ipaddress.ip_address(target['ip']['ip'])))}-{balancer}"


def _import_identity(balancer: int, target: Props) -> str:
    """Return the id that an import gives."""
    value = next(iter(target[target["type"]].values()))
    return f"{balancer}__{target['type']}__{value}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _create(cloud: Cloud, inputs: Props) -> str:
    balancer, target = inputs["loadBalancerId"], _target(inputs)
    private = {} if inputs.get("usePrivateIp") is None else {"use_private_ip": inputs["usePrivateIp"]}
    try:
        # A parallel request may be attaching the load balancer to the network.
        waits = ("load_balancer_not_attached_to_network", "conflict")
        cloud.act("load_balancers", balancer, "add_target", waits, **target, **private)
    except APIException as fault:
        if fault.code != "target_already_defined":
            raise
    return _identity(balancer, target)


def _look_up(cloud: Cloud, id: str) -> tuple[int, Props]:
    """Return the load balancer and the target in the API's form, by either form of id."""
    last = id.partition("__")[0] if "__" in id else id.rpartition("-")[2]
    balancer = cloud.get("load_balancers", last)
    for target in balancer["targets"]:
        if id in (_identity(balancer["id"], target), _import_identity(balancer["id"], target)):
            return balancer["id"], target
    raise GoneError(id)


def _read(cloud: Cloud, id: str, state: Props) -> Props:
    balancer, target = _look_up(cloud, id)
    kind = target["type"]
    name = next(name for name, api in _KINDS.items() if api == kind)
    return {
        "id": _identity(balancer, target),
        "loadBalancerId": balancer,
        "type": kind,
        name: next(iter(target[kind].values())),
        "usePrivateIp": target.get("use_private_ip", False),
    }


def _update(cloud: Cloud, id: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    """Remove the target and add it again: the API cannot change a target."""
    if changed:
        _delete(cloud, id, old)
        _create(cloud, new)


def _delete(cloud: Cloud, id: str, state: Props) -> None:
    balancer, target = _look_up(cloud, id)
    kind = target["type"]
    cloud.act("load_balancers", balancer, "remove_target", ("conflict",), type=kind, **{kind: target[kind]})


def _find(cloud: Cloud, inputs: Props) -> str | None:
    identity = _identity(inputs["loadBalancerId"], _target(inputs))
    try:
        _look_up(cloud, identity)
    except GoneError:
        return None
    return identity


LOAD_BALANCER_TARGET = ResourceType(
    token="hcloud:index/loadBalancerTarget:LoadBalancerTarget",  # noqa: S106 - the name of a type
    properties={
        "loadBalancerId": Property(required=True, replaces=True),
        "type": Property(required=True, replaces=True, choices=tuple(_KINDS.values())),
        "serverId": Property(replaces=True),
        "labelSelector": Property(replaces=True),
        "ip": Property(replaces=True),
        "usePrivateIp": Property(),
    },
    computed=("usePrivateIp",),
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    find=_find,
)
