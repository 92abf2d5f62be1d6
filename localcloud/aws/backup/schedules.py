"""Schedules of plans: the cron expressions that AWS Backup accepts.

`cron(minutes hours day-of-month month day-of-week year)`, in the words of the EventBridge User Guide ("Cron-based
schedules"): lists, ranges and steps everywhere, names of months and days, `?` for the day that the other one decides,
`L` and `W` for days of the month, `L` and `#` for days of the week.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

_UTC: Final = ("UTC", "Etc/UTC")
_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


@dataclass(frozen=True)
class _Field:
    """A field of a cron expression. `names`: its values' names, from 1 on. `special`: a pattern of other words."""

    name: str
    lowest: int
    highest: int
    names: tuple[str, ...] = ()
    special: str = ""

    def value(self, word: str) -> str:
        return str(self.names.index(word) + 1) if word in self.names else word


_FIELDS: Final = (
    _Field("minutes", 0, 59),
    _Field("hours", 0, 23),
    _Field("day-of-month", 1, 31, (), r"\?|L|LW|([1-9]|[12]\d|3[01])W"),
    _Field("month", 1, 12, _MONTHS),
    _Field("day-of-week", 1, 7, _DAYS, r"\?|L|[1-7]L|[1-7]#[1-5]"),
    _Field("year", 1970, 2199),
)


def wrong(expression: str | None, timezone: str | None) -> str | None:
    """Return the reason for which AWS refuses a schedule, or `None`. A schedule may be left out."""
    if timezone is not None and timezone not in _UTC:
        try:
            ZoneInfo(timezone)
        except (KeyError, ValueError, OSError):
            return f"Invalid ScheduleExpressionTimezone. {timezone} is not a time zone"
    if expression is None:
        return None
    refusal = f"Invalid ScheduleExpression. {expression}"
    match = re.fullmatch(r"cron\((.*)\)", expression)
    if match is None:
        return f"{refusal} is not a cron expression, such as cron(0 5 ? * * *)"
    parts = match[1].split()
    if len(parts) != len(_FIELDS):
        return f"{refusal} has {len(parts)} fields; it needs {len(_FIELDS)}"
    for field, part in zip(_FIELDS, parts, strict=True):
        if not all(_valid(field, item) for item in part.upper().split(",")):
            return f"{refusal}: {part!r} is not a valid value of {field.name}"
    if (parts[2] == "?") == (parts[4] == "?"):
        return f"{refusal}: one of day-of-month and day-of-week must be `?`, and not both"
    return None


def _valid(field: _Field, item: str) -> bool:
    if field.special and re.fullmatch(field.special, item):
        return True
    base, step, length = item.partition("/")
    if step and not (length.isdecimal() and int(length) >= 1):
        return False
    if base == "*":
        return True
    ends = [field.value(end) for end in base.split("-")]
    return len(ends) <= 2 and all(end.isdecimal() and field.lowest <= int(end) <= field.highest for end in ends)
