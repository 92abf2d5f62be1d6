"""Agent of AWS Systems Manager for managed nodes, so that a local host gets its credentials like a real one.

    ssm_agent.py register --region R --activation-id I --activation-code C --state FILE [--endpoint URL]
    ssm_agent.py run --state FILE --credentials FILE [--once]

It makes the same calls as the real agent (`amazon-ssm-agent`, registered by `ssm-setup-cli`):
- `RegisterManagedInstance` is not signed: the activation's id and code are the proof. It sends the public half of an
  RSA key of 2048 bits (DER, base64) that the host has created, and a fingerprint of the machine. The answer is `mi-…`.
- `RequestManagedInstanceRoleToken` sends the fingerprint and is signed with that key. The signed text is the string of
  signature version 4, with the node's id in place of an access key's. The signature is RSA-PSS with SHA-256 and a salt
  of 32 bytes, in base64, in place of the hexadecimal HMAC.
- The answer is valid for an hour. It is written as a profile of the shared credentials file and renewed before it ends.
- `UpdateInstanceInformation`, signed with those credentials, reports every 5 minutes that the node is alive.

It differs from the real agent in this: the fingerprint is random and kept (the real agent derives it from the
hardware); key and registration are one JSON file (there a vault under /var/lib/amazon/ssm); keys are never rotated;
documents, sessions and commands are not supported.

It needs the standard library and `cryptography`, and also runs as a single file, because hosts have no other file of
this project.
"""

from __future__ import annotations

import argparse
import base64
import configparser
import hashlib
import hmac
import http.client
import json
import os
import socket
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

ALGORITHM: Final = "AWS4-HMAC-SHA256"
"""The agent's requests also use this name, although their signature is not an HMAC."""
SIGNED_HEADERS: Final = ("content-type", "host", "x-amz-date", "x-amz-target")

_PING: Final = 300.0
"""Seconds between two reports that the node is alive."""
_PATIENCE: Final = 10.0
"""Seconds to wait for an answer."""
_LONGEST_PAUSE: Final = 30.0
"""Seconds between two requests for a token while SSM refuses one."""


class SsmError(Exception):
    """SSM refused or did not answer. `code` is the service's error code, or empty."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}" if code else message)
        self.code = code


@dataclass(frozen=True)
class Registration:
    """Registration of a managed node on the node itself. The private key is its secret."""

    region: str
    endpoint: str
    instance_id: str
    private_key: str
    """PEM, PKCS #8, without a password."""
    fingerprint: str


@dataclass(frozen=True)
class Credentials:
    access_key_id: str
    secret_access_key: str
    session_token: str
    expires_at: float
    """Seconds since 1970."""


# -- the calls --------------------------------------------------------------------------------------------------------


def register(endpoint: str | None, region: str, activation_id: str, activation_code: str) -> Registration:
    """Register this host as a managed node of `region`. Raises `SsmError` if the activation is not valid."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    fingerprint = str(uuid.uuid4())
    address = endpoint or f"https://ssm.{region}.amazonaws.com"
    answer = _call(
        address,
        region,
        "RegisterManagedInstance",
        {
            "ActivationId": activation_id,
            "ActivationCode": activation_code,
            "PublicKey": base64.b64encode(public).decode(),
            "PublicKeyType": "Rsa",
            "Fingerprint": fingerprint,
        },
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return Registration(region, address, answer["InstanceId"], pem, fingerprint)


def token(registration: Registration) -> Credentials:
    """Return credentials of the activation's role, valid for an hour."""
    key = load_pem_private_key(registration.private_key.encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(f"the key of {registration.instance_id} is not RSA")
    signature = _KeySignature(registration.instance_id, key)
    asked = {"Fingerprint": registration.fingerprint}
    answer = _call(registration.endpoint, registration.region, "RequestManagedInstanceRoleToken", asked, signature)
    return Credentials(
        answer["AccessKeyId"],
        answer["SecretAccessKey"],
        answer["SessionToken"],
        float(answer["TokenExpirationDate"]),
    )


def ping(registration: Registration, credentials: Credentials) -> None:
    """Report that this node is alive."""
    asked = {
        "InstanceId": registration.instance_id,
        "AgentName": "amazon-ssm-agent",
        "AgentVersion": "3.3.0.0",
        "AgentStatus": "Active",
        "PlatformType": "Linux",
        "ComputerName": socket.gethostname(),
    }
    signature = _SecretSignature(credentials, registration.region)
    _call(registration.endpoint, registration.region, "UpdateInstanceInformation", asked, signature)


def _call(
    endpoint: str,
    region: str,
    operation: str,
    asked: Mapping[str, str],
    signature: _KeySignature | _SecretSignature | None = None,
) -> dict[str, Any]:
    address = urlsplit(endpoint)
    body = json.dumps(asked).encode()
    headers = {
        # The name is AWS's own, independent of the endpoint: an unsigned request states its region nowhere else.
        "Host": f"ssm.{region}.amazonaws.com",
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"AmazonSSM.{operation}",
        "X-Amz-Date": datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"),
    }
    if signature is not None:
        scope = f"{headers['X-Amz-Date'][:8]}/{region}/ssm/aws4_request"
        signed = signature.of(string_to_sign(scope, headers, body), scope)
        headers["Authorization"] = (
            f"{ALGORITHM} Credential={signature.name}/{scope}, SignedHeaders={';'.join(SIGNED_HEADERS)}, "
            f"Signature={signed}"
        )
        if isinstance(signature, _SecretSignature):
            headers["X-Amz-Security-Token"] = signature.credentials.session_token
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.hostname or "", address.port, timeout=_PATIENCE)
    try:
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise SsmError("", f"no answer from {endpoint}: {error or type(error).__name__}") from error
    finally:
        connection.close()
    try:
        said = json.loads(content or b"{}")
    except ValueError:
        said = {"message": content[:200].decode("utf-8", "replace")}
    if answer.status != 200:
        raise SsmError(str(said.get("__type", answer.status)).rpartition("#")[2], str(said.get("message", "")))
    return dict(said)


