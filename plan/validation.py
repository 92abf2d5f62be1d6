"""Put pydantic's errors into words: which value is wrong, what it is, what is allowed, and what to do.

The plan, the stacks' settings and the descriptions of hosts all use this module. What is allowed is read from the type,
so the message cannot say anything else than the check does.
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
    """One value that is wrong. A sentence of it reads: `path` `found`; allowed is `allowed`. `remedy`"""

    path: str
    """Where it is, as one would write it in Python: `severities.high.rto_hours`, `roles[0].id`."""
    kind: Kind
    value: object
    message: str
    """What pydantic, or the validator, said."""
    allowed: str
    """What completes "allowed is"."""
    remedy: str
    """What to do, as an imperative."""
    description: str
    """What the field says of itself."""


def mistake(model: type[BaseModel], details: ErrorDetails) -> Mistake:
    """One of a model's errors, in words."""
    place = _find(model, details["loc"])
    value, path, kind = details["input"], place.path, place.kind
    words, remedy = allowed(place.annotation, place.metadata), "Change it to what is allowed."
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
            # The mistake is in the key that says which of several mappings this is.
            (tag,) = {_tag(choice) for choice in _choices(place.annotation).values()}
            value = value.get(tag) if isinstance(value, dict) else value
            path, kind = f"{path}.{tag}", "wrong" if value is not None else "missing"
            words = f"one of {', '.join(map(str, _choices(place.annotation)))}"
        case "int_type" | "bool_type" if isinstance(value, str):
            remedy = "Write it without quotes."
        case "string_type" if isinstance(value, int | float | date):
            remedy = "Put it in quotes."
    said = details.get("ctx", {})
    return Mistake(
        path=path.removeprefix("."),
        kind=kind,
        value=value,
        message=details["msg"],
        allowed=said.get("allowed") or words,
        remedy=said.get("remedy") or remedy,
        description=place.description,
    )


def check(described: DataclassInstance) -> None:
    """Check all fields of a dataclass against their types, strictly. The value of a field without `repr` is not shown.

    Raises:
        ValueError: at least one field is wrong. The message names each, with its value and what is allowed.
    """
    hidden = {field.name for field in fields(described) if not field.repr}
    values = {field.name: getattr(described, field.name) for field in fields(described)}
    _check(_model_of(type(described)), values, hidden)


def check_value(name: str, value: object, annotation: Any) -> None:
    """Check one value against its type, strictly.

    Raises:
        ValueError: it is wrong. The message has its name, its value and what is allowed.
    """
    _check(_model(name, ((name, annotation),)), {name: value}, frozenset())


def _check(model: type[BaseModel], values: Mapping[str, object], hidden: Collection[str]) -> None:
    try:
        model.model_validate(values)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        raise ValueError("\n".join(_refusal(mistake(model, one), one["loc"][0] in hidden) for one in errors)) from None


@cache
def _model_of(kind: type[DataclassInstance]) -> type[BaseModel]:
    hints = get_type_hints(kind, include_extras=True)
    return _model(kind.__name__, tuple((field.name, hints[field.name]) for field in fields(kind)))


@cache
def _model(name: str, annotations: tuple[tuple[str, Any], ...]) -> type[BaseModel]:
    declared: dict[str, Any] = {name: (annotation, ...) for name, annotation in annotations}
    return create_model(name, __config__=ConfigDict(strict=True), **declared)


def _refusal(wrong: Mistake, hidden: bool) -> str:
    if hidden:
        found = "is not shown"
    elif wrong.kind == "repeated":
        found = wrong.message
    elif wrong.kind == "key":
        found = f"has {wrong.value!r}"
    else:
        found = "is empty" if wrong.value in ((), [], {}) else f"is {wrong.value!r}"
    return f"{wrong.path} {found}; allowed is {wrong.allowed}"


def field_names(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """A model's fields by the names that they have in the file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def allowed(annotation: Any, metadata: Sequence[object] = ()) -> str:
    """What a type allows, in words that complete "allowed is".

    Raises:
        TypeError: nothing can be read from the type, which then needs `Allowed`.
    """
    annotation, metadata = _bare(annotation, metadata)
    for said in metadata:
        if isinstance(said, Allowed):
            return said.words
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
        return "a date that exists, as year-month-day and without quotes"
    choices = _choices(annotation)
    if choices:
        return f"a mapping with the key {', '.join(sorted({_tag(choice) for choice in choices.values()}))}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"a mapping with the keys {', '.join(field_names(annotation))}"
    raise TypeError(f"no words for {annotation}: give the field `Allowed`")


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


def _keys(names: Sequence[str]) -> str:
    return f"one of the keys {', '.join(names)}" if len(names) > 1 else f"the key {names[0]}"


@dataclass(frozen=True)
class _Place:
    """What a model declares for a value: its type, what is said about it, and its path in the file."""

    annotation: Any
    metadata: Sequence[object] = ()
    path: str = ""
    description: str = ""
    kind: Kind = "wrong"


def _find(model: type[BaseModel], location: Sequence[str | int]) -> _Place:
    """The place of an error. A key that the model does not have leads to the model that should have it."""
    place = _Place(model)
    for step in location:
        annotation, _ = _bare(place.annotation)
        choices, origin = _choices(annotation), get_origin(annotation)
        if choices:
            # pydantic writes which of several mappings it took. The file does not.
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
    """A type without `Annotated` and without `None`, and what is said about it."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *more = get_args(annotation)
            # What `Field(...)` says is in a list of its own.
            metadata = [*metadata, *(said for item in more for said in getattr(item, "metadata", [item]))]
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
    """The models of a union, by the value of the key that tells them apart. Empty for every other type."""
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
