"""A check of the first day: its id, its function, and its result.

A check is a function. It returns a sentence about what is right. It raises `MissingError` if something is missing or
wrong, and `NotShownError` if no API shows it. Every other error means that it could not look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

import plan
from continuity.access.aws import Account
from continuity.access.report import Finding, SystemAccess, evaluate
from continuity.clouds.aws import Aws
from continuity.clouds.github import Repository
from continuity.engine.stacks import Stack, configuration
from continuity.errors import ContinuityError, MissingError, NotShownError
from plan.names import APP


class Clouds:
    """The accounts that the environment selects, and the settings of this repository. Each is read once."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.plan = plan.load()
        self.home = self.plan.residency.aws.home_region
        self.recovery = self.plan.residency.aws.recovery_region

    @cached_property
    def aws(self) -> Aws:
        return Aws()

    @cached_property
    def github(self) -> Repository:
        return Repository.from_environment(self.environment)

    @cached_property
    def caller(self) -> dict[str, str]:
        """The account, and the ARN of the caller."""
        found: dict[str, str] = self.aws.call("sts", self.recovery, "get_caller_identity")
        return found

    @cached_property
    def account_access(self) -> SystemAccess:
        return Account(self.plan, self.aws).read_access()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The broken promises about access to AWS."""
        return evaluate(self.plan, [self.account_access], (), datetime.now(UTC)).findings

    def setting(self, stack: Stack, key: str) -> Any:
        return configuration(stack).get(f"{APP}:{key}")


class Status(StrEnum):
    RIGHT = "right"
    MISSING = "missing"
    UNKNOWN = "could not look"
    NOT_SHOWN = "not shown"


@dataclass(frozen=True)
class Result:
    """The result of a check: what was found, and what to do."""

    id: str
    title: str
    status: Status
    found: str
    remedy: str = ""

    def as_data(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Check:
    """A check. Its id is also the heading of its step in docs/real-clouds.md."""

    id: str
    function: Callable[[Clouds], str]

    @property
    def title(self) -> str:
        return str(self.function.__doc__).partition("\n")[0]

    def run(self, clouds: Clouds) -> Result:
        try:
            return Result(self.id, self.title, Status.RIGHT, self.function(clouds))
        except MissingError as error:
            return Result(self.id, self.title, Status.MISSING, str(error), error.remedy)
        except NotShownError as error:
            return Result(self.id, self.title, Status.NOT_SHOWN, str(error))
        except ContinuityError as error:
            return Result(self.id, self.title, Status.UNKNOWN, str(error))


def exit_code(results: Iterable[Result]) -> int:
    """0: nothing is missing. 3: something is missing. 1: something could not be read, so the result is incomplete."""
    found = {result.status for result in results}
    if Status.UNKNOWN in found:
        return 1
    return 3 if Status.MISSING in found else 0
