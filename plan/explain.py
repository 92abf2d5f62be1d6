"""Say what is wrong with a field of the plan, with the line that it is on."""

from __future__ import annotations

import reprlib
from datetime import date

from pydantic_core import ErrorDetails

from plan.geography import EUROPEAN_BUT_NOT_EU
from plan.model import Plan
from plan.problems import Problem
from plan.source import Source
from plan.validation import mistake


def problem(error: ErrorDetails, source: Source) -> Problem:
    """Put one of pydantic's errors into words for the reader of the file."""
    wrong = mistake(Plan, error)
    found, remedy, value = f"is {_shown(wrong.value)}", wrong.remedy, wrong.value
    if wrong.kind == "missing":
        found = "is missing"
    elif wrong.kind == "unknown":
        found = "is not a key of the plan"
    elif wrong.kind == "repeated":
        found = wrong.message
    elif error["type"] == "literal_error" and isinstance(value, str) and value in EUROPEAN_BUT_NOT_EU:
        remedy = f"Choose one of these: {value} is {EUROPEAN_BUT_NOT_EU[value]}, outside the EU."
    return Problem(wrong.path, found, wrong.allowed, remedy, source.line(error["loc"]))


def _shown(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, date):
        return value.isoformat()
    return "empty" if value == () else _short.repr(value)


_short = reprlib.Repr()
_short.maxstring = _short.maxother = 80
