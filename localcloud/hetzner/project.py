"""State of one project: its records, ids, addresses and actions, and the effects of an action's end.

A record is plain JSON, one object for each resource, with references as ids. Each collection's `show` returns the form
that the API shows. Actions are stored separately. A change that takes effect only when its action succeeds (a server
that boots, an object that is deleted) is in the action as `then`.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from localcloud.hetzner.catalogue import SoldOut, nothing_sold_out
from localcloud.hetzner.errors import ApiError, not_found
from localcloud.network.addresses import unused_address

Record = dict[str, Any]

Ending = Callable[["Project", int], ApiError | None]
"""Takes effect at the end of an action on the object with that id. Returns an error if the action failed."""

ChooseAddress = Callable[[Collection[str]], str]
"""Returns an IPv4 address of this machine that is not among the given ones, and that a program can listen on."""

# The documentation range (RFC 3849), so that no address can ever be routed anywhere. A machine has only one IPv6
# loopback address, so no program can listen on these addresses.
_PUBLIC_IPV6 = ipaddress.IPv6Network("2001:db8::/32")
# Enough for every client that still waits for an action. Older ones are dropped, like in a real project.
_KEPT_ACTIONS = 2000

# The name of each kind of record in messages and in the resources of actions.
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


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a project that no request changes.

    `action_seconds`: the duration of an action. An action without duration ends at the next request.
    `server_limit`: the most servers that the account may have. None: no limit. The API does not show it.
    """

    action_seconds: float = 0.0
    clock: Callable[[], float] = time.time
    choose_address: ChooseAddress = unused_address
    sold_out: SoldOut = nothing_sold_out
    server_limit: int | None = None


class Project:
    """The state of a project during one request. `data` is the store's content.

    `removal`: for each collection, the cleanup at the removal of a record.
    `endings`: the effects of an action's `then`, in addition to the removal of a record.
    """

    def __init__(
        self,
        data: dict[str, Any],
        *,
        now: float,
        settings: Settings,
        removal: dict[str, Callable[[Project, Record], None]],
        endings: Mapping[str, Ending],
    ) -> None:
        self.data = data
        self.now = now
        self.settings = settings
        self._removal = removal
        self._endings = endings

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
        """Return a record by id, or by name if the API accepts either."""
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
        """Return a free loopback address of this machine.

        Public addresses and those of attachments come from one range, so that each listener of a server or a load
        balancer has its own address.
        """
        return self.settings.choose_address(set(self._taken_addresses()))

    def loopback(self, network: Record, ip: str) -> str:
        """Return the local address in place of a private one.

        It is stored with the network, because others may know it before a resource is attached there, and may use it
        after a different resource takes over the private address.
        """
        known: dict[str, str] = network.setdefault("loopbacks", {})
        if ip not in known:
            known[ip] = self.new_ipv4()
        return known[ip]

    def new_ipv6(self) -> str:
        """Return the next /64 of the documentation range, which has four thousand million of them."""
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
        """Add the fields that the state of an older emulator lacks. Return whether anything was missing."""
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
        """Start an action.

        `then`: argument of `_finish` when it succeeds. `turn`: 2 if it waits for an earlier action.
        """
        identity = self._next("next_id")
        action = {
            "id": identity,
            "command": command,
            "resources": [{"id": number, "type": kind} for kind, number in resources],
            "started": self.now,
            "ends": self.now + self.settings.action_seconds * turn,
            "finished": None,
            "then": then,
            "error": None,
        }
        self.data["actions"][str(identity)] = action
        for old in [key for key, entry in self.data["actions"].items() if entry["finished"]][:-_KEPT_ACTIONS]:
            del self.data["actions"][old]
        return action

    def due(self) -> list[Record]:
        """The actions that have ended. An action without duration has ended for every request but its own."""
        actions = self.data["actions"].values()
        return [entry for entry in actions if entry["finished"] is None and entry["ends"] <= self.now]

    def finish_due(self) -> None:
        for action in sorted(self.due(), key=lambda entry: (entry["ends"], entry["id"])):
            action["finished"] = max(action["ends"], action["started"])
            fault = None if action["then"] is None else self._finish(*action["then"])
            if fault is not None:
                action["error"] = {"code": fault.code, "message": fault.message}

    def _finish(self, what: str, identity: int, *rest: Any) -> ApiError | None:
        """Apply the effect of an action. A refusal makes the action fail."""
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
