"""Where Pulumi's own state lives, made and checked: in the recovery region, with a replica in the home region.

It comes before every stack, so it is no stack's. One table of properties says what has to be; making and checking both
follow it. Nothing that exists is deleted, and what is somebody else's is left to a person.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from continuity.errors import CannotLookError, ConflictError, NotThereError, RefusedError, UnfinishedError
from continuity.state_backend.buckets import Bucket
from continuity.state_backend.config import Site
from continuity.state_backend.desired import EXISTENCE, Finding, Property, Thing
from continuity.state_backend.keys import Keys
from continuity.state_backend.keys import properties as keys_properties
from continuity.state_backend.replication import Replication, Role

# AWS shows a change everywhere within seconds; IAM takes longest.
_PATIENCE: Final = 60.0  # seconds
_LOOK_AGAIN: Final = 1.0  # seconds
# What AWS answers while something that was just made is not known everywhere yet.
_SETTLING: Final = frozenset({"NoSuchEntity", "NotFoundException", "NoSuchBucket", "OperationAborted"})


@dataclass(frozen=True)
class Looked:
    """What a look found, thing by thing, in the order in which they are made."""

    things: tuple[Thing, ...]
    findings: tuple[Finding, ...]
    unknown: tuple[str, ...]
    """Where it could not be looked, and why."""

    @property
    def right(self) -> bool:
        return not self.findings and not self.unknown

    def as_data(self) -> dict[str, Any]:
        return {
            "right": self.right,
            "findings": [finding.as_data() for finding in self.findings],
            "could_not_look": list(self.unknown),
        }


def table(site: Site) -> list[Property]:
    """Everything that has to be, in the order in which it can be made."""
    keys = Keys(site)
    state = Bucket(site, Thing("state bucket", site.bucket, site.recovery), lambda: keys.arn(site.recovery))
    replica = Bucket(site, Thing("replica bucket", site.replica_bucket, site.home), lambda: keys.arn(site.home))
    return [
        *keys_properties(site, keys),
        *state.properties(),
        *replica.properties(),
        *Role(site, keys).properties(),
        *Replication(site, keys, state).properties(),
    ]


def look(site: Site) -> Looked:
    """Look at everything. What cannot be looked at is said once for each place, and the rest is looked at."""
    site.aws.forget()
    properties, unknown = table(site), dict[str, str]()
    findings = list(_findings(properties, unknown))
    things = tuple(dict.fromkeys(each.thing for each in properties))
    return Looked(things, tuple(findings), tuple(f"{where}: {why}" for where, why in unknown.items()))


def _findings(properties: Sequence[Property], unknown: dict[str, str]) -> Iterator[Finding]:
    missing: set[Thing] = set()
    for each in properties:
        if each.thing in missing:
            continue
        try:
            finding = each.look()
        except NotThereError:
            continue  # what it depends on is missing, and is found to be
        except CannotLookError as error:
            unknown.setdefault(error.where, error.why)
            continue
        if finding is not None:
            if each.name == EXISTENCE:
                missing.add(each.thing)
            yield finding


def make(site: Site, say: Callable[[str], None]) -> int:
    """Make what is missing and mend what is wrong, in the order of the table. Gives the number of steps that it took.

    Each step looks first, so it may be broken off anywhere and run again.

    Raises:
        ConflictError: something is somebody else's.
        CloudError: AWS refuses a step.
        UnfinishedError: AWS stopped answering, or something else changes the same things.
    """
    site.aws.forget()  # what was seen before the question was answered may have changed since
    steps = 0
    for each in table(site):
        finding = _look(each)
        if finding is None:
            continue
        if finding.by_hand:
            raise ConflictError(finding.sentence())
        say(f"{each.thing}: {each.name}: {finding.found} -> {finding.wanted}")
        _make(site, each)
        steps += 1
    return steps


def _make(site: Site, wanted: Property) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with _in_words(wanted):
                wanted.make()
            break
        except RefusedError as error:
            if error.answer not in _SETTLING or time.monotonic() > deadline:
                raise
        time.sleep(_LOOK_AGAIN)
    while (finding := _look(wanted)) is not None:
        if time.monotonic() > deadline:
            raise UnfinishedError(
                f"{wanted.thing}: {wanted.name} was set, and is still {finding.found} after {_PATIENCE:.0f} s: run "
                "`continuity bootstrap` again, it goes on from here"
            )
        time.sleep(_LOOK_AGAIN)
        site.aws.forget()


def _look(each: Property) -> Finding | None:
    with _in_words(each):
        return each.look()


@contextmanager
def _in_words(each: Property) -> Iterator[None]:
    """Name the step that could not be ended, and what to do then."""
    try:
        yield
    except CannotLookError as error:
        raise UnfinishedError(
            f"{each.thing}: {each.name}: {error}. What was made so far stays: run `continuity bootstrap` again, it "
            "goes on from here"
        ) from None
    except NotThereError:
        raise UnfinishedError(
            f"{each.thing}: {each.name} depends on something that was there and is gone: somebody else is changing it. "
            "Run `continuity bootstrap` again"
        ) from None
