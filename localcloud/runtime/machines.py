"""The machines behind the local Hetzner: whether there are any, their start and their end.

`LOCALCLOUD_HOSTS` says it: `off` leaves servers and load balancers entries in the books; by default there are machines
where HAProxy is on PATH and the system shows the environment of processes, by which they are found again.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import ssl
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcloud.instance import process_tags
from localcloud.instance.folder import Folder, LocalCloudError, Running
from localcloud.instance.state import write_atomically

# They bring the emulator along, which few commands need.
if TYPE_CHECKING:
    from localcloud.hetzner import Application

log = logging.getLogger(__name__)

VARIABLE = "LOCALCLOUD_HOSTS"
_ALSO_IN = "/usr/sbin"  # where Debian has HAProxy; it is not on everybody's PATH

# Where systems keep whom they trust: Debian and Arch, Fedora, openSUSE, and Alpine and the BSDs.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


@dataclass(frozen=True)
class Machine:
    """What `localcloud status` says of a machine: where it is, whether it runs, and which units of a host do not."""

    kind: str
    name: str
    state: str
    where: str


def run(folder: Folder, application: Application, running: Running) -> Callable[[], None]:
    """Run the machines that the records speak of, from now on; what ends them all."""
    program = haproxy(os.environ)
    if program is None:
        end_all(folder)
        return lambda: None
    from localcloud.balancers.balancers import Balancers
    from localcloud.hosts.host import run_folder
    from localcloud.hosts.hosts import Hosts

    hosts = Hosts(application, folder.hosts, _environment(folder, running))
    balancers = Balancers(application, program, folder.balancers, run_folder(folder.balancers))
    hosts.start()
    balancers.start()

    def end() -> None:
        balancers.close()
        hosts.close()
        if not folder.path.exists():  # who deleted it means all of it
            erase(folder)

    return end


def haproxy(environ: Mapping[str, str]) -> str | None:
    """The HAProxy to run; None when there are no machines. Raises `LocalCloudError` for a choice that is none."""
    asked = environ.get(VARIABLE, "auto")
    if asked not in ("auto", "on", "off"):
        raise LocalCloudError(f"{VARIABLE} is {asked!r}; allowed: auto (the default), on, off")
    if asked == "off":
        return None
    found = shutil.which("haproxy", path=os.pathsep.join((environ.get("PATH", ""), _ALSO_IN)))
    if found is not None and process_tags.can_be_read():
        return found
    lacks = "HAProxy on PATH" if found is None else "/proc, by which a machine's processes are found"
    if asked == "on":
        raise LocalCloudError(f"{VARIABLE} is on, and there is no {lacks}")
    log.info("servers and load balancers are entries in the books: there is no %s", lacks)
    return None


def end_all(folder: Folder) -> None:
    """Take the power of every machine away, also of those that a killed local cloud has left behind."""
    if process_tags.can_be_read():
        process_tags.kill_all(folder.hosts)
        process_tags.kill_all(folder.balancers)


def erase(folder: Folder) -> None:
    """Forget what machines keep outside of the folder."""
    from localcloud.hosts.host import run_folder

    for place in (folder.hosts, folder.balancers):
        shutil.rmtree(run_folder(place), ignore_errors=True)


def trust(folder: Folder) -> Path:
    """The file of whom clients trust, made anew when one of its authorities is."""
    given, default = os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths()
    candidates = (given if given != str(folder.trusted) else None, default.cafile, default.openssl_cafile, *_BUNDLES)
    found = next((Path(file) for file in candidates if file and Path(file).exists()), None)
    system = (found or _brought_along()).read_bytes()
    own = folder.authority / "ca.pem"
    content = system.rstrip() + b"\n" + (own.read_bytes() if own.exists() else b"")
    if not folder.trusted.exists() or folder.trusted.read_bytes() != content:
        write_atomically(folder.trusted, content, mode=0o644)
    return folder.trusted


def _brought_along() -> Path:
    """The authorities that Python's clients bring along, for a system that keeps none where they are looked for."""
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    return Path(DEFAULT_CA_BUNDLE_PATH)


def machines(folder: Folder) -> list[Machine]:
    """What there is, and what runs of it. It is read from the machines' own folders, whether or not the cloud runs."""
    found = []
    for place in sorted(folder.hosts.glob("*/host.json")):
        spec = _read(place)
        up = bool(process_tags.of_machine(place.parent))
        addresses = ", ".join(f"{ip} at {here}" for ip, here in _read(place.with_name("addresses.json")).items())
        found.append(Machine("host", spec.get("name", "?"), _state(spec) if up else "off", addresses))
    for place in sorted(folder.balancers.glob("*/balancer.json")):
        noted = _read(place)
        up = bool(process_tags.of_machine(place.parent))
        addresses = ", ".join(noted.get("addresses", []))
        ports = "/".join(map(str, noted.get("ports", [])))
        state = ("running" if noted.get("public") else "private only") if up else "off"
        where = f"{addresses} port {ports}" if ports else addresses
        found.append(Machine("load balancer", noted.get("name", "?"), state, where))
    return sorted(found, key=lambda machine: (machine.kind, machine.name))


def host_folder(folder: Folder, name: str) -> Path:
    """Raises `LocalCloudError` when no host is called so."""
    named = {_read(file).get("name", "?"): file.parent for file in folder.hosts.glob("*/host.json")}
    if name not in named:
        raise LocalCloudError(f"there is no host {name!r}; there are: {', '.join(sorted(named)) or 'none'}")
    return named[name]


def _state(spec: Mapping[str, Any]) -> str:
    """`running`, and which of its units failed or are still on their way."""
    try:
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(2)
            asked.connect(f"{spec['run']}/systemd.sock")
            asked.sendall(json.dumps({"verb": "list", "units": []}).encode() + b"\n")
            states: dict[str, str] = json.loads(asked.makefile().readline())["states"]
    except (OSError, ValueError, KeyError):
        return "running"
    for state in ("failed", "activating"):
        of_it = [name.removesuffix(".service") for name, now in states.items() if now == state]
        if of_it:
            return f"running, {state}: {', '.join(of_it)}"
    return "running"


def _environment(folder: Folder, running: Running) -> dict[str, str]:
    """What the programs of hosts find in their environment: endpoints and whom to trust, and no credentials."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{running.ports['aws']}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "PGSSLROOTCERT": str(folder.databases / "site" / "ca.pem"),
        "SSL_CERT_FILE": str(trust(folder)),
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "TMPDIR": tempfile.gettempdir(),
    }


def _read(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return content
