"""The application database as its clients reach it: over TLS that is verified, with the password that RDS keeps."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from continuity.stacks import ContinuityError

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

        Raises `ContinuityError` when an output, the secret or the certificate authority's file is missing.
        """
        missing = [
            name for name in ("database_endpoint", "database_name", "database_secret_arn") if not outputs.get(name)
        ]
        if missing:
            raise ContinuityError(f"stack {stack} does not say its {', '.join(missing)}: bring it up first")
        host, _, port = str(outputs["database_endpoint"]).rpartition(":")
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
        """A connection that commits each statement; its server has proved by its certificate that it is the one."""
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


def _secret(arn: str) -> dict[str, str]:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        found = boto3.client("secretsmanager", region_name=arn.split(":")[3]).get_secret_value(SecretId=arn)
    except (BotoCoreError, ClientError) as error:
        raise ContinuityError(f"the database's password cannot be read from {arn}: {error}") from None
    secret: dict[str, str] = json.loads(found["SecretString"])
    return secret


def _certificate_authority() -> Path:
    """RDS's certificate authorities: at AWS the bundle that it publishes, in the local cloud the local cloud's own."""
    named = os.environ.get(_CA_VARIABLE)
    if not named or not Path(named).is_file():
        raise ContinuityError(
            f"{_CA_VARIABLE} is {named!r}; it must name the file of RDS's certificate authorities "
            "(https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem), so that the server can be verified"
        )
    return Path(named)
