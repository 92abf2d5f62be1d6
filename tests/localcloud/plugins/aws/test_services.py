"""The AWS plugin: agreement with the SDK, KMS, imports, functions, and the connection."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from typing import Any
from unittest.mock import MagicMock

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from localcloud.plugins.aws import PLUGIN
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.provider import Provider
from localcloud.plugins.table import GoneError, Props, RefusedError, ResourceType
from localcloud.plugins.wire import from_wire, to_wire
from tests.localcloud.aws_harness import HERE, TABLES, THERE, LocalAws, Made

# Outputs of the SDK's classes that the tables do not return yet.
NOT_SHOWN = {
    "aws:s3/bucket:Bucket": {"websiteDomain", "websiteEndpoint"},
    "aws:ec2/vpc:Vpc": {"ipv6AssociationId"},
    "aws:ec2/subnet:Subnet": {"ipv6CidrBlockAssociationId"},
    "aws:sns/topic:Topic": {"beginningArchiveTime"},
    "aws:rds/instance:Instance": {"upgradeRolloutOrder"},
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the SDK's own older types
@pytest.mark.parametrize("table", PLUGIN.resources, ids=lambda table: table.token.rpartition(":")[2])
def test_names_match_sdk(table: ResourceType) -> None:
    """The SDK has every mapped input and output. An output that is missing from a table is in `NOT_SHOWN`."""
    _, module, kind = table.token.split(":")
    path = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", module.replace("/", ".")).lower()
    sdk = importlib.import_module(f"pulumi_aws.{path}")
    declared = getattr(sdk, f"{kind}InitArgs", None) or getattr(sdk, f"{kind}Args")
    arguments = set(map(camel, inspect.signature(declared.__init__).parameters)) - {"Self"}
    outputs = set(map(camel, inspect.signature(getattr(sdk, f"_{kind}State").__init__).parameters)) - {"Self"}
    assert set(table.properties) <= arguments
    assert set(table.computed) <= outputs
    assert outputs - arguments - set(table.computed) == NOT_SHOWN.get(table.token, set())


def camel(name: str) -> str:
    head, *rest = name.strip("_").split("_")
    if not head or head == "self":
        return "Self"
    return head + "".join(word.capitalize() for word in rest)


# -- KMS --------------------------------------------------------------------------------------------------------------


def test_key_life_in_other_region(aws: LocalAws, cloud: Cloud) -> None:
    key = Made.create(
        cloud,
        "aws:kms/key:Key",
        region=THERE,
        description="backups",
        enableKeyRotation=True,
        rotationPeriodInDays=180,
        deletionWindowInDays=7,
        tags={"tier": "vault"},
    )
    assert key.outputs["arn"].startswith(f"arn:aws:kms:{THERE}:")
    assert key.outputs["tagsAll"] == {"owner": "platform", "tier": "vault"}
    key.change(description="backups of prod", tags={"tier": "gold"}, rotationPeriodInDays=365)
    key.change(isEnabled=False)
    key.change(isEnabled=None)
    policy = json.loads(key.outputs["policy"])
    policy["Statement"][0]["Action"] = ["kms:*"]
    key.change(policy=json.dumps({**policy, "Id": "ours"}, indent=2))

    kms = aws.client("kms", THERE)
    kms.disable_key_rotation(KeyId=key.identity)
    kms.tag_resource(KeyId=key.identity, Tags=[{"TagKey": "by", "TagValue": "hand"}])
    assert key.drift() == {"enableKeyRotation", "rotationPeriodInDays", "tags"}
    key.delete()
    assert kms.describe_key(KeyId=key.identity)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    with pytest.raises(GoneError):
        key.read()
    with pytest.raises(GoneError):
        key.delete()


def test_alias_changes_key(cloud: Cloud) -> None:
    first, second = (Made.create(cloud, "aws:kms/key:Key", description="test") for _ in range(2))
    alias = Made.create(cloud, "aws:kms/alias:Alias", name="alias/state", targetKeyId=first.outputs["arn"])
    assert alias.outputs["targetKeyArn"] == first.outputs["arn"]
    alias.change(targetKeyId=second.identity)
    assert alias.outputs["targetKeyArn"] == second.outputs["arn"]
    alias.delete()
    with pytest.raises(GoneError):
        alias.read()


# -- imports ----------------------------------------------------------------------------------------------------------


def test_import_without_optional_inputs(aws: LocalAws) -> None:
    """A program may leave out the region, which is the provider's, and the object lock, which the cloud chose."""
    for name, locked in (("plain", False), ("locked", True)):
        aws.client("s3").create_bucket(
            Bucket=name,
            ObjectLockEnabledForBucket=locked,
            CreateBucketConfiguration={"LocationConstraint": HERE},
        )
        imported = engine_read(aws, name)
        assert from_wire(imported.properties)["objectLockEnabled"] is locked
        assert engine_diff(aws, imported, {"bucket": name}) == ([], [])
        other = {"bucket": name, "objectLockEnabled": not locked}
        assert engine_diff(aws, imported, other) == (["objectLockEnabled"], ["objectLockEnabled"])


