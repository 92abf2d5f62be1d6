"""Client of a repository at GitHub: its issues, comments and lists.

The environment sets the repository, the API's address and the token, with the variables of GitHub's own runners:
GITHUB_REPOSITORY, GITHUB_API_URL and GITHUB_TOKEN. Without GITHUB_REPOSITORY, the configuration of the stack
`github` names the repository.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from continuity.engine.stacks import Stack, configuration
from continuity.errors import CredentialsError, NoAnswerError, RefusedError, SetupError
from plan.names import APP

if TYPE_CHECKING:
    from githubkit import GitHub, Response, TokenAuthStrategy

_SECONDS = 30
_PER_PAGE = 100


@dataclass(frozen=True)
class Repository:
    """A repository at GitHub, and a token for its API."""

    api: str
    """The address of the API, without a slash at the end."""

    name: str
    """`OWNER/NAME`."""

    token: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Repository:
        """Read the repository from the environment. ISSUES_TOKEN takes precedence over GITHUB_TOKEN.

        Raises:
            CredentialsError: neither token is set.
            SetupError: neither the environment nor the configuration names a repository.
        """
        token = environment.get("ISSUES_TOKEN") or environment.get("GITHUB_TOKEN")
        if not token:
            raise CredentialsError("GITHUB_TOKEN is not set: set GITHUB_TOKEN to a token of this repository")
        base = environment.get("GITHUB_BASE_URL")
        api = f"{base.rstrip('/')}/api/v3" if base else environment.get("GITHUB_API_URL", "https://api.github.com")
        return cls(api=api, name=environment.get("GITHUB_REPOSITORY") or _configured(), token=token)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Send a request to a path below the repository, and return the JSON. Raises the errors of `request`."""
        return self.request(method, f"/repos/{self.name}/{path}", body)

    def all(self, path: str) -> Iterator[dict[str, Any]]:
        """Every entry of a list below the repository, page by page. Raises the errors of `request`."""
        return self.paginate(f"/repos/{self.name}/{path}")

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Send a request, and return the JSON of the answer.

        Raises:
            NoAnswerError: GitHub does not answer, or the answer is not from GitHub.
            CredentialsError: GitHub does not accept the token.
            RefusedError: GitHub refuses the request for a different reason.
        """
        return self._send(method, path, body)[0]

    def paginate(self, path: str) -> Iterator[dict[str, Any]]:
        """Every entry of a list, page by page, by GitHub's `Link` header. Raises the errors of `request`."""
        page: str | None = f"{path}{'&' if '?' in path else '?'}per_page={_PER_PAGE}"
        while page:
            entries, page = self._send("GET", page)
            yield from entries

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[Any, str | None]:
        """Send a request, and return the JSON and the address of the next page."""
        from githubkit.exception import RequestError, RequestFailed

        try:
            answer = self._client.request(method, path, json=body)
            found = answer.json() if answer.content else None
            return found, answer.raw_response.links.get("next", {}).get("url")
        except RequestFailed as failure:
            status, words = failure.response.status_code, _words(failure.response)
            message = f"GitHub refused {method} {path.partition('?')[0]}: {status} {words}"
            if status == HTTPStatus.UNAUTHORIZED:
                raise CredentialsError(f"{message}: set GITHUB_TOKEN to a token that is valid") from None
            raise RefusedError(message, str(status)) from None
        except RequestError as error:
            raise NoAnswerError("GitHub", f"it does not answer ({type(error.exc).__name__})") from None
        except ValueError:
            raise NoAnswerError("GitHub", f"what answers at {self.api} is not GitHub") from None

    @cached_property
    def _client(self) -> GitHub[TokenAuthStrategy]:
        """A client for untyped requests. Typed calls would load models of all answers, and few fields are used here."""
        from githubkit import GitHub

        return GitHub(self.token, base_url=self.api, http_cache=False, auto_retry=False, timeout=_SECONDS)

    def open_issue(self, marker: str) -> dict[str, Any] | None:
        """The first open issue whose text contains the marker. Pull requests do not count."""
        found = (one for one in self.all("issues?state=open&sort=created&direction=asc") if "pull_request" not in one)
        return next((one for one in found if marker in (one["body"] or "")), None)

    def upsert_comment(self, issue: int, marker: str, text: str) -> str:
        """Create the comment with this marker on an issue or pull request, or update it. Return its address."""
        comments = self.all(f"issues/{issue}/comments")
        comment = next((one for one in comments if (one["body"] or "").startswith(marker)), None)
        if comment is None:
            comment = self.ask("POST", f"issues/{issue}/comments", {"body": text})
        else:
            comment = self.ask("PATCH", f"issues/comments/{comment['id']}", {"body": text})
        return str(comment["html_url"])


def _configured() -> str:
    try:
        settings = configuration(Stack.GITHUB)[f"{APP}:repository"]
        return f"{settings['owner']}/{settings['name']}"
    except (KeyError, TypeError) as error:
        raise SetupError(
            f"Pulumi.{Stack.GITHUB}.yaml names no repository ({type(error).__name__}): set "
            f"{APP}:repository in it, or GITHUB_REPOSITORY"
        ) from None


def _words(answer: Response[Any]) -> str:
    try:
        return str(answer.json().get("message", ""))
    except (AttributeError, ValueError):
        return answer.reason_phrase
