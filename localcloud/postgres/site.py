"""Settings that all servers of one local cloud share: a certificate authority, and the superuser's password."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from filelock import FileLock

from localcloud.instance.state import write_atomically
from localcloud.network.certificate_authority import CertificateAuthority


@dataclass(frozen=True)
class Site:
    """`folder` holds authority.pem (key and certificate, private), ca.pem (for clients) and rdsadmin (a password).

    All are created once, on first use, by the first process that needs them.
    """

    folder: Path

    @property
    def ca(self) -> Path:
        """PEM file of the certificate authority, for a client's `sslrootcert`."""
        return self._authority.ca

    @property
    def password(self) -> str:
        """The superuser's password, the same in every server of the site, so that it also opens a restored one."""
        file = self.folder / "rdsadmin"
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(self.folder / "lock"):
            if not file.exists():
                write_atomically(file, secrets.token_urlsafe(32).encode())
        return file.read_text()

    def certificate(self, address: str) -> bytes:
        """Return a new key, and the authority's certificate for it as a server at `address`, as one PEM."""
        issued = self._authority.issue([address])
        return (issued.key + issued.certificate).encode()

    @cached_property
    def _authority(self) -> CertificateAuthority:
        return CertificateAuthority("Local cloud database authority", self.folder)
