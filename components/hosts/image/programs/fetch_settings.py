"""Fetches what the application is told: where the database is, its user and password, and the application's secrets.

They are written to a file in memory that only root reads, one NAME=VALUE a line, as `podman --env-file` takes it. On
the first boot it tries until they are there. Later a file from before is good enough when AWS does not answer, so that
a restart of the application needs nobody else.

A value is written nowhere else, and is in no message.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

# Amazon signs RDS's certificates with a CA of its own for each region (docs.aws.amazon.com, RDS, Using SSL/TLS).
CERTIFICATES = "https://truststore.pki.rds.amazonaws.com/{region}/{region}-bundle.pem"
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.25, 5.0
# The application's own user in the database.
USER = "botbrains_app"
# A secret without a value, or without existence.
NO_VALUE = "ResourceNotFoundException"


class NotYetError(Exception):
    """Something is not there yet, or is not as it has to be. The text says what, and has no value in it."""


def database(
    stack: str, region: str, secrets_stack: str, authorities: str, *, create_user: bool = False
) -> dict[str, str]:
    """The database's address, and the application's own user and password.

    Args:
        stack: the stack whose database it is.
        region: the region of the parameter and of the secrets.
        secrets_stack: the stack that owns the secret of the user.
        authorities: the file of the certificate authorities.
        create_user: whether this host creates the user if it is missing. Worker hosts do.

    Raises:
        NotYetError: the parameter, the secret or a part of them is missing.
        BotoCoreError, ClientError: AWS does not answer, or refuses.
    """
    name, secret = f"/botbrains/{stack}/database", f"botbrains/{secrets_stack}/database"
    try:
        text = _client("ssm", region).get_parameter(Name=name)["Parameter"]["Value"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ParameterNotFound":
            raise NotYetError(f"there is no parameter {name}") from None
        raise
    place = _object(f"parameter {name}", text, ("host", "port", "name", "secret_arn"))
    value = _secret(secret, region)
    if value is None and create_user:
        value = _first_value(secret, region)
    if value is None:
        raise NotYetError(f"the secret {secret} has no value yet: a worker host sets it")
    user = _object(f"secret {secret}", value, ("username", "password"))
    if create_user:
        _create_user(place, user, region, authorities)
    return {
        "DATABASE_HOST": str(place["host"]),
        "DATABASE_PORT": str(place["port"]),
        "DATABASE_NAME": str(place["name"]),
        "DATABASE_USER": str(user["username"]),
        "DATABASE_PASSWORD": str(user["password"]),
    }


def _first_value(secret: str, region: str) -> str | None:
    """Set a generated password, and return the value. None if another host has set one at the same time."""
    value = json.dumps({"username": USER, "password": token_urlsafe(32)})
    try:
        # The version's id is the same on every host, so Secrets Manager accepts only one first value.
        version = str(uuid.uuid5(uuid.NAMESPACE_URL, secret))
        _client("secretsmanager", region).put_secret_value(
            SecretId=secret, ClientRequestToken=version, SecretString=value
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceExistsException":
            return None
        raise
    return value


def _create_user(place: Mapping[str, Any], user: Mapping[str, Any], region: str, authorities: str) -> None:
    """Create the user, or set its password, if the database does not accept it.

    A database that does not answer delays nothing: the application waits for it, and its next start tries again.
    """
    # It needs psycopg, which API hosts do not have. It is in the same folder, which is no package.
    import database_user  # type: ignore[import-not-found]

    if database_user.is_accepted(place, user, authorities):
        return
    arn = str(place["secret_arn"])
    master = _secret(arn, arn.split(":")[3] if arn.startswith("arn:") else region)
    if master is None:
        raise NotYetError("the secret of the database's master user has no value")
    try:
        database_user.create(
            place, _object("the master user's secret", master, ("username", "password")), user, authorities
        )
    except database_user.Error as error:
        print(f"the database's user is not checked: {error}", file=sys.stderr, flush=True)


def secrets(stack: str, region: str, names: Sequence[str]) -> dict[str, str]:
    """The application's secrets by variable; those without a value are left out, and named on standard error."""
    found = {}
    for name in names:
        value = _secret(f"botbrains/{stack}/{name}", region)
        if value is None:
            print(f"secret {name} has no value yet", file=sys.stderr, flush=True)
            continue
        line = _one_line(value)
        if line is None:
            print(f"secret {name} is left out: its value has several lines and is no JSON", file=sys.stderr, flush=True)
            continue
        found[variable(name)] = line
    return found


