"""Servers, with the networks and public addresses that they declare.

The order is the provider's, and it affects the first boot. A server with a public address is created, started, and then
attached to its networks, so it may boot before it has its private addresses. A server without one is created, attached,
and then started (the provider also switches it off and on again, for real network cards). Backups and protection
follow. Networks are always attached by separate calls, because a creation cannot request an address.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
import time
from typing import Any, Final

from localcloud.plugins.hcloud.cloud import Cloud
from localcloud.plugins.hcloud.common import LABELS, NAME, PROTECTION, change_name_and_labels, find_in
from localcloud.plugins.hcloud.values import parse_subnet_id, same_elements, subnet_id, to_api
from localcloud.plugins.table import Property, Props, RefusedError, ResourceType

_NETWORK: Final = dict.fromkeys(("networkId", "subnetId", "ip", "aliasIps", "macAddress"))
_PUBLIC_NET: Final = dict.fromkeys(("ipv4Enabled", "ipv4", "ipv6Enabled", "ipv6"))
_HASH = re.compile(r"[A-Za-z0-9+/]{27}=")
_SHUTDOWN_SECONDS = 30


# -- creation ---------------------------------------------------------------------------------------------------------


def _create(cloud: Cloud, inputs: Props) -> str:
    _protections(inputs)
    networks, public = _networks(inputs), _public_net(inputs)
    server_type = cloud.named("server_types", inputs["serverType"])
    if server_type is None:
        raise RefusedError(f"server type {inputs['serverType']} not found")
    # A server without a public network has no address before it is attached to its networks.
    starts = bool(public["enable_ipv4"] or public["enable_ipv6"] or not networks)
    firewalls = [{"firewall": identity} for identity in inputs.get("firewallIds") or []]
    return cloud.create(
        "servers",
        {
            "name": inputs["name"],
            "server_type": server_type["name"],
            "image": _image(cloud, inputs.get("image"), server_type["architecture"]),
            "location": inputs.get("location"),
            "start_after_create": starts,
            "ssh_keys": inputs.get("sshKeys"),
            "firewalls": firewalls or None,
            "user_data": inputs.get("userData"),
            "labels": inputs.get("labels"),
            "placement_group": inputs.get("placementGroupId"),
            "public_net": public,
        },
    )


def _image(cloud: Cloud, wanted: str | None, architecture: str) -> int:
    """Return the id of an image, which is declared by name or by id."""
    if not wanted:
        raise RefusedError("a server needs `image` to be created")
    if wanted.isdigit():
        return int(wanted)
    found = cloud.named("images", wanted, architecture=architecture, include_deprecated="true")
    if found is None:
        raise RefusedError(f"image {wanted} for architecture {architecture} not found")
    return int(found["id"])


def _settle(cloud: Cloud, id: str, inputs: Props) -> None:
    cloud.wait_for_actions("servers", id)
    if "networks" in inputs:
        _set_networks(cloud, id, _networks(inputs))
    public = _public_net(inputs)
    if not (public["enable_ipv4"] or public["enable_ipv6"]) and _networks(inputs):
        _power_on(cloud, id)
    _set_backups(cloud, id, inputs)
    _set_protection(cloud, id, inputs)


# -- reading ----------------------------------------------------------------------------------------------------------


def _read(cloud: Cloud, id: str, state: Props) -> Props:
    found = cloud.get("servers", id)
    public, image = found["public_net"], found["image"] or {}
    ipv4, ipv6 = public["ipv4"], public["ipv6"]
    firewalls = [entry["id"] for entry in public["firewalls"]]
    result: Props = {
        "name": found["name"],
        "serverType": found["server_type"]["name"],
        "location": found["location"]["name"],
        "labels": found["labels"],
        "status": found["status"],
        "backups": bool(found["backup_window"]),
        "backupWindow": found["backup_window"] or "",
        "deleteProtection": found["protection"]["delete"],
        "rebuildProtection": found["protection"]["rebuild"],
        "primaryDiskSize": found["primary_disk_size"],
        "placementGroupId": (found["placement_group"] or {}).get("id"),
        "ipv4Address": ipv4 and ipv4["ip"],
        "ipv6Address": ipv6 and str(ipaddress.ip_network(ipv6["ip"])[1]),
        "ipv6Network": ipv6 and ipv6["ip"],
        "firewallIds": state.get("firewallIds", firewalls) if state.get("ignoreRemoteFirewallIds") else firewalls,
    }
    if image:
        by_id = str(image["id"]) == state.get("image") or not image["name"]
        result["image"] = str(image["id"]) if by_id else image["name"]
    if state.get("userData"):
        result["userData"] = _hashed(state["userData"])
    # Only if the server declares them: separate resources may attach networks too.
    if state.get("networks"):
        result["networks"] = _read_networks(cloud, found, state["networks"])
    if state.get("publicNets"):
        result["publicNets"] = [
            {
                "ipv4Enabled": ipv4 is not None,
                "ipv4": ipv4 and ipv4["id"],
                "ipv6Enabled": ipv6 is not None,
                "ipv6": ipv6 and ipv6["id"],
            }
        ]
    return result


def _hashed(user_data: str) -> str:
    """Return user data in the provider's form: a SHA-1, because the API never returns the text."""
    if _HASH.fullmatch(user_data):
        return user_data
    return base64.b64encode(hashlib.sha1(user_data.encode(), usedforsecurity=False).digest()).decode()


