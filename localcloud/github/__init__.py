"""GitHub in miniature: an emulator of the few endpoints of its REST API that describing a repository takes.

What it has: organisations and the token's user, repositories, topics, vulnerability alerts and automated security
fixes, branches and references as far as a default branch needs them, and repository rulesets, on an organisation of
the Team plan, as the API is in autumn 2026. Anything else is refused by name in the API's own form of an error. There
are no files and no pushes, so a ruleset is kept and given back, and nothing is there that it could stop.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from localcloud.github.app import Application

__all__ = ["Application", "create_app"]


def create_app(
    store_path: Path | None, *, token: str | None = None, owners: Sequence[str] | None = None
) -> Application:
    """The emulator as a WSGI application.

    `store_path`: the file that its state is kept in; None keeps it in memory.
    `token`: the only one that it takes; None takes any, but never none.
    `owners`: the logins of the organisations that exist. Organisations are made on GitHub's website and not through
        its API, so by default every one that is asked for exists, and the token's user owns it.
    """
    return Application(store_path, token=token, owners=owners)
