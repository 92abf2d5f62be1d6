"""What goes wrong with a PostgreSQL server."""

from __future__ import annotations

from localcloud.instance.folder import LocalCloudError


class PostgresError(LocalCloudError):
    """What PostgreSQL, or what is around it, could not do: what, where, and what to do."""
