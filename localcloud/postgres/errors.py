"""Errors of PostgreSQL servers."""

from __future__ import annotations

from localcloud.instance.folder import LocalCloudError


class PostgresError(LocalCloudError):
    """A failure of PostgreSQL or of the programs around it. The message says what failed, where, and what to do."""
