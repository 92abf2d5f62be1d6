"""Hosts and load balancers switched off and on again through Hetzner's own API, and how the pool fares meanwhile.

Cutting a server's power is as pulling its plug: nothing is ended in good order. A location's loss is played by that and
by the public interface of its load balancers, which is the harshest call that Hetzner has for one.
"""

from __future__ import annotations

import ipaddress
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from continuity.errors import CloudError, ContinuityError, CredentialsError, DrillError, UnfinishedError

_REAL_ENDPOINT: Final = "https://api.hetzner.cloud/v1"
_AGAIN_SECONDS: Final = 1.0
_RESTORE_SECONDS: Final = 120.0
"""For how long switching something on is tried."""

Health = Mapping[str, Mapping[str, bool]]
"""For each load balancer's name, for each target's name, whether it is healthy."""


@dataclass(frozen=True)
class Access:
    """Hetzner's API, as the environment says."""

    endpoint: str
    token: str

    @classmethod
    def of_environment(cls) -> Access:
        token = os.environ.get("HCLOUD_TOKEN")
        if not token:
            raise CredentialsError("HCLOUD_TOKEN is not set: the drill switches hosts off through Hetzner's API")
        return cls(endpoint=os.environ.get("HCLOUD_ENDPOINT") or _REAL_ENDPOINT, token=token)

    @property
    def real(self) -> bool:
        """Whether customers are behind it: anything that does not listen on loopback."""
        host = urlsplit(self.endpoint).hostname or ""
        if host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(host).is_loopback
        except ValueError:
            return True

    def client(self) -> Any:
        """The official client. Of any type, because its own says of everything that it may be missing."""
        from hcloud import Client

        return Client(
            self.token,
            api_endpoint=self.endpoint,
            application_name="botbrains-continuity",
            poll_interval=1.0 if self.real else 0.1,
            timeout=30,
        )


@contextmanager
def in_words(doing: str) -> Iterator[None]:
    """What Hetzner's API refuses, or what does not reach it, as an error for a person."""
    from hcloud import APIException, HCloudException

    try:
        yield
    except APIException as error:
        if error.code == "unauthorized":
            raise CredentialsError(f"{doing}: {error}: set HCLOUD_TOKEN to a token of this project") from None
        raise CloudError(f"{doing}: {error}") from None
    except (HCloudException, OSError, ValueError) as error:
        # What requests raises is an OSError; a token that no header can carry is a ValueError.
        raise CloudError(f"{doing}: {error}") from None


def health(access: Access, names: Sequence[str]) -> Health:
    """How the targets of the named load balancers fare, by the load balancers' own health checks.

    Raises `ContinuityError` when one does not exist.
    """
    with in_words("the load balancers cannot be read"):
        client = access.client()
        known = {server.id: str(server.name) for server in client.servers.get_all()}
        found = {balancer.name: balancer for balancer in client.load_balancers.get_all() if balancer.name in names}
    missing = [name for name in names if name not in found]
    if missing:
        raise CloudError(f"Hetzner has no load balancer {', '.join(missing)}: does HCLOUD_TOKEN fit the stack?")
    return {
        name: {known.get(target.server.id, str(target.server.id)): _healthy(target) for target in _targets(found[name])}
        for name in names
    }


def _targets(balancer: Any) -> list[Any]:
    """The servers that a load balancer sends requests to, named ones and those that its selectors found."""
    targets: list[Any] = []
    for target in balancer.targets or []:
        if target.type == "server":
            targets.append(target)
        elif target.type == "label_selector":
            targets.extend(target.targets or [])
    return targets


def _healthy(target: Any) -> bool:
    statuses = [status.status for status in target.health_status or []]
    return bool(statuses) and all(status == "healthy" for status in statuses)


