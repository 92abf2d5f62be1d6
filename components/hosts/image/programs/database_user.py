"""Create the application's own user in the database. A worker host does it before its application starts.

The application does not connect as the master user: RDS rotates that user's password every seven days and refuses the
old one at once, and the master user may delete everything. The application's user may connect and create schemas. Its
role is part of the data, so a restored database has it already.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import sql

CONNECT_SECONDS = 3
# Two hosts must not create the role at the same time. This number has no other meaning.
LOCK = 4_627_310_554

Error = psycopg.Error


def is_accepted(place: Mapping[str, Any], user: Mapping[str, Any], authorities: str) -> bool:
    """Whether the database accepts the user with its password."""
    try:
        _connect(place, user, authorities).close()
    except psycopg.OperationalError:
        return False
    return True


def create(place: Mapping[str, Any], master: Mapping[str, Any], user: Mapping[str, Any], authorities: str) -> None:
    """Create the user if there is none, and set its password and permissions.

    Raises:
        Error: the database does not answer, or refuses.
    """
    role = sql.Identifier(user["username"])
    with _connect(place, master, authorities) as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", [LOCK])
        if connection.execute("select 1 from pg_roles where rolname = %s", [user["username"]]).fetchone() is None:
            connection.execute(sql.SQL("create role {}").format(role))
        # The server gets a verifier, so that no log of it has the password.
        verifier = connection.pgconn.encrypt_password(
            str(user["password"]).encode(), str(user["username"]).encode(), b"scram-sha-256"
        )
        connection.execute(sql.SQL("alter role {} login password {}").format(role, verifier.decode()))
        connection.execute(sql.SQL("grant create on database {} to {}").format(sql.Identifier(place["name"]), role))
        # People read the application's tables as the master user.
        connection.execute(sql.SQL("grant {} to current_user").format(role))


def _connect(place: Mapping[str, Any], user: Mapping[str, Any], authorities: str) -> psycopg.Connection[Any]:
    return psycopg.connect(
        host=place["host"],
        port=place["port"],
        dbname=place["name"],
        user=user["username"],
        password=user["password"],
        sslmode="verify-full",
        sslrootcert=authorities,
        application_name="botbrains-settings",
        connect_timeout=CONNECT_SECONDS,
    )
