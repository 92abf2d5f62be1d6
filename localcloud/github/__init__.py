"""An emulator of GitHub's REST API: the endpoints that declare a repository, its delivery and its access.

It has organisations and the token's user, memberships, repositories with topics, vulnerability alerts
and automated security fixes, branches and references as far as a default branch needs them, rulesets, environments,
Actions settings, collaborators, deploy keys and issues, like the API in autumn 2026. Any other request is refused by
name, in the API's form of an error. Git clones and pushes work, and an active ruleset that requires a pull request
refuses a push. There are no pull requests, and the API shows no files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from localcloud.github.app import Application

__all__ = ["Application", "create_app"]


def create_app(
    store_path: Path | None, *, token: str | None = None, owners: Sequence[str] | None = None, plan: str = "team"
) -> Application:
    """The emulator as a WSGI application.

    `store_path`: the file with the state, next to the git repositories. None keeps the state in memory, without git.
    `token`: the only accepted token. None accepts any token, but a token is always required. With `_reading` at its end
        it only reads, and GitHub leaves out a repository's merge settings.
    `owners`: the logins of the existing organisations. GitHub's API cannot create an organisation, so by default every
        requested organisation exists, and the token's user owns it.
    `plan`: the plan of every organisation: free, team or enterprise. It refuses features of private repositories.
    """
    return Application(store_path, token=token, owners=owners, plan=plan)
