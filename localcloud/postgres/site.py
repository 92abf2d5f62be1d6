"""What all servers of one local cloud share: a certificate authority, and the superuser's password."""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from filelock import FileLock

from localcloud.state import write_atomically

_LIFE = timedelta(days=3652)
_EARLY = timedelta(days=1)  # a client's clock may be behind
_SIGNING = x509.KeyUsage(
    digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
    key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
)  # fmt: skip


@dataclass(frozen=True)
class Site:
    """`folder` holds authority.pem (key and certificate, private), ca.pem (what clients get) and rdsadmin (a password).

    All are made on first use, once, whoever is first.
    """

    folder: Path

    @property
    def ca(self) -> Path:
        """PEM of the certificate authority: what a client names as `sslrootcert`."""
        file = self.folder / "ca.pem"
        if not file.exists():
            _, certificate = self._authority()
            write_atomically(file, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
        return file

    @property
    def password(self) -> str:
        """Of the superuser, in every server of the site: so what is restored is opened by it too."""
        file = self.folder / "rdsadmin"
        with self._lock():
            if not file.exists():
                write_atomically(file, secrets.token_urlsafe(32).encode())
        return file.read_text()

    def certificate(self, address: str) -> bytes:
        """A new key, and the authority's certificate for it as a server at `address`: one PEM."""
        authority_key, authority = self._authority()
        key = ec.generate_private_key(ec.SECP256R1())
        made = (
            _builder(address, key.public_key(), authority.subject)
            .not_valid_after(authority.not_valid_after_utc)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
            .sign(authority_key, hashes.SHA256())
        )
        return _pem(key) + made.public_bytes(serialization.Encoding.PEM)

    def _authority(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        file = self.folder / "authority.pem"
        with self._lock():
            if not file.exists():
                made = ec.generate_private_key(ec.SECP256R1())
                name = "Local cloud database authority"
                certificate = (
                    _builder(name, made.public_key(), None)
                    .not_valid_after(datetime.now(UTC) + _LIFE)
                    .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
                    .add_extension(_SIGNING, critical=True)
                    .sign(made, hashes.SHA256())
                )
                write_atomically(file, _pem(made) + certificate.public_bytes(serialization.Encoding.PEM))
        content = file.read_bytes()
        key = serialization.load_pem_private_key(content, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{file} holds a {type(key).__name__}, not a key that was made here")
        return key, x509.load_pem_x509_certificate(content)

    def _lock(self) -> FileLock:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return FileLock(self.folder / "lock")


def _builder(name: str, key: ec.EllipticCurvePublicKey, issuer: x509.Name | None) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
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
