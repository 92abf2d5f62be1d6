"""Folder of the local cloud: its state, the stacks' state, its secrets, its logs and its addresses.

running.json      ports of the running local cloud, and the secret with which a shell uses it
credentials.json  generated credentials of the three clouds, and the passphrase of the stacks' secrets
ports.json        ports of the last run, used again if they are free, so that an open shell stays valid
aws/ hetzner.json github.json   state of the clouds;  databases/  PostgreSQL servers of RDS, and their backups
pulumi/           state of the engine, as in a real bucket;  config/  local configuration of the stacks
hosts/ balancers/   servers and load balancers: their files and output
cuts.json         outages, until they are restored;  shortages.json  sold-out types, until they are restocked
authority/        issuer of Hetzner's managed certificates: its key, and ca.pem, which clients trust
bin/              the first folder on PATH in the local cloud's environment
log               output of the local cloud;  requests.jsonl  every call to the clouds
"""

from __future__ import annotations

import json
import os
import secrets
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from localcloud.instance.state import write_atomically

CLOUDS = ("aws", "hetzner", "github")


class LocalCloudError(Exception):
    """An error for the operator: the message says what is wrong and what to do."""


@dataclass(frozen=True)
class Running:
    """A running local cloud: its process, its ports by cloud, the broker's port and the secret."""

    pid: int
    created: float
    ports: dict[str, int]
    broker_port: int
    secret: str

    @property
    def alive(self) -> bool:
        """Whether that process still runs. A later process with the same number does not count."""
        try:
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.created) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


@dataclass(frozen=True)
class Credentials:
    """Credentials, generated once for each folder. They are valid only here, and never part of a command line."""

    aws_access_key_id: str
    aws_secret_access_key: str
    hcloud_token: str
    github_token: str
    passphrase: str

    @classmethod
    def make(cls) -> Credentials:
        letters = string.ascii_letters + string.digits

        def word(length: int) -> str:
            return "".join(secrets.choice(letters) for _ in range(length))

        return cls(
            aws_access_key_id=f"LKIA{word(16).upper()}",
            aws_secret_access_key=word(40),
            hcloud_token=word(64),  # the length that Hetzner's clients require
            github_token=f"ghp_{word(36)}",
            passphrase=word(32),
        )


@dataclass(frozen=True)
class Folder:
    """The folder of one local cloud; `path` is absolute."""

    path: Path

    @classmethod
    def find(cls) -> Folder:
        """`LOCALCLOUD_FOLDER`, or else `.localcloud` next to the nearest `Pulumi.yaml` in this folder or above it."""
        named = os.environ.get("LOCALCLOUD_FOLDER")
        if named:
            return cls(Path(named).resolve())
        here = Path.cwd()
        for candidate in (here, *here.parents):
            if (candidate / "Pulumi.yaml").exists():
                return cls(candidate / ".localcloud")
        raise LocalCloudError(
            f"no Pulumi.yaml in {here} or above it: run this inside a Pulumi project, "
            "or name a folder in LOCALCLOUD_FOLDER"
        )

    @property
    def running_file(self) -> Path:
        return self.path / "running.json"

    @property
    def log(self) -> Path:
        return self.path / "log"

    @property
    def requests(self) -> Path:
        return self.path / "requests.jsonl"

    @property
    def databases(self) -> Path:
        return self.path / "databases"

    @property
    def hosts(self) -> Path:
        return self.path / "hosts"

    @property
    def balancers(self) -> Path:
        return self.path / "balancers"

    @property
    def trusted(self) -> Path:
        """The certificates that TLS clients trust: those of this system, and the local cloud's own."""
        return self.path / "trusted.pem"

    @property
    def authority(self) -> Path:
        return self.path / "authority"

    @property
    def bin(self) -> Path:
        return self.path / "bin"

    @property
    def backend(self) -> Path:
        return self.path / "pulumi"

    @property
    def passphrase_file(self) -> Path:
        return self.path / "passphrase"

    def running(self) -> Running | None:
        """The running local cloud; None if it does not run."""
        try:
            running = Running(**json.loads(self.running_file.read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return running if running.alive else None

    def credentials(self) -> Credentials:
        file = self.path / "credentials.json"
        if not file.exists():
            made = Credentials.make()
            write_atomically(self.passphrase_file, made.passphrase.encode())
            write_atomically(file, json.dumps(made.__dict__).encode())
        return Credentials(**json.loads(file.read_bytes()))

    def last_ports(self) -> dict[str, int]:
        return self._json("ports.json")

    def remember(self, running: Running) -> None:
        """Record the ports of the local cloud, once it listens."""
        write_atomically(
            self.path / "ports.json", json.dumps({**running.ports, "broker": running.broker_port}).encode()
        )
        write_atomically(self.running_file, json.dumps(running.__dict__).encode())

    def _json(self, name: str) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads((self.path / name).read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return content
