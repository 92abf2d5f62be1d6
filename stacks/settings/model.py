"""A stack's configuration, read and validated once.

Each kind of stack has a class of its own, so that what makes no sense together cannot be written down: a vault has no
hosts, and a recovery stack has no repository. How settings are read, and what is said of a mistake, is in
`reading.py`.

Settings judge the shape of a value and nothing else: a region must look like one, a retention must be a number that RDS
takes. Whether the region is in the EU and the retention long enough is the policy pack's to judge, alone, so that there
is one judge and its verdict cannot be pre-empted.

What the plan states is not repeated in a stack's file. Such a setting takes its value from the plan, and can still be
set, for example to see the policy pack refuse it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import pulumi
from pulumi.runtime.config import CONFIG, is_config_secret
from pydantic import Field, Strict, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from components.hosts.placement import Alternative
from components.network.addressing import Role
from plan import Plan
from plan.types import (
    WORKER_SLOTS,
    AddressRange,
    Allowed,
    AwsRegion,
    GitHubLogin,
    HealthPath,
    HetznerLocation,
    HostPort,
    ImageReference,
    PrivateRange,
    RepositoryName,
    SecretName,
    Several,
    StackName,
    StateBucket,
    Unit,
)
from stacks.settings.database import ProductionDatabaseSettings, RecoveryDatabaseSettings
from stacks.settings.reading import NAMESPACE, Context, Section, from_plan, read

Slug = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$"),
    Allowed("lowercase letters and digits, with a hyphen, dot or underscore between them"),
]
# JSON knows lists only. The values in them are still taken strictly.
FromList = Strict(False)
Locations = Annotated[Several[HetznerLocation], FromList]
SecretNames = Annotated[Several[SecretName], FromList]
ServerAlternative = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]+(@[a-z]{3}[0-9]*)?$"),
    Allowed("a server type, such as cpx42, perhaps with a location behind an @, such as cpx42@hel1"),
]
JobName = Annotated[str, Allowed("the name of a job")]
ActionPattern = Annotated[
    str, StringConstraints(pattern=r"^[\w.-]+/[\w./-]+@\*$"), Allowed("a pattern such as actions/checkout@*")
]
DnsLabel = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$"),
    Allowed("a name below the zone: lowercase letters, digits and hyphens"),
]


class NetworkSettings(Section):
    """The private network of hosts and load balancer, at Hetzner."""

    ip_range: PrivateRange = Field(
        description="Its addresses. Changing them rebuilds the network and everything in it."
    )


class HostSettings(Section):
    """The hosts of one role."""

    server_type: Slug = Field(description="Hetzner's name for the size of a host.")
    alternatives: Annotated[tuple[ServerAlternative, ...], FromList] = Field(
        default=(),
        description="What a host is when that is sold out, in this order. A host that is there stays what it is.",
    )
    image: Slug = Field(description="Hetzner's name for the operating system. A new one rolls the hosts.")
    app: ImageReference = Field(
        description="What runs on the hosts: the application's image. A new one rolls the hosts."
    )
    active: Annotated[int, Field(ge=1), Unit("hosts")] = from_plan(
        "redundancy.minimum_active_hosts", description="Hosts that do the work."
    )
    standby: Annotated[int, Field(ge=0), Unit("hosts")] = from_plan(
        "redundancy.minimum_standby_hosts", description="Hosts that run and wait to take over."
    )

    @property
    def application_port(self) -> int | None:
        """Where the application listens on the private network; None when it does not."""
        return None

    def declared_alternatives(self) -> list[Alternative]:
        pairs = (written.partition("@") for written in self.alternatives)
        return [Alternative(server_type=kind, location=location or None) for kind, _, location in pairs]


class ApiHostSettings(HostSettings):
    """The hosts behind the load balancers."""

    port: HostPort = Field(default=8080, description="Where requests reach a host, on the private network.")
    health_path: HealthPath = Field(
        default="/healthz", description="What the load balancers ask for; anything but status 200 is unhealthy."
    )

    @property
    def application_port(self) -> int:
        return self.port


class WorkerHostSettings(HostSettings):
    """The hosts that take jobs."""

    active: Annotated[int, Field(ge=1, le=WORKER_SLOTS), Unit("hosts")] = from_plan(
        "redundancy.minimum_active_hosts", description="Hosts that do the work."
    )


class HostsSettings(Section):
    """All hosts."""

    api: ApiHostSettings = Field(description="The hosts that answer requests.")
    worker: WorkerHostSettings = Field(description="The hosts that work in the background.")
    ssh_from: Annotated[tuple[AddressRange, ...], FromList] = Field(
        default=(),
        description="Where the co-founders reach the hosts from, by SSH. From nowhere when there is none.",
    )
    keep_serving: bool = Field(
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
    names: Annotated[Several[DnsLabel], FromList] = Field(
        description=(
            "What the service is called, below the vault's zone: the stack makes the first name lead here, and its"
            " certificate is for all of them."
        )
    )


class RepositorySettings(Section):
    """The source code and the deployment configuration, at GitHub."""

    owner: GitHubLogin = Field(description="The organisation that owns it.")
    name: RepositoryName = Field(description="Its name.")
    description: str = Field(description="What it says of itself.")
    required_approvals: Annotated[int, Field(ge=1, le=10), Allowed("a whole number, 1 to 10")] = Field(
        default=1, description="How many others have to approve a change. There are two people, so there is one other."
    )
    branch: Annotated[str, StringConstraints(pattern=r"^[\w./-]+$"), Allowed("the name of a branch")] = Field(
        default="main", description="The branch that is deployed from."
    )
    reviewers: Annotated[
        tuple[Annotated[int, Field(ge=1)], ...],
        FromList,
        Field(min_length=2),
        Allowed("a list of two numbers or more"),
    ] = Field(
        description="The numbers that GitHub has for those who agree to deployments (gh api users/LOGIN --jq .id)."
    )
    required_checks: Annotated[tuple[JobName, ...], FromList] = Field(
        description="The jobs that every change has to pass."
    )
    actions: Annotated[tuple[ActionPattern, ...], FromList] = Field(
        description="The actions that workflows may use; each use of one names a commit besides."
    )


class RepositoryIdentitySettings(Section):
    """The repository whose workflows are let into AWS."""

    owner: GitHubLogin = Field(description="The organisation that owns it.")
    owner_id: Annotated[int, Field(ge=1), Allowed("the number that GitHub gave the organisation")] = Field(
        description="The organisation's number: gh api orgs/OWNER --jq .id"
    )
    name: RepositoryName = Field(description="Its name.")
    repository_id: Annotated[int, Field(ge=1), Allowed("the number that GitHub gave the repository")] = Field(
        description="Its number: gh api repos/OWNER/NAME --jq .id"
    )


class StackSettings(Section):
    """What every stack says of itself."""

    stack: StackName = Field(description="The stack that the file is for. Used with another one, it is refused.")

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
                    "remedy": f"Use Pulumi.{context.stack}.yaml with stack {context.stack!r}"
                    f" and this file with stack {value!r}.",
                },
            )
        return value


class VaultSettings(StackSettings):
    """A vault: keys and replicas, in the recovery region."""

    kind: Literal["vault"] = Field(description="What the stack is.")
    region: AwsRegion = from_plan("residency.aws.recovery_region", description="The AWS region that it is in.")
    failback: bool = Field(
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
    state_bucket: StateBucket | None = Field(
        default=None,
        description=(
            "The bucket of Pulumi's state, which `continuity bootstrap` makes; when it is left out, the name is"
            " botbrains-state-<account>."
        ),
    )


class ServiceSettings(StackSettings):
    """What production and its rebuild have in common."""

    network: NetworkSettings = Field(description="The private network at Hetzner.")
    hosts: HostsSettings = Field(description="The API and worker hosts.")
    load_balancer: LoadBalancerSettings = Field(description="The public entrance.")


class ProductionSettings(ServiceSettings):
    """Production: the service, its backups' replication, and its repository."""

    kind: Literal["production"] = Field(description="What the stack is.")
    region: AwsRegion = from_plan("residency.aws.home_region", description="The AWS region that its data are in.")
    locations: Locations = from_plan(
        "residency.hetzner.home_locations",
        description="Where its hosts are, in the order in which they are dealt out; each has a load balancer.",
    )
    database: ProductionDatabaseSettings = Field(description="The application database.")
    secrets: SecretNames = Field(
        description="The names of the application's secrets. Their values are put in by people, and are nowhere here."
    )
    repository: RepositorySettings = Field(description="The source code and the deployment configuration.")


class RecoverySettings(ServiceSettings):
    """Recovery: the service, rebuilt from nothing in the recovery region."""

    kind: Literal["recovery"] = Field(description="What the stack is.")
    region: AwsRegion = from_plan("residency.aws.recovery_region", description="The AWS region that its data are in.")
    locations: Locations = from_plan(
        "residency.hetzner.recovery_locations",
        description="Where its hosts are, in the order in which they are dealt out; each has a load balancer.",
    )
    database: RecoveryDatabaseSettings = Field(description="The application database.")
    secrets: SecretNames = Field(
        description="The names of the application's secrets, of which the recovery region has replicas."
    )
    secrets_of: StackName = Field(description="The stack whose secrets they are.")


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
