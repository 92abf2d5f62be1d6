"""Buckets: what is kept, who reads, and what goes to the replica."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components.durable_bucket import DurableBucketArgs
from components.encryption_key import EncryptionKeyArgs
from components.object_storage import InRecoveryArgs, ObjectStorage, ObjectStorageArgs, ReplicaArgs, ReplicatedArgs
from tests.components.recording import BUCKET, BUCKET_REPLICATION, KEY, ROLE_POLICY, Deployment, deploy

REPLICATED = ReplicatedArgs(
    key_deletion_window_days=9,
    replica=ReplicaArgs(bucket_arn="arn:aws:s3:::replica", kms_key_arn="arn:of-the-replica", region="xx-far-1"),
)


def storage(durability: ReplicatedArgs | InRecoveryArgs = REPLICATED, *, preview: bool = False) -> Deployment:
    def program() -> None:
        ObjectStorage("objects", ObjectStorageArgs(region="xx-near-1", version_days=21, durability=durability))

    return deploy(program, preview=preview)


def setting(deployment: Deployment, name: str) -> Any:
    """A setting of the bucket, which S3 and Pulumi keep as a resource of its own."""
    return deployment.one(f"aws:s3/bucket{name}:Bucket{name}").inputs


@pytest.mark.parametrize("durability", [REPLICATED, InRecoveryArgs(kms_key_arn="arn:of-the-vault")], ids=["home", "dr"])
def test_what_is_deleted_or_overwritten_is_kept_and_nobody_else_reads_it(
    durability: ReplicatedArgs | InRecoveryArgs,
) -> None:
    deployment = storage(durability)

    assert setting(deployment, "Versioning")["versioningConfiguration"] == {"status": "Enabled"}
    (rule,) = setting(deployment, "LifecycleConfiguration")["rules"]
    assert rule["noncurrentVersionExpiration"] == {"noncurrentDays": 21}
    assert "days" not in rule["expiration"], "an object that is current never expires"
    block = setting(deployment, "PublicAccessBlock")
    assert [
        block[f] for f in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    ] == [True] * 4
    assert setting(deployment, "OwnershipControls")["rule"] == {"objectOwnership": "BucketOwnerEnforced"}
    (statement,) = json.loads(setting(deployment, "Policy")["policy"])["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statement["Resource"] == ["arn:aws:s3:::objects", "arn:aws:s3:::objects/*"]
    for resource in deployment.custom:
        assert resource.protect, resource.name


def test_every_object_is_encrypted_with_the_buckets_own_key_at_home() -> None:
    deployment = storage()
    (rule,) = setting(deployment, "ServerSideEncryptionConfiguration")["rules"]
    default = rule["applyServerSideEncryptionByDefault"]

    assert default["sseAlgorithm"] == "aws:kms"
    assert default["kmsMasterKeyId"].endswith(f"key/{deployment.one(KEY).id}")


def test_in_recovery_the_vaults_key_is_used_and_the_vaults_replica_is_left_alone() -> None:
    deployment = storage(InRecoveryArgs(kms_key_arn="arn:of-the-vault"))
    (rule,) = setting(deployment, "ServerSideEncryptionConfiguration")["rules"]

    assert rule["applyServerSideEncryptionByDefault"]["kmsMasterKeyId"] == "arn:of-the-vault"
    assert deployment.all(KEY) == []
    assert deployment.all(BUCKET_REPLICATION) == []
    assert deployment.all(ROLE_POLICY) == []


@pytest.mark.parametrize("preview", [False, True])
def test_every_object_is_copied_encrypted_and_in_time(preview: bool) -> None:
    deployment = storage(preview=preview)
    replication = deployment.one(BUCKET_REPLICATION)
    (rule,) = replication.inputs["rules"]

    assert rule["status"] == "Enabled"
    assert rule["filter"] == {"prefix": ""}
    assert rule["sourceSelectionCriteria"] == {"sseKmsEncryptedObjects": {"status": "Enabled"}}
    destination = rule["destination"]
    assert destination["bucket"] == "arn:aws:s3:::replica"
    assert destination["encryptionConfiguration"] == {"replicaKmsKeyId": "arn:of-the-replica"}
    assert destination["replicationTime"]["status"] == destination["metrics"]["status"] == "Enabled"
    # S3 refuses to replicate without versions, and does not go back for what it had no permission to copy.
    versioning = deployment.one("aws:s3/bucketVersioning:BucketVersioning")
    assert replication.depends_on >= {versioning.urn, deployment.one(ROLE_POLICY).urn}


def test_the_replication_may_do_what_it_has_to_and_nothing_else() -> None:
    deployment = storage()
    key = f"arn:aws:kms:no-region:123456789012:key/{deployment.one(KEY).id}"
    bucket = f"arn:aws:s3:::{deployment.one(BUCKET).id}"
    granted = {
        (action, statement["Resource"])
        for statement in json.loads(deployment.one(ROLE_POLICY).inputs["policy"])["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }

    assert {resource for _, resource in granted} == {
        bucket,
        f"{bucket}/*",
        "arn:aws:s3:::replica/*",
        key,
        "arn:of-the-replica",
    }
    assert not [action for action, _ in granted if "*" in action]
    writing = ("Put", "Delete", "Replicate", "Encrypt", "GenerateDataKey")
    assert not [
        grant for grant in granted if grant[0].partition(":")[2].startswith(writing) and "replica" not in grant[1]
    ]
    reading = ("Get", "List", "Decrypt")
    assert not [grant for grant in granted if grant[0].partition(":")[2].startswith(reading) and "replica" in grant[1]]
    # Through S3 in the key's own region only.
    services = {
        statement["Resource"]: statement["Condition"]["StringEquals"]["kms:ViaService"]
        for statement in json.loads(deployment.one(ROLE_POLICY).inputs["policy"])["Statement"]
        if statement["Resource"] in (key, "arn:of-the-replica")
    }
    assert services == {key: "s3.xx-near-1.amazonaws.com", "arn:of-the-replica": "s3.xx-far-1.amazonaws.com"}


@pytest.mark.parametrize("days", [0, -1])
def test_a_bucket_that_keeps_nothing_is_refused(days: int) -> None:
    with pytest.raises(ValueError, match=f"version_days is {days}"):
        DurableBucketArgs(kms_key_arn="arn:of-a-key", version_days=days)


@pytest.mark.parametrize("days", [6, 31])
def test_a_deletion_window_that_kms_refuses_is_refused_here(days: int) -> None:
    with pytest.raises(ValueError, match="7 to 30"):
        EncryptionKeyArgs(description="a key", deletion_window_days=days)