def test_import_from_another_region(aws: LocalAws) -> None:
    location = {"LocationConstraint": THERE}
    aws.client("s3", THERE).create_bucket(Bucket="elsewhere", CreateBucketConfiguration=location)
    imported = engine_read(aws, f"elsewhere@{THERE}")
    assert engine_diff(aws, imported, {"bucket": "elsewhere", "region": THERE}) == ([], [])
    assert engine_diff(aws, imported, {"bucket": "elsewhere"}) == (["region"], ["region"])


BUCKET_URN = "urn:pulumi:stack::project::aws:s3/bucket:Bucket::bucket"


def provider(aws: LocalAws) -> Provider:
    environment = {**LOCAL, "AWS_ENDPOINT_URL": aws.endpoint}
    return Provider(PLUGIN, environment)


def engine_read(aws: LocalAws, identity: str) -> provider_pb2.ReadResponse:
    request = provider_pb2.ReadRequest(urn=BUCKET_URN, id=identity)
    return provider(aws).Read(request, MagicMock(spec=grpc.ServicerContext))


def engine_diff(aws: LocalAws, imported: provider_pb2.ReadResponse, declared: Props) -> tuple[list[str], list[str]]:
    """Return the inputs that differ from the imported ones, and those that replace the bucket."""
    request = provider_pb2.DiffRequest(
        urn=BUCKET_URN, id=imported.id, olds=imported.properties, old_inputs=imported.inputs, news=to_wire(declared)
    )
    answer = provider(aws).Diff(request, MagicMock(spec=grpc.ServicerContext))
    return list(answer.diffs), list(answer.replaces)


# -- functions and connection -----------------------------------------------------------------------------------------


def test_functions(aws: LocalAws, cloud: Cloud) -> None:
    call = {function.token.rpartition(":")[2]: function.call for function in PLUGIN.functions}
    assert call["getCallerIdentity"](cloud, {})["accountId"] == "123456789012"
    assert call["getRegion"](cloud, {})["region"] == HERE
    assert call["getRegion"](cloud, {"region": THERE})["description"] == "Europe (Ireland)"
    zones = call["getAvailabilityZones"](cloud, {"region": THERE, "state": "available"})
    assert zones["names"][:2] == [f"{THERE}a", f"{THERE}b"]
    assert len(zones["zoneIds"]) == len(zones["names"])


def test_ignored_tags_stay(aws: LocalAws, cloud: Cloud) -> None:
    ignoring = aws.connect(ignoreTags={"keyPrefixes": ["cost:"]})
    key = Made.create(ignoring, "aws:kms/key:Key", tags={"a": "1"})
    aws.client("kms").tag_resource(KeyId=key.identity, Tags=[{"TagKey": "cost:centre", "TagValue": "7"}])
    assert key.drift() == set()
    key.change(tags={"a": "2"})
    tags = aws.client("kms").list_resource_tags(KeyId=key.identity)["Tags"]
    assert {"TagKey": "cost:centre", "TagValue": "7"} in tags


LOCAL = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": HERE}


@pytest.mark.parametrize(
    ("settings", "environment", "reason"),
    [
        ({}, {}, "no AWS region"),
        ({"region": HERE}, {}, "no AWS credentials"),
        ({"endpoints": [{"rds": "https://rds.eu-central-1.amazonaws.com"}]}, LOCAL, "not on loopback"),
        ({}, {**LOCAL, "AWS_ENDPOINT_URL_RDS": "http://127.0.0.1.example.org"}, "not on loopback"),
        ({}, {**LOCAL, "AWS_ENDPOINT_URL": "http://10.0.0.1:4566"}, "not on loopback"),
    ],
)
def test_connection_refused(settings: dict[str, Any], environment: dict[str, str], reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        PLUGIN.connect(settings, environment)


def test_call_without_endpoint_refused() -> None:
    cloud = PLUGIN.connect({}, LOCAL)
    with pytest.raises(RefusedError, match=r"no endpoint is known for AWS's rds.*AWS_ENDPOINT_URL_RDS"):
        TABLES["aws:rds/instance:Instance"].read(cloud, "x", {})


def test_wrong_account_refused(aws: LocalAws) -> None:
    assert aws.connect(allowedAccountIds=["123456789012"]).account == "123456789012"
    with pytest.raises(RefusedError, match="AWS account ID not allowed: 123456789012"):
        aws.connect(allowedAccountIds=["999999999999"])
