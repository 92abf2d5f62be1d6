"""Switch hosts and load balancers off and on through Hetzner's API, and read the health of the pool.

Cutting a server's power skips its shutdown. The loss of a location is simulated by that, and by switching off the
public interfaces of its load balancers: Hetzner's API has no stronger call for a load balancer.
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
"""The time for which switching something on is retried."""

Health = Mapping[str, Mapping[str, bool]]
"""Whether a target is healthy, by the load balancer's name and the target's name."""


@dataclass(frozen=True)
class HetznerApi:
    """The endpoint and token of Hetzner's API."""

    endpoint: str
    token: str

    @classmethod
    def from_environment(cls) -> HetznerApi:
        token = os.environ.get("HCLOUD_TOKEN")
        if not token:
            raise CredentialsError(
                "HCLOUD_TOKEN is not set: set it to a token of the project, with which the drill switches hosts off"
            )
        return cls(endpoint=os.environ.get("HCLOUD_ENDPOINT") or _REAL_ENDPOINT, token=token)

    @property
    def real(self) -> bool:
        """Whether the endpoint is a real cloud, with customers: its address is not a loopback address."""
        host = urlsplit(self.endpoint).hostname or ""
        if host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(host).is_loopback
        except ValueError:
            return True

    def client(self) -> Any:
        """The official client. Typed as Any, because its types make every field optional."""
        from hcloud import Client

        return Client(
            self.token,
            api_endpoint=self.endpoint,
            application_name="botbrains-continuity",
            poll_interval=1.0 if self.real else 0.1,
            timeout=30,
        )


@contextmanager
def translate_errors(doing: str) -> Iterator[None]:
    """Translate the exceptions of Hetzner's client into our own errors."""
    from hcloud import APIException, HCloudException

    try:
        yield
    except APIException as error:
        if error.code == "unauthorized":
            raise CredentialsError(f"{doing}: {error}: set HCLOUD_TOKEN to a token of this project") from None
        raise CloudError(f"{doing}: {error}") from None
    except (HCloudException, OSError, ValueError) as error:
        # The exceptions of requests are OSErrors. A token that is not valid in a header raises ValueError.
        raise CloudError(f"{doing}: {error}") from None


def health(api: HetznerApi, names: Sequence[str]) -> Health:
    """The health of the targets of the named load balancers, from the load balancers' own health checks.

    Raises `ContinuityError` if one does not exist.
    """
    with translate_errors("the load balancers cannot be read"):
        client = api.client()
        known = {server.id: str(server.name) for server in client.servers.get_all()}
        found = {balancer.name: balancer for balancer in client.load_balancers.get_all() if balancer.name in names}
    missing = [name for name in names if name not in found]
    if missing:
        raise CloudError(
            f"Hetzner has no load balancer {', '.join(missing)}: set HCLOUD_TOKEN to a token of the stack's project"
        )
    return {
        name: {known.get(target.server.id, str(target.server.id)): _healthy(target) for target in _targets(found[name])}
        for name in names
    }


