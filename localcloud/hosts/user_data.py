"""Parser of user data in cloud-init's format, `#cloud-config`, as far as it is supported here.

Supported: `write_files` and `runcmd`. The host's journal names every other part, whether cloud-init knows it or not:
nothing is ignored silently.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import shlex
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import yaml

_HEADER = "#cloud-config"
_PERMISSIONS = 0o644  # cloud-init's default
# Characters of a command line with a meaning for a shell. A command without them needs no shell.
_SHELL_ONLY = frozenset({"&&", "||", "|", ";", "&", ">", ">>", "<", "2>&1"})
# Keys of cloud-init without a use on a local host, because it is not a separate machine.
_NEEDLESS = frozenset({
    "apt", "apt_update", "bootcmd", "chpasswd", "ca_certs", "disable_ec2_metadata", "disable_root", "final_message",
    "fqdn", "groups", "growpart", "hostname", "keyboard", "locale", "manage_etc_hosts", "mounts", "ntp", "output",
    "package_reboot_if_required", "package_update", "package_upgrade", "packages", "power_state",
    "prefer_fqdn_over_hostname", "preserve_hostname", "resize_rootfs", "ssh", "ssh_authorized_keys", "ssh_deletekeys",
    "ssh_genkeytypes", "ssh_keys", "ssh_pwauth", "ssh_publish_hostkeys", "swap", "timezone", "user", "users",
})  # fmt: skip


@dataclass(frozen=True)
class File:
    path: str
    content: bytes
    mode: int
    append: bool = False


@dataclass(frozen=True)
class UserData:
    """`commands` are lists of words; `notes` list the unsupported parts with the reason."""

    files: tuple[File, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class _Reading:
    files: list[File] = field(default_factory=list)
    commands: list[tuple[str, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@lru_cache(maxsize=128)
def read(text: str | None) -> UserData:
    """Parse the user data of a host. A part that cannot be read is noted and skipped, like in cloud-init."""
    done = _Reading()
    if not text or not text.strip():
        done.notes.append("there is no user data")
    elif text.split("\n", 1)[0].strip() != _HEADER:
        done.notes.append(f"user data is not done here, because it does not begin with {_HEADER}")
    else:
        try:
            content = yaml.safe_load(text)
        except yaml.YAMLError as fault:
            done.notes.append(f"user data cannot be read: {' '.join(str(fault).split())}")
        else:
            _read(content, done)
    return UserData(tuple(done.files), tuple(done.commands), tuple(done.notes))


def _read(content: Any, done: _Reading) -> None:
    if not isinstance(content, dict):
        done.notes.append("user data cannot be read: it is not a mapping")
        return
    for key, value in content.items():
        if key == "write_files":
            for entry in value or []:
                _file(entry, done)
        elif key == "runcmd":
            for entry in value or []:
                _command(entry, done)
        elif key in _NEEDLESS:
            done.notes.append(f"{key} is not done here")
        else:
            done.notes.append(f"{key} is unknown, and not done")


def _file(entry: Any, done: _Reading) -> None:
    try:
        path, content = str(entry["path"]), entry.get("content") or ""
        raw = content if isinstance(content, bytes) else str(content).encode()
        match str(entry.get("encoding", "text/plain")).lower():
            case "b64" | "base64":
                raw = base64.b64decode(raw)
            case "gz+b64" | "gz+base64" | "gzip+b64" | "gzip+base64":
                raw = gzip.decompress(base64.b64decode(raw))
            case "gz" | "gzip":
                raw = gzip.decompress(raw)
            case "text/plain" | "":
                pass
            case other:
                raise ValueError(f"the encoding {other!r} is not done here")
        mode = int(str(entry.get("permissions", oct(_PERMISSIONS)[2:])), 8)
    except (KeyError, TypeError, AttributeError, ValueError, OSError, binascii.Error) as fault:
        done.notes.append(f"write_files: {str(entry)[:80]} cannot be written: {fault!r}")
        return
    if not path.startswith("/") or ".." in path.split("/"):
        done.notes.append(f"write_files: {path!r} is not an absolute path")
        return
    for key in sorted(set(entry) - {"path", "content", "encoding", "permissions", "owner", "append", "defer"}):
        done.notes.append(f"write_files: {key} of {path} is not done here")
    done.files.append(File(path, raw, mode, bool(entry.get("append"))))


def _command(entry: Any, done: _Reading) -> None:
    if isinstance(entry, list):
        done.commands.append(tuple(map(str, entry)))
        return
    try:
        words = shlex.split(str(entry), comments=True)
    except ValueError as fault:
        done.notes.append(f"runcmd: {entry!r} cannot be read: {fault}")
        return
    if not _SHELL_ONLY.isdisjoint(words) or any(mark in str(entry) for mark in ("$(", "`", "\n")):
        done.notes.append(f"runcmd: {entry!r} needs a shell, and is not done here")
    elif words:
        done.commands.append(tuple(words))
