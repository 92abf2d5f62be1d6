"""Machines of the local Hetzner: whether they run, their start and their end.

`LOCALCLOUD_HOSTS` controls this. With `off`, servers and load balancers are records only. By default machines run if
HAProxy is on PATH and the system shows the environment of processes, by which they are found again.
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

# These import the emulator, which few commands need.
if TYPE_CHECKING:
    from localcloud.hetzner import Application

log = logging.getLogger(__name__)

VARIABLE = "LOCALCLOUD_HOSTS"
_SYSTEM_PROGRAMS = "/usr/sbin"  # Debian's folder of HAProxy, which is not on every user's PATH

# Files of trusted certificates: Debian and Arch, Fedora, openSUSE, and Alpine and the BSDs.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


@dataclass(frozen=True)
class Machine:
    """A machine in `localcloud status`: its addresses, whether it runs, and the units of a host that do not."""

    kind: str
    name: str
    state: str
    where: str


def run(folder: Folder, application: Application, running: Running) -> Callable[[], None]:
    """Run the machines of the records from now on. Return the function that ends them all."""
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
        if not folder.path.exists():  # deleting the folder erases all of it
            erase(folder)

    return end


def haproxy(environ: Mapping[str, str]) -> str | None:
    """Return the HAProxy to run; None if machines do not run. Raises `LocalCloudError` for a wrong setting."""
    asked = environ.get(VARIABLE, "auto")
    if asked not in ("auto", "on", "off"):
        raise LocalCloudError(f"{VARIABLE} is {asked!r}; allowed: auto (the default), on, off")
    if asked == "off":
        return None
    found = shutil.which("haproxy", path=os.pathsep.join((environ.get("PATH", ""), _SYSTEM_PROGRAMS)))
    if found is not None and process_tags.can_be_read():
        return found
    lacks = "HAProxy on PATH" if found is None else "/proc, which is needed to find a machine's processes"
    if asked == "on":
        raise LocalCloudError(f"{VARIABLE} is on, but there is no {lacks}")
    log.info("servers and load balancers are records only, because there is no %s", lacks)
    return None


def end_all(folder: Folder) -> None:
    """Cut the power of every machine, including those that a killed local cloud left behind."""
    if process_tags.can_be_read():
        process_tags.kill_all(folder.hosts)
        process_tags.kill_all(folder.balancers)


def erase(folder: Folder) -> None:
    """Delete the machines' files outside of the folder."""
    from localcloud.hosts.host import run_folder

    for place in (folder.hosts, folder.balancers):
        shutil.rmtree(run_folder(place), ignore_errors=True)


def trusted_certificates(folder: Folder) -> Path:
    """The file of trusted certificates, rebuilt when one of its sources changes."""
    given, default = os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths()
    candidates = (given if given != str(folder.trusted) else None, default.cafile, default.openssl_cafile, *_BUNDLES)
    found = next((Path(file) for file in candidates if file and Path(file).exists()), None)
    system = (found or _python_certificates()).read_bytes()
    own = folder.authority / "ca.pem"
    content = system.rstrip() + b"\n" + (own.read_bytes() if own.exists() else b"")
    if not folder.trusted.exists() or folder.trusted.read_bytes() != content:
        write_atomically(folder.trusted, content, mode=0o644)
    return folder.trusted


def _python_certificates() -> Path:
    """The certificates that come with Python's clients, for a system without any in the usual files."""
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    return Path(DEFAULT_CA_BUNDLE_PATH)


def machines(folder: Folder) -> list[Machine]:
    """All machines and their states, read from their own folders, whether or not the local cloud runs."""
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
    """Return a host's folder. Raises `LocalCloudError` if no host has this name."""
    named = {_read(file).get("name", "?"): file.parent for file in folder.hosts.glob("*/host.json")}
    if name not in named:
        raise LocalCloudError(f"there is no host {name!r}; hosts: {', '.join(sorted(named)) or 'none'}")
    return named[name]


def _state(spec: Mapping[str, Any]) -> str:
    """Return `running`, and the units that failed or are still starting."""
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
    """The environment of the hosts' programs: endpoints and trusted certificates, but no credentials."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{running.ports['aws']}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "PGSSLROOTCERT": str(folder.databases / "site" / "ca.pem"),
        "SSL_CERT_FILE": str(trusted_certificates(folder)),
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
