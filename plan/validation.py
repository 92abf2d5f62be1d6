"""Explain pydantic's errors: the path of the wrong value, the value, what is allowed, and what to do.

The plan, the stacks' settings and the descriptions of hosts all use this module. The allowed values are read from the
type, so the message always agrees with the check.
"""

from __future__ import annotations

import types
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Le
from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from plan.types import Allowed, Distinct, NotEmpty, Unit

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Kind = Literal["missing", "unknown", "repeated", "key", "wrong"]


@dataclass(frozen=True)
class Mistake:
    """One wrong value."""

    path: str
    """The path of the value, in Python's notation: `severities.high.rto_hours`, `roles[0].id`."""
    kind: Kind
    value: object
    message: str
    """The message of pydantic or of the validator."""
    allowed: str
    """The allowed values, as the end of a sentence that begins with "allowed is"."""
    remedy: str
    """The correction, as an imperative."""
    description: str
    """The description of the field."""


def explain_error(model: type[BaseModel], details: ErrorDetails) -> Mistake:
    """Explain one of pydantic's errors about a model."""
    place = _find(model, details["loc"])
    value, path, kind = details["input"], place.path, place.kind
    words, remedy = allowed(place.annotation, place.metadata), "Change it to an allowed value."
    match details["type"]:
        case "missing":
            kind, remedy = "missing", "Add it."
        case "extra_forbidden":
            keys = sorted(field_names(place.annotation))
            close = get_close_matches(str(details["loc"][-1]), keys, n=1)
            kind, words = "unknown", _keys(keys)
            remedy = f"Did you mean {close[0]}?" if close else "Remove it."
        case "repeated":
            kind, remedy = "repeated", "Remove one of the two."
        case "union_tag_invalid" | "union_tag_not_found":
            # The mistake is in the key that selects one of several mappings.
            (tag,) = {_tag(choice) for choice in _choices(place.annotation).values()}
            value = value.get(tag) if isinstance(value, dict) else value
            path, kind = f"{path}.{tag}", "wrong" if value is not None else "missing"
            words = f"one of {', '.join(map(str, _choices(place.annotation)))}"
        case "int_type" | "bool_type" if isinstance(value, str):
            remedy = "Write it without quotes."
        case "string_type" if isinstance(value, int | float | date):
            remedy = "Put it in quotes."
    context = details.get("ctx", {})
    return Mistake(
        path=path.removeprefix("."),
        kind=kind,
        value=value,
        message=details["msg"],
        allowed=context.get("allowed") or words,
        remedy=context.get("remedy") or remedy,
        description=place.description,
    )


def check(described: DataclassInstance) -> None:
    """Check all fields of a dataclass against their types, strictly. The value of a field without `repr` is not shown.

    Raises:
        ValueError: at least one field is wrong. The message lists each, with its value and what is allowed.
    """
    hidden = {field.name for field in fields(described) if not field.repr}
    values = {field.name: getattr(described, field.name) for field in fields(described)}
    _check(_model_of(type(described)), values, hidden)


def check_value(name: str, value: object, annotation: Any) -> None:
    """Check one value against its type, strictly.

    Raises:
        ValueError: the value is wrong. The message states its name, the value and what is allowed.
    """
    _check(_model(name, ((name, annotation),)), {name: value}, frozenset())


def _check(model: type[BaseModel], values: Mapping[str, object], hidden: Collection[str]) -> None:
    try:
        model.model_validate(values)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        raise ValueError(
            "\n".join(_refusal(explain_error(model, one), one["loc"][0] in hidden) for one in errors)
        ) from None


@cache
def _model_of(kind: type[DataclassInstance]) -> type[BaseModel]:
    hints = get_type_hints(kind, include_extras=True)
    return _model(kind.__name__, tuple((field.name, hints[field.name]) for field in fields(kind)))


@cache
def _model(name: str, annotations: tuple[tuple[str, Any], ...]) -> type[BaseModel]:
    declared: dict[str, Any] = {name: (annotation, ...) for name, annotation in annotations}
    return create_model(name, __config__=ConfigDict(strict=True), **declared)


def _refusal(mistake: Mistake, hidden: bool) -> str:
    if hidden:
        found = "is secret and not shown"
    elif mistake.kind == "repeated":
        found = mistake.message
    elif mistake.kind == "key":
        found = f"has {mistake.value!r}"
    else:
        found = "is empty" if mistake.value in ((), [], {}) else f"is {mistake.value!r}"
    return f"{mistake.path} {found}; allowed is {mistake.allowed}"


