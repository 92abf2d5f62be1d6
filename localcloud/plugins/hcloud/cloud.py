"""The way to the cloud: the official client, and the few forms of call that every table makes with it."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, Final

from hcloud import APIException, Client
from hcloud.actions import BoundAction
from requests.adapters import HTTPAdapter

from localcloud.plugins.loopback import on_loopback
from localcloud.plugins.table import Gone, Property, Props, Refused

CONFIGURATION: Final = {
    "token": Property(secret=True),
    "endpoint": Property(),
    "endpointHetzner": Property(),
    "pollInterval": Property(),
    "pollFunction": Property(choices=("constant", "exponential")),
}

_TOKEN_LENGTH = 64
# The provider asks every 500 ms by default; what it asks here is on the same machine and mostly done at once.
_POLL_SECONDS = 0.02
_LONGEST_WAIT_SECONDS = 600
# The engine changes this many things at once and more; each has a connection of its own.
_CONNECTIONS = 32
_ATTEMPTS = 6
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Cloud:
    """The API, by collection and id. Safe to use from several threads at once."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def get(self, collection: str, identity: str | int) -> Props:
        """One object as the API gives it. `Gone` if there is none, or if the id cannot be one."""
        if not str(identity).isdigit():
            raise Gone(f"{collection}/{identity}")
        try:
            answer = self._client.request("GET", f"/{collection}/{identity}")
        except APIException as fault:
            if fault.code == "not_found":
                raise Gone(f"{collection}/{identity}") from fault
            raise
        found: Props = answer[_one(collection)]
        return found

    def get_below(self, collection: str, identity: str, part: str, below: str) -> Props:
        """One part of an object, by what follows in its path. `Gone` if there is none."""
        found: Props = self._unless_gone("GET", f"/{collection}/{identity}/{part}/{below}")[_one(part)]
        return found

    def create_below(self, collection: str, identity: str, part: str, body: Mapping[str, Any]) -> str:
        """Make a part of an object and give its id at once; `settled` of the object waits until it is complete."""
        answer = self._client.request("POST", f"/{collection}/{identity}/{part}", json=_present(body))
        return str(answer[_one(part)]["id"])

    def delete_below(self, collection: str, identity: str, part: str, below: str) -> None:
        """Delete a part of an object and wait until it is gone; `Gone` if it is gone already."""
        self._wait(self._unless_gone("DELETE", f"/{collection}/{identity}/{part}/{below}")["action"])

    def all(self, collection: str, **query: Any) -> list[Props]:
        """Every object, or every one that a query finds."""
        found: list[Props] = []
        page: int | None = 1
        while page is not None:
            answer = self._client.request("GET", f"/{collection}", params={**query, "page": page, "per_page": 50})
            found += answer[collection]
            page = answer["meta"]["pagination"]["next_page"]
        return found

    def _unless_gone(self, method: str, url: str) -> Props:
        try:
            return self._client.request(method, url)
        except APIException as fault:
            if fault.code == "not_found":
                raise Gone(url) from fault
            raise

    def named(self, collection: str, name: str | None, **query: Any) -> Props | None:
        """The object of that name."""
        if not name:
            return None
        answer = self._client.request("GET", f"/{collection}", params={"name": name, **query})
        return next(iter(answer[collection]), None)

    def create(self, collection: str, body: Mapping[str, Any]) -> str:
        """Make an object and give its id at once; `settled` waits until it is complete."""
        answer = self._client.request("POST", f"/{collection}", json=_present(body))
        return str(answer[_one(collection)]["id"])

    def settled(self, collection: str, identity: str) -> None:
        """Wait for every action that still runs on an object; one that fails raises."""
        answer = self._client.request(
            "GET", f"/{collection}/{identity}/actions", params={"status": "running", "per_page": 50}
        )
        for action in answer["actions"]:
            self._wait(action)

    def change(self, collection: str, identity: str, **fields: Any) -> None:
        """Set fields of an object that need no action: its name, its labels."""
        self._client.request("PUT", f"/{collection}/{identity}", json=fields)

    def act(
        self, collection: str, identity: str | int, command: str, retried: tuple[str, ...] = (), **body: Any
    ) -> None:
        """Do something to an object and wait until it is done. `retried`: errors that pass with time."""
        url = f"/{collection}/{identity}/actions/{command}"
        answer = self._patiently(retried, "POST", url, json=_present(body))
        for action in answer.get("actions", [answer.get("action")]):
            self._wait(action)

    def delete(self, collection: str, identity: str, retried: tuple[str, ...] = ()) -> None:
        """Delete an object and wait until it is gone; `Gone` if it is gone already."""
        if not identity.isdigit():
            raise Gone(f"{collection}/{identity}")
        try:
            answer = self._patiently(retried, "DELETE", f"/{collection}/{identity}")
        except APIException as fault:
            if fault.code == "not_found":
                raise Gone(f"{collection}/{identity}") from fault
            raise
        if answer.get("action"):
            self._wait(answer["action"])

    def _patiently(self, retried: tuple[str, ...], method: str, url: str, **options: Any) -> Props:
        for attempt in range(_ATTEMPTS):
            try:
                return self._client.request(method, url, **options)
            except APIException as fault:
                if fault.code not in (*retried, "locked") or attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(0.05 * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    def _wait(self, action: Props) -> None:
        BoundAction(self._client.actions, action).wait_until_finished()


def connect(configuration: Props, environment: Mapping[str, str]) -> Cloud:
    """The provider's places in the provider's order: its configuration, then the environment.

    Where the provider would turn to Hetzner itself without an endpoint, this stand-in refuses: it is for a cloud on
    this machine and never asks the internet for anything.
    """
    token = configuration.get("token") or environment.get("HCLOUD_TOKEN")
    if not token:
        raise Refused("the Hetzner Cloud API token is missing: set hcloud:token or HCLOUD_TOKEN")
    if len(token) != _TOKEN_LENGTH:
        raise Refused(f"the Hetzner Cloud API token must be exactly {_TOKEN_LENGTH} characters long, not {len(token)}")
    endpoint = _local("endpoint", configuration.get("endpoint") or environment.get("HCLOUD_ENDPOINT"))
    # Only storage boxes are asked for there, and no table has them: it is checked and otherwise left alone.
    other = _local("endpointHetzner", configuration.get("endpointHetzner") or endpoint)
    interval = _seconds(configuration.get("pollInterval"))
    client = Client(
        token,
        api_endpoint=endpoint,
        api_endpoint_hetzner=other,
        application_name="pulumi-hcloud-stand-in",
        poll_interval=_growing(interval) if configuration.get("pollFunction") == "exponential" else interval,
        poll_max_retries=int(_LONGEST_WAIT_SECONDS / interval),
        timeout=60,
    )
    session = client._client._session
    session.trust_env = False  # a proxy from the environment would be asked for addresses that are this machine's own
    session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=_CONNECTIONS))
    return Cloud(client)


def _local(setting: str, endpoint: str | None) -> str:
    """The endpoint, if it is on this machine."""
    if not endpoint:
        raise Refused(f"this stand-in needs an endpoint on this machine: set hcloud:{setting} or HCLOUD_ENDPOINT")
    if not on_loopback(endpoint):
        raise Refused(f"hcloud:{setting} is {endpoint!r}, but this stand-in speaks only to loopback addresses")
    return endpoint.rstrip("/")


def _seconds(duration: str | None) -> float:
    """A duration in Go's form, such as `500ms` or `1m30s`."""
    if duration is None:
        return _POLL_SECONDS
    parts = _DURATION.findall(duration)
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != duration or total <= 0:
        raise Refused(f"hcloud:pollInterval is {duration!r}; allowed is a duration such as '500ms' or '2s'")
    return total


def _growing(base: float) -> Any:
    return lambda retries: min(base * 2 ** min(retries, 20), 60.0)


def _one(collection: str) -> str:
    return collection.removesuffix("s")


def _present(body: Mapping[str, Any]) -> Props:
    return {key: value for key, value in body.items() if value is not None}
