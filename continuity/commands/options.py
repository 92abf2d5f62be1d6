"""Groups of command-line options: one dataclass instead of many parameters."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, get_type_hints


def option_group(group: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Replace a command's parameter `group` with one option for each field of a dataclass."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(group, include_extras=True)
        grouped = [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if field.default is MISSING else field.default,
                annotation=hints[field.name],
            )
            for field in fields(group)
        ]
        own = [
            each.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for each in inspect.signature(command, eval_str=True).parameters.values()
            if each.name != "group"
        ]

        @functools.wraps(command)
        def call(**values: Any) -> None:
            command(group(**{each.name: values.pop(each.name) for each in grouped}), **values)

        call.__signature__ = inspect.Signature([*grouped, *own])  # type: ignore[attr-defined]
        call.__annotations__ = {each.name: each.annotation for each in (*grouped, *own)}
        return call

    return decorate
