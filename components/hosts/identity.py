"""Who the hosts are to AWS: a role with short-lived credentials, what they are told, and where their logs go."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

# Each from the file that it is in: their packages as wholes take a tenth to a quarter of a second of every run. Nothing
# else may use such a package: the SDK loads a package at the first look into it, and finds it loaded without its parts.
from pulumi_aws.cloudwatch.log_group import LogGroup
from pulumi_aws.ssm.activation import Activation
from pulumi_aws.ssm.parameter import Parameter

from components.aws.encryption_key import EncryptionKey, EncryptionKeyArgs
from components.aws.iam_documents import INLINE_POLICY_LIMIT, AccountScope, Arn, Statement, allow, document, trust
from plan.model import LOG_DAYS
from plan.names import APP, host_path

_SECRET: Final = re.compile(rf"{APP}/[A-Za-z0-9_+=.@/-]+")

# As much of a fingerprint as tells two configurations of a host apart, for a person who reads it too.
_FINGERPRINT_LENGTH: Final = 12


@dataclass(frozen=True, kw_only=True)
class DatabaseAccessArgs:
    """Where the database is, and what opens it. All of it may become known long after the hosts are there."""

    endpoint: pulumi.Input[str]
    """Host name and port, as `host:port`."""

    name: pulumi.Input[str]
    secret_arn: pulumi.Input[str]
    """Where user and password are."""

    secret_key_arn: pulumi.Input[str]
    """The key that this secret is encrypted with."""


@dataclass(frozen=True, kw_only=True)
class HostIdentityArgs:
    """What the hosts may read, and how long what they say is kept.

    Raises:
        ValueError: a secret's name cannot be one of the application's, or CloudWatch Logs has no such retention.
    """

    stack: str
    region: str
    """Where the role's permissions hold, and where activations, parameter and logs are."""

    account_id: pulumi.Input[str]
    """AWS's number of the account. `account_of` takes it from the ARN of something that is there already."""

    secret_names: tuple[str, ...]
    """The application's secrets, by their whole names, as `botbrains/prod/inference`.

    Names and not ARNs, because recovery cannot ask production for the six characters that end an ARN.
    """

    secrets_key_arn: pulumi.Input[str]
    """The key that they are encrypted with, in this region."""

    database: DatabaseAccessArgs
    log_retention_days: int
    key_deletion_window_days: int
    """`retention.key_deletion_window_days` of the plan, for the key of the logs: 7 to 30."""

    role_boundary_arn: pulumi.Input[str] | None = None
    """The permissions boundary of every role that is made here: a deployment may make no role without one."""

    def __post_init__(self) -> None:
        for index, name in enumerate(self.secret_names):
            if not _SECRET.fullmatch(name):
                raise ValueError(f"secret_names[{index}] is {name!r}; a name has the form botbrains/STACK/NAME")
        if self.log_retention_days not in LOG_DAYS:
            allowed = ", ".join(map(str, LOG_DAYS))
            raise ValueError(f"log_retention_days is {self.log_retention_days}; CloudWatch Logs accepts {allowed}")


