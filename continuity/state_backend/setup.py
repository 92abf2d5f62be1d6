"""Create and check the backend for Pulumi's state: in the recovery region, with a replica in the home region.

It exists before every stack, so no stack declares it. One table of desired properties drives both the creation and the
check. Nothing that exists is deleted. Resources of a different owner are left to the operator.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from continuity.errors import CannotLookError, ConflictError, NotThereError, RefusedError, UnfinishedError
from continuity.state_backend.buckets import Bucket
from continuity.state_backend.config import StateBackendConfig
from continuity.state_backend.desired import EXISTENCE, Finding, Property, Resource
from continuity.state_backend.keys import Keys
from continuity.state_backend.keys import properties as keys_properties
from continuity.state_backend.replication import Replication, Role

# AWS shows a change everywhere within seconds; IAM takes longest.
_PATIENCE_SECONDS: Final = 60.0
_RETRY_SECONDS: Final = 1.0
# AWS answers with these codes until a new resource is known everywhere.
_SETTLING: Final = frozenset({"NoSuchEntity", "NotFoundException", "NoSuchBucket", "OperationAborted"})


@dataclass(frozen=True)
class Inspection:
    """The resources in the order of their creation, and the findings about them."""

    resources: tuple[Resource, ...]
    findings: tuple[Finding, ...]
    unknown: tuple[str, ...]
    """Regions that could not be read, and the reasons."""

    @property
    def passed(self) -> bool:
        return not self.findings and not self.unknown

    def as_data(self) -> dict[str, Any]:
        return {
            "right": self.passed,
            "findings": [finding.as_data() for finding in self.findings],
            "could_not_look": list(self.unknown),
        }


def desired_properties(config: StateBackendConfig) -> list[Property]:
    """All properties, in an order in which they can be applied."""
    keys = Keys(config)
    state = Bucket(config, Resource("state bucket", config.bucket, config.recovery), lambda: keys.arn(config.recovery))
    replica = Bucket(
        config, Resource("replica bucket", config.replica_bucket, config.home), lambda: keys.arn(config.home)
    )
    return [
        *keys_properties(config, keys),
        *state.properties(),
        *replica.properties(),
        *Role(config, keys).properties(),
        *Replication(config, keys, state).properties(),
    ]


def inspect(config: StateBackendConfig) -> Inspection:
    """Inspect all properties. A region that cannot be read is reported once, and the others are read."""
    config.aws.clear_cache()
    properties, unknown = desired_properties(config), dict[str, str]()
    findings = list(_findings(properties, unknown))
    resources = tuple(dict.fromkeys(each.resource for each in properties))
    return Inspection(resources, tuple(findings), tuple(f"{where}: {why}" for where, why in unknown.items()))


def _findings(properties: Sequence[Property], unknown: dict[str, str]) -> Iterator[Finding]:
    missing: set[Resource] = set()
    for each in properties:
        if each.resource in missing:
            continue
        try:
            finding = each.inspect()
        except NotThereError:
            continue  # the missing dependency has its own finding
        except CannotLookError as error:
            unknown.setdefault(error.where, error.why)
            continue
        if finding is not None:
            if each.name == EXISTENCE:
                missing.add(each.resource)
            yield finding


def apply(config: StateBackendConfig, say: Callable[[str], None]) -> int:
    """Create missing resources and correct wrong properties, in the order of the table. Return the number of steps.

    Each step inspects its property first, so the function may be interrupted anywhere and run again.

    Raises:
        ConflictError: a resource has a different owner.
        CloudError: AWS refuses a step.
        UnfinishedError: AWS stopped answering, or a different program changes the same resources.
    """
    config.aws.clear_cache()  # the resources may have changed while the operator answered the prompt
    steps = 0
    for each in desired_properties(config):
        finding = _inspect(each)
        if finding is None:
            continue
        if finding.by_hand:
            raise ConflictError(finding.sentence())
        say(f"{each.resource}: {each.name}: {finding.actual} -> {finding.desired}")
        _apply(config, each)
        steps += 1
    return steps


def _apply(config: StateBackendConfig, each: Property) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            with _name_step(each):
                each.apply()
            break
        except RefusedError as error:
            if error.answer not in _SETTLING or time.monotonic() > deadline:
                raise
        time.sleep(_RETRY_SECONDS)
    while (finding := _inspect(each)) is not None:
        if time.monotonic() > deadline:
            raise UnfinishedError(
                f"{each.resource}: {each.name} was set, and is still {finding.actual} after {_PATIENCE_SECONDS:.0f} s: "
                "run `continuity bootstrap` again, which continues from here"
            )
        time.sleep(_RETRY_SECONDS)
        config.aws.clear_cache()


def _inspect(each: Property) -> Finding | None:
    with _name_step(each):
        return each.inspect()


@contextmanager
def _name_step(each: Property) -> Iterator[None]:
    """Raises `UnfinishedError` with the step that failed, and with its remedy."""
    try:
        yield
    except CannotLookError as error:
        raise UnfinishedError(
            f"{each.resource}: {each.name}: {error}. Completed steps stay: run `continuity bootstrap` again, which "
            "continues from here"
        ) from None
    except NotThereError:
        raise UnfinishedError(
            f"{each.resource}: {each.name} depends on a resource that was deleted during this run: a different program "
            "or person is changing it. Run `continuity bootstrap` again"
        ) from None
