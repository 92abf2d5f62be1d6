"""Load the plan, and refuse a wrong plan with a list of all its mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from plan.explain import explain_problem
from plan.model import Plan
from plan.problems import PlanError, Problem
from plan.rules import find_conflicts
from plan.source import Source, dotted, read

PLAN_FILE: Final = Path(__file__).with_name("plan.yaml")
"""The plan of this company."""


def load(path: Path | None = None) -> Plan:
    """Return the plan in a file, by default the one next to this module.

    Raises:
        PlanError: the file cannot be read, or a field is wrong, missing, unknown, or in conflict with another field.
            The message lists every mistake with its line, its path, its value, what is allowed and what to do.
    """
    source = read(PLAN_FILE if path is None else path)
    problems = list(source.problems)
    plan: Plan | None = None
    try:
        plan = Plan.model_validate(source.values)
    except ValidationError as error:
        problems += [explain_problem(details, source) for details in error.errors(include_url=False)]
        valid = _valid_parts(source.values)
        problems += _conflicts(Plan.model_construct(None, **valid), list(valid), source)
    else:
        problems += _conflicts(plan, list(Plan.model_fields), source)
    if plan is None or problems:
        raise PlanError(source.name, tuple(sorted(problems, key=lambda found: found.line or 0)))
    return plan


def _valid_parts(values: object) -> dict[str, object]:
    """The parts of a plan that are valid, although others are not."""
    parts: dict[str, object] = {}
    if isinstance(values, dict):
        for name, field in Plan.model_fields.items():
            try:
                # `annotation` has lost the metadata of `Several`; `rebuild_annotation` restores it.
                parts[name] = TypeAdapter(field.rebuild_annotation()).validate_python(values.get(name))
            except ValidationError:
                continue
    return parts


def _conflicts(plan: Plan, parts: list[str], source: Source) -> list[Problem]:
    return [
        Problem(dotted(one.location), one.found, one.allowed, one.remedy, source.line(one.location))
        for one in find_conflicts(plan, parts)
    ]
