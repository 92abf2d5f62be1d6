"""The client of the Hetzner project that the environment selects. It raises our own errors."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from continuity.errors import CannotLookError

if TYPE_CHECKING:
    from hcloud import Client


@contextmanager
def reading_project(environment: Mapping[str, str] = os.environ) -> Iterator[Client]:
    """A client for reading the project.

    Raises:
        CannotLookError: HCLOUD_TOKEN is not set, Hetzner does not answer, or it refuses the token.
    """
    from hcloud import Client, HCloudException

    token = environment.get("HCLOUD_TOKEN")
    if not token:
        raise CannotLookError("Hetzner", "HCLOUD_TOKEN is not set: set it to a token of the project")
    endpoint = environment.get("HCLOUD_ENDPOINT")
    try:
        yield Client(token, api_endpoint=endpoint) if endpoint else Client(token)
    except (HCloudException, OSError, ValueError) as error:
        raise CannotLookError("Hetzner", f"it does not answer, or it refuses the token ({error})") from None
