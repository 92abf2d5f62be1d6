"""Emulated issuers of identity tokens (OpenID Connect): their keys, and how tokens are signed and checked.

AWS fetches an issuer's public keys from the issuer. Here both are in the local cloud's folder: `HOST.jwks.json` has
the public keys, which are all that a check reads, and `HOST.pem` has the private key. Tokens are JSON Web Tokens signed
with RS256 (RFC 7519, RFC 7515), like those of GitHub.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicNumbers, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from localcloud.instance.folder import Folder
from localcloud.instance.state import write_atomically

LIFETIME_SECONDS: Final = 300
"""The default lifetime of a token, which is that of GitHub's."""


class BadTokenError(Exception):
    """The token is malformed, or its issuer did not sign it."""


class ExpiredError(BadTokenError):
    """The token has expired or is not valid yet."""


class Issuers:
    """The emulated issuers, by URL. An issuer's key is created when it first signs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def of(cls, folder: Folder) -> Issuers:
        """The issuers of a local cloud."""
        return cls(folder.path / "aws" / "issuers")

    def sign(self, issuer: str, claims: Mapping[str, Any]) -> str:
        """Return a token with these claims. `iss`, `iat`, `nbf` and `exp` are added if they are missing."""
        key = self._key(issuer)
        now = int(time.time())
        payload = {"iss": issuer, "iat": now, "nbf": now, "exp": now + LIFETIME_SECONDS, **claims}
        header = {"alg": "RS256", "typ": "JWT", "kid": _published(key)["kid"]}
        signed = f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(payload).encode())}"
        return f"{signed}.{_encoded(key.sign(signed.encode(), PKCS1v15(), SHA256()))}"

    def check(self, token: str) -> dict[str, Any]:
        """Return the claims of a token whose issuer has signed it.

        Raises:
            BadTokenError: it is malformed or not signed by its issuer. ExpiredError: it is not valid now.
        """
        try:
            head, body, signature = token.split(".")
            header, claims = json.loads(_decoded(head)), json.loads(_decoded(body))
            issuer = str(claims["iss"])
            expires = float(claims["exp"])
        except (ValueError, KeyError, TypeError):
            raise BadTokenError("the token is not a JSON Web Token with an issuer and an expiry") from None
        if header.get("alg") != "RS256":
            raise BadTokenError(f"the token is signed with {header.get('alg')!r}; it must be RS256")
        published = [key for key in self.published(issuer) if key["kid"] == header.get("kid")]
        if not published:
            raise BadTokenError(f"{issuer} has no key {header.get('kid')!r}")
        numbers = RSAPublicNumbers(e=_number(published[0]["e"]), n=_number(published[0]["n"]))
        try:
            numbers.public_key().verify(_decoded(signature), f"{head}.{body}".encode(), PKCS1v15(), SHA256())
        except InvalidSignature:
            raise BadTokenError(f"the token is not signed by {issuer}") from None
        if not float(claims.get("nbf", 0)) - 60 <= time.time() < expires:
            raise ExpiredError("the token has expired, or is not valid yet")
        return dict(claims)

    def published(self, issuer: str) -> list[dict[str, str]]:
        """The issuer's public keys. An issuer that has signed nothing has none."""
        try:
            keys: list[dict[str, str]] = json.loads(self._file(issuer, "jwks.json").read_bytes())["keys"]
        except FileNotFoundError:
            return []
        return keys

    def _key(self, issuer: str) -> RSAPrivateKey:
        file = self._file(issuer, "pem")
        if file.exists():
            found = load_pem_private_key(file.read_bytes(), password=None)
            if not isinstance(found, RSAPrivateKey):
                raise BadTokenError(f"{file} has no RSA key")
            return found
        key = generate_private_key(public_exponent=65537, key_size=2048)
        published = json.dumps({"keys": [_published(key)]})
        write_atomically(self._file(issuer, "jwks.json"), published.encode())
        write_atomically(file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return key

    def _file(self, issuer: str, ending: str) -> Path:
        parts = urlsplit(issuer)
        if parts.scheme != "https" or not parts.hostname:
            raise BadTokenError(f"an issuer is a URL that begins with https://, not {issuer!r}")
        return self._folder / f"{(parts.hostname + parts.path).replace('/', '_')}.{ending}"


def _published(key: RSAPrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    members = {"e": _of_number(numbers.e), "kty": "RSA", "n": _of_number(numbers.n)}
    # RFC 7638: a key's thumbprint is its name.
    digest = hashlib.sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest()
    return {**members, "alg": "RS256", "use": "sig", "kid": _encoded(digest)}


def _of_number(number: int) -> str:
    return _encoded(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _number(text: str) -> int:
    return int.from_bytes(_decoded(text), "big")


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
