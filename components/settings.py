"""A stack's configuration, read and validated once.

Each kind of stack has a class of its own, so that what makes no sense together cannot be written down: a vault has no
hosts, and a recovery stack cannot copy its backups onward. A field's description and what it allows are part of the
model, for the error messages here and for whatever documents the settings.

Settings judge the shape of a value and nothing else: a region must look like one, a retention must be a number that RDS
takes. Whether the region is in the EU and the retention long enough is the policy pack's to judge, alone, so that there
is one judge and its verdict cannot be pre-empted.

What the plan states is not repeated in a stack's file. Such a setting takes its value from the plan, and can still be
set, for example to see the policy pack refuse it.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Annotated, Any, ClassVar, Final, Literal, get_origin

import pulumi
from pulumi.runtime.config import CONFIG, is_config_secret
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from plan import Plan

NAMESPACE: Final = "botbrains"

# RFC 1918, which is all that Hetzner takes for a network.
_PRIVATE = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))


class SettingsError(pulumi.RunError):
    """The configuration is wrong. Pulumi shows the message, which names every mistake, and no traceback."""


@dataclass(frozen=True)
class Allowed:
    """What a setting allows, in words that complete the sentence "allowed is ..."."""

    words: str


@dataclass(frozen=True)
class _Context:
    """What a value is validated against, beside its own shape."""

    plan: Plan
    stack: str


def _context(info: ValidationInfo) -> _Context:
    if not isinstance(info.context, _Context):
        raise TypeError("settings are read by `parse`, which knows the plan and the stack")
    return info.context


def _some_and_none_twice(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values or len(set(values)) != len(values):
        raise PydanticCustomError("none_or_twice", "nothing is there, or something twice")
    return values


def _private_range(value: str) -> str:
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError as error:
        raise PydanticCustomError("ip_range", "{error}", {"error": str(error)}) from None
    if not any(network.subnet_of(private) for private in _PRIVATE) or not 16 <= network.prefixlen <= 22:
        raise PydanticCustomError("ip_range", "not private, or not of that size")
    return value


Region = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z]{2,4}(-[a-z]+)+-[0-9]+$"),
    Allowed("the name of an AWS region: lower-case words and a number, joined by hyphens"),
]
Locations = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^[a-z]{3}[0-9]*$")], ...],
    # JSON knows lists only; the names in it are still taken strictly.
    Strict(False),
    AfterValidator(_some_and_none_twice),
    Allowed("a list of one or more Hetzner locations, none twice: three lower-case letters each, and perhaps a number"),
]
IpRange = Annotated[
    str,
    AfterValidator(_private_range),
    Allowed("a private IPv4 range from /16 to /22 in CIDR notation, such as 10.10.0.0/16"),
]
Slug = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$"),
    Allowed("lower-case letters and digits, with a hyphen, dot or underscore between them"),
]


def _from_plan(path: str, *, description: str) -> Any:
    """A setting whose value is the plan's at `path`, unless the stack's file sets it."""
    return Field(description=description, json_schema_extra={"fromPlan": path})


def _plan_path(field: FieldInfo) -> str | None:
    """The path into the plan that a setting takes its value from."""
    extra = field.json_schema_extra
    path = extra.get("fromPlan") if isinstance(extra, dict) else None
    return path if isinstance(path, str) else None


def _in_plan(plan: Plan, path: str) -> Any:
    value = reduce(getattr, path.split("."), plan)
    return tuple(value) if isinstance(value, list) else value


class _Section(BaseModel):
    """A group of settings: camelCase in YAML, nothing unknown, nothing converted, immutable."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _take_the_rest_from_the_plan(cls, values: Any, info: ValidationInfo) -> Any:
        if not isinstance(values, dict):
            return values
        context = _context(info)
        planned = {
            to_camel(name): _in_plan(context.plan, path)
            for name, field in cls.model_fields.items()
            if (path := _plan_path(field)) is not None
        }
        return planned | values


class NetworkSettings(_Section):
    """The private network of hosts and load balancer, at Hetzner."""

    ip_range: IpRange = Field(description="Its addresses. Changing them rebuilds the network and everything in it.")


