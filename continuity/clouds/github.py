"""GitHub, as far as people and workflows here tell it something: issues, and what is said on them.

Where it is and who asks come from the environment, as GitHub's own runners set it: GITHUB_REPOSITORY, GITHUB_API_URL
and GITHUB_TOKEN. On a person's machine the repository is the one that production's configuration names.
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
    """A repository at GitHub, and the token to speak to it with."""

    api: str
    """The address of the API, without a slash at the end."""

    name: str
    """`OWNER/NAME`."""

    token: str

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Repository:
        """The repository that is meant here. ISSUES_TOKEN goes before GITHUB_TOKEN, which may be for something else.

        Raises:
            CredentialsError: there is no token.
            SetupError: nothing says which repository is meant.
        """
        token = environment.get("ISSUES_TOKEN") or environment.get("GITHUB_TOKEN")
        if not token:
            raise CredentialsError("there is no token for GitHub: set GITHUB_TOKEN")
        base = environment.get("GITHUB_BASE_URL")
        api = f"{base.rstrip('/')}/api/v3" if base else environment.get("GITHUB_API_URL", "https://api.github.com")
        return cls(api=api, name=environment.get("GITHUB_REPOSITORY") or _configured(), token=token)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One request below the repository; the answer's JSON. Raises as `request` does."""
        return self.request(method, f"/repos/{self.name}/{path}", body)

    def all(self, path: str) -> Iterator[dict[str, Any]]:
        """Every entry of a list below the repository, page by page. Raises as `request` does."""
        return self.listed(f"/repos/{self.name}/{path}")

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One request; the answer's JSON.

        Raises:
            NoAnswerError: GitHub does not answer, or what answers is not GitHub.
            CredentialsError: GitHub does not accept the token.
            RefusedError: GitHub says no for another reason.
        """
        return self._send(method, path, body)[0]

    def listed(self, path: str) -> Iterator[dict[str, Any]]:
        """Every entry of a list, page by page, as GitHub's `Link` header leads on. Raises as `request` does."""
        page: str | None = f"{path}{'&' if '?' in path else '?'}per_page={_PER_PAGE}"
        while page:
            entries, page = self._send("GET", page)
            yield from entries

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[Any, str | None]:
        """The answer's JSON, and the address of the next page."""
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
        """For plain requests: a typed call loads the models of GitHub's answers, of which few fields are used here."""
        from githubkit import GitHub

        return GitHub(self.token, base_url=self.api, http_cache=False, auto_retry=False, timeout=_SECONDS)

    def open_issue(self, marker: str) -> dict[str, Any] | None:
        """The first open issue whose text has the marker. Pull requests are none."""
        found = (one for one in self.all("issues?state=open&sort=created&direction=asc") if "pull_request" not in one)
        return next((one for one in found if marker in (one["body"] or "")), None)

    def say_once(self, issue: int, marker: str, text: str) -> str:
        """Put a comment on an issue or a pull request, or change the one that is there; its address."""
        comments = self.all(f"issues/{issue}/comments")
        there = next((one for one in comments if (one["body"] or "").startswith(marker)), None)
        if there is None:
            said = self.ask("POST", f"issues/{issue}/comments", {"body": text})
        else:
            said = self.ask("PATCH", f"issues/comments/{there['id']}", {"body": text})
        return str(said["html_url"])


def _configured() -> str:
    try:
        settings = configuration(Stack.PROD)[f"{APP}:repository"]
        return f"{settings['owner']}/{settings['name']}"
    except (KeyError, TypeError) as error:
        raise SetupError(
            f"Pulumi.{Stack.PROD}.yaml does not say which repository is meant ({type(error).__name__}): set "
            f"{APP}:repository in it, or GITHUB_REPOSITORY"
        ) from None


def _words(answer: Response[Any]) -> str:
    try:
        return str(answer.json().get("message", ""))
    except (AttributeError, ValueError):
        return answer.reason_phrase
