"""Where the paths and the private addresses of a host are on this machine.

A host is no machine of its own here: it has a folder that stands for its root, and a loopback address for each private
one. So what it reads and runs is written for these places, wherever a path or an address of the host is named.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

# Of these a host shares what user data does not write: programs, libraries, certificates of the system.
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
    """`root` stands for `/`, `run` for `/run` (it is elsewhere, because the path of a socket is short).

    `own`: paths of the host; what lies below them is the host's too. `programs`: where programs of the host are here.
    `addresses`: the loopback address for each private one.
    """

    root: Path
    run: Path
    own: frozenset[str]
    programs: Mapping[str, str]
    addresses: Mapping[str, str]

    def local(self, path: str) -> Path:
        """Where a file of the host is, also one that only this host could have."""
        if path == "/run" or path.startswith("/run/"):
            return self.run / path[len("/run/") :]
        return self.root / path.lstrip("/")

    def translate(self, text: str) -> str:
        """The same text with every path and address of the host replaced by where it is here."""
        text = self._paths.sub(lambda found: self._place(found.group()), text)
        return _ADDRESS.sub(lambda found: self.addresses.get(found.group(), found.group()), text)

    def _place(self, path: str) -> str:
        return self.programs[path] if path in self.programs else str(self.local(path))

    @cached_property
    def _paths(self) -> re.Pattern[str]:
        """Each path as a word of its own, the longest first; what follows a folder's name stays."""
        folders = "|".join(re.escape(path) for path in sorted(self.own, key=len, reverse=True))
        programs = "|".join(re.escape(path) for path in sorted(self.programs, key=len, reverse=True))
        return re.compile(rf"(?<![\w./~)}}-])(?:(?:{programs})(?![\w./-])|(?:{folders})(?![\w-]|\.\w))")


def own_paths(files: Mapping[str, str]) -> frozenset[str]:
    """The paths that are a host's own: what user data writes, the folders of that, and what units are given."""
    own = {"/run", "/root", "/var/lib/amazon"}
    for path, text in files.items():
        folder = posixpath.dirname(path)
        own.add(path if folder in _SHARED else folder)
        if path.startswith(_UNIT_FOLDER):
            own.update(f"/var/lib/{name}" for line in _STATE.findall(text) for name in line.split())
    return frozenset(own)


def private_addresses(texts: Iterable[str], ranges: Iterable[str]) -> list[str]:
    """The addresses in these texts that lie in one of the networks' ranges."""
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
