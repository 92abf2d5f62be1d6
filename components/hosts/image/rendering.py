"""Render a host's user data, HAProxy configuration and fingerprint from its description."""

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

SIZE_LIMIT_BYTES: Final = 32 * 1024
"""Hetzner's limit on user data (docs.hetzner.cloud, Servers, user_data)."""

LOCK_CLASS: Final = 1112296272
"""The first key of the advisory locks of workers' slots, "BLKP" in ASCII. The second key is the slot."""

_HERE = Path(__file__).parent
_PROGRAMS = "/usr/local/lib/botbrains"
_UNITS = "/etc/systemd/system"
# The templates render configuration files, not HTML.
_TEMPLATES = Environment(  # noqa: S701
    loader=FileSystemLoader(_HERE / "templates"),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, kw_only=True)
class _File:
    """One file of a host. A `packed` file is written as gz+b64, which saves space only for large files."""

    path: str
    content: str
    mode: str
    packed: bool = False

    @property
    def base64(self) -> str:
        return _packed(self.content)


@cache
def _packed(content: str) -> str:
    """Compress a file. The result is the same on every machine and in every Python, unlike zlib's.

    A different result would change the user data, and replace the host.
    """
    import zopfli.gzip  # imported here, because most users of this module deploy nothing

    return base64.b64encode(zopfli.gzip.compress(content.encode(), numiterations=1)).decode()


def render(host: Host, enrolment: Enrolment) -> str:
    """Return the user data of a host: a cloud-config.

    The text is the same on every machine. It changes only when the enrolment or the fingerprint changes.

    Raises:
        ValueError: the text is larger than Hetzner allows.
    """
    text = _cloud_config(host, enrolment, plain=False)
    size = len(text.encode())
    if size >= SIZE_LIMIT_BYTES:
        raise ValueError(
            f"the user data of {host.name} has {size} bytes; allowed is {SIZE_LIMIT_BYTES - 1} or less. Shorten the"
            " host's programs or templates (components/hosts/image)"
        )
    return text


def fingerprint(host: Host) -> str:
    """Return the SHA-256 digest, in hexadecimal, of a host's user data without its enrolment.

    A changed fingerprint replaces the host.
    """
    return hashlib.sha256(_cloud_config(host, None, plain=True).encode()).hexdigest()


def haproxy_configuration(host: ApiHost) -> str:
    """Return the HAProxy configuration of an API host."""
    return _template("haproxy.cfg", host)


def standby_threshold(host: ApiHost) -> int:
    """Return the number of healthy actives that keep a standby idle: all for the first, one fewer for the second, ...

    Raises:
        ValueError: the host is not a standby.
    """
    if host.standby is None:
        raise ValueError(f"standby of {host.name} is None, so it is an active host; allowed is a standby")
    # With more standbys than actives, the surplus standbys take requests when the last active is down.
    return max(1, len(host.actives) - (host.standby - 1))


def _cloud_config(host: Host, enrolment: Enrolment | None, *, plain: bool) -> str:
    units = ["haproxy", "botbrains-app", "botbrains-drain"] if isinstance(host, ApiHost) else ["botbrains-worker"]
    # In the order in which they start. The order is for readers: systemd takes its own from the units.
    units = ["botbrains-enrol", "botbrains-settings", "botbrains-logs", *units]
    return _template(
        "cloud-config.yaml",
        host,
        files=_files(host, enrolment, units),
        units=[f"{unit}.service" for unit in units],
        plain=plain,
    )


def _files(host: Host, enrolment: Enrolment | None, units: list[str]) -> list[_File]:
    own = ["drain"] if isinstance(host, ApiHost) else ["database_user", "worker_turn"]
    programs = ["enrol", "fetch_settings", "ship_logs", *own]
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
        more["drain_seconds"] = timing.drain_seconds(api)
        more["finishing_seconds"] = timing.finishing_seconds(api)
        more["rise"] = timing.rise(api)
        more["threshold"] = None if api.standby is None else standby_threshold(api)
    return _TEMPLATES.get_template(f"{name}.j2").render(
        host=host, api=api, worker=worker, timing=timing, lock_class=LOCK_CLASS, programs=_PROGRAMS, **more
    )
