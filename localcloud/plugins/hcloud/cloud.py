"""Connect the hcloud tables to their cloud: the official client, and the forms of call that the tables use."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, Final

from hcloud import APIException, Client
from hcloud.actions import BoundAction
from requests.adapters import HTTPAdapter

from localcloud.plugins.loopback import on_loopback
from localcloud.plugins.table import GoneError, Property, Props, RefusedError

CONFIGURATION: Final = {
    "token": Property(secret=True),
    "endpoint": Property(),
    "endpointHetzner": Property(),
    "pollInterval": Property(),
    "pollFunction": Property(choices=("constant", "exponential")),
}

_TOKEN_LENGTH = 64
# The provider polls every 500 ms by default. Here an action runs on the same machine and is mostly done at once.
_POLL_SECONDS = 0.02
_LONGEST_WAIT_SECONDS = 600
# The engine changes at least this number of resources in parallel. Each has its own connection.
_CONNECTIONS = 32
_ATTEMPTS = 6
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Cloud:
    """The API, by collection and id. It is thread-safe."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def get(self, collection: str, identity: str | int) -> Props:
        """Return an object in the API's form. Raises `GoneError` if it does not exist, or if the id is not a number."""
        if not str(identity).isdigit():
            raise GoneError(f"{collection}/{identity}")
        try:
            answer = self._client.request("GET", f"/{collection}/{identity}")
        except APIException as fault:
            if fault.code == "not_found":
                raise GoneError(f"{collection}/{identity}") from fault
            raise
        found: Props = answer[_one(collection)]
        return found

    def get_below(self, collection: str, identity: str, part: str, below: str) -> Props:
        """Return one part of an object, by the rest of its path. Raises `GoneError` if it does not exist."""
        found: Props = self._unless_gone("GET", f"/{collection}/{identity}/{part}/{below}")[_one(part)]
        return found

    def create_below(self, collection: str, identity: str, part: str, body: Mapping[str, Any]) -> str:
        """Create a part of an object and return its id at once. The object's `wait_for_actions` completes it."""
        answer = self._client.request("POST", f"/{collection}/{identity}/{part}", json=_present(body))
        return str(answer[_one(part)]["id"])

    def delete_below(self, collection: str, identity: str, part: str, below: str) -> None:
        """Delete a part of an object and wait until it is gone. Raises `GoneError` if it is already gone."""
        self._wait(self._unless_gone("DELETE", f"/{collection}/{identity}/{part}/{below}")["action"])

    def all(self, collection: str, **query: Any) -> list[Props]:
        """Return every object that the query finds."""
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
                raise GoneError(url) from fault
            raise

    def named(self, collection: str, name: str | None, **query: Any) -> Props | None:
        """Return the object with this name."""
        if not name:
            return None
        answer = self._client.request("GET", f"/{collection}", params={"name": name, **query})
        return next(iter(answer[collection]), None)

    def create(self, collection: str, body: Mapping[str, Any]) -> str:
        """Create an object and return its id at once. Call `wait_for_actions` to complete it."""
        answer = self._client.request("POST", f"/{collection}", json=_present(body))
        return str(answer[_one(collection)]["id"])

    def wait_for_actions(self, collection: str, identity: str) -> None:
        """Wait for every running action of an object. Raises if an action fails."""
        answer = self._client.request(
            "GET", f"/{collection}/{identity}/actions", params={"status": "running", "per_page": 50}
        )
        for action in answer["actions"]:
            self._wait(action)

    def change(self, collection: str, identity: str, **fields: Any) -> None:
        """Set fields of an object without an action: its name, its labels."""
        self._client.request("PUT", f"/{collection}/{identity}", json=fields)

    def act(
        self, collection: str, identity: str | int, command: str, retried: tuple[str, ...] = (), **body: Any
    ) -> None:
        """Run an action on an object and wait until it is done. `retried`: errors that are temporary."""
        url = f"/{collection}/{identity}/actions/{command}"
        answer = self._with_retries(retried, "POST", url, json=_present(body))
        for action in answer.get("actions", [answer.get("action")]):
            self._wait(action)

    def delete(self, collection: str, identity: str, retried: tuple[str, ...] = ()) -> None:
        """Delete an object and wait until it is gone. Raises `GoneError` if it is already gone."""
        if not identity.isdigit():
            raise GoneError(f"{collection}/{identity}")
        try:
            answer = self._with_retries(retried, "DELETE", f"/{collection}/{identity}")
        except APIException as fault:
            if fault.code == "not_found":
                raise GoneError(f"{collection}/{identity}") from fault
            raise
        if answer.get("action"):
            self._wait(answer["action"])

    def _with_retries(self, retried: tuple[str, ...], method: str, url: str, **options: Any) -> Props:
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
    """Connect, with the official provider's settings in its order: its configuration, then the environment.

    Without an endpoint the official provider would use Hetzner's. This plugin refuses, because it never connects to the
    internet.
    """
    token = configuration.get("token") or environment.get("HCLOUD_TOKEN")
    if not token:
        raise RefusedError("the Hetzner Cloud API token is missing: set hcloud:token or HCLOUD_TOKEN")
    if len(token) != _TOKEN_LENGTH:
        raise RefusedError(
            f"the Hetzner Cloud API token has {len(token)} characters; it must have {_TOKEN_LENGTH} characters"
        )
    endpoint = _local("endpoint", configuration.get("endpoint") or environment.get("HCLOUD_ENDPOINT"))
    # Only storage boxes use this endpoint, and no table has them. It is checked and not used.
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
    session.trust_env = False  # a proxy from the environment cannot reach this machine's loopback addresses
    session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=_CONNECTIONS))
    return Cloud(client)


def _local(setting: str, endpoint: str | None) -> str:
    """Return the endpoint, which must be on this machine."""
    if not endpoint:
        raise RefusedError(f"this plugin needs an endpoint on this machine: set hcloud:{setting} or HCLOUD_ENDPOINT")
    if not on_loopback(endpoint):
        raise RefusedError(f"hcloud:{setting} is {endpoint!r}, but this plugin connects only to loopback addresses")
    return endpoint.rstrip("/")


def _seconds(duration: str | None) -> float:
    """Return the seconds of a duration in Go's form, such as `500ms` or `1m30s`."""
    if duration is None:
        return _POLL_SECONDS
    parts = _DURATION.findall(duration)
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != duration or total <= 0:
        raise RefusedError(f"hcloud:pollInterval is {duration!r}; allowed is a duration such as '500ms' or '2s'")
    return total


def _growing(base: float) -> Any:
    return lambda retries: min(base * 2 ** min(retries, 20), 60.0)


def _one(collection: str) -> str:
    return collection.removesuffix("s")


def _present(body: Mapping[str, Any]) -> Props:
    return {key: value for key, value in body.items() if value is not None}
