"""Connect the github tables to their cloud: plain requests of githubkit, and the owner of the repositories.

githubkit's typed calls would load the models of the whole API, which takes longer than everything else here. Its plain
requests have the same authentication and the same errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from localcloud.plugins.loopback import on_loopback
from localcloud.plugins.table import GoneError, Property, Props, RefusedError

if TYPE_CHECKING:
    from githubkit import GitHub, TokenAuthStrategy

CONFIGURATION: Final = {
    "token": Property(secret=True),
    "owner": Property(),
    "organization": Property(),
    "baseUrl": Property(),
    # Delays, retries, parallel requests, the choice between the provider's two clients, and its cache. They have no
    # effect here, because the emulator limits no rate.
    **dict.fromkeys(
        (
            *("writeDelayMs", "readDelayMs", "retryDelayMs", "retryableErrors", "maxRetries"),
            *("maxPerPage", "parallelRequests", "legacyClient", "cachePath"),
        ),
        Property(),
    ),
}

_PREFIX = "/api/v3/"
_MOST_PER_PAGE = 100


class RequestError(Exception):
    """GitHub refused a request. The message is GitHub's."""

    def __init__(self, request: str, status: int, said: str) -> None:
        super().__init__(f"{request}: {status} {said}")
        self.status = status


class Cloud:
    """The API for one owner. Safe to use from several threads at once."""

    def __init__(self, client: GitHub[TokenAuthStrategy], owner: str, *, organisation: bool) -> None:
        self._client = client
        self.owner = owner
        # The path at which a repository of this owner is created.
        self.collection = f"/orgs/{owner}/repos" if organisation else "/user/repos"

    def repository(self, name: str) -> str:
        return f"/repos/{self.owner}/{name}"

    def request(self, method: str, path: str, body: Props | None = None) -> tuple[Any, str]:
        """Return the answer's body (None if it has none) and its ETag. Raises `RequestError`."""
        return _request(self._client, method, path, body)

    def get(self, path: str) -> tuple[Props, str]:
        """Return one object and its ETag. Raises `GoneError` if it does not exist."""
        try:
            return self.request("GET", path)
        except RequestError as failure:
            if failure.status == 404:
                raise GoneError(path) from failure
            raise

    def is_enabled(self, path: str) -> bool:
        """Whether a switch is on, for which GitHub answers 204 or 404."""
        try:
            self.get(path)
        except GoneError:
            return False
        return True

    def all(self, path: str) -> Iterator[Props]:
        """Return every entry of a list, page by page."""
        page = 1
        while entries := self.request("GET", f"{path}?per_page={_MOST_PER_PAGE}&page={page}")[0]:
            yield from entries
            page += 1

    def delete(self, path: str) -> None:
        """Delete an object. Raises `GoneError` if it is already gone.

        GitHub refuses to delete parts of an archived repository. Like the provider, this method ignores that.
        """
        try:
            self.request("DELETE", path)
        except RequestError as failure:
            if failure.status == 404:
                raise GoneError(path) from failure
            if failure.status != 403 or "archived" not in str(failure):
                raise


def connect(configuration: Props, environment: Mapping[str, str]) -> Cloud:
    """Connect, with the official provider's settings in its order.

    The owner is `organization`, else GITHUB_OWNER, else `owner`, else the token's user. Without a base URL the official
    provider would use github.com. This plugin refuses, because it never connects to the internet.
    """
    import httpx
    from githubkit import GitHub

    class Shared(httpx.HTTPTransport):
        """Connections that outlive the client, because githubkit creates a client for each request."""

        def close(self) -> None: ...

    base = _local(configuration.get("baseUrl") or environment.get("GITHUB_BASE_URL"))
    token = configuration.get("token") or environment.get("GITHUB_TOKEN")
    if not token:
        raise RefusedError("the GitHub token is missing: set github:token or GITHUB_TOKEN")
    client = GitHub(
        token,
        base_url=base,
        transport=Shared(verify=base.startswith("https:")),  # preparing TLS takes longer than a request
        trust_env=False,  # a proxy from the environment cannot reach this machine's loopback addresses
        http_cache=False,
        auto_retry=False,
        timeout=60,
    )
    owner = configuration.get("organization") or environment.get("GITHUB_OWNER") or configuration.get("owner")
    if not owner:
        owner = _request(client, "GET", "/user", None)[0]["login"]
    try:
        _request(client, "GET", f"/orgs/{owner}", None)
    except RequestError as failure:
        if failure.status != 404:
            raise
        return Cloud(client, owner, organisation=False)
    return Cloud(client, owner, organisation=True)


def _request(client: GitHub[TokenAuthStrategy], method: str, path: str, body: Props | None) -> tuple[Any, str]:
    from githubkit.exception import RequestFailed

    try:
        response = client.request(method, path, json=body)
    except RequestFailed as failure:
        answer = failure.response
        raise RequestError(f"{method} {path}", answer.status_code, _message(answer)) from failure
    return response.json() if response.content else None, response.headers.get("etag", "")


def _message(answer: Any) -> str:
    """Return the message, for example `Repository creation failed. [name: name already exists on this account]`."""
    try:
        said = answer.json()
    except ValueError:
        return str(answer.text)
    details = [
        error if isinstance(error, str) else f"{error.get('field')}: {error.get('message') or error.get('code')}"
        for error in said.get("errors", [])
    ]
    return f"{said.get('message')} [{'; '.join(details)}]" if details else str(said.get("message"))


def _local(base: str | None) -> str:
    """Return the API's address, which must be on this machine: the provider appends `api/v3/` to the base URL."""
    if not base:
        raise RefusedError("this plugin needs a base URL on this machine: set github:baseUrl or GITHUB_BASE_URL")
    if not on_loopback(base):
        raise RefusedError(f"github:baseUrl is {base!r}, but this plugin connects only to loopback addresses")
    return base.rstrip("/").removesuffix(_PREFIX.rstrip("/")) + _PREFIX
