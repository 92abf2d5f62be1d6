"""Sessions of the local cloud's superuser, and the content of a new cluster: roles, databases, the heartbeat."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg
from psycopg import pq, sql
from psycopg.conninfo import make_conninfo

from localcloud.postgres.errors import PostgresError
from localcloud.postgres.settings import PORT, SUPERUSER

# The PostgreSQL roles that Amazon RDS grants its `rds_superuser`.
_GIVEN = (
    "pg_monitor",
    "pg_signal_backend",
    "pg_signal_autovacuum_worker",
    "pg_checkpoint",
    "pg_maintain",
    "pg_use_reserved_connections",
    "pg_create_subscription",
    "rds_iam",
)
_NOT_A_USER = (SUPERUSER, "rds_superuser", "rds_iam")
_NOT_A_DATABASE = (SUPERUSER, "template0", "template1")


@contextmanager
def session(socket: str, password: str, database: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Open a session of the superuser that commits each statement. PostgreSQL's errors become `PostgresError`."""
    wanted = make_conninfo(
        host=socket,
        port=PORT,
        user=SUPERUSER,
        password=password,
        dbname=database,
        connect_timeout=30,
        application_name="localcloud",
    )
    try:
        # psycopg's own connect() would resolve `@...` as a host name; libpq treats it as a socket.
        opened = pq.PGconn.connect(wanted.encode())
        if opened.status != pq.ConnStatus.OK:
            raise PostgresError(f"the server does not accept a session: {opened.get_error_message()}")
        opened.nonblocking = 1
        connection: psycopg.Connection[tuple[object, ...]] = psycopg.Connection(opened)
        with connection:
            connection.autocommit = True
            yield connection
    except psycopg.Error as error:
        raise PostgresError(f"PostgreSQL reports: {error}") from error


def check_names(user: str, database: str | None) -> None:
    """Refuse the names that the local cloud or PostgreSQL reserves."""
    if user in _NOT_A_USER or user.startswith("pg_") or not 1 <= len(user.encode()) <= 63:
        raise PostgresError(
            f"the master user cannot be called {user!r}: allowed are 1 to 63 bytes, not beginning with pg_, "
            f"and none of {', '.join(_NOT_A_USER)}"
        )
    if database is not None and (database in _NOT_A_DATABASE or not 1 <= len(database.encode()) <= 63):
        raise PostgresError(
            f"the database cannot be called {database!r}: allowed are 1 to 63 bytes, and none of "
            f"{', '.join(_NOT_A_DATABASE)}"
        )


def populate(socket: str, password: str, user: str, secret: str, database: str | None) -> None:
    """Create the roles, the master user with its database, and the heartbeat's database in a new cluster."""
    with session(socket, password, "postgres") as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(SUPERUSER)))
        connection.execute("CREATE ROLE rds_superuser NOLOGIN")
        connection.execute("CREATE ROLE rds_iam NOLOGIN")
        for role in _GIVEN:
            connection.execute(sql.SQL("GRANT {} TO rds_superuser WITH ADMIN OPTION").format(sql.Identifier(role)))
        master = sql.Identifier(user)
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {}").format(
                master, _verifier(connection, user, secret)
            )
        )
        connection.execute(sql.SQL("GRANT rds_superuser TO {} WITH ADMIN OPTION").format(master))
        connection.execute(sql.SQL("ALTER DATABASE postgres OWNER TO {}").format(master))
        if database not in (None, "postgres"):
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database or ""), master))
    with session(socket, password, SUPERUSER) as connection:
        connection.execute(
            "CREATE TABLE heartbeat (one integer PRIMARY KEY CHECK (one = 1), beat timestamptz NOT NULL)"
        )
        connection.execute("INSERT INTO heartbeat VALUES (1, clock_timestamp())")


def set_password(socket: str, password: str, user: str, secret: str) -> None:
    if user in _NOT_A_USER:
        raise PostgresError(
            f"the password of {user!r} belongs to the local cloud: name the master user or one of your own"
        )
    with session(socket, password, "postgres") as connection:
        if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [user]).fetchone() is None:
            raise PostgresError(f"there is no user {user!r}")
        connection.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(user), _verifier(connection, user, secret))
        )


def beat(connection: psycopg.Connection[tuple[object, ...]]) -> tuple[datetime, str, int]:
    """Commit a heartbeat and finish its segment. Return the moment, the segment's name, and a segment's bytes.

    Recovery to a moment ends at the first commit after it, and fails if there is none. The heartbeat is that commit: it
    reads the clock before it commits, and the moment is a microsecond earlier. Everything that was committed before
    this call is earlier still.
    """
    row = connection.execute("UPDATE heartbeat SET beat = clock_timestamp() RETURNING beat - interval '1 microsecond'")
    (moment,) = row.fetchone() or (None,)
    named = connection.execute(
        "SELECT pg_walfile_name(pg_switch_wal()), setting::bigint FROM pg_settings WHERE name = 'wal_segment_size'"
    )
    segment, segment_bytes = named.fetchone() or (None, None)
    if not (isinstance(moment, datetime) and isinstance(segment, str) and isinstance(segment_bytes, int)):
        raise PostgresError(f"the heartbeat was answered with {moment!r}, {segment!r}, {segment_bytes!r}")
    return moment.astimezone(UTC), segment, segment_bytes


def _verifier(connection: psycopg.Connection[tuple[object, ...]], user: str, secret: str) -> sql.Literal:
    """Return PostgreSQL's verifier of a password.

    It is computed here, so no statement and no log has the password itself.
    """
    if not secret or "\0" in secret:
        raise PostgresError("a password has at least one character, and no zero byte")
    made = connection.pgconn.encrypt_password(secret.encode(), user.encode(), b"scram-sha-256")
    return sql.Literal(made.decode())
