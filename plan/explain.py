"""Puts a mistake in one field into words: what stands there, what is allowed, what to do.

pydantic finds the mistake. What is allowed is read off the model, so that it cannot say anything else than the model
does.
"""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from datetime import date
from difflib import get_close_matches
from typing import Annotated, Any, Literal, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import BaseModel
from pydantic_core import ErrorDetails

from plan.geography import EUROPEAN_BUT_NOT_EU
from plan.model import Plan, Unit, Words
from plan.problems import Problem
from plan.source import Source, written


def problem(error: ErrorDetails, source: Source) -> Problem:
    """What pydantic found, as the reader of the file needs to hear it."""
    location = error["loc"]
    kind = error["type"]
    value = error["input"]
    found, remedy = f"is {_shown(value)}", "Change it to what is allowed."
    if kind == "extra_forbidden":
        keys = _keys(location[:-1])
        close = get_close_matches(str(location[-1]), keys, n=1)
        found, remedy = "is not a key of the plan", f"Did you mean {close[0]}?" if close else "Remove it."
        allowed = f"one of the keys {', '.join(keys)}"
    else:
        allowed = _allowed(*_field(location))
        if kind == "missing":
            found, remedy = "is missing", "Add it."
        elif kind == "repeated":
            found, remedy = error["msg"], "Remove one of the two."
        elif kind == "literal_error" and isinstance(value, str) and value in EUROPEAN_BUT_NOT_EU:
            remedy = f"Choose one of these: {value} is {EUROPEAN_BUT_NOT_EU[value]}, outside the EU."
        elif kind in ("int_type", "bool_type") and isinstance(value, str):
            remedy = "Write it without quotes."
        elif kind == "string_type" and isinstance(value, int | float | date):
            remedy = "Put it in quotes."
    return Problem(written(location), found, allowed, remedy, source.line(location))


def _shown(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, date):
        return value.isoformat()
    return "empty" if value == () else _short.repr(value)


_short = reprlib.Repr()
_short.maxstring = _short.maxother = 80


def _field(location: Sequence[str | int]) -> tuple[Any, Sequence[object]]:
    """The type that the model gives the value at a location, and what it says about it besides."""
    annotation: Any = Plan
    metadata: Sequence[object] = ()
    for step in location:
        if isinstance(step, int):
            annotation, metadata = _bare(get_args(annotation)[0])
        else:
            field = annotation.model_fields[step]
            annotation, metadata = field.annotation, field.metadata
    return annotation, metadata


def _bare(annotation: Any) -> tuple[Any, Sequence[object]]:
    """A type without what is said about it, and that."""
    if get_origin(annotation) is not Annotated:
        return annotation, ()
    bare, *metadata = get_args(annotation)
    # What `Field(...)` says is in a list of its own.
    return bare, [said for item in metadata for said in getattr(item, "metadata", [item])]


def _keys(location: Sequence[str | int]) -> list[str]:
    annotation, _ = _field(location)
    return list(annotation.model_fields)


def _allowed(annotation: Any, metadata: Sequence[object]) -> str:
    for said in metadata:
        if isinstance(said, Words):
            return said.text
    origin = get_origin(annotation)
    if origin is Literal:
        values = get_args(annotation)
        return f"one of {', '.join(values)}" if len(values) > 1 else str(values[0])
    if origin is tuple:
        return f"a list of one or more, none of them twice, each of them {_allowed(*_bare(get_args(annotation)[0]))}"
    if annotation is bool:
        return "true or false"
    if annotation is int:
        return _number(metadata)
    if annotation is date:
        return "a date that exists, as year-month-day and without quotes"
    if issubclass(annotation, BaseModel):
        return f"a mapping with the keys {', '.join(annotation.model_fields)}"
    raise TypeError(f"no words for {annotation}: give the field `Words`")


def _number(metadata: Sequence[object]) -> str:
    what = "a whole number"
    low = high = None
    for said in metadata:
        if isinstance(said, Unit):
            what = f"a whole number of {said.name}"
        elif isinstance(said, Ge):
            low = said.ge
        elif isinstance(said, Le):
            high = said.le
    return f"{what}, {low} or more" if high is None else f"{what} from {low} to {high}"
