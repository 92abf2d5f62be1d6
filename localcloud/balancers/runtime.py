"""Queries to a running HAProxy over its socket (HAProxy's management guide, section 9)."""

from __future__ import annotations

import csv
import io
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from localcloud.balancers.configuration import Configuration

_PATIENCE = 2.0
_STATE_VERSION = "1"
# The fields of `show servers state`. The fields up to the check's health are carried over to the next worker.
_OPERATIONAL, _HEALTH, _PORT, _ADDRESS = 5, 12, 18, 4
_CHECKED = "6"  # a check is configured and enabled


@dataclass(frozen=True)
class Health:
    """The health of a server in one service: HAProxy's status, such as `UP 1/2`, and the result of the last check."""

    status: str
    check: str

    @property
    def up(self) -> bool | None:
        """Whether it is up; None before the first check is complete."""
        if self.check in ("", "INI"):
            return None
        return self.status.startswith("UP")


def query(path: Path, command: str) -> str:
    """Send a command and return the answer. Raises `OSError` if the socket does not answer."""
    with socket.socket(socket.AF_UNIX) as asked:
        asked.settimeout(_PATIENCE)
        asked.connect(str(path))
        asked.sendall(command.encode() + b"\n")
        answer = b""
        while part := asked.recv(1 << 16):
            answer += part
    return answer.decode()


def revision(path: Path) -> str:
    """The revision of the configuration that the answering process runs with."""
    said = (line.partition(": ") for line in query(path, "show info").splitlines())
    return next((value for name, _, value in said if name == "description"), "")


def server_health(path: Path) -> dict[tuple[str, str], Health]:
    """The health of each server, by the names of service and server."""
    table = csv.DictReader(io.StringIO(query(path, "show stat").removeprefix("# ")))
    return {
        (row["pxname"], row["svname"]): Health(row["status"], row["check_status"].removeprefix("* "))
        for row in table
        if row["svname"] not in ("FRONTEND", "BACKEND")
    }


def known_states(path: Path) -> dict[tuple[str, str, str], list[str]]:
    """The state of each server: its fields, by service name, server name and address."""
    known = {}
    for line in query(path, "show servers state").splitlines():
        fields = line.split()
        if len(fields) > _PORT and not line.startswith("#"):
            known[fields[1], fields[3], f"{fields[_ADDRESS]}:{fields[_PORT]}"] = fields
    return known


def states(configuration: Configuration, known: Mapping[tuple[str, str, str], list[str]]) -> str:
    """The state file for the next process. A server without a known state starts as down."""
    lines = [_STATE_VERSION]
    for service in configuration.services:
        for number, server in enumerate(configuration.servers, 1):
            key = service.name, server.name, f"{server.address}:{service.destination_port}"
            fields = known.get(key)
            operational, health = (fields[_OPERATIONAL], fields[_HEALTH]) if fields else ("0", "0")
            lines.append(
                f"0 {service.name} {number} {server.name} {server.address} {operational} 0 1 1 0 "
                f"{'1 0' if fields is None else ' '.join(fields[10:12])} {health} {_CHECKED} 0 0 0 - "
                f"{service.destination_port} - 0 0 - - 0"
            )
    return "\n".join(lines) + "\n"
