"""The form of a plugin's tables: one `ResourceType` for each type that a program may declare.

A table lists the properties of a type and the behaviour of each. Its four functions call the cloud through the official
client. `provider.py` does everything that is the same for every type: previews, unknown values, secrets, diffs,
replacement, refresh, import, and the refusal of a type or property without an entry.

Property values are plain data: str, int, float, bool, None, list, dict, with the wire's camelCase keys. Functions never
get an unknown value, because a preview does not call them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Props = dict[str, Any]
"""The properties of one resource: plain data, camelCase keys."""


class GoneError(Exception):
    """The cloud no longer has the object (the client's 404)."""


class RefusedError(Exception):
    """The declaration cannot be carried out. The message states the property, its value, and what is allowed."""


class Identity(str):
    """A new object's id, with outputs that the cloud returns only at creation. `read` finds them in its `state`."""

    outputs: Props

    def __new__(cls, identity: str, outputs: Props) -> Identity:
        made = super().__new__(cls, identity)
        made.outputs = outputs
        return made


def creation_outputs(identity: str) -> Props:
    return identity.outputs if isinstance(identity, Identity) else {}


@dataclass(frozen=True, kw_only=True)
class Property:
    """How one input of a resource type behaves.

    `default`: the value that the provider documents for an input that is left out; `None` if it documents none. A
        refresh compares the cloud's value with it, so that a setting that was switched on by hand shows as drift.
    `required`: an input that is left out is refused by name.
    `replaces`: a change replaces the object.
    `write_only`: the cloud does not return the value (a password, user data), so a refresh keeps the declared one.
    `secret`: the value is marked secret in the engine's state.
    `generated_name`: an object whose name is left out is named after the resource, with a short random suffix.
    `choices`: the only values that the provider accepts.
    `cloud_chooses`: the cloud chooses the value of an input that is left out, so that leaving it out is never a change
        (Terraform calls it optional and computed).
    `same`: whether a declared value and the cloud's mean the same although they are written differently (a policy
        document, a list without order). The default is equality.
    """

    default: Any = None
    required: bool = False
    replaces: bool = False
    write_only: bool = False
    secret: bool = False
    generated_name: bool = False
    choices: tuple[Any, ...] = ()
    cloud_chooses: bool = False
    same: Callable[[Any, Any], bool] | None = None


class Create(Protocol):
    def __call__(self, cloud: Any, inputs: Props, /) -> str: ...


class Read(Protocol):
    def __call__(self, cloud: Any, id: str, state: Props, /) -> Props: ...


class Update(Protocol):
    def __call__(self, cloud: Any, id: str, old: Props, new: Props, changed: frozenset[str], /) -> None: ...


class Delete(Protocol):
    def __call__(self, cloud: Any, id: str, state: Props, /) -> None: ...


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """One resource type.

    `token`: the engine's name, as in `hcloud:index/network:Network`.
    `properties`: every mapped input, by its camelCase name. Any other input is refused by name.
    `computed`: the outputs that only the cloud knows, apart from `id`. A preview of a creation shows them as unknown.
    `create`: creates the object and returns its id in the official provider's form, which an import uses too. It makes
        no further call, so that a later failure cannot orphan the object. An output that the cloud returns only at
        creation (a code) is attached to the id (`Identity`).
    `settle`: the further calls that the official provider makes after a creation (a delete protection, for example). It
        gets the new id and the inputs. If it fails, the engine keeps the object as partly created, and the next update
        completes it.
    `read`: returns every property, that is, the cloud's inputs and `computed`, or raises `GoneError`. `state` is the
        engine's last state. It is empty for an import, so `read` must work from the id alone.
    `update`: changes the object in place. `changed` names the inputs that differ. A removed input is missing from
        `new`: its default applies. Without `update`, every change replaces.
    `delete`: deletes the object and waits until it is gone. It may raise `GoneError` if the object is already gone. It
        removes a delete protection if the official provider does.
    `delete_before_replace`: the old object must be gone before the new one can be created (a unique name).
    `find`: returns the id of the object that a creation with these inputs has made or would collide with, or None. An
        update that was killed after the cloud answered, but before the engine saved the state, finds its object so.
    """

    token: str
    properties: Mapping[str, Property]
    computed: tuple[str, ...] = ()
    create: Create
    read: Read
    delete: Delete
    update: Update | None = None
    settle: Callable[[Any, str, Props], None] | None = None
    delete_before_replace: bool = False
    find: Callable[[Any, Props], str | None] | None = None


@dataclass(frozen=True, kw_only=True)
class Function:
    """One data source. `call` gets the arguments and returns the results. Arguments that are not listed are refused."""

    token: str
    arguments: frozenset[str] = frozenset()
    call: Callable[[Any, Props], Props]


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """The replacement of one provider's plugin: its tables and its connection.

    `configuration`: the provider's mapped settings (camelCase). Any other setting is refused by name.
    `connect`: creates the client that every function above gets as `cloud`. It reads the provider's configuration and
        the engine's environment (`AWS_ENDPOINT_URL`, `HCLOUD_TOKEN`, ...) in the official plugin's order, and refuses
        if a credential or an endpoint is missing.
    `inherited`: returns the inputs that a resource takes from the provider if it leaves them out (AWS: the region).
    """

    name: str
    version: str
    configuration: Mapping[str, Property]
    connect: Callable[[Props, Mapping[str, str]], Any]
    resources: tuple[ResourceType, ...]
    functions: tuple[Function, ...] = field(default=())
    inherited: Callable[[Props, Mapping[str, str]], Props] = lambda settings, environment: {}