def variable(name: str) -> str:
    """The environment variable of a secret: `api-key` is in SECRET_API_KEY."""
    return "SECRET_" + re.sub(r"[^A-Z0-9]", "_", name.upper())


def certificates(region: str, path: Path) -> str:
    """The path of what the database's certificate is checked with: the environment's PGSSLROOTCERT, or Amazon's.

    Raises:
        OSError: it could not be fetched.
    """
    given = os.environ.get("PGSSLROOTCERT")
    if given:
        return given
    if not path.exists():
        with urllib.request.urlopen(CERTIFICATES.format(region=region), timeout=15) as answer:  # noqa: S310
            _write(path, answer.read(), 0o644)
    return str(path)


def write(path: Path, variables: Mapping[str, str]) -> None:
    """The file of variables, whole or not at all."""
    broken = [name for name, value in variables.items() if "\n" in value or "\r" in value]
    if broken:
        raise NotYetError(f"{', '.join(broken)}: a value of several lines cannot be handed over")
    _write(path, "".join(f"{name}={value}\n" for name, value in variables.items()).encode(), 0o600)


def _client(service: str, region: str) -> Any:
    settings = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2})
    # A session of its own each time: credentials that come later are found.
    return boto3.session.Session().client(service, region_name=region, config=settings)


def _secret(identity: str, region: str) -> str | None:
    """None where there is no such secret or no value in it."""
    try:
        answer = _client("secretsmanager", region).get_secret_value(SecretId=identity)
    except ClientError as error:
        if error.response["Error"]["Code"] == NO_VALUE:
            return None
        raise
    value = answer.get("SecretString")
    return None if value is None else str(value)


def _object(what: str, text: str, keys: Sequence[str]) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        # Without its cause, which has the text in it.
        raise NotYetError(f"{what} is no JSON") from None
    missing = [key for key in keys if not isinstance(value, dict) or key not in value]
    if missing:
        raise NotYetError(f"{what} lacks {', '.join(missing)}")
    return dict(value)


def _one_line(value: str) -> str | None:
    """The value without the line end that an editor put behind it; JSON in one line; None for other texts."""
    value = value.rstrip("\r\n")
    if "\n" not in value and "\r" not in value:
        return value
    try:
        return json.dumps(json.loads(value), separators=(",", ":"))
    except ValueError:
        return None


def _write(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as target:
            target.write(content)
            target.flush()
            os.fsync(target.fileno())
        new.rename(path)
    finally:
        new.unlink(missing_ok=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Writes what the application is told to a file in memory.")
    parser.add_argument("--stack", required=True)
    parser.add_argument("--region", required=True, help="where settings and secrets are")
    parser.add_argument("--host-name", required=True)
    parser.add_argument("--listen", help="ADDRESS:PORT that the application listens on, if it does")
    parser.add_argument("--secrets-stack", help="whose secrets they are, where they are another stack's")
    parser.add_argument("--secret", action="append", default=[], dest="secrets", help="a name; as often as needed")
    parser.add_argument("--create-user", action="store_true", help="create the database's user if it is missing")
    parser.add_argument("--ca-file", type=Path, required=True, help="where the database's CA is kept once fetched")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--patience-seconds", type=float, default=10.0, help="before a file from before is good enough")
    asked = parser.parse_args(arguments)

    owner = asked.secrets_stack or asked.stack
    variables = {"HOST_NAME": asked.host_name}
    if asked.listen:
        address, _, port = asked.listen.rpartition(":")
        variables |= {"LISTEN_ADDRESS": address, "LISTEN_PORT": port}
    began, pause, said = time.monotonic(), FIRST_PAUSE_SECONDS, ""
    while True:
        try:
            authorities = certificates(asked.region, asked.ca_file)
            found = database(asked.stack, asked.region, owner, authorities, create_user=asked.create_user)
            found |= secrets(owner, asked.region, asked.secrets)
            found["PGSSLROOTCERT"] = authorities
            write(asked.output, {**variables, **found})
        except (NotYetError, BotoCoreError, ClientError, OSError) as error:
            if str(error) != said:
                said = str(error)
                print(f"waiting: {said}", file=sys.stderr, flush=True)
        else:
            print(f"{len(variables) + len(found)} variables are in {asked.output}", flush=True)
            return 0
        if asked.output.exists() and time.monotonic() - began >= asked.patience_seconds:
            print(f"{asked.output} stays as it was", file=sys.stderr, flush=True)
            return 0
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
