"""The role of hosts, and the inline policies with their permissions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from components.aws.iam_documents import INLINE_POLICY_LIMIT, AccountScope, Condition, Statement, allow, document, trust
from plan.names import APP, host_path

_SECRET: Final = re.compile(rf"{APP}/[a-z]+/(\*|[A-Za-z0-9_+=.@/-]+)")


@dataclass(frozen=True, kw_only=True)
class HostRoleArgs:
    """The settings and secrets that the hosts of a stack may read.

    Raises:
        ValueError: a secret's name has another form.
    """

    stack: str
    region: str
    """The region of the role's permissions."""

    account_id: pulumi.Input[str]
    """The number of the AWS account."""

    secret_names: tuple[str, ...]
    """The application's secrets, by their full names, such as `botbrains/prod/inference`. `*` permits all of a stack.

    Names, not ARNs: recovery cannot query production for the six characters that end an ARN.
    """

    secrets_key_arn: pulumi.Input[str]
    """The key that encrypts these secrets in this region."""

    user_secret_name: str
    """The full name of the secret with the application's own user. The key of `secret_names` encrypts it."""

    sets_user_secret: bool
    """Whether the hosts set the first value of this secret. Not of a replica, which has the value of its primary."""

    database_secret_arn: pulumi.Input[str] | None
    """The secret of the database's master user. `None` permits the master secret of every instance in the region."""

    database_key_arns: Sequence[pulumi.Input[str]]
    """The keys that may encrypt this secret."""

    boundary_arn: pulumi.Input[str] | None = None
    """The permissions boundary of the role. A deployment may create only roles that have it."""

    def __post_init__(self) -> None:
        for index, name in enumerate(self.secret_names):
            if not _SECRET.fullmatch(name):
                raise ValueError(f"secret_names[{index}] is {name!r}; allowed is a name of the form {APP}/STACK/NAME")


@dataclass(frozen=True, kw_only=True)
class ExistingHostRoleArgs:
    """A role that a different stack declares."""

    name: pulumi.Input[str]


def declare_host_role(
    name: str, args: HostRoleArgs, opts: pulumi.ResourceOptions
) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
    """Declare the role and its policies. Return the role, and the policy that a host needs when it registers."""
    scope = pulumi.Output.from_input(args.account_id).apply(lambda number: AccountScope.at(args.region, number))
    role = aws.iam.Role(
        name,
        name=name,
        description=f"Hosts of {args.stack}, registered with Systems Manager",
        assume_role_policy=scope.apply(_trust),
        permissions_boundary=args.boundary_arn,
        opts=opts,
    )
    permission = aws.iam.RolePolicy(
        f"{name}-settings",
        name="settings",
        role=role.name,
        policy=pulumi.Output.all(scope, args.secrets_key_arn).apply(lambda known: _settings_policy(args, *known)),
        opts=opts,
    )
    aws.iam.RolePolicy(
        f"{name}-database",
        name="database",
        role=role.name,
        policy=pulumi.Output.all(scope, args.database_secret_arn, pulumi.Output.all(*args.database_key_arns)).apply(
            lambda known: _database_policy(args.region, *known)
        ),
        opts=opts,
    )
    return role, permission


def _trust(scope: AccountScope) -> str:
    """SSM may assume the role, only for nodes of this account in this region (prevents a confused deputy)."""
    return trust(
        {"Service": "ssm.amazonaws.com"},
        {
            "StringEquals": {"aws:SourceAccount": scope.account},
            "ArnEquals": {"aws:SourceArn": scope.arn("ssm", "*")},
        },
    )


def _settings_policy(args: HostRoleArgs, scope: AccountScope, secrets_key_arn: str) -> str:
    path = host_path(args.stack)
    statements = [
        # The agent's calls with the role's credentials. It requests the credentials themselves with its own key.
        allow("BeAManagedNode", ["ssm:UpdateInstanceInformation", "ssm:ListInstanceAssociations"], "*"),
        allow("ReadSettings", "ssm:GetParameter", scope.arn("ssm", f"parameter{path}/database")),
        allow(
            "WriteLogs",
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            scope.arn("logs", f"log-group:{path}/hosts:log-stream:*"),
        ),
    ]
    # Secrets Manager adds a hyphen and six random characters to an ARN. Six question marks match exactly these, and no
    # other secret whose name only begins with the same words.
    user, *own = scope.arns(
        "secretsmanager", *(f"secret:{name}-??????" for name in (args.user_secret_name, *args.secret_names))
    )
    statements += _read_secrets(args.region, [user, *own], [secrets_key_arn])
    if args.sets_user_secret:
        statements += [
            allow("SetTheDatabaseUser", "secretsmanager:PutSecretValue", user),
            allow(None, "kms:GenerateDataKey", secrets_key_arn, _through_secrets_manager(args.region)),
        ]
    return document(statements, INLINE_POLICY_LIMIT)


def _database_policy(region: str, scope: AccountScope, secret_arn: str | None, key_arns: list[str]) -> str:
    # RDS names the secret of an instance's master user `rds!db-` and a random id.
    arn = secret_arn or scope.arn("secretsmanager", "secret:rds!db-*")
    return document(_read_secrets(region, [arn], key_arns), INLINE_POLICY_LIMIT)


def _read_secrets(region: str, arns: list[str], key_arns: list[str]) -> list[Statement]:
    """Allow reading the secrets' values, and decryption with their keys through Secrets Manager only."""
    return [
        allow(None, "secretsmanager:GetSecretValue", arns),
        allow(None, "kms:Decrypt", key_arns if len(key_arns) > 1 else key_arns[0], _through_secrets_manager(region)),
    ]


def _through_secrets_manager(region: str) -> Condition:
    return {"StringEquals": {"kms:ViaService": f"secretsmanager.{region}.amazonaws.com"}}
