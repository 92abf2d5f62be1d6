"""Patches of moto: add a method that a class lacks, or wrap a method that differs from AWS.

Adding a method that moto already has is an error, so that each addition is reviewed when moto is updated.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def add_methods(owner: type, *functions: Callable[..., Any]) -> None:
    """Add these functions to `owner` as methods, under their names without a leading underscore."""
    for function in functions:
        name = function.__name__.lstrip("_")
        if hasattr(owner, name):
            raise TypeError(f"moto's {owner.__name__} already has {name}")
        setattr(owner, name, function)


def add_property(owner: type, getter: Callable[[Any], Any]) -> None:
    """Add a property to `owner`, under the name of its getter without a leading underscore."""
    name = getter.__name__.lstrip("_")
    if hasattr(owner, name):
        raise TypeError(f"moto's {owner.__name__} already has {name}")
    setattr(owner, name, property(getter))


def wrap_method(owner: type, name: str, wrapper: Callable[..., Any]) -> None:
    """Replace the method `name`. `wrapper` gets the original method first, then its arguments."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        return wrapper(original, self, *args, **kwargs)

    setattr(owner, name, wrapped)


def wrap_property(owner: type, name: str, getter: Callable[[Callable[[Any], Any], Any], Any]) -> None:
    """Replace the getter of the property `name`. `getter` gets the original getter first."""
    original: Any = getattr(owner, name)
    setattr(owner, name, property(lambda self: getter(original.fget, self), original.fset))
