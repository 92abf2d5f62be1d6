"""The form of a stand-in plugin's tables: one `ResourceType` for each type that a program may declare.

A table says which properties a type takes and how each behaves, and has four small functions that speak to the cloud
through its official client. Everything that is the same for every type (previews, unknown values, secrets, diffs,
replacement, refresh, import, refusal of what has no entry) is in `provider.py`.

Property values are plain data: str, int, float, bool, None, list, dict, in the wire's camelCase. Functions are never
called with an unknown value: the engine asks them for nothing during a preview.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Props = dict[str, Any]
"""The properties of one resource: plain data, camelCase keys."""


class Gone(Exception):  # noqa: N818 - it is a finding, not a fault
    """The cloud no longer has the object that was asked for (the client's 404)."""


class Refused(Exception):  # noqa: N818
    """What was declared cannot be done; the message says which property, which value, and what is allowed."""


class Identity(str):
    """A new object's id, with outputs that the cloud tells at its creation only; `read` finds them in its `state`."""

    told: Props

    def __new__(cls, identity: str, told: Props) -> Identity:
        made = super().__new__(cls, identity)
        made.told = told
        return made


def told_with(identity: str) -> Props:
    return identity.told if isinstance(identity, Identity) else {}


@dataclass(frozen=True, kw_only=True)
class Property:
    """How one input of a resource type behaves.

    `default`: what the provider documents for an input that is left out; `None` where there is none. The cloud's own
        value is compared with it in a refresh, so that what somebody switched on by hand shows as drift.
    `required`: refused by name when it is left out.
    `replaces`: a change makes a new object instead of changing the old one.
    `write_only`: the cloud does not give the value back (a password, user data), so a refresh keeps what was declared.
    `secret`: the value is marked secret in the engine's state.
    `generated_name`: when it is left out, the object is named after the resource with a short random suffix.
    `choices`: the only values that the provider takes.
    `cloud_chooses`: the cloud chooses the value of an input that is left out, so that leaving it out is never a change
        (Terraform calls it optional and computed).
    `same`: when a declared value and the cloud's mean the same though they differ to the letter (a policy document,
        a list without order); plain equality by default.
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
    `properties`: every input that is mapped, by its camelCase name. An input that is not here is refused by name.
    `computed`: the outputs that only the cloud knows (besides `id`); unknown in a preview of a creation.
    `create`: makes the object and returns its id, as the real provider forms it (import uses it too). It makes the
        object and nothing more, so that nothing is orphaned when a later step fails. Where the cloud tells something
        only now (a code), the id is an `Identity` with it.
    `settle`: what the real provider does right after creation with calls of their own (protection, for one). When it
        fails, the engine keeps the object as partly made and the next update goes on with it. Same form as `update`'s
        first steps: called with the new id and the inputs.
    `read`: gives every property (inputs as the cloud has them, and `computed`), or raises `Gone`. `state` is what the
        engine knew before; for an import it is empty, so `read` must work from the id alone.
    `update`: changes the object in place; `changed` names the inputs that differ, and a removed input is missing from
        `new` (its default applies). Without it every change replaces.
    `delete`: removes the object, waiting until it is gone; an object that is gone already is no error (`Gone` is fine).
        Where the real provider lifts a delete protection itself, so does this function.
    `delete_before_replace`: the old object must be gone before the new one can be made (names that are unique).
    `find`: the id of the object that a creation with these inputs would have collided with or made, or None: lets an
        update that was killed between the cloud's answer and the engine's note of it find its object again.
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
    """One data source: `call` gets the arguments and gives the results; arguments that are not named are refused."""

    token: str
    arguments: frozenset[str] = frozenset()
    call: Callable[[Any, Props], Props]


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """One provider's stand-in: its tables, and how to reach its cloud.

    `configuration`: the provider's own settings that are mapped (camelCase); another one is refused by name.
    `connect`: makes the client object that every function above gets as `cloud`, from the provider's configuration and
        the environment of the engine (`AWS_ENDPOINT_URL`, `HCLOUD_TOKEN`, ...): the same places, in the same order, in
        which the real plugin looks. Refused where a credential or endpoint is missing.
    `inherited`: the values that a resource's input gets from the provider when it is left out (AWS: the region).
    """

    name: str
    version: str
    configuration: Mapping[str, Property]
    connect: Callable[[Props, Mapping[str, str]], Any]
    resources: tuple[ResourceType, ...]
    functions: tuple[Function, ...] = field(default=())
    inherited: Callable[[Props, Mapping[str, str]], Props] = lambda settings, environment: {}
