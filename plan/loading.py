"""Loads the plan, and refuses one that is wrong with everything that is wrong about it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from plan.explain import problem
from plan.model import Plan
from plan.problems import PlanError, Problem
from plan.rules import conflicts
from plan.source import Source, read, written

PLAN_FILE: Final = Path(__file__).with_name("plan.yaml")
"""The plan of this company."""


def load(path: Path | None = None) -> Plan:
    """The plan in a file, by default the one beside this module.

    Raises:
        PlanError: the file cannot be read, or a field in it is wrong, missing, unknown, or at odds with another one.
            The message names every mistake with its line, its path, its value, what is allowed and what to do.
    """
    source = read(PLAN_FILE if path is None else path)
    problems = list(source.problems)
    plan: Plan | None = None
    try:
        plan = Plan.model_validate(source.values)
    except ValidationError as error:
        problems += [problem(details, source) for details in error.errors(include_url=False)]
        sound = _sound_parts(source.values)
        problems += _conflicts(Plan.model_construct(None, **sound), list(sound), source)
    else:
        problems += _conflicts(plan, list(Plan.model_fields), source)
    if plan is None or problems:
        raise PlanError(source.name, tuple(sorted(problems, key=lambda found: found.line or 0)))
    return plan


def _sound_parts(values: object) -> dict[str, object]:
    """The parts of a plan that are right in themselves, though others are not."""
    parts: dict[str, object] = {}
    if isinstance(values, dict):
        for name, field in Plan.model_fields.items():
            try:
                # `rebuild_annotation` gives back what `Several` says, which `annotation` alone has lost.
                parts[name] = TypeAdapter(field.rebuild_annotation()).validate_python(values.get(name))
            except ValidationError:
                continue
    return parts


def _conflicts(plan: Plan, parts: list[str], source: Source) -> list[Problem]:
    return [
        Problem(written(found.location), found.found, found.allowed, found.remedy, source.line(found.location))
        for found in conflicts(plan, parts)
    ]
