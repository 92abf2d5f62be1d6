"""The way to GitHub: the official-style client's plain requests, and whose repositories are meant.

githubkit's typed calls would load the models of all of GitHub, which takes longer than everything else here; its plain
requests carry the same authentication and the same errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from localcloud.plugins.loopback import on_loopback
from localcloud.plugins.table import Gone, Property, Props, Refused

if TYPE_CHECKING:
    from githubkit import GitHub, TokenAuthStrategy

CONFIGURATION: Final = {
    "token": Property(secret=True),
    "owner": Property(),
    "organization": Property(),
    "baseUrl": Property(),
    # How patiently, how often, how many at once and through which of its two clients the provider asks, and what it
    # keeps of the answers: nobody is slowed down or limited here, so all of these come to the same.
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


class Failed(Exception):  # noqa: N818 - an answer of GitHub, not a fault of ours
    """GitHub refused a request; the words are its own."""

    def __init__(self, request: str, status: int, said: str) -> None:
        super().__init__(f"{request}: {status} {said}")
        self.status = status


class Cloud:
    """The API for one owner. Safe to use from several threads at once."""

    def __init__(self, client: GitHub[TokenAuthStrategy], owner: str, *, organisation: bool) -> None:
        self._client = client
        self.owner = owner
        # Where a new repository of this owner is asked for.
        self.collection = f"/orgs/{owner}/repos" if organisation else "/user/repos"

    def repository(self, name: str) -> str:
        return f"/repos/{self.owner}/{name}"

    def ask(self, method: str, path: str, body: Props | None = None) -> tuple[Any, str]:
        """The answer's body (None if it has none) and its ETag. Raises `Failed`."""
        return _ask(self._client, method, path, body)

    def get(self, path: str) -> tuple[Props, str]:
        """One object and its ETag; `Gone` if there is none."""
        try:
            return self.ask("GET", path)
        except Failed as failure:
            if failure.status == 404:
                raise Gone(path) from failure
            raise

    def holds(self, path: str) -> bool:
        """For the switches that GitHub answers with 204 or 404."""
        try:
            self.get(path)
        except Gone:
            return False
        return True

    def all(self, path: str) -> Iterator[Props]:
        """Every entry of a list, page by page."""
        page = 1
        while entries := self.ask("GET", f"{path}?per_page={_MOST_PER_PAGE}&page={page}")[0]:
            yield from entries
            page += 1

    def delete(self, path: str) -> None:
        """`Gone` if it is gone already. What belongs to an archived repository cannot be deleted and does no harm
        there, so that counts as done, as it does to the provider."""
        try:
            self.ask("DELETE", path)
        except Failed as failure:
            if failure.status == 404:
                raise Gone(path) from failure
            if failure.status != 403 or "archived" not in str(failure):
                raise


def connect(configuration: Props, environment: Mapping[str, str]) -> Cloud:
    """The provider's places in the provider's order.

    For the owner that is `organization`, then GITHUB_OWNER, then `owner`, then whoever has the token. Where the
    provider would turn to github.com without a base URL, this stand-in refuses: it is for a cloud on this machine and
    never asks the internet for anything.
    """
    import httpx
    from githubkit import GitHub

    class Shared(httpx.HTTPTransport):
        """githubkit makes a client for each request; their connections outlive them."""

        def close(self) -> None: ...

    base = _local(configuration.get("baseUrl") or environment.get("GITHUB_BASE_URL"))
    token = configuration.get("token") or environment.get("GITHUB_TOKEN")
    if not token:
        raise Refused("the GitHub token is missing: set github:token or GITHUB_TOKEN")
    client = GitHub(
        token,
        base_url=base,
        transport=Shared(verify=base.startswith("https:")),  # making ready for TLS takes longer than a request
        trust_env=False,  # a proxy from the environment would be asked for addresses that are this machine's own
        http_cache=False,
        auto_retry=False,
        timeout=60,
    )
    owner = configuration.get("organization") or environment.get("GITHUB_OWNER") or configuration.get("owner")
    if not owner:
        owner = _ask(client, "GET", "/user", None)[0]["login"]
    try:
        _ask(client, "GET", f"/orgs/{owner}", None)
    except Failed as failure:
        if failure.status != 404:
            raise
        return Cloud(client, owner, organisation=False)
    return Cloud(client, owner, organisation=True)


def _ask(client: GitHub[TokenAuthStrategy], method: str, path: str, body: Props | None) -> tuple[Any, str]:
    from githubkit.exception import RequestFailed

    try:
        response = client.request(method, path, json=body)
    except RequestFailed as failure:
        answer = failure.response
        raise Failed(f"{method} {path}", answer.status_code, _words(answer)) from failure
    return response.json() if response.content else None, response.headers.get("etag", "")


def _words(answer: Any) -> str:
    """`Repository creation failed. [name: name already exists on this account]`."""
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
    """The address of the API, if it is on this machine. The provider puts `api/v3/` behind a base URL of one's own."""
    if not base:
        raise Refused("this stand-in needs a base URL on this machine: set github:baseUrl or GITHUB_BASE_URL")
    if not on_loopback(base):
        raise Refused(f"github:baseUrl is {base!r}, but this stand-in speaks only to loopback addresses")
    return base.rstrip("/").removesuffix(_PREFIX.rstrip("/")) + _PREFIX
