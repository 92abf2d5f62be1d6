"""Tables of the API: a `Collection` for each kind of resource, and a `Command` for each of its actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug.datastructures import MultiDict

from localcloud.hetzner.forms import LABELS, NEW_NAME, Form
from localcloud.hetzner.project import Project, Record

Body = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """Status and body of an answer. Without a body it is the API's 204."""

    status: int
    body: Body | None = None


@dataclass(frozen=True)
class Command:
    """One action of a resource.

    `run` changes the record and returns the answer. `form` lists the accepted fields. `locks`: whether the action is
    refused while a different one runs on the resource.
    """

    run: Callable[[Project, Record, Body], Answer]
    form: Form = field(default_factory=dict)
    locks: bool = True


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a resource with its own paths, `/ID/NAME/...`, and the functions for requests there.

    `get` takes the rest of the path and the query; `change` takes the method, the rest of the path, and the body.
    """

    name: str
    get: Callable[[Project, Record, list[str], MultiDict[str, str]], Answer]
    change: Callable[[Project, Record, str, list[str], Any], Answer]


@dataclass(frozen=True, kw_only=True)
class Collection:
    """One kind of resource.

    `one`: the key of a single resource in answers, and its type in the resources of actions.
    `form`: the fields of a creation, in addition to `labels`.
    `changes`: the fields of an update. `update` applies them, except the name and the labels.
    `filters`: query parameters of the list, in addition to `name` and `label_selector`, each with its test.
    `sorts`: the fields by which the list can be sorted.
    `busy`: the error code while an action runs on the resource.
    `unsupported`: actions of the real API that this emulator refuses by name.
    `members`: the list under `/ID/members`.
    `by_name`: whether a path may name a resource instead of giving its id.
    `part`: a part of the resource with its own paths.
    """

    name: str
    one: str
    show: Callable[[Project, Record], Body]
    create: Callable[[Project, Body], Answer]
    delete: Callable[[Project, Record], Answer]
    form: Form
    changes: Form = field(default_factory=lambda: NEW_NAME)
    update: Callable[[Project, Record, Body], None] | None = None
    filters: Mapping[str, Callable[[Body, list[str]], bool]] = field(default_factory=dict)
    sorts: tuple[str, ...] = ("id", "name", "created")
    commands: Mapping[str, Command] = field(default_factory=dict)
    unsupported: tuple[str, ...] = ()
    busy: str = "locked"
    members: Callable[[Project, Record, MultiDict[str, str]], Body] | None = None
    by_name: bool = False
    part: Part | None = None

    @property
    def words(self) -> str:
        return self.one.replace("_", " ")

    @property
    def creation(self) -> Form:
        return {"labels": LABELS, **self.form}


def equals(key: str) -> Callable[[Body, list[str]], bool]:
    """Return a filter that keeps a resource if its `key` has one of the wanted values."""
    return lambda shown, wanted: str(shown[key]) in wanted


def acted(project: Project, action: Record) -> Answer:
    return Answer(201, {"action": project.show_action(action)})
