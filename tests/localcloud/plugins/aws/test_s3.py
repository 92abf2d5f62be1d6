"""The S3 tables against the local AWS."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import GoneError, RefusedError
from tests.localcloud.aws_harness import HERE, TABLES, THERE, LocalAws, Made

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)


def bucket(cloud: Cloud, name: str, **inputs: Any) -> Made:
    return Made.create(cloud, "aws:s3/bucket:Bucket", bucket=name, **inputs)


def versioning(cloud: Cloud, name: str, **inputs: Any) -> Made:
    return Made.create(
        cloud,
        "aws:s3/bucketVersioning:BucketVersioning",
        bucket=name,
        versioningConfiguration={"status": "Enabled"},
        **inputs,
    )


def test_bucket_with_objects_needs_force(aws: LocalAws, cloud: Cloud) -> None:
    made = bucket(cloud, "with-objects", region=THERE, tags={"a": "1"})
    assert made.outputs["bucketRegionalDomainName"] == f"with-objects.s3.{THERE}.amazonaws.com"
    assert made.outputs["hostedZoneId"] == "Z1BKCTXD74EZPE"
    made.change(tags={"b": "2"})
    assert made.outputs["tagsAll"] == {"owner": "platform", "b": "2"}
    versions = versioning(cloud, "with-objects", region=THERE)
    s3 = aws.client("s3", THERE)
    for body in (b"one", b"two"):
        s3.put_object(Bucket="with-objects", Key="k", Body=body)
    s3.delete_object(Bucket="with-objects", Key="k")
    s3.create_multipart_upload(Bucket="with-objects", Key="never-ended")
    with pytest.raises(ClientError, match="BucketNotEmpty"):
        made.delete()
    made.inputs["forceDestroy"] = True
    made.delete()
    for gone in (made, versions):
        with pytest.raises(GoneError):
            gone.read()


def test_bucket_settings(aws: LocalAws, cloud: Cloud) -> None:
    made = bucket(cloud, "settings")
    name = made.identity
    key = Made.create(cloud, "aws:kms/key:Key", description="test")
    versions = versioning(cloud, name)
    encryption = Made.create(
        cloud,
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        bucket=name,
        rules=[
            {
                "applyServerSideEncryptionByDefault": {
                    "sseAlgorithm": "aws:kms",
                    "kmsMasterKeyId": key.outputs["arn"],
                },
                "bucketKeyEnabled": True,
                "blockedEncryptionTypes": ["SSE-C"],
            }
        ],
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        cloud.client("s3").put_object(Bucket=name, Key="k", SSECustomerKey="0" * 32, SSECustomerAlgorithm="AES256")
    access = Made.create(
        cloud,
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        bucket=name,
        blockPublicAcls=True,
        blockPublicPolicy=True,
        ignorePublicAcls=True,
        restrictPublicBuckets=True,
    )
    ownership = Made.create(
        cloud,
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        bucket=name,
        rule={"objectOwnership": "BucketOwnerEnforced"},
    )
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:PutObject", "s3:GetObject"],
        "Resource": f"{made.outputs['arn']}/*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = Made.create(
        cloud,
        "aws:s3/bucketPolicy:BucketPolicy",
        bucket=name,
        policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    versions.change(versioningConfiguration={"status": "Suspended"})
    encryption.change(rules=[{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}])
    access.change(blockPublicAcls=False)
    ownership.change(rule={"objectOwnership": "BucketOwnerPreferred"})
    policy.change(policy=json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Action": "s3:GetObject"}]}))

    s3 = aws.client("s3")
    s3.delete_public_access_block(Bucket=name)
    with pytest.raises(GoneError):
        access.read()
    with pytest.raises(RefusedError, match=r"versioning of settings is Suspended; once enabled"):
        versions.change(versioningConfiguration={"status": "Disabled"})
    for setting in (encryption, ownership, policy):
        setting.delete()
        with pytest.raises(GoneError):
            setting.read()


def test_lifecycle_rules(cloud: Cloud) -> None:
    name = bucket(cloud, "lifecycle").identity
    lifecycle = Made.create(
        cloud,
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        bucket=name,
        rules=[
            {
                "id": "old-versions",
                "status": "Enabled",
                "filter": {"prefix": "state/"},
                "noncurrentVersionExpiration": {"noncurrentDays": 90, "newerNoncurrentVersions": 5},
                "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
            },
            {
                "id": "tagged",
                "status": "Enabled",
                "filter": {"and": {"prefix": "log/", "tags": {"keep": "no"}}},
                "expiration": {"days": 30},
                "transitions": [{"days": 10, "storageClass": "GLACIER"}],
            },
            {"id": "markers", "status": "Disabled", "expiration": {"expiredObjectDeleteMarker": True}},
        ],
    )
    lifecycle.change(rules=[{"id": "all", "status": "Enabled", "filter": {}, "expiration": {"days": 400}}])
    with pytest.raises(RefusedError, match=r"no mapping for `rules\[0\].expiration.hours`"):
        lifecycle.change(rules=[{"id": "x", "status": "Enabled", "expiration": {"hours": 1}}])
    lifecycle.delete()
    with pytest.raises(GoneError):
        lifecycle.read()


def test_policy_compared_by_meaning() -> None:
    same = TABLES["aws:s3/bucketPolicy:BucketPolicy"].properties["policy"].same
    assert same is not None
    one = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": ["a", "b"]}}
    other = {"Statement": [{"Action": ["s3:*"], "Resource": ["b", "a"], "Effect": "Allow"}], "Version": "2012-10-17"}
    assert same(json.dumps(one), json.dumps(other, indent=1))
    other["Statement"][0]["Effect"] = "Deny"  # type: ignore[index]
    assert not same(json.dumps(one), json.dumps(other))


def test_replication_copies_objects(aws: LocalAws, cloud: Cloud) -> None:
    """Across regions: plain objects with their tags, and objects under KMS only with a key in the other region."""
    for name, region in (("from-here", HERE), ("to-there", THERE)):
        bucket(cloud, name, region=region)
        versioning(cloud, name, region=region)
    role = Made.create(cloud, "aws:iam/role:Role", name="replicator", assumeRolePolicy=TRUST)
    near = Made.create(cloud, "aws:kms/key:Key", description="test").outputs["arn"]
    far = Made.create(cloud, "aws:kms/key:Key", description="test", region=THERE).outputs["arn"]
    rule: dict[str, Any] = {
        "id": "all",
        "status": "Enabled",
        "priority": 1,
        "filter": {},
        "deleteMarkerReplication": {"status": "Disabled"},
        "destination": {
            "bucket": "arn:aws:s3:::to-there",
            "storageClass": "STANDARD_IA",
            "metrics": {"status": "Enabled", "eventThreshold": {"minutes": 15}},
            "replicationTime": {"status": "Enabled", "time": {"minutes": 15}},
        },
    }
    replication = Made.create(
        cloud,
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
        bucket="from-here",
        role=role.outputs["arn"],
        rules=[rule],
    )
    s3, over_there = aws.client("s3"), aws.client("s3", THERE)
    under_kms = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": near}
    put = s3.put_object(Bucket="from-here", Key="plain", Body=b"hello", Metadata={"m": "1"}, Tagging="t=2")
    s3.put_object(Bucket="from-here", Key="sealed-1", Body=b"secret", **under_kms)
    copy = over_there.get_object(Bucket="to-there", Key="plain")
    assert copy["Body"].read() == b"hello"
    assert (copy["Metadata"], copy["StorageClass"], copy["ReplicationStatus"]) == ({"m": "1"}, "STANDARD_IA", "REPLICA")
    assert copy["VersionId"] == put["VersionId"]
    assert over_there.get_object_tagging(Bucket="to-there", Key="plain")["TagSet"] == [{"Key": "t", "Value": "2"}]
    assert s3.head_object(Bucket="from-here", Key="plain")["ReplicationStatus"] == "COMPLETED"
    keys = [entry["Key"] for entry in over_there.list_objects_v2(Bucket="to-there")["Contents"]]
    assert keys == ["plain"]

    s3.delete_object(Bucket="from-here", Key="plain")
    assert over_there.get_object(Bucket="to-there", Key="plain")["Body"].read() == b"hello"
    replication.change(
        rules=[
            {
                **rule,
                "deleteMarkerReplication": {"status": "Enabled"},
                "sourceSelectionCriteria": {"sseKmsEncryptedObjects": {"status": "Enabled"}},
                "destination": {**rule["destination"], "encryptionConfiguration": {"replicaKmsKeyId": far}},
            }
        ]
    )
    s3.put_object(Bucket="from-here", Key="sealed-2", Body=b"secret", **under_kms)
    assert over_there.get_object(Bucket="to-there", Key="sealed-2")["SSEKMSKeyId"] == far
    s3.delete_object(Bucket="from-here", Key="sealed-2")
    with pytest.raises(ClientError, match="NoSuchKey"):
        over_there.get_object(Bucket="to-there", Key="sealed-2")
    with pytest.raises(ClientError, match="Destination bucket must exist"):
        replication.change(rules=[{**rule, "destination": {"bucket": "arn:aws:s3:::nowhere"}}])
    replication.delete()
    with pytest.raises(GoneError):
        replication.read()
