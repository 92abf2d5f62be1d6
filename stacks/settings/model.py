"""The configuration of a stack, read and validated once.

Each kind of stack has its own class, so that impossible combinations cannot be configured: a vault has no hosts, and a
recovery stack has no repository. `reading.py` reads the settings and explains mistakes.

Settings check only the form of a value: a region must have the form of a region's name, and a retention must be a
number that RDS accepts. Only the policy pack decides whether the region is in the EU and the retention long enough, so
there is one decision, and one place that makes it.

A stack's file does not repeat the plan. The default of such a setting comes from the plan. The setting can still be
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
# JSON has no tuples, so a list is accepted for a tuple. The values in it are still checked strictly.
FromList = Strict(False)
Locations = Annotated[Several[HetznerLocation], FromList]
SecretNames = Annotated[Several[SecretName], FromList]
ServerAlternative = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]+(@[a-z]{3}[0-9]*)?$"),
    Allowed("a server type, such as cpx42, or a server type and a location, such as cpx42@hel1"),
]
JobName = Annotated[str, Allowed("the name of a job in .github/workflows")]
ActionPattern = Annotated[
    str, StringConstraints(pattern=r"^[\w.-]+/[\w./-]+@\*$"), Allowed("OWNER/NAME@*, such as actions/checkout@*")
]
DnsLabel = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$"),
    Allowed("a name below the zone: lowercase letters, digits and hyphens"),
]


class NetworkSettings(Section):
    """The private network of the hosts and load balancers, at Hetzner."""

    ip_range: PrivateRange = Field(
        description="The address range. Changing it replaces the network and everything in it."
    )


class HostSettings(Section):
    """The hosts of one role."""

    server_type: Slug = Field(description="Hetzner's server type for a host.")
    alternatives: Annotated[tuple[ServerAlternative, ...], FromList] = Field(
        default=(),
        description="The server types for new hosts while that one is sold out, in order. Existing hosts keep theirs.",
    )
    image: Slug = Field(description="Hetzner's name for the operating system. Changing it replaces the hosts.")
    app: ImageReference = Field(description="The application's image. Changing it replaces the hosts.")
    active: Annotated[int, Field(ge=1), Unit("hosts")] = from_plan(
        "redundancy.minimum_active_hosts", description="The number of hosts that serve."
    )
    standby: Annotated[int, Field(ge=0), Unit("hosts")] = from_plan(
        "redundancy.minimum_standby_hosts", description="The number of hosts that run and can take over."
    )

    @property
    def application_port(self) -> int | None:
        """The port on which the application listens on the private network. `None` if it does not listen."""
        return None

    def declared_alternatives(self) -> list[Alternative]:
        pairs = (written.partition("@") for written in self.alternatives)
        return [Alternative(server_type=kind, location=location or None) for kind, _, location in pairs]


class ApiHostSettings(HostSettings):
    """The hosts behind the load balancers."""

    port: HostPort = Field(default=8080, description="The port of a host for requests, on the private network.")
    health_path: HealthPath = Field(
        default="/healthz", description="The path of the health check. A status other than 200 is unhealthy."
    )

    @property
    def application_port(self) -> int:
        return self.port


class WorkerHostSettings(HostSettings):
    """The hosts that run jobs."""

    active: Annotated[int, Field(ge=1, le=WORKER_SLOTS), Unit("hosts")] = from_plan(
        "redundancy.minimum_active_hosts", description="The number of hosts that serve."
    )


class HostsSettings(Section):
    """All hosts."""

    api: ApiHostSettings = Field(description="The hosts that answer requests.")
    worker: WorkerHostSettings = Field(description="The hosts that run background jobs.")
    ssh_from: Annotated[tuple[AddressRange, ...], FromList] = Field(
        default=(),
        description="The address ranges from which the co-founders use SSH. Without one, SSH is closed.",
    )
    keep_serving: bool = Field(
        default=True,
        description=(
            "Whether a host is deleted only while the other active hosts answer. Set it to false only for a deployment"
            " that must delete hosts regardless, for example to remove a stack."
        ),
    )

    def by_role(self) -> dict[Role, HostSettings]:
        return {"api": self.api, "worker": self.worker}


class LoadBalancerSettings(Section):
    """The load balancers of the public endpoint."""

    type: Slug = Field(description="Hetzner's load balancer type.")
    names: Annotated[Several[DnsLabel], FromList] = Field(
        description=(
            "The names of the service, below the vault's zone. The first name gets DNS records for this stack's load"
            " balancers; the certificate covers all names."
        )
    )


class RepositorySettings(Section):
    """The source code and the deployment configuration, at GitHub."""

    owner: GitHubLogin = Field(description="The organisation that owns the repository.")
    name: RepositoryName = Field(description="The repository's name.")
    description: str = Field(description="The repository's description at GitHub.")
    required_approvals: Annotated[int, Field(ge=1, le=10), Allowed("a whole number, 1 to 10")] = Field(
        default=1, description="The number of approvals by others that a change needs. With two people, one is other."
    )
    branch: Annotated[str, StringConstraints(pattern=r"^[\w./-]+$"), Allowed("the name of a branch")] = Field(
        default="main", description="The branch that deployments use."
    )
    plan: Annotated[Literal["team", "enterprise"], Allowed("team or enterprise")] = Field(
        description=(
            "The organisation's plan at GitHub. Only `enterprise` has reviewers of deployments of a private repository."
            " The Free plan has neither rules nor environments for one, so each person who can push could deploy."
        )
    )
    secret_scanning: bool = Field(
        default=False, description="Whether the organisation has GitHub Secret Protection, which is a paid product."
    )
    reviewers: Annotated[
        tuple[Annotated[int, Field(ge=1)], ...],
        FromList,
        Allowed("a list of two numbers or more with plan enterprise, and none with plan team"),
    ] = Field(
        default=(),
        validate_default=True,
        description="GitHub's user ids of the reviewers of deployments (gh api users/LOGIN --jq .id).",
    )
    required_checks: Annotated[tuple[JobName, ...], FromList] = Field(
        description="The jobs that every change must pass."
    )
    actions: Annotated[tuple[ActionPattern, ...], FromList] = Field(
        description="The actions that workflows may use. A workflow must also pin an action to a commit."
    )

    @property
    def has_reviewers(self) -> bool:
        """Whether a deployment waits for a reviewer."""
        return self.plan == "enterprise"

    @field_validator("reviewers")
    @classmethod
    def _reviewers_of_plan(cls, value: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        enterprise = info.data.get("plan") == "enterprise"
        if "plan" in info.data and (len(set(value)) < 2 if enterprise else value):
            raise PydanticCustomError("reviewers_of_plan", "not the reviewers of the plan")
        return value


class RepositoryIdentitySettings(Section):
    """The repository whose workflows may assume roles in AWS."""

    owner: GitHubLogin = Field(description="The organisation that owns the repository.")
    owner_id: Annotated[int, Field(ge=1), Allowed("GitHub's id of the organisation, a number")] = Field(
        description="The organisation's id: gh api orgs/OWNER --jq .id"
    )
    name: RepositoryName = Field(description="The repository's name.")
    repository_id: Annotated[int, Field(ge=1), Allowed("GitHub's id of the repository, a number")] = Field(
        description="The repository's id: gh api repos/OWNER/NAME --jq .id"
    )


class StackSettings(Section):
    """The settings that every stack has."""

    stack: StackName = Field(description="The stack that the file is for. With a different stack, it is refused.")

    @field_validator("stack")
    @classmethod
    def _this_stack(cls, value: str, info: ValidationInfo) -> str:
        context = Context.of(info)
        if value != context.stack:
            raise PydanticCustomError(
                "another_stack",
                "this file is for a different stack",
                {
                    "allowed": f"{context.stack!r}, the stack that is being deployed",
                    "remedy": f"Use Pulumi.{context.stack}.yaml with stack {context.stack!r}"
                    f" and this file with stack {value!r}.",
                },
            )
        return value


class VaultSettings(StackSettings):
    """The vault: keys and replicas, in the recovery region."""

    kind: Literal["vault"] = Field(description="The kind of the stack.")
    region: AwsRegion = from_plan("residency.aws.recovery_region", description="The AWS region of the vault.")
    failback: bool = Field(
        default=False,
        description=(
            "Whether the vault also has a key in the plan's home region, for replicas of recovery's backups there. Set"
            " it to true for failback, once that region is available again."
        ),
    )
    zone: Annotated[
        str,
        StringConstraints(pattern=r"^([a-z0-9]+(-[a-z0-9]+)*\.)+[a-z]{2,}$"),
        Allowed("a domain, such as example.com"),
    ] = Field(description="The domain of the service's names. Its DNS zone is at Hetzner.")
    repository: RepositoryIdentitySettings = Field(
        description="The repository whose workflows may assume roles in AWS."
    )
    state_bucket: StateBucket | None = Field(
        default=None,
        description=(
            "The bucket of Pulumi's state, which `continuity bootstrap` creates. The default is"
            " botbrains-state-<account>."
        ),
    )


class ServiceSettings(StackSettings):
    """The settings that production and recovery have in common."""

    network: NetworkSettings = Field(description="The private network at Hetzner.")
    hosts: HostsSettings = Field(description="The API and worker hosts.")
    load_balancer: LoadBalancerSettings = Field(description="The load balancers of the public endpoint.")


class ProductionSettings(ServiceSettings):
    """Production: the service, and the replication of its backups."""

    kind: Literal["production"] = Field(description="The kind of the stack.")
    region: AwsRegion = from_plan("residency.aws.home_region", description="The AWS region of its data.")
    locations: Locations = from_plan(
        "residency.hetzner.home_locations",
        description="The locations of its hosts, which are assigned in this order. Each has a load balancer.",
    )
    database: ProductionDatabaseSettings = Field(description="The application database.")
    secrets: SecretNames = Field(
        description="The names of the application's secrets. An operator sets their values at AWS."
    )


class RecoverySettings(ServiceSettings):
    """Recovery: the service, rebuilt in the recovery region."""

    kind: Literal["recovery"] = Field(description="The kind of the stack.")
    region: AwsRegion = from_plan("residency.aws.recovery_region", description="The AWS region of its data.")
    locations: Locations = from_plan(
        "residency.hetzner.recovery_locations",
        description="The locations of its hosts, which are assigned in this order. Each has a load balancer.",
    )
    database: RecoveryDatabaseSettings = Field(description="The application database.")
    secrets: SecretNames = Field(
        description="The names of the application's secrets, whose replicas are in the recovery region."
    )
    secrets_of: StackName = Field(description="The stack that owns the secrets.")


class GitHubSettings(StackSettings):
    """GitHub: the repository, its rules, and the environments of deployments."""

    kind: Literal["github"] = Field(description="The kind of the stack.")
    repository: RepositorySettings = Field(description="The source code and the deployment configuration.")


CloudSettings = VaultSettings | ProductionSettings | RecoverySettings
"""The settings of the stacks at AWS and Hetzner."""

Settings = CloudSettings | GitHubSettings

KINDS: Final[Mapping[str, type[Settings]]] = {
    "vault": VaultSettings,
    "production": ProductionSettings,
    "github": GitHubSettings,
    "recovery": RecoverySettings,
}


def load(plan: Plan) -> Settings:
    """Return the settings of the stack that Pulumi is running.

    Raises:
        SettingsError: a setting is missing, unknown or not allowed, or the file is for a different stack.
    """
    prefix = f"{NAMESPACE}:"
    # Pulumi's Config reads single keys by name. Refusing unknown keys requires all of them.
    values = {key.removeprefix(prefix): value for key, value in CONFIG.get().items() if key.startswith(prefix)}
    secrets = {key for key in values if is_config_secret(prefix + key)}
    return parse(values, plan=plan, stack=pulumi.get_stack(), secrets=secrets)


def parse(
    values: Mapping[str, str], *, plan: Plan, stack: str, secrets: set[str] | frozenset[str] = frozenset()
) -> Settings:
    """Return the settings from `values` in Pulumi's form: text, and values that are not plain text as JSON.

    Args:
        values: the values by key, without the namespace.
        plan: the source of defaults.
        stack: the name of the stack that the settings must be for.
        secrets: the keys of values that must not appear in an error message.

    Raises:
        SettingsError: as in `load`.
    """
    return read(KINDS, values, plan=plan, stack=stack, secrets=secrets)
