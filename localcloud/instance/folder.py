"""The local cloud's one folder: where it keeps its clouds, the stacks' state, its secrets, its log and its whereabouts.

running.json      where the running local cloud listens, and the secret that lets a shell use it
credentials.json  the made-up credentials of the three clouds, and the passphrase of the stacks' secrets
ports.json        the ports of last time, taken again when they are free, so that an open shell stays good
aws/ hetzner.json github.json   what the clouds hold;  databases/  the PostgreSQL servers behind RDS, and their backups
pulumi/           the engine's state, as a real bucket would hold it;  config/  the stacks' local configuration
hosts/ balancers/   the machines of servers and load balancers: their files, and what they say
cuts.json         what is cut off, until it is restored;  shortages.json  what is sold out, until it is restocked
authority/        who issues Hetzner's managed certificates: its key, and ca.pem, which clients trust
bin/              what stands first on PATH in the local cloud's environment
log               what the local cloud says;  requests.jsonl  every call that the clouds were asked
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
    """What is wrong and what to do, for a person."""


@dataclass(frozen=True)
class Running:
    """A local cloud that answers: the process, its ports by cloud's name, the broker's port and the secret."""

    pid: int
    created: float
    ports: dict[str, int]
    broker_port: int
    secret: str

    @property
    def alive(self) -> bool:
        """Whether that very process still runs; a later process with the same number is not it."""
        try:
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.created) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


@dataclass(frozen=True)
class Credentials:
    """Made up once for each folder. They open nothing but this local cloud, and stand in no command line."""

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
            hcloud_token=word(64),  # the length that Hetzner's own clients insist on
            github_token=f"ghp_{word(36)}",
            passphrase=word(32),
        )


@dataclass(frozen=True)
class Folder:
    """The folder of one local cloud; `path` is absolute."""

    path: Path

    @classmethod
    def find(cls) -> Folder:
        """`LOCALCLOUD_FOLDER`, else `.localcloud` beside the nearest `Pulumi.yaml` upwards from here."""
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
        """Whom clients of TLS trust: this system's authorities, and the local cloud's own."""
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
        """Where the local cloud listens, if it runs."""
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
        """Say where the local cloud listens, once it does."""
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
