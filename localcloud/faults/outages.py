"""Outages: whole clouds and AWS regions that are cut off. A call to one gets no answer until it is restored.

`cuts.json` in the local cloud's folder records them, so they survive a restart. While the local cloud runs, only its
process writes the file; commands send their request over the broker. Otherwise the commands write the file for the next
start.
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

from localcloud.instance.control import request_change
from localcloud.instance.folder import CLOUDS, Folder, LocalCloudError
from localcloud.instance.state import write_atomically

log = logging.getLogger(__name__)

Verb = Literal["cut", "restore"]
IsDead = Callable[[str], bool]
"""Whether an AWS region is unreachable now. The function follows later changes, so it may be kept and called again."""


@cache
def regions() -> frozenset[str]:
    """Every region of the local AWS: botocore's regions of EC2 in all partitions, like moto's."""
    import botocore.session  # it loads slowly, and few commands need it

    session = botocore.session.get_session()
    return frozenset(
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("ec2", partition)
    )


def recorded(folder: Folder) -> tuple[str, ...]:
    """The targets in `cuts.json`, sorted."""
    return tuple(sorted(_read(_file(folder))))


class Outages:
    """The current outages, kept in `file`. Safe for threads: reading never waits, and changes run one after the other.

    `announce` calls the `listeners` with `is_dead`. `cut` and `restore` also call them, after a change takes effect and
    before they return. A listener may be called although nothing changed.
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
    def of(cls, folder: Folder) -> Outages:
        return cls(_file(folder))

    def targets(self) -> frozenset[str]:
        return self._targets

    def is_cut(self, cloud: str, region: str | None = None) -> bool:
        """Whether the cloud is cut off as a whole, or this AWS region is."""
        targets = self._targets
        return cloud in targets or (cloud == "aws" and region in targets)

    def is_dead(self, region: str) -> bool:
        """Whether this AWS region is cut off, by itself or with all of AWS."""
        return self.is_cut("aws", region)

    def cut(self, *targets: str) -> frozenset[str]:
        """Cut targets off and return the new ones. An unknown target raises `LocalCloudError` and changes nothing."""
        return self._change(targets, lambda now, asked: now | asked)

    def restore(self, *targets: str) -> frozenset[str]:
        """Restore targets and return those that were cut off. Raises `LocalCloudError` like `cut`."""
        return self._change(targets, lambda now, asked: now - asked)

    def announce(self) -> None:
        """Call every listener. If one fails, the others are still called, and the failures are raised at the end."""
        failures = []
        for listener in self.listeners:
            try:
                listener(self.is_dead)
            except Exception as fault:
                log.exception("a listener failed after a change of the outages")
                failures.append(f"{type(fault).__name__}: {fault}")
        if failures:
            raise LocalCloudError(
                f"the outages are in effect ({', '.join(sorted(self._targets)) or 'none'}), but parts of the local "
                f"cloud could not follow: {'; '.join(failures)}. Repeat the command, or see the log"
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
            self.announce()  # also without a change: a listener that failed before is called again
        return before ^ after


@dataclass(frozen=True)
class Changed:
    """Result of a command: the changed targets, all targets that are cut off, and whether a local cloud runs."""

    changed: frozenset[str]
    cut: frozenset[str]
    in_effect: bool


def change(folder: Folder, verb: Verb, targets: Iterable[str]) -> Changed:
    """Cut off or restore. This takes effect before it returns if the local cloud runs, or else at its next start.

    Raises `LocalCloudError` for an unknown target, and if the local cloud does not answer.
    """
    asked = sorted(set(targets))
    if folder.running() is None:
        _check(asked)
        if verb == "restore" and not _file(folder).exists():
            return Changed(frozenset(), frozenset(), in_effect=False)
    answer, in_effect = request_change(folder, verb, asked, lambda: apply_request(Outages.of(folder), verb, asked))
    return Changed(frozenset(answer["changed"]), frozenset(answer["cut"]), in_effect)


def apply_request(outages: Outages, verb: Verb, targets: Iterable[str]) -> dict[str, Any]:
    """Carry out a request in the running local cloud, and return the result as plain data."""
    changed = outages.cut(*targets) if verb == "cut" else outages.restore(*targets)
    return {"changed": sorted(changed), "cut": sorted(outages.targets())}


def _file(folder: Folder) -> Path:
    return folder.path / "cuts.json"


def _read(file: Path) -> frozenset[str]:
    try:
        content = json.loads(file.read_bytes())
        return frozenset(map(str, content["cut"]))
    except FileNotFoundError:
        return frozenset()
    except (ValueError, TypeError, KeyError) as error:
        raise LocalCloudError(f"{file} cannot be read ({error}). Remove it to end all outages") from None


def _check(targets: Iterable[str]) -> None:
    for target in sorted(targets):
        if target in CLOUDS or target in regions():
            continue
        near = difflib.get_close_matches(target, [*CLOUDS, *sorted(regions())], n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise LocalCloudError(
            f"{target!r} cannot be cut off: {hint}Allowed: {', '.join(CLOUDS)}, or an AWS region: "
            f"{', '.join(sorted(regions()))}"
        )
