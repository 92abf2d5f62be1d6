"""Production's bucket: what is kept, who reads, and what goes to the replica and comes back from it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components.aws.durable_bucket import DurableBucketArgs
from components.aws.encryption_key import EncryptionKeyArgs
from components.backup.object_replication import ObjectReplicationArgs, ReplicatedBucket
from components.storage.object_storage import ObjectStorage, ObjectStorageArgs
from tests.components.recording import (
    ACCOUNT,
    BUCKET,
    BUCKET_REPLICATION,
    KEY,
    ROLE_POLICY,
    Deployment,
    Registration,
    deploy,
)

REPLICA = ReplicatedBucket(
    bucket_name="replica",
    bucket_arn="arn:aws:s3:::replica",
    kms_key_arn="arn:of-the-replica",
    region="xx-far-1",
    alarm_topic_arn="arn:of-the-topic-there",
)
BOTH_WAYS = ("replication", "return")
NAME_ARN = f"arn:aws:s3:::objects-{ACCOUNT}"


def storage(*, preview: bool = False) -> Deployment:
    def program() -> None:
        ObjectStorage(
            "objects",
            ObjectStorageArgs(
                region="xx-near-1",
                version_days=21,
                lock_days=5,
                key_deletion_window_days=9,
                replica=REPLICA,
                alarm_topic_arn="arn:of-the-topic-here",
            ),
        )

    return deploy(program, preview=preview)


def setting(deployment: Deployment, name: str) -> Registration:
    """A setting of the bucket, which S3 and Pulumi keep as a separate resource."""
    return deployment.one(f"aws:s3/bucket{name}:Bucket{name}")


def test_what_is_deleted_or_overwritten_is_kept_and_nobody_else_reads_it() -> None:
    deployment = storage()

    assert setting(deployment, "Versioning").inputs["versioningConfiguration"] == {"status": "Enabled"}
    (rule,) = setting(deployment, "LifecycleConfiguration").inputs["rules"]
    assert rule["noncurrentVersionExpiration"] == {"noncurrentDays": 21}
    assert "days" not in rule["expiration"], "an object that is current never expires"
    block = setting(deployment, "PublicAccessBlock").inputs
    assert [
        block[f] for f in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    ] == [True] * 4
    assert setting(deployment, "OwnershipControls").inputs["rule"] == {"objectOwnership": "BucketOwnerEnforced"}
    (statement,) = json.loads(setting(deployment, "Policy").inputs["policy"])["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statement["Resource"] == [NAME_ARN, f"{NAME_ARN}/*"]
    for resource in deployment.custom:
        assert resource.protect, resource.name


def test_every_version_is_locked_for_its_first_days() -> None:
    deployment = storage()
    lock = setting(deployment, "ObjectLockConfiguration")

    assert deployment.one(BUCKET).inputs["objectLockEnabled"] is True
    assert lock.inputs["rule"] == {"defaultRetention": {"mode": "GOVERNANCE", "days": 5}}
    assert lock.depends_on >= {setting(deployment, "Versioning").urn}


def test_every_object_is_encrypted_with_the_buckets_own_key() -> None:
    deployment = storage()
    (rule,) = setting(deployment, "ServerSideEncryptionConfiguration").inputs["rules"]
    default = rule["applyServerSideEncryptionByDefault"]

    assert rule["blockedEncryptionTypes"] == ["SSE-C"]
    assert default["sseAlgorithm"] == "aws:kms"
    assert default["kmsMasterKeyId"].endswith(f"key/{deployment.one(KEY).id}")


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize("way", BOTH_WAYS)
def test_every_object_is_copied_encrypted_and_in_time(way: str, preview: bool) -> None:
    deployment = storage(preview=preview)
    replication = deployment.one(BUCKET_REPLICATION, f"objects-{way}")
    (rule,) = replication.inputs["rules"]

    assert rule["status"] == "Enabled"
    assert rule["filter"] == {"prefix": ""}
    enabled = {"status": "Enabled"}
    assert rule["sourceSelectionCriteria"] == {"sseKmsEncryptedObjects": enabled, "replicaModifications": enabled}
    assert rule["deleteMarkerReplication"] == {"status": "Enabled"}
    destination = rule["destination"]
    assert destination["replicationTime"]["status"] == destination["metrics"]["status"] == "Enabled"
    # S3 refuses to replicate without versions, and does not go back for what it had no permission to copy.
    permissions = deployment.one(ROLE_POLICY, f"objects-{way}")
    assert replication.depends_on >= {setting(deployment, "Versioning").urn, permissions.urn}


def test_the_replica_gets_what_is_written_here_and_gives_back_what_is_written_there() -> None:
    deployment = storage()
    key = f"arn:aws:kms:no-region:123456789012:key/{deployment.one(KEY).id}"
    ways = {
        (it.inputs["region"], it.inputs["bucket"]): it.inputs["rules"][0]["destination"]
        for it in deployment.all(BUCKET_REPLICATION)
    }

    assert {
        source: (destination["bucket"], destination["encryptionConfiguration"]["replicaKmsKeyId"])
        for source, destination in ways.items()
    } == {
        ("xx-near-1", f"objects-{ACCOUNT}"): ("arn:aws:s3:::replica", "arn:of-the-replica"),
        ("xx-far-1", "replica"): (NAME_ARN, key),
    }


@pytest.mark.parametrize("way", BOTH_WAYS)
def test_the_replication_may_do_what_it_has_to_and_nothing_else(way: str) -> None:
    deployment = storage()
    key = f"arn:aws:kms:no-region:123456789012:key/{deployment.one(KEY).id}"
    here = (NAME_ARN, key, "s3.xx-near-1.amazonaws.com")
    there = ("arn:aws:s3:::replica", "arn:of-the-replica", "s3.xx-far-1.amazonaws.com")
    source, destination = (here, there) if way == "replication" else (there, here)
    statements = json.loads(deployment.one(ROLE_POLICY, f"objects-{way}").inputs["policy"])["Statement"]
    granted: dict[str, set[Any]] = {}
    for statement in statements:
        actions = statement["Action"]
        granted.setdefault(statement["Resource"], set()).update([actions] if isinstance(actions, str) else actions)

    # The S3 user guide names these for live replication, for encrypted objects and for locked ones.
    assert granted == {
        source[0]: {"s3:GetReplicationConfiguration", "s3:ListBucket"},
        f"{source[0]}/*": {
            "s3:GetObjectVersionForReplication",
            "s3:GetObjectVersionAcl",
            "s3:GetObjectVersionTagging",
            "s3:GetObjectRetention",
            "s3:GetObjectLegalHold",
        },
        f"{destination[0]}/*": {"s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"},
        source[1]: {"kms:Decrypt"},
        destination[1]: {"kms:Encrypt", "kms:GenerateDataKey"},
    }
    # Through S3 in the key's own region only.
    services = {
        statement["Resource"]: statement["Condition"]["StringEquals"]["kms:ViaService"]
        for statement in statements
        if "Condition" in statement
    }
    assert services == {source[1]: source[2], destination[1]: destination[2]}


def test_a_copy_in_the_same_region_is_refused() -> None:
    with pytest.raises(ValueError, match="both in xx-far-1"):
        ObjectReplicationArgs(source=REPLICA, destination=REPLICA, after=[])


@pytest.mark.parametrize(
    ("version_days", "lock_days", "message"),
    [
        (0, 1, "version_days is 0"),
        (-1, 1, "version_days is -1"),
        (21, 0, "lock_days is 0; allowed is 1 to 21"),
        (21, 22, "lock_days is 22; allowed is 1 to 21"),
    ],
)
def test_a_bucket_that_keeps_nothing_or_locks_for_too_long_is_refused(
    version_days: int, lock_days: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        DurableBucketArgs(kms_key_arn="arn:of-a-key", version_days=version_days, lock_days=lock_days)


@pytest.mark.parametrize("days", [6, 31])
def test_a_deletion_window_that_kms_refuses_is_refused_here(days: int) -> None:
    with pytest.raises(ValueError, match="7 to 30"):
        EncryptionKeyArgs(description="a key", deletion_window_days=days)


def test_alarms_are_where_their_metrics_are() -> None:
    """S3 publishes failures in the region of the source, and delays in that of the destination."""
    alarms = storage().all("aws:cloudwatch/metricAlarm:MetricAlarm")
    assert {(it.inputs["metricName"], it.inputs["region"], *it.inputs["alarmActions"]) for it in alarms} == {
        ("OperationsFailedReplication", "xx-near-1", "arn:of-the-topic-here"),
        ("OperationsFailedReplication", "xx-far-1", "arn:of-the-topic-there"),
        ("ReplicationLatency", "xx-near-1", "arn:of-the-topic-here"),
        ("ReplicationLatency", "xx-far-1", "arn:of-the-topic-there"),
    }
    for alarm in alarms:
        there = alarm.inputs["dimensions"]["SourceBucket"] == (
            "replica" if "return" in alarm.name else f"objects-{ACCOUNT}"
        )
        assert there, alarm
