"""What Hetzner has sold out: a type of server in a location. No server of it can be made there until it is restocked.

It stands in `shortages.json` in the local cloud's folder, so a restart changes nothing about it. While the local cloud
runs it alone writes that file, and is asked to over the broker; else the commands write it, for the next start.
"""

from __future__ import annotations

import difflib
import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from localcloud.instance.control import in_folder
from localcloud.instance.folder import Folder, LocalCloudError
from localcloud.instance.state import write_atomically

Kind = Literal["openly", "silently"]
"""Whether the API says that a type is sold out, or offers it and refuses who takes the offer up."""

SELL_OUT: Final = "sell out"
RESTOCK: Final = "restock"


@dataclass(frozen=True, order=True)
class Shortage:
    server_type: str
    location: str

    def __str__(self) -> str:
        return f"{self.server_type} in {self.location}"


class Shortages:
    """What is sold out now, kept in `file`; without one, in memory. Safe for threads: asking never waits."""

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
        """How this type is sold out in this location; None when it can be had."""
        return self._kinds.get(Shortage(server_type, location))

    def sell_out(self, shortage: Shortage, kind: Kind = "openly") -> bool:
        """Whether that is new. `LocalCloudError` for what is not offered at all."""
        check(shortage)
        with self._changing:
            if self._kinds.get(shortage) == kind:
                return False
            self._keep({**self._kinds, shortage: kind})
            return True

    def restock(self, shortages: Iterable[Shortage]) -> frozenset[Shortage]:
        """Those of them that were sold out."""
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
    """Whether Hetzner offers the type there, so that it can run out of it."""
    from localcloud.hetzner import catalogue

    offered = {
        str(entry["name"]): [str(place["name"]) for place in entry["locations"]] for entry in catalogue.SERVER_TYPES
    }
    if shortage.server_type not in offered:
        near = difflib.get_close_matches(shortage.server_type, offered, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise LocalCloudError(f"{shortage.server_type!r} is no type of server: {hint}Allowed: {', '.join(offered)}")
    places = offered[shortage.server_type]
    if shortage.location not in places:
        raise LocalCloudError(
            f"{shortage.server_type} is not offered in {shortage.location!r}; it is in {', '.join(places)}"
        )


def noted(folder: Folder) -> dict[Shortage, Kind]:
    """What `shortages.json` says is sold out."""
    return _read(_file(folder))


def sell_out(folder: Folder, shortage: Shortage, kind: Kind) -> tuple[bool, bool]:
    """Whether that is new, and whether it is in force: else a local cloud that starts will honour it."""
    check(shortage)
    asked = {"type": shortage.server_type, "location": shortage.location, "kind": kind}
    answer, in_force = in_folder(folder, SELL_OUT, asked, lambda: answer_to(Shortages.of(folder), SELL_OUT, asked))
    return bool(answer["changed"]), in_force


def restock(folder: Folder, shortages: Iterable[Shortage]) -> tuple[frozenset[Shortage], bool]:
    """Those that were sold out, and whether it is in force."""
    wanted = sorted(shortages)
    for one in wanted:
        check(one)
    if folder.running() is None and not _file(folder).exists():
        return frozenset(), False
    asked = [[one.server_type, one.location] for one in wanted]
    answer, in_force = in_folder(folder, RESTOCK, asked, lambda: answer_to(Shortages.of(folder), RESTOCK, asked))
    return frozenset(Shortage(*one) for one in answer["changed"]), in_force


def answer_to(shortages: Shortages, verb: str, asked: Any) -> dict[str, Any]:
    """What the running local cloud does when it is asked to, as plain data."""
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
        raise LocalCloudError(f"{file} cannot be read ({error}): remove it, and nothing is sold out") from None
