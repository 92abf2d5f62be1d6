"""A stack's configuration, read and validated once.

Each kind of stack has a class of its own, so that what makes no sense together cannot be written down: a vault has no
hosts, and a recovery stack has no repository. How settings are read, and what is said of a mistake, is in
`settings_reading.py`.

Settings judge the shape of a value and nothing else: a region must look like one, a retention must be a number that RDS
takes. Whether the region is in the EU and the retention long enough is the policy pack's to judge, alone, so that there
is one judge and its verdict cannot be pre-empted.

What the plan states is not repeated in a stack's file. Such a setting takes its value from the plan, and can still be
set, for example to see the policy pack refuse it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Final, Literal

import pulumi
from pulumi.runtime.config import CONFIG, is_config_secret
from pydantic import AfterValidator, Field, Strict, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from components.host_plan import Alternative, Role
from components.settings_database import Flag, IpRange, ProductionDatabaseSettings, RecoveryDatabaseSettings
from components.settings_reading import NAMESPACE, Allowed, Context, Section, from_plan, read
from plan import Plan
from plan.names import STATE_BUCKET_ALLOWED, is_state_bucket


def _some_and_none_twice(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values or len(set(values)) != len(values):
        raise PydanticCustomError("none_or_twice", "nothing is there, or something twice")
    return values


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
Slug = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$"),
    Allowed("lower-case letters and digits, with a hyphen, dot or underscore between them"),
]


def _address_range(value: str) -> str:
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        raise PydanticCustomError("address_range", "{error}", {"error": str(error)}) from None
    return value


AddressRange = Annotated[
    str, AfterValidator(_address_range), Allowed("an address range in CIDR notation, such as 192.0.2.10/32")
]
SecretNames = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")], ...],
    Strict(False),
    AfterValidator(_some_and_none_twice),
    Allowed("a list of one or more names, none twice: lower-case letters and digits, with hyphens between them"),
]


def _state_bucket(value: str) -> str:
    if not is_state_bucket(value):
        raise PydanticCustomError("state_bucket", "not the name of a state bucket")
    return value


StateBucket = Annotated[str, AfterValidator(_state_bucket)]


class NetworkSettings(Section):
    """The private network of hosts and load balancer, at Hetzner."""

    ip_range: IpRange = Field(description="Its addresses. Changing them rebuilds the network and everything in it.")


class HostSettings(Section):
    """The hosts of one role."""

    server_type: Slug = Field(description="Hetzner's name for the size of a host.")
    alternatives: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(@[a-z]{3}[0-9]*)?$")], ...],
        Strict(False),
        Allowed("a list of server types, such as cpx42, each perhaps with a location behind an @, such as cpx42@hel1"),
    ] = Field(
        default=(),
        description="What a host is when that is sold out, in this order. A host that is there stays what it is.",
    )
    image: Slug = Field(description="Hetzner's name for the operating system. A new one rolls the hosts.")
    app: Annotated[
        str,
        StringConstraints(pattern=r"^[a-z0-9]+([._/:-][a-z0-9]+)*@sha256:[0-9a-f]{64}$"),
        Allowed("an image by its digest, such as ghcr.io/botbrains/api@sha256: and 64 hexadecimal digits"),
    ] = Field(description="What runs on the hosts: the application's image. A new one rolls the hosts.")
    active: Annotated[int, Field(ge=1), Allowed("a whole number of hosts, 1 or more")] = from_plan(
        "redundancy.minimum_active_hosts", description="Hosts that do the work."
    )
    standby: Annotated[int, Field(ge=0), Allowed("a whole number of hosts, 0 or more")] = from_plan(
        "redundancy.minimum_standby_hosts", description="Hosts that run and wait to take over."
    )

    def declared_alternatives(self) -> list[Alternative]:
        pairs = (written.partition("@") for written in self.alternatives)
        return [Alternative(server_type=kind, location=location or None) for kind, _, location in pairs]


class ApiHostSettings(HostSettings):
    """The hosts behind the load balancers."""

    port: Annotated[int, Field(ge=1, le=65535), Allowed("a port, 1 to 65535")] = Field(
        default=8080, description="Where requests reach a host, on the private network."
    )
    health_path: Annotated[
        str, StringConstraints(pattern=r"^/\S*$"), Allowed("a path that begins with a slash and has no spaces")
    ] = Field(default="/healthz", description="What the load balancers ask for; anything but status 200 is unhealthy.")


class HostsSettings(Section):
    """All hosts."""

    api: ApiHostSettings = Field(description="The hosts that answer requests.")
    worker: HostSettings = Field(description="The hosts that work in the background.")
    ssh_from: Annotated[
        tuple[AddressRange, ...], Strict(False), Allowed("a list of address ranges in CIDR notation")
    ] = Field(
        default=(),
        description="Where the co-founders reach the hosts from, by SSH. From nowhere when there is none.",
    )
    keep_serving: Flag = Field(
        default=True,
        description=(
            "Whether a host is taken down only while the others answer. False for the deployment that is to do it"
            " all the same: to take a stack down, for example."
        ),
    )

    def by_role(self) -> dict[Role, HostSettings]:
        return {"api": self.api, "worker": self.worker}


class LoadBalancerSettings(Section):
    """The public entrance."""

    type: Slug = Field(description="Hetzner's name for its size.")
    names: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")], ...],
        Strict(False),
        AfterValidator(_some_and_none_twice),
        Allowed("a list of one or more names below the zone, none twice: lower-case letters, digits and hyphens"),
    ] = Field(
        description=(
            "What the service is called, below the vault's zone: the stack makes the first name lead here, and its"
            " certificate is for all of them."
        )
    )


class RepositorySettings(Section):
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
    branch: Annotated[str, StringConstraints(pattern=r"^[\w./-]+$"), Allowed("the name of a branch")] = Field(
        default="main", description="The branch that is deployed from."
    )
    reviewers: Annotated[
        tuple[Annotated[int, Field(ge=1)], ...],
        Field(strict=False, min_length=2),
        Allowed("a list of two numbers or more"),
    ] = Field(
        description="The numbers that GitHub has for those who agree to deployments (gh api users/LOGIN --jq .id)."
    )
    required_checks: Annotated[tuple[str, ...], Field(strict=False), Allowed("a list of jobs' names")] = Field(
        description="The jobs that every change has to pass."
    )
    actions: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w./-]+@\*$")], ...],
        Field(strict=False),
        Allowed("a list of patterns such as actions/checkout@*"),
    ] = Field(description="The actions that workflows may use; each use of one names a commit besides.")


class RepositoryIdentitySettings(Section):
    """The repository whose workflows are let into AWS."""

    owner: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$"),
        Allowed("the name of a GitHub organisation"),
    ] = Field(description="The organisation that owns it.")
    owner_id: Annotated[int, Field(ge=1), Allowed("the number that GitHub gave the organisation")] = Field(
        description="The organisation's number: gh api orgs/OWNER --jq .id"
    )
    name: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+$"), Allowed("the name of a GitHub repository")
    ] = Field(description="Its name.")
    repository_id: Annotated[int, Field(ge=1), Allowed("the number that GitHub gave the repository")] = Field(
        description="Its number: gh api repos/OWNER/NAME --jq .id"
    )


class _StackSettings(Section):
    """What every stack says of itself."""

    stack: Slug = Field(description="The stack that the file is for. Used with another one, it is refused.")

    @field_validator("stack")
    @classmethod
    def _this_stack(cls, value: str, info: ValidationInfo) -> str:
        context = Context.of(info)
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
    region: Region = from_plan("residency.aws.recovery_region", description="The AWS region that it is in.")
    failback: Flag = Field(
        default=False,
        description=(
            "Whether it also has a key in the plan's home region, for the copies of recovery's backups with which the"
            " service goes back there. True once that region is back."
        ),
    )
    zone: Annotated[
        str,
        StringConstraints(pattern=r"^([a-z0-9]+(-[a-z0-9]+)*\.)+[a-z]{2,}$"),
        Allowed("a domain, such as example.com"),
    ] = Field(description="The domain below which the service has its names. Its DNS zone is at Hetzner.")
    repository: RepositoryIdentitySettings = Field(description="The repository whose workflows are let into AWS.")
    state_bucket: Annotated[StateBucket | None, Allowed(STATE_BUCKET_ALLOWED)] = Field(
        default=None,
        description=(
            "The bucket of Pulumi's state, which `continuity bootstrap` makes; when it is left out, the name is"
            " botbrains-state-<account>."
        ),
    )


class _ServiceSettings(_StackSettings):
    """What production and its rebuild have in common."""

    network: NetworkSettings = Field(description="The private network at Hetzner.")
    hosts: HostsSettings = Field(description="The API and worker hosts.")
    load_balancer: LoadBalancerSettings = Field(description="The public entrance.")


class ProductionSettings(_ServiceSettings):
    """Production: the service, its backups' replication, and its repository."""

    kind: Literal["production"] = Field(description="What the stack is.")
    region: Region = from_plan("residency.aws.home_region", description="The AWS region that its data are in.")
    locations: Locations = from_plan(
        "residency.hetzner.home_locations",
        description="Where its hosts are, in the order in which they are dealt out; each has a load balancer.",
    )
    database: ProductionDatabaseSettings = Field(description="The application database.")
    secrets: SecretNames = Field(
        description="The names of the application's secrets. Their values are put in by people, and are nowhere here."
    )
    repository: RepositorySettings = Field(description="The source code and the deployment configuration.")


class RecoverySettings(_ServiceSettings):
    """Recovery: the service, rebuilt from nothing in the recovery region."""

    kind: Literal["recovery"] = Field(description="What the stack is.")
    region: Region = from_plan("residency.aws.recovery_region", description="The AWS region that its data are in.")
    locations: Locations = from_plan(
        "residency.hetzner.recovery_locations",
        description="Where its hosts are, in the order in which they are dealt out; each has a load balancer.",
    )
    database: RecoveryDatabaseSettings = Field(description="The application database.")
    secrets: SecretNames = Field(
        description="The names of the application's secrets, of which the recovery region has replicas."
    )
    secrets_of: Slug = Field(description="The stack whose secrets they are.")


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
    return read(KINDS, values, plan=plan, stack=stack, secrets=secrets)
