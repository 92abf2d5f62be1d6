"""How settings are read: from Pulumi's text into typed sections, and from every mistake into words.

A section is a group of settings. Its fields' descriptions and what they allow are part of the model, for the error
messages here and for whatever documents the settings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final, Literal, TypeVar, get_args, get_origin

import pulumi
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, model_validator
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from plan import Plan
from plan.names import APP

NAMESPACE: Final = APP

_UNION_TAGS: Final = ("union_tag_invalid", "union_tag_not_found")


class SettingsError(pulumi.RunError):
    """The configuration is wrong. Pulumi shows the message, which names every mistake, and no traceback."""


@dataclass(frozen=True)
class Allowed:
    """What a setting allows, in words that complete the sentence "allowed is ..."."""

    words: str


@dataclass(frozen=True)
class Context:
    """What a value is validated against, beside its own shape."""

    plan: Plan
    stack: str

    @classmethod
    def of(cls, info: ValidationInfo) -> Context:
        if not isinstance(info.context, cls):
            raise TypeError("settings are read by `parse`, which knows the plan and the stack")
        return info.context


def from_plan(path: str, *, description: str) -> Any:
    """A setting whose value is the plan's at `path`, unless the stack's file sets it."""
    return Field(description=description, json_schema_extra={"fromPlan": path})


def _plan_path(field: FieldInfo) -> str | None:
    """The path into the plan that a setting takes its value from."""
    extra = field.json_schema_extra
    path = extra.get("fromPlan") if isinstance(extra, dict) else None
    return path if isinstance(path, str) else None


def _in_plan(plan: Plan, path: str) -> Any:
    value = reduce(getattr, path.split("."), plan)
    return tuple(value) if isinstance(value, list) else value


class Section(BaseModel):
    """A group of settings: camelCase in YAML, nothing unknown, nothing converted, immutable."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _take_the_rest_from_the_plan(cls, values: Any, info: ValidationInfo) -> Any:
        paths = {key: path for key, field in fields(cls).items() if (path := _plan_path(field)) is not None}
        if not isinstance(values, dict) or not paths:
            return values
        plan = Context.of(info).plan
        return {key: _in_plan(plan, path) for key, path in paths.items()} | values


_Stack = TypeVar("_Stack", bound=Section)


def read(
    kinds: Mapping[str, type[_Stack]],
    values: Mapping[str, str],
    *,
    plan: Plan,
    stack: str,
    secrets: set[str] | frozenset[str],
) -> _Stack:
    """The settings of the kind that `values` say they are, which Pulumi hands over as text, or as JSON in it.

    Raises:
        SettingsError: a setting is missing, unknown or of the wrong shape.
    """
    kind = values.get("kind")
    model = kinds.get(kind) if kind is not None else None
    if model is None:
        problem = _Problem("kind", kind, "one of " + ", ".join(kinds), "Say which kind of stack this is.")
        raise SettingsError(_message(stack, [problem]))
    try:
        return model.model_validate(_decode(model, values), context=Context(plan, stack))
    except ValidationError as error:
        problems = [_Problem.of(model, details, secrets) for details in error.errors(include_url=False)]
        raise SettingsError(_message(stack, problems)) from None


def _decode(model: type[Section], values: Mapping[str, str]) -> dict[str, Any]:
    """The values with those that are not plain text parsed from JSON. What cannot be parsed stays for the model."""

    def decoded(key: str, value: str) -> Any:
        field = fields(model).get(key)
        if field is None or field.annotation is str or get_origin(field.annotation) is Literal:
            return value
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value

    return {key: decoded(key, value) for key, value in values.items()}


def fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """A model's fields by the name that they have in YAML."""
    return {field.alias or to_camel(name): field for name, field in model.model_fields.items()}


