"""Capacity of the local Hetzner: the server types that are sold out in a location.

No server of a sold-out type can be created in that location until it is restocked. `shortages.json` in the local
cloud's folder records this, so it survives a restart. While the local cloud runs, only its process writes the file;
commands send their request over the broker. Otherwise the commands write the file for the next start.
"""

from __future__ import annotations

import difflib
import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from localcloud.instance.control import request_change
from localcloud.instance.folder import Folder, LocalCloudError
from localcloud.instance.state import write_atomically

Kind = Literal["openly", "silently"]
"""Whether the API reports a type as sold out, or offers it and refuses to create a server."""

SELL_OUT: Final = "sell out"
RESTOCK: Final = "restock"


@dataclass(frozen=True, order=True)
class Shortage:
    server_type: str
    location: str

    def __str__(self) -> str:
        return f"{self.server_type} in {self.location}"


class Shortages:
    """The current shortages, kept in `file`, or in memory without one. Safe for threads: reading never waits."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._changing = threading.Lock()
        self._kinds = {} if file is None else _read(file)

    @classmethod
    def of(cls, folder: Folder) -> Shortages:
        return cls(_file(folder))

    def all(self) -> dict[Shortage, Kind]:
        return dict(self._kinds)

    def kind(self, server_type: str, location: str) -> Kind | None:
        """How this type is sold out in this location; None if it is available."""
        return self._kinds.get(Shortage(server_type, location))

    def sell_out(self, shortage: Shortage, kind: Kind = "openly") -> bool:
        """Record a shortage and return whether it is new. Raises `LocalCloudError` if the type is not offered."""
        check(shortage)
        with self._changing:
            if self._kinds.get(shortage) == kind:
                return False
            self._keep({**self._kinds, shortage: kind})
            return True

    def restock(self, shortages: Iterable[Shortage]) -> frozenset[Shortage]:
        """Remove shortages and return those that existed."""
        with self._changing:
            gone = frozenset(shortages) & frozenset(self._kinds)
            if gone:
                self._keep({one: kind for one, kind in self._kinds.items() if one not in gone})
            return gone

    def _keep(self, kinds: dict[Shortage, Kind]) -> None:
        if self._file is not None:
            write_atomically(self._file, _written(kinds))
        self._kinds = kinds


def check(shortage: Shortage) -> None:
    """Raise `LocalCloudError` unless Hetzner offers the type in the location."""
    from localcloud.hetzner import catalogue

    offered = {
        str(entry["name"]): [str(place["name"]) for place in entry["locations"]] for entry in catalogue.SERVER_TYPES
    }
    if shortage.server_type not in offered:
        near = difflib.get_close_matches(shortage.server_type, offered, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise LocalCloudError(f"{shortage.server_type!r} is not a server type: {hint}Allowed: {', '.join(offered)}")
    places = offered[shortage.server_type]
    if shortage.location not in places:
        raise LocalCloudError(
            f"{shortage.server_type} is not offered in {shortage.location!r}; it is offered in {', '.join(places)}"
        )


def recorded(folder: Folder) -> dict[Shortage, Kind]:
    """The shortages in `shortages.json`."""
    return _read(_file(folder))


def sell_out(folder: Folder, shortage: Shortage, kind: Kind) -> tuple[bool, bool]:
    """Return whether the shortage is new, and whether it is in effect now.

    If not, it takes effect at the next start.
    """
    check(shortage)
    asked = {"type": shortage.server_type, "location": shortage.location, "kind": kind}
    answer, in_effect = request_change(
        folder, SELL_OUT, asked, lambda: apply_request(Shortages.of(folder), SELL_OUT, asked)
    )
    return bool(answer["changed"]), in_effect


def restock(folder: Folder, shortages: Iterable[Shortage]) -> tuple[frozenset[Shortage], bool]:
    """Return the shortages that existed, and whether the change is in effect now."""
    wanted = sorted(shortages)
    for one in wanted:
        check(one)
    if folder.running() is None and not _file(folder).exists():
        return frozenset(), False
    asked = [[one.server_type, one.location] for one in wanted]
    answer, in_effect = request_change(
        folder, RESTOCK, asked, lambda: apply_request(Shortages.of(folder), RESTOCK, asked)
    )
    return frozenset(Shortage(*one) for one in answer["changed"]), in_effect


def apply_request(shortages: Shortages, verb: str, asked: Any) -> dict[str, Any]:
    """Carry out a request in the running local cloud, and return the result as plain data."""
    if verb == SELL_OUT:
        return {"changed": shortages.sell_out(Shortage(asked["type"], asked["location"]), asked["kind"])}
    gone = shortages.restock(Shortage(*one) for one in asked)
    return {"changed": [[one.server_type, one.location] for one in sorted(gone)]}


def _file(folder: Folder) -> Path:
    return folder.path / "shortages.json"


def _written(kinds: dict[Shortage, Kind]) -> bytes:
    entries = [{"type": one.server_type, "location": one.location, "kind": kind} for one, kind in sorted(kinds.items())]
    return json.dumps({"sold_out": entries}).encode()


def _read(file: Path) -> dict[Shortage, Kind]:
    try:
        content = json.loads(file.read_bytes())
        return {Shortage(one["type"], one["location"]): one["kind"] for one in content["sold_out"]}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, KeyError) as error:
        raise LocalCloudError(f"{file} cannot be read ({error}). Remove it to restore all server types") from None