def field_names(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model, by their names in the file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def allowed(annotation: Any, metadata: Sequence[object] = ()) -> str:
    """Return the allowed values of a type, as the end of a sentence that begins with "allowed is".

    Raises:
        TypeError: the type does not determine the words. Annotate it with `Allowed`.
    """
    annotation, metadata = _bare(annotation, metadata)
    for item in metadata:
        if isinstance(item, Allowed):
            return item.words
    origin = get_origin(annotation)
    if origin is Literal:
        values = get_args(annotation)
        return f"one of {', '.join(values)}" if len(values) > 1 else str(values[0])
    if _is_list(annotation):
        count = " of one or more" if NotEmpty in metadata else ""
        once = ", none of them twice" if Distinct in metadata else ""
        return f"a list{count}{once}, each of them {allowed(get_args(annotation)[0])}"
    if annotation is str:
        return "a text"
    if annotation is bool:
        return "true or false"
    if annotation is int:
        return _number(metadata)
    if annotation is date:
        return "an existing date, as year-month-day and without quotes"
    choices = _choices(annotation)
    if choices:
        return f"a mapping with the key {', '.join(sorted({_tag(choice) for choice in choices.values()}))}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"a mapping with the keys {', '.join(field_names(annotation))}"
    raise TypeError(f"no words for {annotation}: give the field `Allowed`")


def _number(metadata: Sequence[object]) -> str:
    what = "a whole number"
    low = high = None
    for item in metadata:
        if isinstance(item, Unit):
            what = f"a whole number of {item.name}"
        elif isinstance(item, Ge):
            low = item.ge
        elif isinstance(item, Le):
            high = item.le
    return f"{what}, {low} or more" if high is None else f"{what} from {low} to {high}"


def _keys(names: Sequence[str]) -> str:
    return f"one of the keys {', '.join(names)}" if len(names) > 1 else f"the key {names[0]}"


@dataclass(frozen=True)
class _Place:
    """The declaration of a value in a model: its type, its metadata, and its path in the file."""

    annotation: Any
    metadata: Sequence[object] = ()
    path: str = ""
    description: str = ""
    kind: Kind = "wrong"


def _find(model: type[BaseModel], location: Sequence[str | int]) -> _Place:
    """Return the declaration of the value at a location. For an unknown key, it is that of the key's parent."""
    place = _Place(model)
    for step in location:
        annotation, _ = _bare(place.annotation)
        choices, origin = _choices(annotation), get_origin(annotation)
        if choices:
            # pydantic's location includes the chosen mapping of a union. The path in the file does not.
            place = _Place(choices[step], path=place.path, description=place.description)
        elif isinstance(origin, type) and issubclass(origin, Mapping):
            place = _Place(get_args(annotation)[1], path=f"{place.path}[{step!r}]")
        elif step == "[key]":
            place = _key_of(model, location[: location.index(step) - 1])
        elif isinstance(step, int):
            inner = get_args(annotation)[0]
            place = _Place(inner, path=f"{place.path}[{step}]", description=place.description)
        else:
            field = field_names(annotation).get(step)
            path = f"{place.path}.{step}"
            if field is None:
                return _Place(annotation, path=path)
            place = _Place(field.annotation, field.metadata, path, field.description or "")
    return place


def _key_of(model: type[BaseModel], location: Sequence[str | int]) -> _Place:
    mapping = _find(model, location)
    return _Place(get_args(_bare(mapping.annotation)[0])[0], path=mapping.path, kind="key")


def _bare(annotation: Any, metadata: Sequence[object] = ()) -> tuple[Any, Sequence[object]]:
    """Return a type without `Annotated` and `None`, and its metadata."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *more = get_args(annotation)
            # `Field(...)` has its metadata in a list.
            metadata = [*metadata, *(one for item in more for one in getattr(item, "metadata", [item]))]
            continue
        rest = [one for one in _members(annotation) if one is not type(None)]
        if len(rest) != 1:
            return annotation, metadata
        (annotation,) = rest


def _members(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else ()


def _is_list(annotation: Any) -> bool:
    origin = get_origin(annotation)
    return isinstance(origin, type) and issubclass(origin, Sequence)


def _choices(annotation: Any) -> dict[str | int, type[BaseModel]]:
    """Return the models of a union, by the value of the key that distinguishes them. Empty for other types."""
    found: dict[str | int, type[BaseModel]] = {}
    for member in _members(annotation):
        inner, _ = _bare(member)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            (tag,) = get_args(field_names(inner)[_tag(inner)].annotation)
            found[tag] = inner
        else:
            found |= _choices(inner)
    return found


def _tag(model: type[BaseModel]) -> str:
    return next(key for key, field in field_names(model).items() if get_origin(field.annotation) is Literal)