def sections(annotation: Any) -> dict[str | None, type[Section]]:
    """The sections that a setting can be: itself, or one for each value of the key that tells them apart."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return {None: annotation}
    found = {}
    for choice in (inner for part in get_args(annotation) for inner in sections(part).values()):
        (tag,) = get_args(next(field.annotation for field in choice.model_fields.values() if _is_tag(field)))
        found[tag] = choice
    return found


def _is_tag(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is Literal


@dataclass(frozen=True)
class _Problem:
    """One mistake: where it is, what is there, what is allowed, and what to do."""

    path: str
    value: object
    allowed: str
    advice: str

    @classmethod
    def of(cls, model: type[Section], details: ErrorDetails, secrets: set[str] | frozenset[str]) -> _Problem:
        """What pydantic found, in words for the person who has to mend it."""
        steps = list(details["loc"])
        walked = list(_walk(model, steps))
        field = walked[-1].field if walked else None
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in _named(walked, steps))
        value: object = "[secret]" if steps and steps[0] in secrets else details["input"]
        context = details.get("ctx", {})
        description = (field.description or "") if field is not None else ""

        match details["type"]:
            case "missing":
                value, advice = None, f"Add it. {description}".strip()
            case "extra_forbidden":
                known = ", ".join(sorted(fields(walked[-1].section)))
                return cls(path.lstrip("."), value, f"one of {known}", "Remove it, or correct its name.")
            case kind if kind in _UNION_TAGS and field is not None:
                # The mistake is in the key that says which of several sections this is.
                tag = next(key for choice in sections(field.annotation).values() for key in _tags(choice))
                value = value.get(tag) if isinstance(value, dict) else value
                choices = ", ".join(str(name) for name in sections(field.annotation))
                return cls(f"{path}.{tag}".lstrip("."), value, f"one of {choices}", f"Correct it. {description}")
            case _:
                advice = f"Correct it. {description}".strip()
        allowed = context.get("allowed") or _allowed(field)
        return cls(path.lstrip("."), value, allowed, context.get("advice") or advice)

    def __str__(self) -> str:
        is_there = "is not set" if self.value is None else f"is {json.dumps(self.value, default=str)}"
        return f"  {NAMESPACE}:{self.path} {is_there}\n    Allowed is {self.allowed}.\n    {self.advice}"


def _message(stack: str, problems: list[_Problem]) -> str:
    count = "1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
    where = f"The configuration of stack {stack!r}, which is Pulumi.{stack}.yaml unless another file was named,"
    return "\n\n".join([f"{where} has {count}. Nothing was changed.", *map(str, problems)])


@dataclass(frozen=True)
class _Step:
    """A key on the way to a mistake: the section that it is in, and its field, if there is one of that name."""

    section: type[Section]
    key: str
    field: FieldInfo | None


def _walk(model: type[Section], steps: list[int | str]) -> Iterator[_Step]:
    """The keys along pydantic's path, in which a section that is one of several is preceded by what tells it apart."""
    choices: dict[str | None, type[Section]] = {None: model}
    for step in steps:
        if isinstance(step, int) or not choices:
            return
        if None not in choices:
            choices = {None: choices[step]}
            continue
        section = choices[None]
        field = fields(section).get(step)
        yield _Step(section, step, field)
        choices = sections(field.annotation) if field is not None else {}


def _named(walked: list[_Step], steps: list[int | str]) -> list[int | str]:
    """The path as it stands in YAML: the keys, and the places in a list that end it."""
    return [*(step.key for step in walked), *(step for step in steps if isinstance(step, int))]


def _tags(section: type[Section]) -> list[str]:
    return [key for key, field in fields(section).items() if _is_tag(field)]


def _allowed(field: FieldInfo | None) -> str:
    if field is None:
        return "another value"
    words = [item.words for item in field.metadata if isinstance(item, Allowed)]
    choices = sections(field.annotation)
    if not words and choices:
        first = next(iter(choices.values()))
        words = ["a section with " + ", ".join(fields(first) if None in choices else _tags(first))]
    return words[0] if words else "another value"
