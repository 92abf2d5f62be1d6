"""How moto is amended: a call that it lacks is added to its class, one that it gets wrong is wrapped.

An addition that moto has by now is refused loudly, so that it is looked at when moto is updated.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def add_methods(owner: type, *functions: Callable[..., Any]) -> None:
    """Give `owner` these methods, under their own names (a leading underscore is ours)."""
    for function in functions:
        name = function.__name__.lstrip("_")
        if hasattr(owner, name):
            raise TypeError(f"moto's {owner.__name__} has {name} by now")
        setattr(owner, name, function)


def add_property(owner: type, getter: Callable[[Any], Any]) -> None:
    name = getter.__name__.lstrip("_")
    if hasattr(owner, name):
        raise TypeError(f"moto's {owner.__name__} has {name} by now")
    setattr(owner, name, property(getter))


def wrap_method(owner: type, name: str, wrapper: Callable[..., Any]) -> None:
    """Replace the method `name`; `wrapper` gets the original first, then what the method gets."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        return wrapper(original, self, *args, **kwargs)

    setattr(owner, name, wrapped)


def wrap_property(owner: type, name: str, getter: Callable[[Callable[[Any], Any], Any], Any]) -> None:
    """Replace how the property `name` is read; `getter` gets the original's reader first."""
    original: Any = getattr(owner, name)
    setattr(owner, name, property(lambda self: getter(original.fget, self), original.fset))