def _same_user_data(one: str, other: str) -> bool:
    return one.strip() == other.strip() or _hashed(one) == _hashed(other)


def _read_networks(cloud: Cloud, found: Props, declared: list[Props]) -> list[Props]:
    """Return the attachments in the declared order, then the others. A subnet appears only if it was declared."""
    order = {_network_of(entry)[0]: position for position, entry in enumerate(declared)}
    by_subnet = {_network_of(entry)[0] for entry in declared if entry.get("subnetId")}
    result = []
    for entry in sorted(found["private_net"], key=lambda entry: order.get(entry["network"], len(order))):
        shown: Props = {
            "networkId": entry["network"],
            "ip": entry["ip"],
            "aliasIps": entry["alias_ips"],
            "macAddress": entry["mac_address"],
        }
        if entry["network"] in by_subnet:
            address = ipaddress.ip_address(entry["ip"])
            for subnet in cloud.get("networks", entry["network"])["subnets"]:
                if address in ipaddress.ip_network(subnet["ip_range"]):
                    shown["subnetId"] = subnet_id(entry["network"], subnet["ip_range"])
        result.append(shown)
    return result


# -- changes ----------------------------------------------------------------------------------------------------------


def _update(cloud: Cloud, id: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    _protections(new)
    cloud.wait_for_actions("servers", id)
    change_name_and_labels(cloud, "servers", id, new, changed)
    if "serverType" in changed:
        _power_off(cloud, id)
        upgrade = not new.get("keepDisk", False)
        cloud.act("servers", id, "change_type", server_type=new["serverType"], upgrade_disk=upgrade)
    _set_backups(cloud, id, new)
    # If `networks` is no longer declared, the attachments stay: separate resources may declare them. The provider too.
    if "networks" in new:
        _set_networks(cloud, id, _networks(new))
    if "firewallIds" in changed and "firewallIds" in new:
        _set_firewalls(cloud, id, new["firewallIds"])
    if "publicNets" in changed:
        _set_public_net(cloud, id, _public_net(old), _public_net(new))
    if "placementGroupId" in changed:
        _set_placement_group(cloud, id, new.get("placementGroupId"))
    _set_protection(cloud, id, new)


def _protections(inputs: Props) -> bool:
    """Return the protection. The API refuses a server that has only one of the two."""
    deletion, rebuild = (bool(inputs.get(key, False)) for key in ("deleteProtection", "rebuildProtection"))
    if deletion != rebuild:
        raise RefusedError(
            f"`deleteProtection` is {deletion} and `rebuildProtection` is {rebuild}, but they must be the same"
        )
    return deletion


def _set_protection(cloud: Cloud, id: str, inputs: Props) -> None:
    wanted = _protections(inputs)
    if cloud.get("servers", id)["protection"]["delete"] != wanted:
        cloud.act("servers", id, "change_protection", delete=wanted, rebuild=wanted)


def _set_backups(cloud: Cloud, id: str, inputs: Props) -> None:
    wanted = bool(inputs.get("backups", False))
    if bool(cloud.get("servers", id)["backup_window"]) != wanted:
        cloud.act("servers", id, "enable_backup" if wanted else "disable_backup")


def _power_off(cloud: Cloud, id: str) -> None:
    if cloud.get("servers", id)["status"] == "running":
        cloud.act("servers", id, "poweroff")


def _power_on(cloud: Cloud, id: str) -> None:
    if cloud.get("servers", id)["status"] != "running":
        cloud.act("servers", id, "poweron")


def _set_placement_group(cloud: Cloud, id: str, wanted: int | None) -> None:
    """Change the group. The API refuses a running server, and the provider does not stop it."""
    if cloud.get("servers", id)["placement_group"] is not None:
        cloud.act("servers", id, "remove_from_placement_group")
    if wanted is not None:
        cloud.act("servers", id, "add_to_placement_group", placement_group=wanted)


def _set_firewalls(cloud: Cloud, id: str, wanted: list[int]) -> None:
    actual = [entry["id"] for entry in cloud.get("servers", id)["public_net"]["firewalls"]]
    this = [{"type": "server", "server": {"id": int(id)}}]
    for firewall in actual:
        if firewall not in wanted:
            cloud.act("firewalls", firewall, "remove_from_resources", remove_from=this)
    for firewall in wanted:
        if firewall not in actual:
            cloud.act("firewalls", firewall, "apply_to_resources", apply_to=this)


# -- networks ---------------------------------------------------------------------------------------------------------


def _network_of(entry: Props) -> tuple[int, str | None]:
    """Return the network of an entry, and the range of its subnet if one is declared."""
    named, subnet = entry.get("networkId"), entry.get("subnetId")
    if named is None and not subnet:
        raise RefusedError("a network of a server needs `networkId` or `subnetId`")
    network, ip_range = parse_subnet_id(subnet) if subnet else (int(named or 0), None)
    if named not in (None, network):
        raise RefusedError(f"the subnet {subnet} of a server is not in the network {named}")
    return network, ip_range


def _networks(inputs: Props) -> dict[int, Props]:
    """Return the declared attachments by network, in the API's form."""
    result: dict[int, Props] = {}
    for index, entry in enumerate(inputs.get("networks") or []):
        to_api(f"networks[{index}]", entry, _NETWORK)
        network, ip_range = _network_of(entry)
        if network in result:
            raise RefusedError(f"server is only allowed to be attached to each network once: {network}")
        result[network] = {"ip_range": ip_range, "ip": entry.get("ip"), "alias_ips": entry.get("aliasIps")}
    return result


def _set_networks(cloud: Cloud, id: str, wanted: dict[int, Props]) -> None:
    actual = {entry["network"]: entry for entry in cloud.get("servers", id)["private_net"]}
    for network, entry in actual.items():
        if network not in wanted or not _fits(entry, wanted[network]):
            cloud.act("servers", id, "detach_from_network", network=network)
    for network, entry in wanted.items():
        has = actual.get(network)
        if has is None or not _fits(has, entry):
            passing = ("conflict", "service_error", "no_subnet_available")
            cloud.act("servers", id, "attach_to_network", passing, network=network, **entry)
        elif entry["alias_ips"] is not None and not same_elements(has["alias_ips"], entry["alias_ips"]):
            cloud.act("servers", id, "change_alias_ips", network=network, alias_ips=entry["alias_ips"])


def _fits(actual: Props, wanted: Props) -> bool:
    """Whether an attachment has the declared address, which the API cannot change in place."""
    if wanted["ip"] is not None and wanted["ip"] != actual["ip"]:
        return False
    ip_range = wanted["ip_range"]
    return ip_range is None or ipaddress.ip_address(actual["ip"]) in ipaddress.ip_network(ip_range)


# -- public addresses -------------------------------------------------------------------------------------------------


def _public_net(inputs: Props) -> dict[str, Any]:
    """Return the declared public network in the API's form. The default is an address of each version."""
    blocks = inputs.get("publicNets") or [{}]
    if len(blocks) > 1:
        raise RefusedError(f"`publicNets` has {len(blocks)} entries, but a server has one public network")
    declared = to_api("publicNets[0]", blocks[0], _PUBLIC_NET)
    result: dict[str, Any] = {}
    for version in ("ipv4", "ipv6"):
        identity = declared.get(version) or None
        enabled = bool(declared.get(f"{version}_enabled", True))
        if identity is not None and not enabled:
            raise RefusedError(f"this operation is not allowed: {version}_enabled = false | {version} = {identity}")
        result[f"enable_{version}"] = enabled
        if identity is not None:
            result[version] = identity
    return result


def _set_public_net(cloud: Cloud, id: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Exchange addresses while the server is off. A declared address is kept, one created for the server is deleted."""
    _power_off(cloud, id)
    try:
        server = cloud.get("servers", id)
        for version in ("ipv4", "ipv6"):
            actual = (server["public_net"][version] or {}).get("id")
            wanted, enabled = new.get(version), new[f"enable_{version}"]
            own = actual is not None and actual != old.get(version)
            keeps = actual is not None and enabled and (actual == wanted or (wanted is None and own))
            if actual is not None and not keeps:
                cloud.act("primary_ips", actual, "unassign")
                if own:
                    cloud.delete("primary_ips", str(actual))
            if wanted is not None and actual != wanted:
                cloud.act("primary_ips", wanted, "assign", assignee_id=int(id), assignee_type="server")
            elif wanted is None and enabled and not keeps:
                _give_own(cloud, id, server["name"], version)
    finally:
        _power_on(cloud, id)


def _give_own(cloud: Cloud, id: str, name: str, version: str) -> None:
    address = cloud.create(
        "primary_ips",
        {
            "name": f"primary_ip-{name}-{version}-{time.time_ns() % 10**7:07}",
            "type": version,
            "assignee_id": int(id),
            "assignee_type": "server",
            "auto_delete": True,
        },
    )
    cloud.wait_for_actions("primary_ips", address)


# -- deletion ---------------------------------------------------------------------------------------------------------


def _delete(cloud: Cloud, id: str, state: Props) -> None:
    if state.get("shutdownBeforeDeletion"):
        cloud.get("servers", id)
        cloud.act("servers", id, "shutdown")
        deadline = time.monotonic() + _SHUTDOWN_SECONDS
        while cloud.get("servers", id)["status"] != "off" and time.monotonic() < deadline:
            time.sleep(0.2)
    cloud.delete("servers", id)


SERVER = ResourceType(
    token="hcloud:index/server:Server",  # noqa: S106 - the name of a type
    # Not mapped: `datacenter`, which the API no longer has; `iso` and `rescue`; `allowDeprecatedImages`, which the
    # provider does not use.
    properties={
        "name": NAME,
        "serverType": Property(required=True),
        "image": Property(replaces=True),
        "location": Property(replaces=True),
        "sshKeys": Property(replaces=True, write_only=True),
        "userData": Property(replaces=True, same=_same_user_data),
        "keepDisk": Property(default=False, write_only=True),
        "backups": Property(default=False),
        "labels": LABELS,
        "publicNets": Property(),
        "networks": Property(),
        "firewallIds": Property(same=same_elements),
        "ignoreRemoteFirewallIds": Property(default=False, write_only=True),
        "placementGroupId": Property(),
        "deleteProtection": PROTECTION,
        "rebuildProtection": PROTECTION,
        "shutdownBeforeDeletion": Property(default=False, write_only=True),
    },
    computed=(
        "backupWindow",
        "firewallIds",
        "image",
        "ipv4Address",
        "ipv6Address",
        "ipv6Network",
        "location",
        "primaryDiskSize",
        "status",
    ),
    create=_create,
    settle=_settle,
    read=_read,
    update=_update,
    delete=_delete,
    find=find_in("servers"),
    delete_before_replace=True,
)
