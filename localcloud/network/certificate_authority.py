"""Certificate authority of the local cloud: created on first use, kept in a folder, or in memory for a test."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from filelock import FileLock

from localcloud.instance.state import write_atomically

_LIFE = timedelta(days=3652)
_EARLY = timedelta(days=1)  # a client's clock may be slow
_LONGEST_COMMON_NAME = 64  # RFC 5280, upper bounds
_SIGNING = x509.KeyUsage(
    digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
    key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
)  # fmt: skip


@dataclass(frozen=True)
class Issued:
    """A new key (P-256, PKCS #8) and the authority's certificate for it, each as PEM."""

    key: str
    certificate: str


class CertificateAuthority:
    """`folder` holds authority.pem (key and certificate, private) and ca.pem (the certificate that clients trust).

    Both are created once, on first use, by the first process that needs them. Without a folder, the authority ends with
    the process.
    """

    def __init__(self, name: str, folder: Path | None) -> None:
        self._name = name
        self._folder = folder
        self._in_memory: bytes | None = None
        self._making = threading.Lock()

    @property
    def pem(self) -> bytes:
        """The authority's own certificate, which clients trust."""
        return self._pair()[1].public_bytes(serialization.Encoding.PEM)

    @property
    def ca(self) -> Path:
        """The file with the authority's own certificate."""
        if self._folder is None:
            raise ValueError("this authority is kept in memory and has no file")
        file = self._folder / "ca.pem"
        if not file.exists():
            write_atomically(file, self.pem, mode=0o644)
        return file

    def issue(self, names: Iterable[str], life: timedelta | None = None) -> Issued:
        """Issue a certificate for a server with these `names`: domains (also `*.` wildcards) or IP addresses.

        `life`: how long it is valid from now on; by default as long as the authority.
        """
        authority_key, authority = self._pair()
        called = list(names)
        key = ec.generate_private_key(ec.SECP256R1())
        end = authority.not_valid_after_utc
        made = (
            _builder(called[0], key.public_key(), authority.subject)
            .not_valid_after(end if life is None else min(end, datetime.now(UTC) + life))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in called]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
            .sign(authority_key, hashes.SHA256())
        )
        return Issued(_pem(key).decode(), made.public_bytes(serialization.Encoding.PEM).decode())

    def _pair(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        content = self._content()
        key = serialization.load_pem_private_key(content, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{self._name} has a {type(key).__name__}, not an elliptic curve key")
        return key, x509.load_pem_x509_certificate(content)

    def _content(self) -> bytes:
        with self._making:
            if self._folder is None:
                self._in_memory = self._in_memory or self._made()
                return self._in_memory
            file = self._folder / "authority.pem"
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with FileLock(self._folder / "lock"):
                if not file.exists():
                    write_atomically(file, self._made())
            return file.read_bytes()

    def _made(self) -> bytes:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(self._name, key.public_key(), None)
            .not_valid_after(datetime.now(UTC) + _LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_SIGNING, critical=True)
            .sign(key, hashes.SHA256())
        )
        return _pem(key) + certificate.public_bytes(serialization.Encoding.PEM)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(name: str, key: ec.EllipticCurvePublicKey, issuer: x509.Name | None) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:_LONGEST_COMMON_NAME])])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - _EARLY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
