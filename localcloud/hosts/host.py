"""One host: its folder, its first process, and the processes that this one starts.

root/       its files                          disk.json   the one-time parts of its user data, done or to be done
journal     one JSON line for each message     host.json   the specification that its first process reads
boot.json   the number of its server's boot    log         errors of the first process itself
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.hosts import places, user_data
from localcloud.hosts.machine import journal
from localcloud.instance import process_tags
from localcloud.instance.folder import LocalCloudError
from localcloud.instance.state import write_atomically

_INIT = Path(__file__).parent / "machine" / "init.py"
# The path of a socket has at most 108 bytes (unix(7)), including the part that a host's programs add to /run.
_LONGEST_RUN = 60
# The commands that user data may call, in addition to the host's own programs. Any other command would change this
# machine.
_CALLED = frozenset({"systemctl", "podman", "journalctl", "ssm-setup-cli", "true", "sleep", "echo"})

_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")

_children: dict[Path, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Site:
    """Settings that the hosts of one local cloud share: their parent folder, and their programs' environment.

    `environment` has endpoints and trusted certificates, but no credentials: a host has to get these like a real one.
    """

    folder: Path
    environment: Mapping[str, str]

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    def prepare(self) -> None:
        """Write the stand-in programs, which are first on the hosts' PATH."""
        isolated = f"{shlex.quote(sys.executable)} -I -S"
        installed = f"{shlex.quote(sys.executable)} -I"  # with installed packages: it needs cryptography
        machine = Path(__file__).parent / "machine"
        for name, python in (
            ("podman", isolated),
            ("journalctl", isolated),
            ("systemctl", isolated),
            ("ssm-setup-cli", installed),
        ):
            script = shlex.quote(str(machine / f"{name.replace('-', '_')}.py"))
            write_atomically(self.bin / name, f'#!/bin/sh\nexec {python} {script} "$@"\n'.encode(), mode=0o755)

    def programs(self) -> dict[str, str]:
        """Programs that are called by an absolute path, and their local paths."""
        found = {f"/usr/bin/{name}": str(self.bin / name) for name in ("podman", "journalctl", "systemctl")}
        for name in ("python3", "env"):
            found[f"/usr/bin/{name}"] = sys.executable if name == "python3" else "/usr/bin/env"
        haproxy = shutil.which("haproxy", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin")))
        if haproxy is not None:
            found["/usr/sbin/haproxy"] = haproxy
        return found


class Host:
    """The machine of the server with this number."""

    def __init__(self, site: Site, number: int) -> None:
        self.number = number
        self.folder = site.folder / str(number)
        self.run = run_folder(site.folder) / str(number)
        self._site = site
        self._addresses: dict[str, str] = {}

    def boot(self, server: Mapping[str, Any], addresses: Mapping[str, str]) -> None:
        """Start it. At its first boot, or after a rebuild, write its disk from its user data.

        `addresses`: the loopback address for each private address in its user data.
        """
        self.kill()
        shutil.rmtree(self.run, ignore_errors=True)
        self.run.mkdir(parents=True, mode=0o700)
        disk = hashlib.sha256(json.dumps([server["user_data"], server["image"], server["disk"]]).encode()).hexdigest()
        if self._noted().get("disk") != disk:
            shutil.rmtree(self.folder, ignore_errors=True)
            self._addresses = {}
            self._write_disk(server, addresses)
        self._write_spec(server)
        write_atomically(self.folder / "boot.json", json.dumps({"disk": disk, "boots": server["boots"]}).encode())
        with open(self.folder / "log", "ab") as log:
            _children[self.folder] = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_INIT), str(self.folder)],
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", process_tags.MACHINE: str(self.folder)},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @staticmethod
    def texts(server: Mapping[str, Any]) -> list[str]:
        """All texts that its user data would write or run."""
        data = user_data.read(server["user_data"])
        files = [file.content.decode(errors="replace") for file in data.files]
        return [*files, *(word for words in data.commands for word in words)]

    def _write_disk(self, server: Mapping[str, Any], addresses: Mapping[str, str]) -> None:
        data = user_data.read(server["user_data"])
        texts = {file.path: file.content.decode(errors="replace") for file in data.files}
        here = places.Places(
            root=self.folder / "root",
            run=self.run,
            own=places.own_paths(texts),
            programs=self._site.programs(),
            addresses=addresses,
        )
        notes = list(data.notes)
        for directory in ("etc/systemd/system", "root", "var/lib"):
            (self.folder / "root" / directory).mkdir(parents=True, exist_ok=True)
        for file in data.files:
            place = here.local(file.path)
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                content = here.translate(file.content.decode()).encode()
            except UnicodeDecodeError:
                content = file.content
            if file.append and place.exists():
                content = place.read_bytes() + content
            write_atomically(place, content, mode=file.mode & 0o777)
        commands = []
        for words in data.commands:
            program = words[0]
            if (program.startswith("/") and program in here.programs) or texts.get(program) is not None:
                pass
            elif os.path.basename(program) not in _CALLED:
                notes.append(f"runcmd: {shlex.join(words)} is not carried out here")
                continue
            commands.append([here.translate(word) for word in words])
        spec = {"commands": commands, "notes": notes}
        write_atomically(self.folder / "disk.json", json.dumps(spec).encode())

    def _write_spec(self, server: Mapping[str, Any]) -> None:
        """Write the specification for its first process. The local cloud's endpoints may differ at each boot."""
        name = server["name"]
        spec = {
            **json.loads((self.folder / "disk.json").read_bytes()),
            "name": name,
            "run": str(self.run),
            "environment": {
                **self._site.environment,
                "PATH": os.pathsep.join((str(self._site.bin), str(Path(sys.executable).parent), *_PATH)),
                # Without it, programs look in the home folder of the user who runs the local cloud.
                "HOME": str(self.folder / "root" / "root"),
                "HOSTNAME": name,
                "LANG": "C.UTF-8",
                "LOCALCLOUD_RUN": str(self.run),
                "LOCALCLOUD_ROOT": str(self.folder / "root"),
            },
        }
        write_atomically(self.folder / "host.json", json.dumps(spec).encode())

    def write_addresses(self, addresses: Mapping[str, str]) -> None:
        """Write its private addresses to a file, for readers outside of the local cloud's process."""
        if addresses != self._addresses:
            write_atomically(self.folder / "addresses.json", json.dumps(addresses).encode())
            self._addresses = dict(addresses)

    @property
    def running(self) -> bool:
        """Whether its first process runs. This only works for a host that this process booted."""
        child = _children.get(self.folder)
        return child is not None and child.poll() is None

    def shut_down(self) -> None:
        """Request a shutdown, like the power button. It ends when its units have ended; see `running`."""
        child = _children.get(self.folder)
        if child is not None and child.poll() is None:
            child.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Cut its power."""
        child = _children.pop(self.folder, None)
        if child is not None and child.poll() is None:
            child.kill()  # first, so that it cannot start further processes
        process_tags.kill(self.folder)
        if child is not None:
            child.wait()

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.run, ignore_errors=True)

    def _noted(self) -> dict[str, Any]:
        try:
            noted: dict[str, Any] = json.loads((self.folder / "boot.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return noted


def run_folder(folder: Path) -> Path:
    """The parent folder of the hosts' /run: a short path, because it holds sockets, and private to its owner."""
    name = f"localcloud-{os.getuid()}-{hashlib.sha256(str(folder).encode()).hexdigest()[:10]}"
    parent = tempfile.gettempdir()
    if len(parent) + len(name) > _LONGEST_RUN:
        parent = "/tmp"  # noqa: S108 - made with its owner's rights alone, and checked below
    made = Path(parent) / name
    made.mkdir(mode=0o700, exist_ok=True)
    status = made.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise LocalCloudError(
            f"{made} belongs to a different user, or is open to others: remove it, or set TMPDIR to a different folder"
        )
    return made


def read_journal(folder: Path) -> list[journal.Entry]:
    """The journal of a host, oldest entry first."""
    return [entry for entry in journal.entries(folder / "journal") if entry is not None]
