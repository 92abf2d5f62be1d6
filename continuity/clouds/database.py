"""Connections to the application database: over verified TLS, with the password that RDS manages."""

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
    """The address and credentials of a stack's database."""

    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)
    certificate_authority: Path

    @classmethod
    def of(cls, stack: str, outputs: Mapping[str, Any]) -> Database:
        """Build it from the stack's outputs. The password comes from Secrets Manager, in the database's region.

        Raises:
            StackError: an output is missing.
            DatabaseError: the secret cannot be read.
            SetupError: the file of the certificate authorities is missing.
        """
        missing = [
            name for name in ("database_endpoint", "database_name", "database_secret_arn") if not outputs.get(name)
        ]
        if missing:
            raise StackError(
                f"stack {stack} has no output {', '.join(missing)}: bring it up first (`continuity up {stack}`)"
            )
        host, _, port = str(outputs["database_endpoint"]).rpartition(":")
        if not port.isdecimal():
            raise StackError(f"database_endpoint of {stack} is {outputs['database_endpoint']!r}: it has no port")
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
        """Open a connection that commits each statement. It verifies the server's certificate and name.

        This call and the connection raise psycopg's own errors: see `translate_errors` and `connected`.
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
        """A connection for a `with` block. Translates all its errors into `DatabaseError`."""
        with translate_errors(), self.connect() as connection:
            yield connection


@contextmanager
def translate_errors() -> Iterator[None]:
    """Translate the exceptions of psycopg into `DatabaseError`."""
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
    """The certificate authorities of RDS: the bundle that AWS publishes, or the authority of the local cloud."""
    named = os.environ.get(_CA_VARIABLE)
    if not named or not Path(named).is_file():
        raise SetupError(
            f"{_CA_VARIABLE} is {named!r}; it must name the file of RDS's certificate authorities. Download it from "
            "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
        )
    return Path(named)
