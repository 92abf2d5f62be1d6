"""moto's objects on disk: one file for each service and region, written whole when it has changed.

moto keeps a service's state in one object for each account and region (a backend). Its attributes are plain Python
objects that can be pickled, with these exceptions, which are handled by name:
- Backends refer to each other and to themselves. A reference is written as (service, account, region), so that after
  loading there is one object for each again.
- An RDS subnet group holds EC2's subnets, and an instance its password's secret: after loading they are EC2's and
  Secrets Manager's own objects again where these still have them.
- Private keys are written in their standard form (DER, PKCS #8).
- SSM's table of parameters is created with an account and a region.
- A bucket's table of objects shows only the newest version of each, so it is written version by version.
- The body of an S3 object is a separate file, named by its hash: a change of a bucket does not write it again.
"""

from __future__ import annotations

import copyreg
import hashlib
import io
import logging
import pickle
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary

import moto
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from moto.backends import get_backend
from moto.core.base_backend import BackendDict, BaseBackend
from moto.ec2.models.subnets import Subnet
from moto.s3.models import FakeKey
from moto.s3.utils import _VersionedKeyStore
from moto.secretsmanager.models import FakeSecret
from moto.ssm.models import ParameterDict

from localcloud.instance.folder import LocalCloudError
from localcloud.instance.state import write_atomically

log = logging.getLogger(__name__)

_VERSION: Final = f"moto {moto.__version__}, form 3\n"
_READABLE: Final = (f"moto {moto.__version__}, form 2\n", _VERSION)
"""Form 3 differs from form 2 in the modules of our classes only (`_MOVED`). A file of form 2 is written in form 3 when
its backend changes."""

_MOVED: Final = {
    ("localcloud.aws.backup_jobs", "Job"): "localcloud.aws.backup.records",
    ("localcloud.aws.backup_points", "RecoveryPoint"): "localcloud.aws.backup.records",
    ("localcloud.aws.backup_selections", "Selection"): "localcloud.aws.backup.records",
    ("localcloud.aws.backup.job_progress", "Job"): "localcloud.aws.backup.records",
    ("localcloud.aws.backup.recovery_points", "RecoveryPoint"): "localcloud.aws.backup.records",
    ("localcloud.aws.backup.selections", "Selection"): "localcloud.aws.backup.records",
    ("localcloud.aws.kms_keys", "_NoPrivateKey"): "localcloud.aws.kms.keys",
    ("localcloud.aws.rds_automated_backups", "AutomatedBackup"): "localcloud.aws.rds.automated_backups",
    ("localcloud.aws.rds_servers", "Origin"): "localcloud.aws.rds.servers",
    ("localcloud.aws.ssm_activations", "Activation"): "localcloud.aws.ssm.activations",
    ("localcloud.aws.ssm_nodes", "Node"): "localcloud.aws.ssm.nodes",
}
"""The modules that our classes are in now, by the module and the class that form 2 names."""

_PRIVATE_KEYS: Final = (RSAPrivateKey, EllipticCurvePrivateKey, Ed25519PrivateKey)

Address = tuple[str, str, str]
"""A backend: service, account, region (`aws` for a service without regions)."""


class Store:
    """The backends of `services` on disk. Not safe for threads: the application holds the lock."""

    def __init__(self, folder: Path | None, services: Sequence[str]) -> None:
        self._folder = folder
        self._services = services
        self._written: dict[Address, bytes] = {}
        self._bodies = _Bodies((folder or Path()) / "s3-bodies")

    def load(self) -> None:
        """Load the state in the folder into moto's empty backends."""
        if self._folder is None:
            return
        version = self._folder / "version"
        found = version.read_text() if version.exists() else None
        if found not in _READABLE and (found is not None or any(self._folder.glob("*.pickle"))):
            raise self._unreadable(f"written by {(found or 'something unknown').strip()}, this is {_VERSION.strip()}")
        for service in self._services:
            for file in sorted(self._folder.glob(f"{service}.*.pickle")):
                _, account, region, _ = file.name.split(".")
                content = file.read_bytes()
                try:
                    state = _Unpickler(io.BytesIO(content), self._bodies).load()
                except Exception as error:
                    raise self._unreadable(f"{file.name}: {type(error).__name__}: {error}") from error
                backend = get_backend(service)[account][region]  # type: ignore[call-overload]
                backend.__dict__.clear()
                backend.__dict__.update(state)
                self._written[service, account, region] = hashlib.sha256(content).digest()
        # The owner of a bucket is stored outside the backends. Without it, creating a bucket again would replace it.
        buckets: Any = get_backend("s3")
        for _, backend in _backends("s3"):
            for name, bucket in backend.__dict__["buckets"].items():
                buckets.bucket_accounts[name] = (bucket.partition, bucket.account_id)
        self._bodies.forget_the_unused()
        if found != _VERSION:
            write_atomically(version, _VERSION.encode())

    def save(self, services: Iterable[str]) -> None:
        """Write the changed backends of these services, and every new backend.

        A new backend is always written: creating it draws ids, such as those of its default network, and these must
        be the same after a restart.
        """
        if self._folder is None:
            return
        touched = set(services)
        for service in self._services:
            for address, backend in _backends(service):
                if service in touched or address not in self._written:
                    self._write(self._folder, address, backend)

    def _write(self, folder: Path, address: Address, backend: BaseBackend) -> None:
        buffer = io.BytesIO()
        _Pickler(buffer, address[0], self._bodies).dump(backend.__dict__)
        content = buffer.getvalue()
        digest = hashlib.sha256(content).digest()
        if self._written.get(address) != digest:
            write_atomically(folder / f"{'.'.join(address)}.pickle", content)
            self._written[address] = digest

    def _unreadable(self, reason: str) -> LocalCloudError:
        return LocalCloudError(
            f"the local AWS cannot read its state in {self._folder} ({reason}). "
            f"To start with an empty local cloud, and lose its contents: `make down`, or remove that folder"
        )