# -- signatures -------------------------------------------------------------------------------------------------------


def string_to_sign(
    scope: str, headers: Mapping[str, str], body: bytes, signed_headers: Sequence[str] = SIGNED_HEADERS
) -> str:
    """Return the string of signature version 4 for `POST /` without a query. Names in `headers` may have any case.

    `scope` is `DATE/REGION/SERVICE/aws4_request`. Raises `KeyError` if a signed header is missing.
    """
    lower = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    request = "\n".join(
        (
            "POST",
            "/",
            "",
            *(f"{name}:{lower[name]}" for name in signed_headers),
            "",
            ";".join(signed_headers),
            hashlib.sha256(body).hexdigest(),
        )
    )
    return "\n".join((ALGORITHM, lower["x-amz-date"], scope, hashlib.sha256(request.encode()).hexdigest()))


@dataclass(frozen=True)
class _KeySignature:
    """Signature with the key that the node registered."""

    name: str
    key: rsa.RSAPrivateKey

    def of(self, string: str, scope: str) -> str:
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
        return base64.b64encode(self.key.sign(string.encode(), pss, hashes.SHA256())).decode()


@dataclass(frozen=True)
class _SecretSignature:
    """Signature with an access key, like that of every other AWS client."""

    credentials: Credentials
    region: str

    @property
    def name(self) -> str:
        return self.credentials.access_key_id

    def of(self, string: str, scope: str) -> str:
        key = f"AWS4{self.credentials.secret_access_key}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.digest(key, string.encode(), "sha256").hex()


# -- files ------------------------------------------------------------------------------------------------------------


def save(registration: Registration, file: Path) -> None:
    _write(file, json.dumps(asdict(registration), indent=1))


def load(file: Path) -> Registration:
    return Registration(**json.loads(file.read_text()))


def write_credentials(credentials: Credentials, file: Path, profile: str = "default") -> None:
    """Write a profile of the shared credentials file. Its other profiles stay."""
    kept = configparser.ConfigParser(interpolation=None, default_section="")
    kept.read(file)
    kept[profile] = {
        "aws_access_key_id": credentials.access_key_id,
        "aws_secret_access_key": credentials.secret_access_key,
        "aws_session_token": credentials.session_token,
    }
    lines = [line for name in kept.sections() for line in (f"[{name}]", *(f"{k} = {v}" for k, v in kept[name].items()))]
    _write(file, "\n".join(lines) + "\n")


def _write(file: Path, content: str) -> None:
    """Write the whole file in one step, readable by its owner only."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(content)
    draft.replace(file)


# -- the program ------------------------------------------------------------------------------------------------------


def keep_fresh(registration: Registration, file: Path) -> None:
    """Write credentials now and after each half of their validity, and report in between. Never returns.

    While SSM does not answer, the old credentials stay until they expire, and the request is repeated.
    """
    pause = 1.0
    while True:
        try:
            credentials = token(registration)
        except SsmError as error:
            _complain(registration, error)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            continue
        write_credentials(credentials, file)
        pause = 1.0
        renewal = (time.time() + credentials.expires_at) / 2
        while (left := renewal - time.time()) > 0:
            try:
                ping(registration, credentials)
            except SsmError as error:  # the credentials are valid in spite of this
                _complain(registration, error)
            time.sleep(min(_PING, left))


def _complain(registration: Registration, error: SsmError) -> None:
    print(f"{registration.instance_id}: {error}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="ssm_agent.py")
    commands = parser.add_subparsers(dest="command", required=True)
    first = commands.add_parser("register", help="register this host as a managed node")
    for option in ("--region", "--activation-id", "--activation-code"):
        first.add_argument(option, required=True)
    first.add_argument("--endpoint", default=os.environ.get("AWS_ENDPOINT_URL_SSM", os.environ.get("AWS_ENDPOINT_URL")))
    second = commands.add_parser("run", help="keep the credentials file up to date")
    second.add_argument("--credentials", required=True, type=Path)
    second.add_argument("--once", action="store_true", help="write the file once and exit")
    for command in (first, second):
        command.add_argument("--state", required=True, type=Path, help="the file with the registration")
    asked = parser.parse_args(arguments)
    try:
        if asked.command == "register":
            made = register(asked.endpoint, asked.region, asked.activation_id, asked.activation_code)
            save(made, asked.state)
            print(made.instance_id)
        elif asked.once:
            write_credentials(token(load(asked.state)), asked.credentials)
        else:
            keep_fresh(load(asked.state), asked.credentials)
    except SsmError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
