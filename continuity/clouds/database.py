"""The application database as its clients reach it: over TLS that is verified, with the password that RDS keeps."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from continuity.clouds.aws import Aws
from continuity.errors import CloudError, DatabaseError, SetupError, StackError

if TYPE_CHECKING:
    import psycopg

_CA_VARIABLE = "PGSSLROOTCERT"
_CONNECT_SECONDS = 10


@dataclass(frozen=True)
class Database:
    """Where a stack's database is, and how to open it."""

    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)
    certificate_authority: Path

    @classmethod
    def of(cls, stack: str, outputs: Mapping[str, Any]) -> Database:
        """From what the stack says of itself; the password from Secrets Manager, in the database's own region.

        Raises:
            StackError: an output is missing.
            DatabaseError: the secret cannot be read.
            SetupError: the file of the certificate authorities is missing.
        """
        missing = [
            name for name in ("database_endpoint", "database_name", "database_secret_arn") if not outputs.get(name)
        ]
        if missing:
            raise StackError(f"stack {stack} does not say its {', '.join(missing)}: bring it up first")
        host, _, port = str(outputs["database_endpoint"]).rpartition(":")
        if not port.isdecimal():
            raise StackError(f"stack {stack} says that its database is at {outputs['database_endpoint']!r}: no port")
        secret = _secret(str(outputs["database_secret_arn"]))
        return cls(
            host=host,
            port=int(port),
            name=str(outputs["database_name"]),
            user=secret["username"],
            password=secret["password"],
            certificate_authority=_certificate_authority(),
        )

    def connect(self) -> psycopg.Connection:
        """A connection that commits each statement; its server has proved by its certificate that it is the one.

        It raises psycopg's own errors, as does everything that is done with it: see `in_words` and `connected`.
        """
        import psycopg

        return psycopg.connect(
            host=self.host,
            port=self.port,
            dbname=self.name,
            user=self.user,
            password=self.password,
            sslmode="verify-full",
            sslrootcert=str(self.certificate_authority),
            connect_timeout=_CONNECT_SECONDS,
            autocommit=True,
        )

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection]:
        """A connection for as long as the block lasts. Raises `DatabaseError` for all that goes wrong with it."""
        with in_words(), self.connect() as connection:
            yield connection


@contextmanager
def in_words() -> Iterator[None]:
    """Turn what psycopg raises into `DatabaseError`."""
    import psycopg

    try:
        yield
    except psycopg.OperationalError as error:
        raise DatabaseError(f"the database does not answer: {str(error).strip()}") from None
    except psycopg.Error as error:
        raise DatabaseError(f"the database refused a statement: {str(error).strip()}") from None


def _secret(arn: str) -> dict[str, str]:
    try:
        found = Aws().call("secretsmanager", arn.split(":")[3], "get_secret_value", SecretId=arn)
        secret = json.loads(found["SecretString"])
        return {name: str(secret[name]) for name in ("username", "password")}
    except CloudError as error:
        raise DatabaseError(f"the database's password cannot be read from {arn}: {error}") from None
    except (IndexError, KeyError, TypeError, ValueError):
        raise DatabaseError(f"the secret {arn} does not hold a database's user and password") from None


def _certificate_authority() -> Path:
    """RDS's certificate authorities: at AWS the bundle that it publishes, in the local cloud the local cloud's own."""
    named = os.environ.get(_CA_VARIABLE)
    if not named or not Path(named).is_file():
        raise SetupError(
            f"{_CA_VARIABLE} is {named!r}; it must name the file of RDS's certificate authorities "
            "(https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem), so that the server can be verified"
        )
    return Path(named)
