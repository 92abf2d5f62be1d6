"""Reads the selections and schedules of AWS Backup: the stores that one selects, and whether one runs every day."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Final

from policy_pack.rules.checks import at, listed
from policy_pack.rules.policy import Resource, leads
from policy_pack.rules.residency.aws_region import effective_region
from policy_pack.rules.resource_types import DYNAMODB_TABLE, RDS_INSTANCE
from policy_pack.rules.values import UNKNOWN


def selects(selection: Resource, store: Resource) -> bool:
    """Whether a selection selects a store: by its ARN, by a pattern of ARNs, or by its tags.

    Where a selection names both resources and tags, the store has to match both.
    """
    props, tags = selection.props, _tags(store)
    if _named(selection, "notResources", store):
        return False
    named = props.get("resources") not in (None, [])
    if named and not _named(selection, "resources", store):
        return False
    wanted = [(at(one, "key"), at(one, "value")) for one in listed(props.get("selectionTags"))]
    if wanted and not any(_tag(tags, key) == value for key, value in wanted if isinstance(value, str)):
        return False
    conditions = listed(props.get("conditions"))
    if not (named or wanted or conditions):
        return False
    return all(_holds(one, tags) for one in conditions)


def _named(selection: Resource, name: str, store: Resource) -> bool:
    """Whether a list of ARNs and patterns has a store in it."""
    patterns = [one for one in listed(selection.props.get(name)) if isinstance(one, str)]
    return leads(selection, name, store) or any(_matches(pattern, store) for pattern in patterns)


def _matches(pattern: str, store: Resource) -> bool:
    arn = store.props.get("arn")
    if isinstance(arn, str):
        return fnmatchcase(arn, pattern)
    # The ARN is not known yet. Its service, region and name may be.
    fields = pattern.split(":", 5)
    if len(fields) < 6:
        return pattern == "*"
    service, name_of, kind = _ARN_OF[store.type]
    name, region = store.props.get(name_of), effective_region(store)[1]
    if not fnmatchcase(service, fields[2]) or (isinstance(region, str) and not fnmatchcase(region, fields[3])):
        return False
    return fnmatchcase(kind + name, fields[5]) if isinstance(name, str) else fields[5] in ("*", f"{kind}*")


_ARN_OF: Final = {RDS_INSTANCE: ("rds", "identifier", "db:"), DYNAMODB_TABLE: ("dynamodb", "name", "table/")}
"""By type, the parts of a store's ARN: the service, the property with the name, and what is before the name."""


def _tags(store: Resource) -> Mapping[str, object]:
    """A store's tags, with those that its provider gives to every resource."""
    defaults = None if store.provider is None else at(store.provider.props, "defaultTags.tags")
    merged: dict[str, object] = {}
    for tags in (defaults, store.props.get("tags"), store.props.get("tagsAll")):
        if isinstance(tags, Mapping):
            merged.update(tags)
    return merged


def _tag(tags: Mapping[str, object], key: object) -> object:
    return tags.get(key.removeprefix("aws:ResourceTag/")) if isinstance(key, str) else None


def _holds(condition: object, tags: Mapping[str, object]) -> bool:
    for name, compare in _OPERATORS.items():
        for one in listed(at(condition, name)):
            value, wanted = _tag(tags, at(one, "key")), at(one, "value")
            like = isinstance(value, str) and isinstance(wanted, str) and compare(value, wanted)
            if value is UNKNOWN or like is name.startswith("stringNot"):
                return False
    return isinstance(condition, Mapping)


_OPERATORS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "stringEquals": operator.eq,
    "stringLike": fnmatchcase,
    "stringNotEquals": operator.eq,
    "stringNotLike": fnmatchcase,
}


_FIELDS: Final = ((0, 59), (0, 23), (1, 31), (1, 12), (1, 7))
"""The least and the greatest value of each field of a cron expression, up to the day of the week."""
_NAMES: Final = {name: index + 1 for index, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))} | {
    name: index + 1
    for index, name in enumerate(("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"))
}
_RATE: Final = re.compile(r"rate\(\s*(?:1 days?|(?:[1-9]|1[0-9]|2[0-4]) hours?)\s*\)")
_CRON: Final = re.compile(r"cron\(\s*(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s*\)")


def runs_daily(schedule: object) -> bool:
    """Whether a schedule runs at least once every day. A schedule that is left out does, by AWS's default."""
    if schedule is None:
        return True
    if not isinstance(schedule, str):
        return False
    cron = _CRON.fullmatch(schedule)
    if cron is None:
        return _RATE.fullmatch(schedule) is not None
    *fields, year = cron.groups()
    minute, hour, *days = (_numbers(field, least, most) for field, (least, most) in zip(fields, _FIELDS, strict=True))
    every_day = all(
        found == set(range(least, most + 1)) for found, (least, most) in zip(days, _FIELDS[2:], strict=True)
    )
    return bool(minute) and bool(hour) and every_day and year in ("*", "?", "*/1")


def _numbers(field: str, least: int, most: int) -> set[int]:
    """The numbers that a field of a cron expression stands for; none of one that is not understood."""
    found: set[int] = set()
    for part in field.upper().split(","):
        for name, number in _NAMES.items():
            part = part.replace(name, str(number))
        match = re.fullmatch(r"(?:(\*|\?)|([0-9]{1,2})(?:-([0-9]{1,2}))?)(?:/([1-9][0-9]?))?", part)
        if match is None:
            return set()
        every, first, last, step = match.groups()
        start = least if every else int(first)
        end = most if every or (step and not last) else int(last or first)
        if not least <= start <= end <= most:
            return set()
        found |= set(range(start, end + 1, int(step or 1)))
    return found
