"""Issuers of identity tokens (OpenID Connect), stood in for: their keys, what they sign, and how it is checked.

AWS fetches an issuer's public keys from the issuer. Here both are kept in the local cloud's folder: `HOST.jwks.json` is
what the issuer would publish, and all that a check reads; `HOST.pem` is what it would never show. Tokens are JSON Web
Tokens signed with RS256 (RFC 7519, RFC 7515), as GitHub's are.
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
"""How long a token is good for, when nothing else is asked: as long as GitHub's."""


class BadTokenError(Exception):
    """A token that is not one, or not this issuer's."""


class ExpiredError(BadTokenError):
    """A token whose time is over."""


class Issuers:
    """The issuers that are stood in for, each by its address. A key is made when an issuer first signs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def of(cls, folder: Folder) -> Issuers:
        """Those of a local cloud."""
        return cls(folder.path / "aws" / "issuers")

    def sign(self, issuer: str, claims: Mapping[str, Any]) -> str:
        """A token with these claims; `iss`, `iat`, `nbf` and `exp` are added where they are not among them."""
        key = self._key(issuer)
        now = int(time.time())
        payload = {"iss": issuer, "iat": now, "nbf": now, "exp": now + LIFETIME_SECONDS, **claims}
        header = {"alg": "RS256", "typ": "JWT", "kid": _published(key)["kid"]}
        signed = f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(payload).encode())}"
        return f"{signed}.{_encoded(key.sign(signed.encode(), PKCS1v15(), SHA256()))}"

    def check(self, token: str) -> dict[str, Any]:
        """The claims of a token, once its signature is that of the issuer that it names.

        Raises:
            BadTokenError: it is none, or another one's; ExpiredError: it was one.
        """
        try:
            head, body, signature = token.split(".")
            header, claims = json.loads(_decoded(head)), json.loads(_decoded(body))
            issuer = str(claims["iss"])
            expires = float(claims["exp"])
        except (ValueError, KeyError, TypeError):
            raise BadTokenError("the token is no JSON Web Token with an issuer and an end") from None
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
            raise ExpiredError("the token's time is over, or not come")
        return dict(claims)

    def published(self, issuer: str) -> list[dict[str, str]]:
        """The issuer's public keys; none of an issuer that has signed nothing."""
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
            raise BadTokenError(f"an issuer is an address that begins with https://, and not {issuer!r}")
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