class HostSettings(_Section):
    """The hosts of one role."""

    server_type: Slug = Field(description="Hetzner's name for the size of a host.")
    image: Slug = Field(description="Hetzner's name for the operating system. A new one replaces the hosts.")
    active: Annotated[int, Field(ge=1), Allowed("a whole number of hosts, 1 or more")] = _from_plan(
        "redundancy.minimum_active_hosts", description="Hosts that do the work."
    )
    standby: Annotated[int, Field(ge=0), Allowed("a whole number of hosts, 0 or more")] = _from_plan(
        "redundancy.minimum_standby_hosts", description="Hosts that run and wait to take over."
    )


class ApiHostSettings(HostSettings):
    """The hosts behind the load balancer."""

    port: Annotated[int, Field(ge=1, le=65535), Allowed("a port, 1 to 65535")] = Field(
        default=8080, description="Where the application listens, on the private network."
    )
    health_path: Annotated[
        str, StringConstraints(pattern=r"^/\S*$"), Allowed("a path that begins with a slash and has no spaces")
    ] = Field(default="/healthz", description="What the load balancer asks for; anything but status 200 is unhealthy.")


class HostsSettings(_Section):
    """All hosts."""

    api: ApiHostSettings = Field(description="The hosts that answer requests.")
    worker: HostSettings = Field(description="The hosts that work in the background.")
    protect: Annotated[bool, Allowed("true or false")] = Field(
        default=True,
        description="Whether Pulumi refuses to delete or replace a host. False for the deployment that is to do so.",
    )


class LoadBalancerSettings(_Section):
    """The public entrance."""

    type: Slug = Field(description="Hetzner's name for its size.")


class DatabaseSettings(_Section):
    """The application database."""

    instance_class: Annotated[
        str,
        StringConstraints(pattern=r"^db\.[a-z0-9]+\.[a-z0-9]+$"),
        Allowed("the name of an RDS instance class, such as db.m7g.large"),
    ] = Field(description="The size of the database's machine.")
    engine_version: Annotated[
        str,
        StringConstraints(pattern=r"^[1-9][0-9]*(\.[0-9]+)?$"),
        Allowed('a version of PostgreSQL in quotation marks, such as "18" (17.10 without them is the number 17.1)'),
    ] = Field(description="PostgreSQL's version. With the major number alone, RDS keeps the minor one current.")
    storage_gib: Annotated[
        int, Field(ge=20, le=65536), Allowed("a whole number of GiB, 20 to 65536, which is what RDS offers")
    ] = Field(description="The storage to begin with. It can grow but not shrink.")
    max_storage_gib: Annotated[
        int, Field(ge=22, le=65536), Allowed("a whole number of GiB, at least a tenth more than storageGib, to 65536")
    ] = Field(description="How far RDS may grow the storage by itself.")
    ip_range: IpRange = Field(description="The addresses of its network at AWS.")
    backup_retention_days: Annotated[
        int, Field(ge=0, le=35), Allowed("a whole number of days, 0 (no backups) to 35, which is what RDS offers")
    ] = _from_plan("retention.database_backup_days", description="How far back it can be restored in its own region.")

    @field_validator("max_storage_gib")
    @classmethod
    def _room_to_grow(cls, value: int, info: ValidationInfo) -> int:
        # RDS refuses a maximum that is less than a tenth above the storage to begin with.
        if value * 10 < info.data.get("storage_gib", 0) * 11:
            raise PydanticCustomError("no_room_to_grow", "less than a tenth above the storage to begin with")
        return value


class ProductionDatabaseSettings(DatabaseSettings):
    """The application database where its backups have a further region to go to."""

    replicate_backups: Annotated[bool, Allowed("true or false")] = Field(
        default=True, description="Whether its backups are copied to the plan's recovery region."
    )