class Fault:
    """What a drill switches off, and on again. It remembers what it has switched off, so that all of it comes back."""

    def __init__(self, access: Access, servers: Sequence[str], balancers: Sequence[str]) -> None:
        """Raises `ContinuityError` when one of the names does not exist, or a server is not running."""
        self._access = access
        self._lock = threading.Lock()
        self._switched: set[tuple[str, int]] = set()
        client = access.client()
        with in_words("the servers and load balancers cannot be read"):
            running = {server.name: server for server in client.servers.get_all()}
            there = {balancer.name: balancer for balancer in client.load_balancers.get_all()}
        for kind, wanted, known in (("server", servers, running), ("load balancer", balancers, there)):
            missing = [name for name in wanted if name not in known]
            if missing:
                raise CloudError(f"Hetzner has no {kind} {', '.join(missing)}: does HCLOUD_TOKEN fit the stack?")
        stopped = [name for name in servers if running[name].status != "running"]
        if stopped:
            raise DrillError(f"{', '.join(stopped)} is not running: switch it on before the drill")
        closed = [name for name in balancers if not there[name].public_net.enabled]
        if closed:
            raise DrillError(f"the public interface of {', '.join(closed)} is off: switch it on before the drill")
        self._parts = [
            *(("server", running[name].id, name) for name in servers),
            *(("load balancer", there[name].id, name) for name in balancers),
        ]

    @property
    def anything_off(self) -> bool:
        return bool(self._switched)

    def by_hand(self) -> list[str]:
        """The commands that put everything back, should this process not live to do it."""
        return [
            f"hcloud {'server poweron' if kind == 'server' else 'load-balancer enable-public-interface'} {name}"
            for kind, _, name in self._parts
        ]

    def off(self) -> tuple[float, float]:
        """Switch all of it off at once.

        When the first call was about to be sent, and when the cloud had confirmed that everything is off, by the
        monotonic clock. Raises `ContinuityError` when a call is refused or did nothing; what is off by then stays off
        until `on`.
        """
        clients = [self._access.client() for _ in self._parts]
        killed = time.monotonic()
        with in_words("not everything could be switched off"), ThreadPoolExecutor(len(self._parts)) as pool:
            list(pool.map(self._off, clients, self._parts))
            off = time.monotonic()
            for client, (kind, number, name) in zip(clients, self._parts, strict=True):
                if kind == "server" and client.servers.get_by_id(number).status != "off":
                    raise DrillError(f"the fault did nothing: {name} still runs after its power was cut")
        return killed, off

    def on(self) -> float:
        """Switch on again what was switched off, and only that; when the first call was about to be sent.

        A part that the cloud refuses, because it is busy with it, is tried again; the others are not kept waiting.
        Raises `ContinuityError` with what is still off, and how to switch it on.
        """
        begun = time.monotonic()
        parts = [part for part in self._parts if part[:2] in self._switched]
        if not parts:
            return begun
        with ThreadPoolExecutor(len(parts)) as pool:
            refusals = [refusal for refusal in pool.map(self._on, parts) if refusal]
        if refusals:
            left = [line for line, part in zip(self.by_hand(), self._parts, strict=True) if part[:2] in self._switched]
            raise UnfinishedError(f"not everything is switched on again ({'; '.join(refusals)}). By hand: {left}")
        return begun

    def _off(self, client: Any, part: tuple[str, int, str]) -> None:
        from hcloud.load_balancers import LoadBalancer
        from hcloud.servers import Server

        kind, number, _ = part
        with self._lock:
            # Before the call: one that is broken off may have arrived.
            self._switched.add((kind, number))
        if kind == "server":
            action = client.servers.power_off(Server(id=number))
        else:
            action = client.load_balancers.disable_public_interface(LoadBalancer(id=number))
        action.wait_until_finished()

    def _on(self, part: tuple[str, int, str]) -> str | None:
        """Why it is still off; None when it is on."""
        import requests
        from hcloud import HCloudException
        from hcloud.load_balancers import LoadBalancer
        from hcloud.servers import Server

        kind, number, name = part
        client = self._access.client()
        end = time.monotonic() + _RESTORE_SECONDS
        while True:
            try:
                if kind == "server":
                    client.servers.power_on(Server(id=number)).wait_until_finished()
                else:
                    client.load_balancers.enable_public_interface(LoadBalancer(id=number)).wait_until_finished()
            except (HCloudException, requests.RequestException) as error:
                if time.monotonic() > end:
                    return f"{name}: {error}"
                time.sleep(_AGAIN_SECONDS)
            else:
                with self._lock:
                    self._switched.discard((kind, number))
                return None


def dns_differences(access: Access, name: str, addresses: Mapping[str, Sequence[str]]) -> list[str]:
    """How Hetzner's records of a name differ from the given addresses, by type of record (A, AAAA); in sentences.

    The zone is the longest ending of the name that the project has a zone for. Nothing is raised: what cannot be read
    is a sentence too.
    """
    import requests
    from hcloud import APIException, HCloudException

    client = access.client()
    labels = name.split(".")
    zone = None
    for first in range(len(labels) - 1):
        try:
            zone = client.zones.get(".".join(labels[first:]))
            break
        except APIException as error:
            if error.code != "not_found":
                return [f"the DNS records of {name} cannot be read: {error}"]
        except (HCloudException, requests.RequestException) as error:
            return [f"the DNS records of {name} cannot be read: {error}"]
    if zone is None:
        return [f"this project has no DNS zone for {name}: whether it leads to the load balancers was not looked at"]
    found: list[str] = []
    own = name.removesuffix(zone.name).removesuffix(".") or "@"
    for kind, wanted in addresses.items():
        try:
            records = sorted(record.value for record in zone.get_rrset(own, kind).records or [])
        except APIException as error:
            if error.code != "not_found":
                return [*found, f"the DNS records of {name} cannot be read: {error}"]
            records = []
        except (HCloudException, requests.RequestException) as error:
            return [*found, f"the DNS records of {name} cannot be read: {error}"]
        if _same(records) != _same(wanted):
            found.append(
                f"DNS leads {name} ({kind}) to {', '.join(records) or 'nothing'}, and the load balancers have "
                f"{', '.join(sorted(wanted)) or 'none'}"
            )
    return found


def _same(addresses: Sequence[str]) -> set[str]:
    """Addresses as they compare: IPv6 has more than one way of writing them."""
    return {str(ipaddress.ip_address(address)) for address in addresses}


def wait_for(
    access: Access,
    wanted: Callable[[Health], list[str]],
    names: Sequence[str],
    seconds: float,
    every: float,
    steady: float = 0.0,
) -> list[str]:
    """Until `wanted` finds nothing wrong with the pool's health, and has not for `steady` seconds without a break.

    For at most `seconds`; what is still wrong then.
    """
    end = time.monotonic() + seconds
    right_since: float | None = None
    while True:
        try:
            wrong = wanted(health(access, names))
        except ContinuityError as error:
            wrong = [str(error)]
        now = time.monotonic()
        right_since = None if wrong else right_since or now
        if right_since is not None and now - right_since >= steady:
            return []
        if now > end:
            return wrong or [f"it is as it should be, but has not been for {steady:.0f} s yet"]
        time.sleep(every)
