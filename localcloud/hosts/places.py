"""Local places of a host: its paths and private addresses on this machine.

A host is not a separate machine here. It has a folder in place of its root, and a loopback address in place of each
private one. So wherever the user data names a path or an address of the host, the local one is written instead.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

# In these folders, a host shares every file that its user data does not write: programs, libraries, system
# certificates.
_SHARED = frozenset({
    "/", "/bin", "/boot", "/dev", "/etc", "/etc/ssl", "/etc/ssl/certs", "/home", "/lib", "/lib64", "/mnt", "/opt",
    "/proc", "/sbin", "/srv", "/sys", "/usr", "/usr/bin", "/usr/lib", "/usr/lib64", "/usr/local",
    "/usr/local/bin", "/usr/local/lib", "/usr/local/sbin", "/usr/local/share", "/usr/sbin", "/usr/share", "/var",
    "/var/lib", "/var/log",
})  # fmt: skip
_ADDRESS = re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d{1,3}){3})(?![\w]|\.\d|/\d)")
_UNIT_FOLDER = "/etc/systemd/system/"
_STATE = re.compile(r"^StateDirectory=(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Places:
    """`root` replaces `/`, and `run` replaces `/run` (a separate folder, because a socket's path must be short).

    `own`: paths of the host, including the paths below them.
    `programs`: the local paths of the host's programs.
    `addresses`: the loopback address for each private one.
    """

    root: Path
    run: Path
    own: frozenset[str]
    programs: Mapping[str, str]
    addresses: Mapping[str, str]

    def local(self, path: str) -> Path:
        """The local path of a file of the host, even if only this host could have it."""
        if path == "/run" or path.startswith("/run/"):
            return self.run / path[len("/run/") :]
        return self.root / path.lstrip("/")

    def translate(self, text: str) -> str:
        """Return the text with every path and address of the host replaced by the local one."""
        text = self._paths.sub(lambda found: self._place(found.group()), text)
        return _ADDRESS.sub(lambda found: self.addresses.get(found.group(), found.group()), text)

    def _place(self, path: str) -> str:
        return self.programs[path] if path in self.programs else str(self.local(path))

    @cached_property
    def _paths(self) -> re.Pattern[str]:
        """Match each path as a separate word, the longest first. The text after a folder's name stays."""
        folders = "|".join(re.escape(path) for path in sorted(self.own, key=len, reverse=True))
        programs = "|".join(re.escape(path) for path in sorted(self.programs, key=len, reverse=True))
        return re.compile(rf"(?<![\w./~)}}-])(?:(?:{programs})(?![\w./-])|(?:{folders})(?![\w-]|\.\w))")


def own_paths(files: Mapping[str, str]) -> frozenset[str]:
    """The paths that only the host has: files that user data writes, their folders, and the directories of units."""
    own = {"/run", "/root", "/var/lib/amazon"}
    for path, text in files.items():
        folder = posixpath.dirname(path)
        own.add(path if folder in _SHARED else folder)
        if path.startswith(_UNIT_FOLDER):
            own.update(f"/var/lib/{name}" for line in _STATE.findall(text) for name in line.split())
    return frozenset(own)


def private_addresses(texts: Iterable[str], ranges: Iterable[str]) -> list[str]:
    """The addresses in these texts that are in the range of a network."""
    networks = [ipaddress.ip_network(range_) for range_ in ranges]
    found: dict[str, None] = {}
    for text in texts:
        for word in _ADDRESS.findall(text):
            try:
                address = ipaddress.ip_address(word)
            except ValueError:
                continue
            if any(address in network for network in networks):
                found[word] = None
    return list(found)