class RepositorySettings(_Section):
    """The source code and the deployment configuration, at GitHub."""

    owner: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$"),
        Allowed("the name of a GitHub organisation"),
    ] = Field(description="The organisation that owns it.")
    name: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+$"), Allowed("the name of a GitHub repository")
    ] = Field(description="Its name.")
    description: Annotated[str, Allowed("a text")] = Field(description="What it says of itself.")
    required_approvals: Annotated[int, Field(ge=1, le=10), Allowed("a whole number, 1 to 10")] = Field(
        default=1, description="How many others have to approve a change. There are two people, so there is one other."
    )


class _StackSettings(_Section):
    """What every stack says of itself."""

    stack: Slug = Field(description="The stack that the file is for. Used with another one, it is refused.")

    @field_validator("stack")
    @classmethod
    def _this_stack(cls, value: str, info: ValidationInfo) -> str:
        context = _context(info)
        if value != context.stack:
            raise PydanticCustomError(
                "another_stack",
                "this file was written for another stack",
                {
                    "allowed": f"{context.stack!r}, the stack that is being deployed",
                    "advice": f"Use Pulumi.{context.stack}.yaml with stack {context.stack!r}"
                    f" and this file with stack {value!r}.",
                },
            )
        return value


class VaultSettings(_StackSettings):
    """A vault: keys and replicas, in the recovery region."""

    kind: Literal["vault"] = Field(description="What the stack is.")
    region: Region = _from_plan("residency.aws.recovery_region", description="The AWS region that it is in.")


class _ServiceSettings(_StackSettings):
    """What production and its rebuild have in common."""

    network: NetworkSettings = Field(description="The private network at Hetzner.")
    hosts: HostsSettings = Field(description="The API and worker hosts.")
    load_balancer: LoadBalancerSettings = Field(description="The public entrance.")


class ProductionSettings(_ServiceSettings):
    """Production: the service, its backups' replication, and its repository."""

    kind: Literal["production"] = Field(description="What the stack is.")
    region: Region = _from_plan("residency.aws.home_region", description="The AWS region that its data are in.")
    locations: Locations = _from_plan(
        "residency.hetzner.home_locations",
        description="Where its hosts are, in the order in which they are dealt out; the load balancer is in the first.",
    )
    database: ProductionDatabaseSettings = Field(description="The application database.")
    repository: RepositorySettings = Field(description="The source code and the deployment configuration.")


class RecoverySettings(_ServiceSettings):
    """Recovery: the service, rebuilt from nothing in the recovery region."""

    kind: Literal["recovery"] = Field(description="What the stack is.")
    region: Region = _from_plan("residency.aws.recovery_region", description="The AWS region that its data are in.")
    locations: Locations = _from_plan(
        "residency.hetzner.recovery_locations",
        description="Where its hosts are, in the order in which they are dealt out; the load balancer is in the first.",
    )
    database: DatabaseSettings = Field(description="The application database.")


Settings = VaultSettings | ProductionSettings | RecoverySettings

KINDS: Final[Mapping[str, type[Settings]]] = {
    "vault": VaultSettings,
    "production": ProductionSettings,
    "recovery": RecoverySettings,
}


def load(plan: Plan) -> Settings:
    """The settings of the stack that Pulumi is running.

    Raises:
        SettingsError: a setting is missing, unknown or of the wrong shape, or the file is another stack's.
    """
    prefix = f"{NAMESPACE}:"
    # Pulumi's own Config reads keys that one knows; to refuse the others, all of them have to be seen.
    values = {key.removeprefix(prefix): value for key, value in CONFIG.get().items() if key.startswith(prefix)}
    secrets = {key for key in values if is_config_secret(prefix + key)}
    return parse(values, plan=plan, stack=pulumi.get_stack(), secrets=secrets)


