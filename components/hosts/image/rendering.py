"""From a host's description to what is written to it."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from components.hosts.image import timing
from components.hosts.image.hosts import ApiHost, Enrolment, Host, WorkerHost
from components.hosts.image.timing import drain_seconds

__all__ = ["SIZE_LIMIT_BYTES", "drain_seconds", "fingerprint", "haproxy_configuration", "render", "standby_threshold"]

SIZE_LIMIT_BYTES: Final = 32 * 1024
"""What Hetzner takes as user data (docs.hetzner.cloud, Servers, user_data)."""

LOCK_CLASS: Final = 1112296272
"""The first key of the advisory locks of workers' slots, "BLKP" in ASCII; the second is the slot."""

_HERE = Path(__file__).parent
_PROGRAMS = "/usr/local/lib/botbrains"
_UNITS = "/etc/systemd/system"
# What they make is configuration, and no HTML.
_TEMPLATES = Environment(  # noqa: S701
    loader=FileSystemLoader(_HERE / "templates"),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, kw_only=True)
class _File:
    """One file of a host. `packed` says whether it is written as gz+b64, which only the large ones are worth."""

    path: str
    content: str
    mode: str
    packed: bool = False

    @property
    def base64(self) -> str:
        return _packed(self.content)


@cache
def _packed(content: str) -> str:
    """The same on every machine and in every Python, as zlib's are not: another user data would be another host."""
    import zopfli.gzip  # only what is deployed is packed, and most of what looks at hosts deploys nothing

    return base64.b64encode(zopfli.gzip.compress(content.encode(), numiterations=1)).decode()


def render(host: Host, enrolment: Enrolment) -> str:
    """The user data of a host: a cloud-config.

    The same host gives the same text on every machine, and another one only with another enrolment or fingerprint.

    Raises:
        ValueError: it is larger than Hetzner takes.
    """
    text = _cloud_config(host, enrolment, plain=False)
    size = len(text.encode())
    if size >= SIZE_LIMIT_BYTES:
        raise ValueError(f"the user data of {host.name} are {size} bytes; allowed are {SIZE_LIMIT_BYTES - 1}")
    return text


def fingerprint(host: Host) -> str:
    """SHA-256, in hexadecimal, of all that a host is told but its enrolment: another one means another host."""
    return hashlib.sha256(_cloud_config(host, None, plain=True).encode()).hexdigest()


def haproxy_configuration(host: ApiHost) -> str:
    """What HAProxy runs with on an API host."""
    return _template("haproxy.cfg", host)


def standby_threshold(host: ApiHost) -> int:
    """How many healthy actives keep a standby back: all of them for the first, one fewer for the second, and so on.

    Raises:
        ValueError: the host is no standby.
    """
    if host.standby is None:
        raise ValueError(f"{host.name} is an active host; only a standby is kept back")
    # One that came after as many standbys as there are actives steps in with the last of them, instead of never.
    return max(1, len(host.actives) - (host.standby - 1))


def _cloud_config(host: Host, enrolment: Enrolment | None, *, plain: bool) -> str:
    units = ["haproxy", "botbrains-app", "botbrains-drain"] if isinstance(host, ApiHost) else ["botbrains-worker"]
    # In the order of starting, as far as there is one: systemd knows it from the units, people read it here.
    units = ["botbrains-enrol", "botbrains-settings", "botbrains-logs", *units]
    return _template(
        "cloud-config.yaml",
        host,
        files=_files(host, enrolment, units),
        units=[f"{unit}.service" for unit in units],
        plain=plain,
    )


def _files(host: Host, enrolment: Enrolment | None, units: list[str]) -> list[_File]:
    programs = ["enrol", "fetch_settings", "ship_logs", "drain" if isinstance(host, ApiHost) else "worker_turn"]
    configuration = {
        "/etc/ssh/sshd_config.d/10-botbrains.conf": "sshd.conf",
        "/etc/nftables.conf": "nftables.conf",
        "/etc/sysctl.d/60-botbrains.conf": "sysctl.conf",
        "/etc/systemd/journald.conf.d/botbrains.conf": "journald.conf",
        "/etc/apt/apt.conf.d/60-botbrains": "apt.conf",
        "/etc/containers/containers.conf.d/botbrains.conf": "containers.conf",
    }
    if isinstance(host, ApiHost):
        configuration["/etc/haproxy/haproxy.cfg"] = "haproxy.cfg"
    files = [
        _File(path=path, content=_template(template, host), mode="0644", packed=template == "haproxy.cfg")
        for path, template in configuration.items()
    ]
    files += [
        _File(path=f"{_UNITS}/{unit}.service", content=_template(f"{unit}.service", host), mode="0644")
        for unit in units
    ]
    files += [
        _File(
            path=f"{_PROGRAMS}/{program}.py",
            content=(_HERE / "programs" / f"{program}.py").read_text(encoding="utf-8"),
            mode="0755",
            packed=True,
        )
        for program in programs
    ]
    if enrolment is not None:
        content = _TEMPLATES.get_template("enrolment.json.j2").render(enrolment=enrolment)
        files.append(_File(path="/etc/botbrains/enrolment.json", content=content, mode="0600"))
    return files


def _template(name: str, host: Host, **more: Any) -> str:
    api = host if isinstance(host, ApiHost) else None
    worker = host if isinstance(host, WorkerHost) else None
    if api is not None:
        more["drain_seconds"] = drain_seconds(api)
        more["finishing_seconds"] = timing.finishing_seconds(api)
        more["rise"] = timing.rise(api)
        more["threshold"] = None if api.standby is None else standby_threshold(api)
    return _TEMPLATES.get_template(f"{name}.j2").render(
        host=host, api=api, worker=worker, timing=timing, lock_class=LOCK_CLASS, programs=_PROGRAMS, **more
    )