def _targets(balancer: Any) -> list[Any]:
    """The target servers of a load balancer: named ones, and those that match its label selectors."""
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
    """A fault: servers and load balancers to switch off. It records every part that it switched off, to revert it."""

    def __init__(self, api: HetznerApi, servers: Sequence[str], balancers: Sequence[str]) -> None:
        """Raises `ContinuityError` if a name does not exist, or if a server or public interface is off already."""
        self._api = api
        self._lock = threading.Lock()
        self._switched: set[tuple[str, int]] = set()
        client = api.client()
        with translate_errors("the servers and load balancers cannot be read"):
            running = {server.name: server for server in client.servers.get_all()}
            balancers_by_name = {balancer.name: balancer for balancer in client.load_balancers.get_all()}
        for kind, wanted, known in (("server", servers, running), ("load balancer", balancers, balancers_by_name)):
            missing = [name for name in wanted if name not in known]
            if missing:
                raise CloudError(
                    f"Hetzner has no {kind} {', '.join(missing)}: set HCLOUD_TOKEN to a token of the stack's project"
                )
        stopped = [name for name in servers if running[name].status != "running"]
        if stopped:
            raise DrillError(f"{', '.join(stopped)} is not running: switch it on before the drill")
        disabled = [name for name in balancers if not balancers_by_name[name].public_net.enabled]
        if disabled:
            raise DrillError(f"the public interface of {', '.join(disabled)} is off: switch it on before the drill")
        self._parts = [
            *(("server", running[name].id, name) for name in servers),
            *(("load balancer", balancers_by_name[name].id, name) for name in balancers),
        ]

    @property
    def active(self) -> bool:
        return bool(self._switched)

    def manual_commands(self) -> list[str]:
        """The commands that revert the fault if this process is killed."""
        return [
            f"hcloud {'server poweron' if kind == 'server' else 'load-balancer enable-public-interface'} {name}"
            for kind, _, name in self._parts
        ]

    def inject(self) -> tuple[float, float]:
        """Switch all parts off at once.

        Return the time just before the first call, and the time when the cloud had confirmed that everything is off, by
        the monotonic clock. Raises `ContinuityError` if a call is refused or has no effect. Parts that are off stay off
        until `revert`.
        """
        clients = [self._api.client() for _ in self._parts]
        killed = time.monotonic()
        with translate_errors("not everything could be switched off"), ThreadPoolExecutor(len(self._parts)) as pool:
            list(pool.map(self._switch_off, clients, self._parts))
            off = time.monotonic()
            for client, (kind, number, name) in zip(clients, self._parts, strict=True):
                if kind == "server" and client.servers.get_by_id(number).status != "off":
                    raise DrillError(f"the fault did nothing: {name} still runs after its power was cut")
        return killed, off

    def revert(self) -> float:
        """Switch on the parts that were switched off. Return the time just before the first call.

        A part that the cloud refuses because it is busy is retried, without delaying the others. Raises
        `ContinuityError` with the parts that are still off, and the commands that switch them on.
        """
        begun = time.monotonic()
        parts = [part for part in self._parts if part[:2] in self._switched]
        if not parts:
            return begun
        with ThreadPoolExecutor(len(parts)) as pool:
            refusals = [refusal for refusal in pool.map(self._switch_on, parts) if refusal]
        if refusals:
            left = [
                line
                for line, part in zip(self.manual_commands(), self._parts, strict=True)
                if part[:2] in self._switched
            ]
            raise UnfinishedError(f"not everything is switched on again ({'; '.join(refusals)}). By hand: {left}")
        return begun

    def _switch_off(self, client: Any, part: tuple[str, int, str]) -> None:
        from hcloud.load_balancers import LoadBalancer
        from hcloud.servers import Server

        kind, number, _ = part
        with self._lock:
            # Recorded before the call: an interrupted call may have reached the cloud.
            self._switched.add((kind, number))
        if kind == "server":
            action = client.servers.power_off(Server(id=number))
        else:
            action = client.load_balancers.disable_public_interface(LoadBalancer(id=number))
        action.wait_until_finished()

    def _switch_on(self, part: tuple[str, int, str]) -> str | None:
        """Switch a part on. Return the reason if it is still off."""
        import requests
        from hcloud import HCloudException
        from hcloud.load_balancers import LoadBalancer
        from hcloud.servers import Server

        kind, number, name = part
        client = self._api.client()
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


def dns_differences(api: HetznerApi, name: str, addresses: Mapping[str, Sequence[str]]) -> list[str]:
    """Compare Hetzner's DNS records of a name with addresses, by record type (A, AAAA). Return sentences.

    The zone is the project's zone with the longest matching suffix. Errors are returned as sentences too.
    """
    found: list[str] = []
    labels = name.split(".")
    try:
        with translate_errors(f"the DNS records of {name} cannot be read"):
            get = api.client().zones.get
            suffixes = (".".join(labels[first:]) for first in range(len(labels) - 1))
            zone = next(filter(None, (_existing(get, suffix) for suffix in suffixes)), None)
            if zone is None:
                return [
                    f"this project has no DNS zone for {name}: its records were not compared with the load balancers"
                ]
            own = name.removesuffix(zone.name).removesuffix(".") or "@"
            for kind, wanted in addresses.items():
                rrset = _existing(zone.get_rrset, own, kind)
                records = sorted(record.value for record in rrset.records or []) if rrset else []
                if _same(records) != _same(wanted):
                    found.append(
                        f"DNS resolves {name} ({kind}) to {', '.join(records) or 'nothing'}, "
                        f"and the load balancers have {', '.join(sorted(wanted)) or 'none'}"
                    )
    except ContinuityError as error:
        found.append(str(error))
    return found


def _existing(get: Callable[..., Any], *which: str) -> Any | None:
    """Return the result of a call. None if the cloud does not have the resource."""
    from hcloud import APIException

    try:
        return get(*which)
    except APIException as error:
        if error.code != "not_found":
            raise
        return None


def _same(addresses: Sequence[str]) -> set[str]:
    """Normalise addresses: an IPv6 address has several notations."""
    return {str(ipaddress.ip_address(address)) for address in addresses}


def wait_for(
    api: HetznerApi,
    problems: Callable[[Health], list[str]],
    names: Sequence[str],
    seconds: float,
    every: float,
    steady: float = 0.0,
) -> list[str]:
    """Wait until `problems` finds none in the pool's health for `steady` seconds without a break.

    Wait at most `seconds`, and return the problems that remain.
    """
    end = time.monotonic() + seconds
    right_since: float | None = None
    while True:
        try:
            wrong = problems(health(api, names))
        except ContinuityError as error:
            wrong = [str(error)]
        now = time.monotonic()
        right_since = None if wrong else right_since or now
        if right_since is not None and now - right_since >= steady:
            return []
        if now > end:
            return wrong or [f"the pool is as it should be, but not yet for {steady:.0f} s"]
        time.sleep(every)