class HostIdentity(pulumi.ComponentResource):
    """The role that hosts outside AWS have through Systems Manager, and what goes with it.

    A host registers once with an activation and then gets credentials that last an hour, and new ones before they end:
    nothing on it, in its user data or in the state opens anything for longer. What they open is its settings, its
    secrets and its log group, one by one.

    The hosts do not wait for the database, which takes long to make or to restore. The role can be had before it; what
    needs the database (its address in the settings, the right to read its secret) follows, and hosts ask until it is
    there.

    Not the managed policy AmazonSSMManagedInstanceCore: it lets a host read every parameter of the account, and opens
    the channels over which Session Manager and Run Command reach into a host. Nothing here uses these, and who may
    enter a host is decided by its SSH keys alone. Without them the agent still registers, refreshes its credentials
    and says that it is alive.
    """

    role_name: pulumi.Output[str]
    role_arn: pulumi.Output[str]
    parameter_name: str
    """Where hosts read the database's whereabouts: JSON of host, port, name and secret_arn, and no secret in it."""

    log_group_name: str

    def __init__(self, name: str, args: HostIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:access:HostIdentity", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        guarded = pulumi.ResourceOptions(parent=self, protect=True)
        place = pulumi.Output.from_input(args.account_id).apply(lambda number: AccountScope.at(args.region, number))
        self.parameter_name = f"{host_path(args.stack)}/database"
        self.log_group_name = f"{host_path(args.stack)}/hosts"

        role = aws.iam.Role(
            name,
            name=name,
            description=f"Hosts of {args.stack}, registered with Systems Manager",
            assume_role_policy=place.apply(_trust),
            permissions_boundary=args.role_boundary_arn,
            opts=child,
        )
        log_key = EncryptionKey(
            f"{name}-logs",
            EncryptionKeyArgs(
                description=f"What the hosts of {args.stack} log",
                deletion_window_days=args.key_deletion_window_days,
                policy=place.apply(lambda place: _log_key_policy(args.region, place, self.log_group_name)),
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
        permission = aws.iam.RolePolicy(
            f"{name}-settings",
            name="settings",
            role=role.name,
            policy=pulumi.Output.all(place, args.secrets_key_arn, log_group.arn).apply(
                lambda known: _settings_policy(args, self.parameter_name, *known)
            ),
            opts=child,
        )
        aws.iam.RolePolicy(
            f"{name}-database",
            name="database",
            role=role.name,
            policy=pulumi.Output.all(args.database.secret_arn, args.database.secret_key_arn).apply(
                lambda known: document(_read_secrets(args.region, [known[0]], known[1]), INLINE_POLICY_LIMIT)
            ),
            opts=child,
        )
        Parameter(
            name,
            name=self.parameter_name,
            type="String",
            description="Where the database is; read by the hosts",
            # Nothing of it is secret, and a preview that shows what changes is worth having.
            insecure_value=_whereabouts(args.database),
            # One that is there speaks of a database that was set aside (`continuity set-aside`), and is overtaken too.
            overwrite=True,
            tags={"Name": name},
            opts=child,
        )

        self.role_name = role.name
        self.role_arn = role.arn
        # A host that registers finds its settings readable, and its credentials are for nothing less than that.
        self._registrable = pulumi.ResourceOptions(
            parent=self, depends_on=[permission], additional_secret_outputs=["activation_code"]
        )
        self.register_outputs(
            {
                "roleName": self.role_name,
                "roleArn": self.role_arn,
                "parameterName": self.parameter_name,
                "logGroupName": self.log_group_name,
            }
        )

    def activation(self, host_name: str, roll: str) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
        """The id and the code (a secret) with which one machine, once and within a day, becomes this host.

        `roll` is a fingerprint of the host's configuration. It stands in the activation's description, which cannot be
        changed: another fingerprint is another activation, made before the old one goes. An activation that was used
        or has expired stays as it is, because a host that is registered needs it no more.
        """
        made = Activation(
            host_name,
            name=host_name,
            description=f"{host_name} {roll[:_FINGERPRINT_LENGTH]}",
            iam_role=self.role_name,
            registration_limit=1,
            # No date of expiry: SSM's own is 24 hours, and a date would be another one in every run.
            tags={"Name": host_name},
            opts=self._registrable,
        )
        return made.id, pulumi.Output.secret(made.activation_code)


def account_of(arn: pulumi.Input[str]) -> pulumi.Output[str]:
    """The number of the account that an ARN is in."""
    return pulumi.Output.from_input(arn).apply(lambda known: Arn.parse(known).account)


# -- documents --------------------------------------------------------------------------------------------------------


def _trust(place: AccountScope) -> str:
    """SSM may hand the role out, and only for nodes of this account in this region (no deputy for others)."""
    return trust(
        {"Service": "ssm.amazonaws.com"},
        {
            "StringEquals": {"aws:SourceAccount": place.account},
            "ArnEquals": {"aws:SourceArn": place.arn("ssm", "*")},
        },
    )


def _settings_policy(
    args: HostIdentityArgs, parameter: str, place: AccountScope, secrets_key_arn: str, log_group_arn: str
) -> str:
    statements = [
        # What the agent asks with the role's credentials; the credentials themselves it asks for with its own key.
        allow("BeAManagedNode", ["ssm:UpdateInstanceInformation", "ssm:ListInstanceAssociations"], "*"),
        allow("ReadSettings", "ssm:GetParameter", place.arn("ssm", f"parameter{parameter}")),
        allow("WriteLogs", ["logs:CreateLogStream", "logs:PutLogEvents"], f"{log_group_arn}:log-stream:*"),
    ]
    if args.secret_names:
        # Secrets Manager ends an ARN with a hyphen and six characters of its own: as many question marks match these,
        # and no other secret whose name merely begins alike.
        arns = place.arns("secretsmanager", *(f"secret:{name}-??????" for name in args.secret_names))
        statements += _read_secrets(args.region, arns, secrets_key_arn)
    return document(statements, INLINE_POLICY_LIMIT)


def _read_secrets(region: str, arns: list[str], key_arn: str) -> list[Statement]:
    """The secrets' values, and their key through Secrets Manager only, which asks for the first right as well."""
    through_secrets_manager = {"StringEquals": {"kms:ViaService": f"secretsmanager.{region}.amazonaws.com"}}
    return [
        allow(None, "secretsmanager:GetSecretValue", arns),
        allow(None, "kms:Decrypt", key_arn, through_secrets_manager),
    ]


def _log_key_policy(region: str, place: AccountScope, log_group: str) -> str:
    """KMS's default, and CloudWatch Logs for the one group: it uses a key in its own name, so IAM cannot let it.

    After "Encrypt log data in CloudWatch Logs using AWS KMS" in the user guide.
    """
    return document(
        [
            allow(None, "kms:*", "*", principal={"AWS": place.root}),
            allow(
                None,
                ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
                "*",
                {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": place.arn("logs", f"log-group:{log_group}")}},
                principal={"Service": f"logs.{region}.amazonaws.com"},
            ),
        ]
    )


def _whereabouts(database: DatabaseAccessArgs) -> pulumi.Output[str]:
    def told(known: list[str]) -> str:
        endpoint, name, secret_arn = known
        host, _, port = endpoint.rpartition(":")
        return json.dumps({"host": host, "port": int(port), "name": name, "secret_arn": secret_arn})

    return pulumi.Output.all(database.endpoint, database.name, database.secret_arn).apply(told)
