"""Tests of the hosts' permissions at AWS, their settings, and the replacement of their activations."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest
from pulumi_aws.secretsmanager import Secret

from components.hosts.identity import DatabaseAddressArgs, HostIdentity, HostIdentityArgs, account_of
from components.hosts.role import ExistingHostRoleArgs, HostRoleArgs
from tests.components.recording import KEY, SECRET, Deployment, deploy

ROLE = "aws:iam/role:Role"
POLICY = "aws:iam/rolePolicy:RolePolicy"
PARAMETER = "aws:ssm/parameter:Parameter"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
ACTIVATION = "aws:ssm/activation:Activation"

HERE = "xx-near-1"
ACCOUNT = "210987654321"
SECRETS_KEY = f"arn:aws:kms:{HERE}:{ACCOUNT}:key/secrets"
DATABASE_KEY = f"arn:aws:kms:{HERE}:{ACCOUNT}:key/database"
DATABASE_SECRET = f"arn:aws:secretsmanager:{HERE}:{ACCOUNT}:secret:rds!db-1-abcdef"
LOGS = f"arn:aws:logs:{HERE}:{ACCOUNT}:log-group:/botbrains/stack/hosts"


def role(**changes: Any) -> HostRoleArgs:
    return HostRoleArgs(
        **{
            "stack": "stack",
            "region": HERE,
            "account_id": ACCOUNT,
            "secret_names": ("botbrains/prod/inference", "botbrains/prod/mail.smtp"),
            "secrets_key_arn": SECRETS_KEY,
            "user_secret_name": "botbrains/prod/database",
            "sets_user_secret": False,
            "database_secret_arn": DATABASE_SECRET,
            "database_key_arns": [DATABASE_KEY],
            **changes,
        }
    )


def arguments(**changes: Any) -> HostIdentityArgs:
    return HostIdentityArgs(
        **{
            "stack": "stack",
            "region": HERE,
            "account_id": account_of(SECRETS_KEY),
            "role": role(),
            "database": DatabaseAddressArgs(
                endpoint="database.example:5433", name="botbrains", secret_arn=DATABASE_SECRET
            ),
            "log_retention_days": 365,
            "key_deletion_window_days": 9,
            **changes,
        }
    )


def identity(hosts: Mapping[str, str] | None = None, *, preview: bool = False, **changes: Any) -> Deployment:
    def program() -> None:
        made = HostIdentity("hosts", arguments(**changes))
        for host, roll in (hosts or {}).items():
            pulumi.export(f"{host}-id", made.activation(host, roll)[0])

    return deploy(program, preview=preview)


def statements(deployment: Deployment) -> list[dict[str, Any]]:
    return [each for it in deployment.all(POLICY) for each in json.loads(it.inputs["policy"])["Statement"]]


def permitted(deployment: Deployment, action: str, resource: str) -> bool:
    """Return whether a statement of the role allows an action. All are `Allow`; other tests check the conditions."""

    def matches(patterns: str | list[str], value: str) -> bool:
        # IAM's two wildcards are fnmatch's; its brackets do not occur in ARNs.
        return any(fnmatch.fnmatchcase(value, each) for each in ([patterns] if isinstance(patterns, str) else patterns))

    every = statements(deployment)
    assert {each["Effect"] for each in every} == {"Allow"}
    return any(matches(each["Action"], action) and matches(each["Resource"], resource) for each in every)


def secret(name: str) -> str:
    return f"arn:aws:secretsmanager:{HERE}:{ACCOUNT}:secret:{name}"


@pytest.mark.parametrize(
    ("action", "resource", "expected"),
    [
        ("secretsmanager:GetSecretValue", secret("botbrains/prod/inference-AbCdEf"), True),
        ("secretsmanager:GetSecretValue", DATABASE_SECRET, True),
        ("secretsmanager:GetSecretValue", secret("botbrains/prod/other-AbCdEf"), False),
        ("secretsmanager:GetSecretValue", secret("botbrains/prod/inference-two-AbCdEf"), False),
        ("secretsmanager:GetSecretValue", secret("botbrains/prod/database-AbCdEf"), True),
        ("secretsmanager:PutSecretValue", secret("botbrains/prod/database-AbCdEf"), False),
        ("secretsmanager:PutSecretValue", secret("botbrains/prod/inference-AbCdEf"), False),
        ("kms:Decrypt", SECRETS_KEY, True),
        ("kms:Decrypt", DATABASE_KEY, True),
        ("kms:Decrypt", f"arn:aws:kms:{HERE}:{ACCOUNT}:key/other", False),
        ("kms:Encrypt", SECRETS_KEY, False),
        ("ssm:GetParameter", f"arn:aws:ssm:{HERE}:{ACCOUNT}:parameter/botbrains/stack/database", True),
        ("ssm:GetParameter", f"arn:aws:ssm:{HERE}:{ACCOUNT}:parameter/botbrains/stack/other", False),
        ("ssm:PutParameter", f"arn:aws:ssm:{HERE}:{ACCOUNT}:parameter/botbrains/stack/database", False),
        ("ssm:UpdateInstanceInformation", f"arn:aws:ssm:{HERE}:{ACCOUNT}:managed-instance/mi-1", True),
        ("ssm:SendCommand", f"arn:aws:ssm:{HERE}:{ACCOUNT}:managed-instance/mi-1", False),
        ("ssmmessages:OpenDataChannel", "*", False),
        ("logs:PutLogEvents", f"{LOGS}:log-stream:api-1", True),
        ("logs:PutLogEvents", f"{LOGS}-too:log-stream:api-1", False),
        ("logs:GetLogEvents", f"{LOGS}:log-stream:api-1", False),
        ("s3:GetObject", "arn:aws:s3:::bucket/object", False),
    ],
)
def test_host_has_only_needed_permissions(action: str, resource: str, expected: bool) -> None:
    assert permitted(identity(), action, resource) is expected


@pytest.mark.parametrize(
    ("action", "resource", "expected"),
    [
        ("secretsmanager:GetSecretValue", secret("botbrains/prod/any-AbCdEf"), True),
        ("secretsmanager:GetSecretValue", secret("botbrains/dr/any-AbCdEf"), False),
        ("secretsmanager:GetSecretValue", DATABASE_SECRET, True),
        ("secretsmanager:GetSecretValue", secret("other!db-1-abcdef"), False),
        ("kms:Decrypt", DATABASE_KEY, True),
        ("kms:Decrypt", f"{DATABASE_KEY}-copies", True),
        ("kms:Decrypt", f"{DATABASE_KEY}-other", False),
    ],
)
def test_role_may_precede_the_database(action: str, resource: str, expected: bool) -> None:
    early = role(
        secret_names=("botbrains/prod/*",),
        database_secret_arn=None,
        database_key_arns=[DATABASE_KEY, f"{DATABASE_KEY}-copies"],
    )
    assert permitted(identity(role=early), action, resource) is expected


def test_existing_role_needs_no_call_to_iam() -> None:
    deployment = identity({"api-1": "0123"}, role=ExistingHostRoleArgs(name="of-the-vault"))
    assert not [it for it in deployment.resources if it.type.startswith("aws:iam/")]
    assert deployment.one(ACTIVATION).inputs["iamRole"] == "of-the-vault"


def test_keys_decrypt_only_through_secrets_manager() -> None:
    decrypting = [each for each in statements(identity()) if "kms:Decrypt" in each["Action"]]
    assert len(decrypting) == 2
    for each in decrypting:
        assert each["Condition"] == {"StringEquals": {"kms:ViaService": f"secretsmanager.{HERE}.amazonaws.com"}}


def test_role_trusts_only_managed_nodes_of_region() -> None:
    (trust,) = json.loads(identity().one(ROLE).inputs["assumeRolePolicy"])["Statement"]
    assert trust["Principal"] == {"Service": "ssm.amazonaws.com"}
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnEquals": {"aws:SourceArn": f"arn:aws:ssm:{HERE}:{ACCOUNT}:*"},
    }


def test_hosts_of_the_primary_set_the_database_user_and_no_other_secret() -> None:
    deployment = identity(role=role(sets_user_secret=True))
    assert permitted(deployment, "secretsmanager:PutSecretValue", secret("botbrains/prod/database-AbCdEf"))
    assert permitted(deployment, "kms:GenerateDataKey", SECRETS_KEY)
    assert not permitted(deployment, "secretsmanager:PutSecretValue", secret("botbrains/prod/inference-AbCdEf"))
    assert not permitted(deployment, "secretsmanager:PutSecretValue", DATABASE_SECRET)


def test_settings_have_database_and_no_secret() -> None:
    parameter = identity().one(PARAMETER)
    assert (parameter.inputs["name"], parameter.inputs["type"]) == ("/botbrains/stack/database", "String")
    assert json.loads(parameter.inputs["insecureValue"]) == {
        "host": "database.example",
        "port": 5433,
        "name": "botbrains",
        "secret_arn": DATABASE_SECRET,
    }


def test_log_key_is_for_this_log_group_only() -> None:
    deployment = identity()
    group, key = deployment.one(LOG_GROUP), deployment.one(KEY)
    assert group.inputs["name"] == "/botbrains/stack/hosts"
    assert group.inputs["retentionInDays"] == 365
    assert group.inputs["kmsKeyId"].endswith(f"key/{key.id}")
    assert group.protect
    assert key.protect
    owner, logs = json.loads(key.inputs["policy"])["Statement"]
    assert owner["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    assert logs["Principal"] == {"Service": f"logs.{HERE}.amazonaws.com"}
    assert logs["Condition"]["ArnEquals"] == {
        "kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{HERE}:{ACCOUNT}:log-group:/botbrains/stack/hosts"
    }


def test_activation_is_for_one_host_and_configuration() -> None:
    deployment = identity({"api-1": "0123456789abcdef", "api-2": "fedcba9876543210"})
    first, second = sorted(deployment.all(ACTIVATION), key=lambda made: made.name)
    assert first.inputs["description"] == "api-1 0123456789ab"
    assert second.inputs["description"] == "api-2 fedcba987654"
    for each in (first, second):
        assert each.inputs["registrationLimit"] == 1
        assert each.inputs["iamRole"] == "hosts"
        assert "expirationDate" not in each.inputs
        # A host can work as soon as it has registered.
        assert any(urn.endswith("::hosts-settings") for urn in each.depends_on)


def test_hosts_do_not_wait_for_the_database() -> None:
    """No ancestor of an activation, at any depth, depends on the database: in a preview, and after an update."""

    def program() -> None:
        coming = Secret("database", name="database").arn
        address = DatabaseAddressArgs(
            endpoint=coming.apply(lambda arn: f"{arn}:5432"), name="botbrains", secret_arn=coming
        )
        access = role(database_secret_arn=coming, database_key_arns=[coming])
        HostIdentity("hosts", arguments(database=address, role=access)).activation("api-1", "0123")

    for preview in (True, False):
        deployment = deploy(program, preview=preview)
        by_urn = {each.urn: each for each in deployment.resources}
        waiting, followed = [deployment.one(ACTIVATION).urn], set()
        while waiting:
            urn = waiting.pop()
            if urn not in followed:
                followed.add(urn)
                waiting += by_urn[urn].depends_on
        assert {by_urn[urn].type for urn in followed} >= {ROLE, POLICY, LOG_GROUP, KEY}
        assert not {deployment.one(SECRET).urn, deployment.one(PARAMETER).urn} & followed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"log_retention_days": 100}, "log_retention_days is 100; allowed is one of 1, 3, 5"),
        ({"key_deletion_window_days": 6}, "deletion_window_days is 6; KMS accepts 7 to 30"),
    ],
)
def test_values_that_aws_refuses_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        identity(**changes)


@pytest.mark.parametrize("name", ["inference", "botbrains/*", "botbrains/prod/in*", "botbrains/*/inference"])
def test_other_secret_names_are_refused(name: str) -> None:
    message = f"secret_names[0] is {name!r}; allowed is a name of the form botbrains/STACK/NAME"
    with pytest.raises(ValueError, match=re.escape(message)):
        role(secret_names=(name,))