def _backends(service: str) -> list[tuple[Address, BaseBackend]]:
    """The backends of a service that exist so far; asking moto for one would make it."""
    backends: BackendDict[Any] = get_backend(service)  # type: ignore[call-overload]
    return [((service, account, region), backend) for account, region, backend in backends.iter_backends()]


@dataclass(frozen=True)
class _Body:
    """A reference to the body of an S3 object."""

    digest: str


class _Bodies:
    """The bodies of S3 objects, each a file named by its hash."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # moto takes a key's body as fixed once it is made (it remembers its ETag), so it is hashed once.
        self._known: WeakKeyDictionary[FakeKey, str] = WeakKeyDictionary()
        self._used: set[str] = set()

    def keep(self, key: FakeKey) -> _Body:
        digest = self._known.get(key)
        if digest is None:
            try:
                value = key.value
            except ValueError:  # deleted, and only a delete marker remembers it
                value = b""
            digest = hashlib.sha256(value).hexdigest()
            file = self._folder / digest
            if not file.exists():
                write_atomically(file, value)
            self._known[key] = digest
        return _Body(digest)

    def read(self, digest: str) -> bytes:
        self._used.add(digest)
        return (self._folder / digest).read_bytes()

    def forget_the_unused(self) -> None:
        """After loading, remove the bodies of deleted objects and files that a kill left half-written."""
        if self._folder.exists():
            for file in self._folder.iterdir():
                if file.name not in self._used:
                    file.unlink() if file.is_file() else shutil.rmtree(file)


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, service: str, bodies: _Bodies) -> None:
        super().__init__(file, protocol=5)
        self._service = service
        self._bodies = bodies

    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, BaseBackend):
            return ("backend", type(obj).__module__.split(".")[1], obj.account_id, obj.region_name)
        if isinstance(obj, _Body):
            return ("body", obj.digest)
        return None

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, _PRIVATE_KEYS):
            return _private_key, (obj.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),)
        if type(obj) is FakeKey:
            state = {key: value for key, value in obj.__dict__.items() if key not in ("_value_buffer", "lock")}
            state["value"] = self._bodies.keep(obj)
            return copyreg.__newobj__, (FakeKey,), state  # type: ignore[attr-defined]
        if type(obj) is _VersionedKeyStore:  # shows only the newest version of each object
            return _versions, ([(key, obj.getlist(key)) for key in obj],)
        if type(obj) is ParameterDict:
            return _parameters, (dict(obj), obj.__dict__)
        if type(obj) is Subnet and self._service != "ec2":
            return _subnet, (obj.ec2_backend.account_id, obj.ec2_backend.region_name, obj.id, obj.__dict__)
        if type(obj) is FakeSecret and self._service != "secretsmanager":
            return _secret, (obj.account_id, obj.region, obj.name, obj.__dict__)
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, bodies: _Bodies) -> None:
        super().__init__(file)
        self._bodies = bodies

    def find_class(self, module: str, name: str) -> Any:
        return super().find_class(_MOVED.get((module, name), module), name)

    def persistent_load(self, pid: Any) -> Any:
        match pid:
            case ("backend", service, account, region):
                return get_backend(service)[account][region]
            case ("body", digest):
                return self._bodies.read(digest)
            case _:
                raise pickle.UnpicklingError(f"unknown reference {pid!r}")


def _versions(lists: list[tuple[str, list[Any]]]) -> _VersionedKeyStore:
    store = _VersionedKeyStore()
    for key, versions in lists:
        store.setlist(key, versions)
    return store


def _parameters(by_name: dict[str, Any], state: dict[str, Any]) -> ParameterDict:
    table = ParameterDict(state["account_id"], state["region_name"])
    table.__dict__.update(state)
    table.update(by_name)
    return table


def _private_key(der: bytes) -> Any:
    return load_der_private_key(der, password=None)


def _subnet(account: str, region: str, subnet_id: str, state: dict[str, Any]) -> Subnet:
    """EC2's own subnet, or its last known state if EC2 no longer has it."""
    for subnets in get_backend("ec2")[account][region].subnets.values():
        if subnet_id in subnets:
            own: Subnet = subnets[subnet_id]
            return own
    gone: Subnet = _as_it_was(Subnet, state)
    return gone


def _secret(account: str, region: str, name: str, state: dict[str, Any]) -> FakeSecret:
    own = get_backend("secretsmanager")[account][region].secrets.get(name)
    return own if isinstance(own, FakeSecret) else _as_it_was(FakeSecret, state)


def _as_it_was(kind: Any, state: dict[str, Any]) -> Any:
    made = object.__new__(kind)
    made.__dict__.update(state)
    return made
