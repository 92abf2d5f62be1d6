"""GitHub, as far as people and workflows here tell it something: issues, and what is said on them.

Where it is and who asks come from the environment, as GitHub's own runners set it: GITHUB_REPOSITORY, GITHUB_API_URL
and GITHUB_TOKEN. On a person's machine the repository is the one that production's configuration names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import requests

from continuity.stacks import ContinuityError, Stack, configuration
from plan.names import APP

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
            ContinuityError: there is no token.
        """
        token = environment.get("ISSUES_TOKEN") or environment.get("GITHUB_TOKEN")
        if not token:
            raise ContinuityError("there is no token for GitHub: set GITHUB_TOKEN")
        base = environment.get("GITHUB_BASE_URL")
        api = f"{base.rstrip('/')}/api/v3" if base else environment.get("GITHUB_API_URL", "https://api.github.com")
        return cls(api=api, name=environment.get("GITHUB_REPOSITORY") or _configured(), token=token)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One request below the repository; the answer's JSON.

        Raises:
            ContinuityError: GitHub did not answer, or refused.
        """
        try:
            answer = requests.request(
                method,
                f"{self.api}/repos/{self.name}/{path}",
                json=body,
                headers={"Authorization": f"Bearer {self.token}", "Accept": "application/vnd.github+json"},
                timeout=_SECONDS,
            )
        except requests.RequestException as error:
            raise ContinuityError(f"GitHub does not answer ({type(error).__name__})") from error
        if not answer.ok:
            raise ContinuityError(f"GitHub refused {method} {path}: {answer.status_code} {_words(answer)}")
        return answer.json() if answer.content else None

    def all(self, path: str) -> Iterator[dict[str, Any]]:
        """Every entry of a list, page by page."""
        joint = "&" if "?" in path else "?"
        page = 1
        while entries := self.ask("GET", f"{path}{joint}per_page={_PER_PAGE}&page={page}"):
            yield from entries
            page += 1

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
    settings = configuration(Stack.PROD)[f"{APP}:repository"]
    return f"{settings['owner']}/{settings['name']}"


def _words(answer: requests.Response) -> str:
    try:
        return str(answer.json().get("message", ""))
    except ValueError:
        return answer.reason
