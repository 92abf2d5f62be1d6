"""Addresses in private networks: the addresses of a subnet, the ones in use, and the rules for an attachment."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from localcloud.hetzner.errors import ApiError, invalid_input
from localcloud.hetzner.project import Project, Record

PRIVATE = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
_RESERVED = ipaddress.IPv4Address("172.31.1.1")  # the gateway of every server's public interface
_ATTACHED = ("servers", "load_balancers")


def network_of(record: Record, network: int) -> Record | None:
    """The attachment of a server or a load balancer to a network."""
    return next((entry for entry in record["private_net"] if entry["network"] == network), None)


def attached(project: Project, network: int) -> Iterator[tuple[str, Record, Record]]:
    """Every resource that is attached to a network: its collection, its record and its attachment."""
    for collection in _ATTACHED:
        for record in project.all(collection):
            entry = network_of(record, network)
            if entry is not None:
                yield collection, record, entry


def shown(record: Record) -> list[Record]:
    """The attachments of a server or a load balancer, in the form of the API.

    The record has one more field, `loopback`: the local address in place of the private one. It exists on this machine
    only, and only here can a program listen on it.
    """
    return [{key: value for key, value in entry.items() if key != "loopback"} for entry in record["private_net"]]


def taken(project: Project, network: int) -> set[str]:
    entries = (entry for _, _, entry in attached(project, network))
    return {address for entry in entries for address in (entry["ip"], *entry.get("alias_ips", ()))}


def choose(project: Project, network: Record, zone: str, ip: str | None, ip_range: str | None) -> str:
    """Choose the address for a resource of `zone` in a network: the wanted address, or the next free one of a subnet.

    Without a wanted address or subnet it is in the last subnet by range, as the API documents.
    """
    subnets = [entry for entry in network["subnets"] if entry["network_zone"] == zone]
    if ip_range is not None:
        subnets = [entry for entry in subnets if entry["ip_range"] == ip_range]
    used = taken(project, network["id"])
    if ip is not None:
        address = ipaddress.ip_address(ip)
        if not any(address in _usable(network, entry) for entry in subnets):
            raise invalid_input({"ip": [f"is in no subnet of the network '{network['name']}' for the zone {zone}"]})
        if ip in used:
            raise ApiError("ip_not_available", f"IP '{ip}' is not available in the network '{network['name']}'")
        return str(address)
    for entry in sorted(subnets, key=lambda entry: ipaddress.IPv4Network(entry["ip_range"]), reverse=True):
        for candidate in _usable(network, entry):
            if str(candidate) not in used:
                return str(candidate)
    raise ApiError("no_subnet_available", f"no subnet or IP is available in the network '{network['name']}' for {zone}")


def check_aliases(project: Project, network: Record, aliases: list[str], keeps: list[str]) -> None:
    """Refuse alias addresses that are in no subnet or in use; the server already has those in `keeps`."""
    used = taken(project, network["id"]) - set(keeps)
    for alias in aliases:
        address = ipaddress.ip_address(alias)
        if not any(address in _usable(network, entry) for entry in network["subnets"]):
            raise invalid_input({"alias_ips": [f"'{alias}' is in no subnet of the network '{network['name']}'"]})
        if alias in used:
            raise ApiError("ip_not_available", f"IP '{alias}' is not available in the network '{network['name']}'")


class _usable:  # noqa: N801 - it reads as the range that it is
    """The usable addresses of a subnet: without its first and last address, and without the network's gateway."""

    def __init__(self, network: Record, subnet: Record) -> None:
        self._range = ipaddress.IPv4Network(subnet["ip_range"])
        self._kept = {ipaddress.IPv4Address(subnet["gateway"]), _RESERVED}

    def __contains__(self, address: object) -> bool:
        ends = (self._range.network_address, self._range.broadcast_address)
        return address in self._range and address not in self._kept and address not in ends

    def __iter__(self) -> Iterator[ipaddress.IPv4Address]:
        return (address for address in self._range.hosts() if address not in self._kept)


def overlap(one: Record, other: Record) -> bool:
    return ipaddress.ip_network(one["ip_range"]).overlaps(ipaddress.ip_network(other["ip_range"]))