def parse(
    values: Mapping[str, str], *, plan: Plan, stack: str, secrets: set[str] | frozenset[str] = frozenset()
) -> Settings:
    """Settings from `values` as Pulumi hands them over: text, and whatever is not plain text as JSON.

    Args:
        values: by key, without the namespace.
        plan: what the settings that are not set are taken from.
        stack: the name of the stack that they must be for.
        secrets: the keys whose values must not appear in an error message.

    Raises:
        SettingsError: as in `load`.
    """
    kind = values.get("kind")
    model = KINDS.get(kind) if kind is not None else None
    if model is None:
        problem = _Problem("kind", kind, "one of " + ", ".join(KINDS), "Say which kind of stack this is.")
        raise SettingsError(_message(stack, [problem]))
    try:
        return model.model_validate(_decode(model, values), context=_Context(plan, stack))
    except ValidationError as error:
        problems = [_Problem.of(model, details, secrets) for details in error.errors(include_url=False)]
        raise SettingsError(_message(stack, problems)) from None


def _decode(model: type[Settings], values: Mapping[str, str]) -> dict[str, Any]:
    """The values with those that are not plain text parsed from JSON. What cannot be parsed stays for the model."""

    def decoded(key: str, value: str) -> Any:
        field = _fields(model).get(key)
        if field is None or field.annotation is str or get_origin(field.annotation) is Literal:
            return value
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value

    return {key: decoded(key, value) for key, value in values.items()}


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """A model's fields by the name that they have in YAML."""
    return {to_camel(name): field for name, field in model.model_fields.items()}


@dataclass(frozen=True)
class _Problem:
    """One mistake: where it is, what is there, what is allowed, and what to do."""

    MISSING: ClassVar[object] = object()

    path: str
    value: object
    allowed: str
    advice: str

    @classmethod
    def of(cls, model: type[Settings], details: ErrorDetails, secrets: set[str] | frozenset[str]) -> _Problem:
        """What pydantic found, in words for the person who has to mend it."""
        steps = list(details["loc"])
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")
        value: object = "[secret]" if steps and steps[0] in secrets else details["input"]
        context = details.get("ctx", {})

        match details["type"]:
            case "missing":
                value, advice = None, f"Add it. {_description(model, steps)}".strip()
            case "extra_forbidden":
                known = ", ".join(sorted(_known_beside(model, steps)))
                return cls(path, value, f"one of {known}", "Remove it, or correct its name.")
            case _:
                advice = f"Correct it. {_description(model, steps)}".strip()
        return cls(path, value, context.get("allowed") or _allowed(model, steps), context.get("advice") or advice)

    def __str__(self) -> str:
        is_there = "is not set" if self.value is None else f"is {json.dumps(self.value, default=str)}"
        return f"  {NAMESPACE}:{self.path} {is_there}\n    Allowed is {self.allowed}.\n    {self.advice}"


def _message(stack: str, problems: list[_Problem]) -> str:
    count = "1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
    where = f"The configuration of stack {stack!r}, which is Pulumi.{stack}.yaml unless another file was named,"
    return "\n\n".join([f"{where} has {count}. Nothing was changed.", *map(str, problems)])


def _walk(model: type[BaseModel], steps: list[int | str]) -> Iterator[tuple[type[BaseModel], FieldInfo | None]]:
    """The sections along a path and, in each, the field that the path goes through."""
    section: type[BaseModel] | None = model
    for step in steps:
        if section is None or isinstance(step, int):
            return
        field = _fields(section).get(step)
        yield section, field
        annotation = field.annotation if field is not None else None
        section = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _field(model: type[BaseModel], steps: list[int | str]) -> FieldInfo | None:
    fields = [field for _, field in _walk(model, steps)]
    return fields[-1] if fields else None


def _description(model: type[BaseModel], steps: list[int | str]) -> str:
    field = _field(model, steps)
    return (field.description or "") if field is not None else ""


def _allowed(model: type[BaseModel], steps: list[int | str]) -> str:
    field = _field(model, steps)
    words = [item.words for item in field.metadata if isinstance(item, Allowed)] if field is not None else []
    section = field.annotation if field is not None else None
    if not words and isinstance(section, type) and issubclass(section, BaseModel):
        words = ["a section with " + ", ".join(_fields(section))]
    return words[0] if words else "another value"


def _known_beside(model: type[BaseModel], steps: list[int | str]) -> set[str]:
    """The keys of the section that an unknown key is in."""
    *_, (section, _unknown) = _walk(model, steps)
    return set(_fields(section))
