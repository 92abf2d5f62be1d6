"""The form of the API's tables: one `Collection` for each kind of resource, one `Command` for each of its actions."""

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
    """An answer's status and body; no body is the API's 204."""

    status: int
    body: Body | None = None


@dataclass(frozen=True)
class Command:
    """One action of a resource: what its body takes, and what it does.

    `run` changes the record and gives the answer. `locks`: whether it is refused while another action runs on it.
    """

    run: Callable[[Project, Record, Body], Answer]
    form: Form = field(default_factory=dict)
    locks: bool = True


@dataclass(frozen=True, kw_only=True)
class Part:
    """What a resource has under a path of its own, `/ID/NAME/...`, and what a request there does.

    `get` takes what follows in the path, and the query; `change` takes the method, what follows, and the body.
    """

    name: str
    get: Callable[[Project, Record, list[str], MultiDict[str, str]], Answer]
    change: Callable[[Project, Record, str, list[str], Any], Answer]


@dataclass(frozen=True, kw_only=True)
class Collection:
    """One kind of resource.

    `one`: the key of a single one in answers, and its type in the resources of actions.
    `form`: what a creation takes, besides `labels`. `changes`: what an update takes, done by `update` except for the
        name and the labels.
    `filters`: query parameters of the list, besides `name` and `label_selector`, each with what it looks for.
    `sorts`: what the list can be sorted by.
    `busy`: the error code while another action runs on the record.
    `unsupported`: actions of the real API that this emulator refuses by name.
    `members`: the list under `/ID/members`.
    `by_name`: whether a path may name a resource instead of giving its id.
    `part`: what else a resource has under its path.
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
    """A filter that keeps what has one of the wanted values under `key`."""
    return lambda shown, wanted: str(shown[key]) in wanted


def acted(project: Project, action: Record) -> Answer:
    return Answer(201, {"action": project.show_action(action)})
