"""Read settings from Pulumi's text into typed sections. An error message lists every mistake.

A section is a group of settings. The descriptions of its fields are part of the model, and of the error messages.
`plan/validation.py` explains each mistake.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final, Literal, TypeVar, get_origin

import pulumi
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, model_validator
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from plan import Plan
from plan.names import APP
from plan.validation import Mistake, explain_error, field_names

NAMESPACE: Final = APP


class SettingsError(pulumi.RunError):
    """The configuration is wrong. Pulumi shows the message, which lists every mistake, without a traceback."""


@dataclass(frozen=True)
class Context:
    """The plan and the stack that a value is validated against."""

    plan: Plan
    stack: str

    @classmethod
    def of(cls, info: ValidationInfo) -> Context:
        if not isinstance(info.context, cls):
            raise TypeError("use `parse` to read settings: it supplies the plan and the stack")
        return info.context


def from_plan(path: str, *, description: str) -> Any:
    """A setting whose default is the value at `path` in the plan."""
    return Field(description=description, json_schema_extra={"fromPlan": path})


def _plan_path(field: FieldInfo) -> str | None:
    """The path in the plan of a setting's default."""
    extra = field.json_schema_extra
    path = extra.get("fromPlan") if isinstance(extra, dict) else None
    return path if isinstance(path, str) else None


def _in_plan(plan: Plan, path: str) -> Any:
    value = reduce(getattr, path.split("."), plan)
    return tuple(value) if isinstance(value, list) else value


class Section(BaseModel):
    """A group of settings: camelCase in YAML, without unknown keys, without type conversion, immutable."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _add_defaults_from_plan(cls, values: Any, info: ValidationInfo) -> Any:
        paths = {key: path for key, field in field_names(cls).items() if (path := _plan_path(field)) is not None}
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
    """Return the settings of the kind that `values` name. Pulumi passes each value as text or as JSON.

    Raises:
        SettingsError: a setting is missing, unknown or not allowed.
    """
    kind = values.get("kind")
    model = kinds.get(kind) if kind is not None else None
    if model is None:
        mistake = Mistake("kind", "wrong", kind, "", "one of " + ", ".join(kinds), "Set the kind of this stack.", "")
        raise SettingsError(_message(stack, [_text(mistake, secret=False)]))
    try:
        return model.model_validate(_decode(model, values), context=Context(plan, stack))
    except ValidationError as error:
        errors = error.errors(include_url=False)
        mistakes = [_text(explain_error(model, one), not secrets.isdisjoint(one["loc"][:1])) for one in errors]
        raise SettingsError(_message(stack, mistakes)) from None


def _decode(model: type[Section], values: Mapping[str, str]) -> dict[str, Any]:
    """Parse the values of fields that are not plain text from JSON. An invalid value is left to the model's check."""

    def decoded(key: str, value: str) -> Any:
        field = field_names(model).get(key)
        if field is None or field.annotation is str or get_origin(field.annotation) is Literal:
            return value
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value

    return {key: decoded(key, value) for key, value in values.items()}


def _text(mistake: Mistake, secret: bool) -> str:
    """Describe one mistake: the setting, its value, what is allowed, and what to do."""
    value = "[secret]" if secret else mistake.value
    actual = "is not set" if mistake.kind == "missing" or value is None else f"is {json.dumps(value, default=str)}"
    remedy = f"{mistake.remedy} {mistake.description}".strip()
    return f"  {NAMESPACE}:{mistake.path} {actual}\n    Allowed is {mistake.allowed}.\n    {remedy}"


def _message(stack: str, mistakes: list[str]) -> str:
    count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    where = f"The configuration of stack {stack!r} (Pulumi.{stack}.yaml, or the file of --config-file)"
    return "\n\n".join([f"{where} has {count}. Nothing was changed.", *mistakes])
