"""One project's state: its records, ids, addresses and actions, and what happens when an action finishes.

Records are kept as plain JSON, one object per resource, with references as ids; what the API shows of them is made by
each collection's `show`. Actions are kept beside them. A change that takes effect only when its action succeeds (a
server that boots, an object that is deleted) stands in the action as `then`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from localcloud.hetzner.errors import ApiError, not_found

Record = dict[str, Any]

Ending = Callable[["Project", int], ApiError | None]
"""What takes effect when an action on the object of that id is over; an error when it failed."""

ChooseAddress = Callable[[Collection[str]], str]
"""Gives an IPv4 address of this machine that is not among those given: one that something can really listen on."""

# The documentation range (RFC 3849), so that no address can ever be routed anywhere: a machine has one IPv6 loopback
# address, so there is nothing to listen on behind these.
_PUBLIC_IPV6 = ipaddress.IPv6Network("2001:db8::/32")
# Enough for every client that still waits for one; older ones go, as a project's actions go with time.
_KEPT_ACTIONS = 2000

# How each kind of record is called in messages and in the resources of actions.
KINDS = {
    "servers": "server",
    "networks": "network",
    "load_balancers": "load_balancer",
    "firewalls": "firewall",
    "placement_groups": "placement_group",
    "primary_ips": "primary_ip",
    "ssh_keys": "ssh_key",
    "certificates": "certificate",
    "zones": "zone",
}


def initial() -> dict[str, Any]:
    return {"next_id": 1001, "next_ipv6": 0, "actions": {}, **{kind: {} for kind in KINDS}}


class Project:
    """`data` is the store's content.

    `removal` says, for each collection, what else goes when a record goes. `endings` says what an action's `then` does,
    besides removing a record. `sold_out` is the catalogue's `SoldOut`.
    """

    def __init__(
        self,
        data: dict[str, Any],
        *,
        now: float,
        action_seconds: float,
        choose_address: ChooseAddress,
        removal: dict[str, Callable[[Project, Record], None]],
        endings: Mapping[str, Ending],
        sold_out: Callable[[str, str], str | None],
    ) -> None:
        self.data = data
        self.now = now
        self._action_seconds = action_seconds
        self._choose_address = choose_address
        self._removal = removal
        self._endings = endings
        self.sold_out = sold_out

    # -- records ------------------------------------------------------------------------------------------------------

    def all(self, collection: str) -> list[Record]:
        return list(self.data[collection].values())

    def get(self, collection: str, identity: int) -> Record:
        record: Record | None = self.data[collection].get(str(identity))
        if record is None:
            raise not_found(KINDS[collection].replace("_", " "), identity)
        return record

    def peek(self, collection: str, identity: int | None) -> Record | None:
        record: Record | None = self.data[collection].get(str(identity))
        return record

    def lookup(self, collection: str, reference: int | str) -> Record:
        """By id, or by name where the API takes either."""
        for record in self.data[collection].values():
            if reference in (record["id"], record["name"]):
                found: Record = record
                return found
        raise not_found(KINDS[collection].replace("_", " "), reference)

    def add(self, collection: str, **fields: Any) -> Record:
        record = {"id": self._next("next_id"), "created": _stamp(self.now), **fields}
        self.data[collection][str(record["id"])] = record
        return record

    def remove(self, collection: str, identity: int) -> None:
        record = self.data[collection].get(str(identity))
        if record is not None:
            if collection in self._removal:
                self._removal[collection](self, record)
            del self.data[collection][str(identity)]

    def matching(self, collection: str, matches: Callable[[dict[str, str]], bool]) -> Iterator[Record]:
        return (record for record in self.data[collection].values() if matches(record["labels"]))

    def _next(self, counter: str) -> int:
        value: int = self.data[counter]
        self.data[counter] = value + 1
        return value

    # -- addresses ----------------------------------------------------------------------------------------------------

    def new_ipv4(self) -> str:
        """An address of this machine's loopback that no record has: public ones and those of attachments are of one
        kind, so that whatever a server or a load balancer listens on has an address of its own.
        """
        return self._choose_address(set(self._taken_addresses()))

    def loopback(self, network: Record, ip: str) -> str:
        """The address of this machine that stands for a private one. It is kept with the network, because others may
        know it before something is attached there, and go on knowing it when another takes its place.
        """
        known: dict[str, str] = network.setdefault("loopbacks", {})
        if ip not in known:
            known[ip] = self.new_ipv4()
        return known[ip]

    def new_ipv6(self) -> str:
        """The next /64 of the documentation range; there are four thousand million of them."""
        first = int(_PUBLIC_IPV6.network_address) + ((self._next("next_ipv6") + 1) << 64)
        return str(ipaddress.IPv6Network((first, 64)))

    def _taken_addresses(self) -> Iterator[str]:
        for record in self.data["primary_ips"].values():
            yield record["ip"]
        for record in self.data["load_balancers"].values():
            if record["own_ipv4"] is not None:
                yield record["own_ipv4"]
        for entry in self.attachments():
            if "loopback" in entry:
                yield entry["loopback"]
        for network in self.data["networks"].values():
            yield from network.get("loopbacks", {}).values()

    def attachments(self) -> Iterator[Record]:
        """Every attachment of a server or a load balancer to a private network."""
        for collection in ("servers", "load_balancers"):
            for record in self.data[collection].values():
                yield from record["private_net"]

    def bring_up_to_date(self) -> bool:
        """Add what a state that an older emulator wrote does not have; whether anything was missing."""
        missing = [kind for kind in KINDS if kind not in self.data]
        self.data.update({kind: {} for kind in missing})
        bare = [entry for entry in self.attachments() if "loopback" not in entry]
        for entry in bare:
            entry["loopback"] = self.loopback(self.get("networks", entry["network"]), entry["ip"])
        asleep = [server for server in self.all("servers") if "boots" not in server]
        for server in asleep:
            server["boots"], server["stopping"] = int(server["powered"]), False
        return bool(missing or bare or asleep)

    # -- actions ------------------------------------------------------------------------------------------------------

    def act(self, command: str, *resources: tuple[str, int], then: list[Any] | None = None, turn: int = 1) -> Record:
        """A new action, running. `then`: what `_finish` does when it succeeds. `turn`: 2 if it waits for another."""
        identity = self._next("next_id")
        action = {
            "id": identity,
            "command": command,
            "resources": [{"id": number, "type": kind} for kind, number in resources],
            "started": self.now,
            "ends": self.now + self._action_seconds * turn,
            "finished": None,
            "then": then,
            "error": None,
        }
        self.data["actions"][str(identity)] = action
        for old in [key for key, entry in self.data["actions"].items() if entry["finished"]][:-_KEPT_ACTIONS]:
            del self.data["actions"][old]
        return action

    def due(self) -> list[Record]:
        """The actions that are over by now. An action of no length is over for every request but its own."""
        actions = self.data["actions"].values()
        return [entry for entry in actions if entry["finished"] is None and entry["ends"] <= self.now]

    def finish_due(self) -> None:
        for action in sorted(self.due(), key=lambda entry: (entry["ends"], entry["id"])):
            action["finished"] = max(action["ends"], action["started"])
            fault = None if action["then"] is None else self._finish(*action["then"])
            if fault is not None:
                action["error"] = {"code": fault.code, "message": fault.message}

    def _finish(self, what: str, identity: int, *rest: Any) -> ApiError | None:
        """Let what an action was for take effect; a refusal makes it an action that failed."""
        if what in self._endings:
            return self._endings[what](self, identity)
        if what == "remove":
            self.remove(rest[0], identity)
        return None

    def running(self, kind: str, identity: int) -> list[Record]:
        return [
            entry
            for entry in self.data["actions"].values()
            if entry["finished"] is None and {"id": identity, "type": kind} in entry["resources"]
        ]

    def show_action(self, action: Record) -> dict[str, Any]:
        done = action["finished"] is not None
        elapsed = (self.now - action["started"]) / max(action["ends"] - action["started"], 1e-9)
        return {
            "id": action["id"],
            "command": action["command"],
            "status": "running" if not done else "error" if action.get("error") else "success",
            "progress": 100 if done else min(99, int(100 * elapsed)),
            "started": _stamp(action["started"]),
            "finished": _stamp(action["finished"]) if done else None,
            "resources": action["resources"],
            "error": action.get("error"),
        }


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
