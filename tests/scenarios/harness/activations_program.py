"""A Pulumi program of the identities of hosts. `HOSTS` maps each host to the fingerprint of its configuration."""

from __future__ import annotations

import json
import os

import pulumi
import pulumi_aws as aws

from components.hosts.identity import DatabaseAddressArgs, HostIdentity, HostIdentityArgs, account_of
from components.hosts.role import HostRoleArgs
from stacks import providers

provider = providers.aws(region="eu-central-1", tags={"app": "botbrains"})
alone = pulumi.ResourceOptions(provider=provider)
key = aws.kms.Key("key", opts=alone)  # a key without inputs must not be replaced later
secret = aws.secretsmanager.Secret("database", name="database", kms_key_id=key.arn, opts=alone)
identity = HostIdentity(
    "hosts",
    HostIdentityArgs(
        stack="test",
        region="eu-central-1",
        account_id=account_of(key.arn),
        role=HostRoleArgs(
            stack="test",
            region="eu-central-1",
            account_id=account_of(key.arn),
            secret_names=("botbrains/test/inference",),
            secrets_key_arn=key.arn,
            user_secret_name="botbrains/test/database",
            sets_user_secret=True,
            database_secret_arn=secret.arn,
            database_key_arns=[key.arn],
        ),
        database=DatabaseAddressArgs(endpoint="database.example:5432", name="botbrains", secret_arn=secret.arn),
        log_retention_days=30,
        key_deletion_window_days=7,
    ),
    opts=pulumi.ResourceOptions(providers=[provider]),
)
for host, roll in json.loads(os.environ["HOSTS"]).items():
    name, code = identity.activation(host, roll)
    pulumi.export(f"{host}-id", name)
    pulumi.export(f"{host}-code", code)
