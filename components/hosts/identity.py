"""The hosts' identity at AWS: a role with short-lived credentials, their database settings, and their log group."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

import pulumi

# Each imported from its own file: importing the whole packages takes a tenth to a quarter of a second of every run. No
# other module may use such a package: the SDK loads a package at the first access, and would find it without its parts.
from pulumi_aws.cloudwatch.log_group import LogGroup
from pulumi_aws.ssm.activation import Activation
from pulumi_aws.ssm.parameter import Parameter

from components.aws.encryption_key import EncryptionKey, EncryptionKeyArgs
from components.aws.iam_documents import AccountScope, Arn
from components.aws.log_key import log_key_policy
from components.hosts.role import ExistingHostRoleArgs, HostRoleArgs, declare_host_role
from plan.model import LOG_DAYS
from plan.names import host_path

# Long enough to distinguish two configurations of a host, and short enough to read.
_FINGERPRINT_LENGTH: Final = 12


@dataclass(frozen=True, kw_only=True)
class DatabaseAddressArgs:
    """The database's address and secret. All of it may become known long after the hosts exist."""

    endpoint: pulumi.Input[str]
    """Host name and port, as `host:port`."""

    name: pulumi.Input[str]
    secret_arn: pulumi.Input[str]
    """The secret with the name and the password of the master user. Hosts create the application's user with it."""


@dataclass(frozen=True, kw_only=True)
class HostIdentityArgs:
    """The role and the settings of the hosts, and the retention of their logs.

    Raises:
        ValueError: CloudWatch Logs does not offer the retention.
    """

    stack: str
    region: str
    """The region of the activations, the parameter and the logs."""

    account_id: pulumi.Input[str]
    """The number of the AWS account. `account_of` reads it from the ARN of an existing resource."""

    role: HostRoleArgs | ExistingHostRoleArgs
    database: DatabaseAddressArgs
    log_retention_days: int
    key_deletion_window_days: int
    """The plan's `retention.key_deletion_window_days`, for the key of the logs: 7 to 30."""

    def __post_init__(self) -> None:
        if self.log_retention_days not in LOG_DAYS:
            allowed = ", ".join(map(str, LOG_DAYS))
            raise ValueError(
                f"log_retention_days is {self.log_retention_days}; allowed is one of {allowed}, which CloudWatch Logs"
                " offers"
            )


class HostIdentity(pulumi.ComponentResource):
    """The role that hosts outside AWS get through Systems Manager, with their parameter and their log group.

    A host registers once with an activation. Then it gets credentials that are valid for an hour, and renews them
    before they expire. No credential on the host, in its user data or in the state is valid for longer. The credentials
    give access only to the host's settings, its secrets and its log group.

    The hosts do not wait for the database, which takes long to create or restore. The role exists before the database.
    The resources that need the database (its address in the settings, and the right of the component's own role to read
    its secret) follow, and hosts poll until these exist.

    The role does not use the managed policy AmazonSSMManagedInstanceCore: it lets a host read every parameter of the
    account, and opens the channels through which Session Manager and Run Command enter a host. We use neither: only
    SSH keys give access to a host. Without that policy, the agent still registers, renews its credentials and reports
    its health.
    """

    role_name: pulumi.Output[str]
    parameter_name: str
    """The parameter with the database's address: JSON of host, port, name and secret_arn, without a secret in it."""

    log_group_name: str

    def __init__(self, name: str, args: HostIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:access:HostIdentity", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        guarded = pulumi.ResourceOptions(parent=self, protect=True)
        place = pulumi.Output.from_input(args.account_id).apply(lambda number: AccountScope.at(args.region, number))
        self.parameter_name = f"{host_path(args.stack)}/database"
        self.log_group_name = f"{host_path(args.stack)}/hosts"

        needed: list[pulumi.Resource] = []
        if isinstance(args.role, HostRoleArgs):
            role, permission = declare_host_role(name, args.role, child)
            self.role_name = role.name
            needed.append(permission)
        else:
            self.role_name = pulumi.Output.from_input(args.role.name)
        log_key = EncryptionKey(
            f"{name}-logs",
            EncryptionKeyArgs(
                description=f"What the hosts of {args.stack} log",
                deletion_window_days=args.key_deletion_window_days,
                policy=place.apply(lambda place: log_key_policy(args.region, place, self.log_group_name)),
            ),
            opts=guarded,
        )
        log_group = LogGroup(
            name,
            name=self.log_group_name,
            retention_in_days=args.log_retention_days,
            kms_key_id=log_key.arn,
            tags={"Name": name},
            opts=guarded,
        )
        Parameter(
            name,
            name=self.parameter_name,
            type="String",
            description="Where the database is; read by the hosts",
            # The value is not secret, so a preview can show its changes.
            insecure_value=_database_address(args.database),
            # An existing parameter belongs to a database that was detached (`continuity set-aside`). It is replaced.
            overwrite=True,
            tags={"Name": name},
            opts=child,
        )

        # When a host registers, it may already read its settings, and its logs have a place.
        self._registrable = pulumi.ResourceOptions(
            parent=self, depends_on=[log_group, *needed], additional_secret_outputs=["activation_code"]
        )
        self.register_outputs(
            {
                "roleName": self.role_name,
                "parameterName": self.parameter_name,
                "logGroupName": self.log_group_name,
            }
        )

    def activation(self, host_name: str, fingerprint: str) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
        """Return the id and the code (a secret) with which one machine registers as this host, once, within a day.

        `fingerprint` is a digest of the host's configuration. It is part of the activation's description, which cannot
        change. So a changed fingerprint creates a new activation before the old one is deleted. An activation that was
        used or has expired stays unchanged, because a registered host no longer needs it.
        """
        activation = Activation(
            host_name,
            name=host_name,
            description=f"{host_name} {fingerprint[:_FINGERPRINT_LENGTH]}",
            iam_role=self.role_name,
            registration_limit=1,
            # Without an expiration date, SSM's default of 24 hours applies. A date would change in every run.
            tags={"Name": host_name},
            opts=self._registrable,
        )
        return activation.id, pulumi.Output.secret(activation.activation_code)


def account_of(arn: pulumi.Input[str]) -> pulumi.Output[str]:
    """The account number in an ARN."""
    return pulumi.Output.from_input(arn).apply(lambda known: Arn.parse(known).account)


# -- documents --------------------------------------------------------------------------------------------------------


def _database_address(database: DatabaseAddressArgs) -> pulumi.Output[str]:
    def as_json(known: list[str]) -> str:
        endpoint, name, secret_arn = known
        host, _, port = endpoint.rpartition(":")
        return json.dumps({"host": host, "port": int(port), "name": name, "secret_arn": secret_arn})

    return pulumi.Output.all(database.endpoint, database.name, database.secret_arn).apply(as_json)
