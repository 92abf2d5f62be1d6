"""What is cut off: whole clouds, and regions of AWS. A call there fails as a dead endpoint does, until it is restored.

It stands in `cuts.json` in the local cloud's folder, so a restart changes nothing about it. While the local cloud runs
it alone writes that file, and is asked to over the broker; else the commands write it, for the next start.
"""

from __future__ import annotations

import difflib
import json
import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from localcloud.instance.control import in_folder
from localcloud.instance.folder import CLOUDS, Folder, LocalCloudError
from localcloud.instance.state import write_atomically

log = logging.getLogger(__name__)

Verb = Literal["cut", "restore"]
IsDead = Callable[[str], bool]
"""Whether an AWS region is dead now. It stays true to what is cut, so it may be kept and asked again."""


@cache
def regions() -> frozenset[str]:
    """Every region that the local AWS knows: those of EC2, in all partitions, that botocore knows, as moto does."""
    import botocore.session  # it takes a while to load, and few commands need it

    session = botocore.session.get_session()
    return frozenset(
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("ec2", partition)
    )


def noted(folder: Folder) -> tuple[str, ...]:
    """What `cuts.json` says is cut, in the order of the alphabet."""
    return tuple(sorted(_read(_file(folder))))


class Cuts:
    """What is cut now, kept in `file`. Safe for threads: asking never waits, and changes come one after the other.

    `listeners` are called with `is_dead` by `announce` and, once a change is in force, by `cut` and `restore` before
    these return. They may be called again with nothing changed.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._changing = threading.Lock()
        self._targets = _read(file)
        self.listeners: list[Callable[[IsDead], None]] = []
        try:
            _check(self._targets)
        except LocalCloudError as unknown:
            raise LocalCloudError(f"{file}: {unknown}. Correct the file, or remove it") from None

    @classmethod
    def of(cls, folder: Folder) -> Cuts:
        return cls(_file(folder))

    def targets(self) -> frozenset[str]:
        return self._targets

    def is_cut(self, cloud: str, region: str | None = None) -> bool:
        """Whether this cloud is cut off as a whole, or this region of AWS is."""
        targets = self._targets
        return cloud in targets or (cloud == "aws" and region in targets)

    def is_dead(self, region: str) -> bool:
        """Whether this region of AWS is cut off, by itself or with all of AWS."""
        return self.is_cut("aws", region)

    def cut(self, *targets: str) -> frozenset[str]:
        """Cut these off; gives those that were not yet. `LocalCloudError` for what cannot be cut, before any is."""
        return self._change(targets, lambda now, asked: now | asked)

    def restore(self, *targets: str) -> frozenset[str]:
        """Let calls to these through again; gives those that were cut. Refuses like `cut`."""
        return self._change(targets, lambda now, asked: now - asked)

    def announce(self) -> None:
        """Tell every listener. One that fails keeps no other from hearing of it; the failures are raised at the end."""
        failures = []
        for listener in self.listeners:
            try:
                listener(self.is_dead)
            except Exception as fault:
                log.exception("what is cut changed")
                failures.append(f"{type(fault).__name__}: {fault}")
        if failures:
            raise LocalCloudError(
                f"calls are cut off as asked ({', '.join(sorted(self._targets)) or 'nothing is'}), but not everything "
                f"behind them could follow: {'; '.join(failures)}. Ask again, or see the log"
            )

    def _change(
        self, targets: Iterable[str], change: Callable[[frozenset[str], frozenset[str]], frozenset[str]]
    ) -> frozenset[str]:
        asked = frozenset(targets)
        _check(asked)
        with self._changing:
            before = self._targets
            after = change(before, asked)
            if after != before:
                write_atomically(self._file, json.dumps({"cut": sorted(after)}).encode())
                self._targets = after
            self.announce()  # also when nothing changed: what could not follow before gets another chance
        return before ^ after


@dataclass(frozen=True)
class Changed:
    """What a command did: the targets that it changed, what is cut now, and whether a local cloud runs to obey."""

    changed: frozenset[str]
    cut: frozenset[str]
    in_force: bool


def change(folder: Folder, verb: Verb, targets: Iterable[str]) -> Changed:
    """Cut or restore. In force when this returns if the local cloud runs, else noted for its next start.

    Raises `LocalCloudError` for what cannot be cut, and for a local cloud that does not answer.
    """
    asked = sorted(set(targets))
    if folder.running() is None:
        _check(asked)
        if verb == "restore" and not _file(folder).exists():
            return Changed(frozenset(), frozenset(), in_force=False)
    answer, in_force = in_folder(folder, verb, asked, lambda: answer_to(Cuts.of(folder), verb, asked))
    return Changed(frozenset(answer["changed"]), frozenset(answer["cut"]), in_force)


def answer_to(cuts: Cuts, verb: Verb, targets: Iterable[str]) -> dict[str, Any]:
    """What the running local cloud does when it is asked to, as plain data."""
    changed = cuts.cut(*targets) if verb == "cut" else cuts.restore(*targets)
    return {"changed": sorted(changed), "cut": sorted(cuts.targets())}


def _file(folder: Folder) -> Path:
    return folder.path / "cuts.json"


def _read(file: Path) -> frozenset[str]:
    try:
        content = json.loads(file.read_bytes())
        return frozenset(map(str, content["cut"]))
    except FileNotFoundError:
        return frozenset()
    except (ValueError, TypeError, KeyError) as error:
        raise LocalCloudError(f"{file} cannot be read ({error}): remove it, and nothing is cut") from None


def _check(targets: Iterable[str]) -> None:
    for target in sorted(targets):
        if target in CLOUDS or target in regions():
            continue
        near = difflib.get_close_matches(target, [*CLOUDS, *sorted(regions())], n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise LocalCloudError(
            f"{target!r} is nothing that can be cut: {hint}Allowed: {', '.join(CLOUDS)}, or a region of AWS: "
            f"{', '.join(sorted(regions()))}"
        )
