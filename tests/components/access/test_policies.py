"""The policies of people and deployments, evaluated by IAM's rules, with the keys that AWS services use for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pytest

from components.access.policies.boundaries import deploy_boundary, workload_boundary
from components.access.policies.deployment import deploy_service, deploy_vault
from components.access.policies.people import daily_work, signed_in
from components.access.policies.reading import read_only
from components.aws.iam_documents import (
    INLINE_POLICY_LIMIT,
    MANAGED_POLICY_LIMIT,
    AccountScope,
    Statement,
    document,
)
from localcloud.aws.iam.evaluation import Call, Decision, decide, decide_with

HERE, THERE = "eu-west-1", "eu-central-1"
ACCOUNT: Final = "123456789012"
SCOPE: Final = AccountScope(partition="aws", account=ACCOUNT, regions=(THERE, HERE))
KEY: Final = f"arn:aws:kms:{HERE}:{ACCOUNT}:key/k"
BOUNDARY: Final = f"arn:aws:iam::{ACCOUNT}:policy/limit"
NOT_YET: Final = None
"""The tag of a key that was made less than five minutes ago may not be in effect."""

# The use of a key by RDS, AWS Backup, Secrets Manager and S3 for the deployment that creates their resources.
SERVICES_NEED: Final = ("CreateGrant", "Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "RetireGrant")


def prod() -> list[Statement]:
    return deploy_service(SCOPE, "prod", "vault", BOUNDARY, "state")


def on_key(action: str, stack: str | None, **more: str) -> Call:
    """A call on a key with the tag of this stack, or without a tag in effect."""
    context = {"aws:requestedregion": HERE, "kms:multiregion": "false", **more}
    if stack is not None:
        context["aws:resourcetag/stack"] = stack
    return Call(f"kms:{action}", (KEY,), {name: (value,) for name, value in context.items()})


def decision(call: Call, statements: Sequence[Statement]) -> Decision:
    return decide(call, [{"Statement": statements}])


@pytest.mark.parametrize("action", SERVICES_NEED)
def test_services_use_keys_for_deployment_before_and_after_tags_take_effect(action: str) -> None:
    for stack in (NOT_YET, "prod", "vault"):
        assert decision(on_key(action, stack), prod()) is Decision.ALLOWED
    assert decision(on_key(action, "dr"), prod()) is Decision.NEITHER
    # The key of Pulumi's state has no tag of a stack.
    direct = on_key(action, None, **{"kms:multiregion": "true"})
    assert decision(direct, prod()) is Decision.NEITHER
    for stack in (NOT_YET, "vault"):
        assert decision(on_key(action, stack), deploy_vault(SCOPE, "vault", "state")) is Decision.ALLOWED


@pytest.mark.parametrize("action", ["CreateAlias", "EnableKeyRotation"])
def test_deployment_sets_up_its_new_key_before_tags_take_effect(action: str) -> None:
    for stack in (NOT_YET, "prod"):
        assert decision(on_key(action, stack), prod()) is Decision.ALLOWED
    for stack in ("vault", "dr"):
        assert decision(on_key(action, stack), prod()) is Decision.NEITHER


def test_deployment_takes_over_no_key_of_another_stack() -> None:
    tag = {"aws:requesttag/stack": "prod"}
    assert decision(on_key("TagResource", NOT_YET, **tag), prod()) is Decision.ALLOWED
    assert decision(on_key("TagResource", "prod", **tag), prod()) is Decision.ALLOWED
    assert decision(on_key("TagResource", "vault", **tag), prod()) is Decision.NEITHER
    assert decision(on_key("PutKeyPolicy", NOT_YET), prod()) is Decision.NEITHER


@pytest.mark.parametrize("action", ["Decrypt", "Encrypt", "GenerateDataKey"])
def test_person_uses_keys_of_secrets_through_secrets_manager_only(action: str) -> None:
    for region in (HERE, THERE):
        through = on_key(action, "prod", **{"kms:viaservice": f"secretsmanager.{region}.amazonaws.com"})
        assert decision(through, daily_work(SCOPE)) is Decision.ALLOWED
    for more in ({}, {"kms:viaservice": f"s3.{HERE}.amazonaws.com"}):
        assert decision(on_key(action, "prod", **more), daily_work(SCOPE)) is Decision.NEITHER


@pytest.mark.parametrize(
    "action",
    [
        "backup:DeleteBackupPlan",
        "backup:DeleteBackupSelection",
        "kms:RevokeGrant",
        "logs:DeleteLogGroup",
        "rds:StopDBInstanceAutomatedBackupsReplication",
        "secretsmanager:PutResourcePolicy",
        "secretsmanager:RemoveRegionsFromReplication",
        "secretsmanager:StopReplicationToReplica",
        "sts:AssumeRole",
    ],
)
def test_boundary_denies_harm_regardless_of_the_policies(action: str) -> None:
    call = Call(action, context={"aws:requestedregion": (HERE,)})
    everything: Mapping[str, object] = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    limit = {"Statement": deploy_boundary(SCOPE, "emergency")}
    assert decide_with(call, [everything], [limit]) is Decision.DENIED
    assert decision(call, prod()) is Decision.NEITHER


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("ec2:ReplaceRoute", "*"),
        ("ec2:ReplaceRouteTableAssociation", "*"),
        ("iam:UpdateRoleDescription", f"arn:aws:iam::{ACCOUNT}:role/botbrains-prod-hosts"),
        ("logs:AssociateKmsKey", f"arn:aws:logs:{HERE}:{ACCOUNT}:log-group:/botbrains/prod/hosts"),
        ("s3:PutReplicationConfiguration", f"arn:aws:s3:::botbrains-vault-replica-{ACCOUNT}"),
    ],
)
def test_deployment_changes_existing_resources(action: str, resource: str) -> None:
    call = Call(action, (resource,), {"aws:requestedregion": (HERE,)})
    limit = {"Statement": deploy_boundary(SCOPE, "emergency")}
    assert decide_with(call, [{"Statement": prod()}], [limit]) is Decision.ALLOWED


def test_copies_come_back_from_the_replica_only() -> None:
    for name in ("mirror", "access-alarm-records"):
        bucket = (f"arn:aws:s3:::botbrains-vault-{name}-{ACCOUNT}",)
        assert decision(Call("s3:PutReplicationConfiguration", bucket), prod()) is Decision.NEITHER


def test_policies_fit_with_the_longest_names() -> None:
    scope = AccountScope(partition="aws-eusc", account=ACCOUNT, regions=("eusc-de-east-1", "eusc-de-east-2"))
    bucket, boundary = "x" * 55, f"arn:aws-eusc:iam::{ACCOUNT}:policy/botbrains-workload-boundary"
    for statements in (
        deploy_vault(scope, "vault", bucket),
        *(deploy_service(scope, stack, "vault", boundary, bucket) for stack in ("prod", "dr")),
        daily_work(scope),
    ):
        document(statements, INLINE_POLICY_LIMIT)
    for statements in (
        read_only(scope, bucket),
        deploy_boundary(scope, "botbrains-break-glass"),
        workload_boundary(scope),
        signed_in(scope, "botbrains-break-glass"),
    ):
        document(statements, MANAGED_POLICY_LIMIT)
