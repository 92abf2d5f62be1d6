"""Explain a mistake in a field of the plan, with its line."""

from __future__ import annotations

import reprlib
from datetime import date

from pydantic_core import ErrorDetails

from plan.geography import EUROPEAN_BUT_NOT_EU
from plan.model import Plan
from plan.problems import Problem
from plan.source import Source
from plan.validation import explain_error


def explain_problem(error: ErrorDetails, source: Source) -> Problem:
    """Explain one of pydantic's errors to the reader of the file."""
    mistake = explain_error(Plan, error)
    found, remedy, value = f"is {_as_text(mistake.value)}", mistake.remedy, mistake.value
    if mistake.kind == "missing":
        found = "is missing"
    elif mistake.kind == "unknown":
        found = "is not a key of the plan"
    elif mistake.kind == "repeated":
        found = mistake.message
    elif error["type"] == "literal_error" and isinstance(value, str) and value in EUROPEAN_BUT_NOT_EU:
        remedy = f"Choose one of these: {value} is {EUROPEAN_BUT_NOT_EU[value]}, outside the EU."
    return Problem(mistake.path, found, mistake.allowed, remedy, source.line(error["loc"]))


def _as_text(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, date):
        return value.isoformat()
    return "empty" if value == () else _short.repr(value)


_short = reprlib.Repr()
_short.maxstring = _short.maxother = 80
