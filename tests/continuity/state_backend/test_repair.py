"""A bootstrapped state backend: it replicates, and `bootstrap` corrects each setting that is changed by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from plan.names import STATE_KEY_ALIAS
from tests.continuity.state_backend.support import (
    BUCKET,
    BUCKETS,
    DAYS,
    KEYS,
    REPLICA,
    Break,
    Calls,
    bootstrap,
    findings,
    key_of,
)
from tests.localcloud.aws_harness import HERE, THERE, LocalAws


def test_state_is_replicated_and_cannot_be_deleted(made: LocalAws) -> None:
    s3, there = made.client("s3", THERE), made.client("s3", HERE)
    version = s3.put_object(Bucket=BUCKET, Key="state.json", Body=b"{}")["VersionId"]
    copy = there.get_object(Bucket=REPLICA, Key="state.json")
    assert copy["Body"].read() == b"{}"
    assert copy["ServerSideEncryption"] == "aws:kms"
    s3.delete_object(Bucket=BUCKET, Key="state.json")
    with pytest.raises(ClientError, match="NoSuchKey"):
        there.get_object(Bucket=REPLICA, Key="state.json")
    for client, bucket in ((s3, BUCKET), (there, REPLICA)):
        with pytest.raises(ClientError, match="AccessDenied"):
            client.delete_object(Bucket=bucket, Key="state.json", VersionId=version)
        with pytest.raises(ClientError, match="AccessDenied"):
            client.delete_bucket(Bucket=bucket)


def test_second_run_changes_nothing(made: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls(monkeypatch)
    bootstrap()
    assert calls.made == []


def on_key(region: str, operation: str, **asked: Any) -> Break:
    return lambda aws: getattr(aws.client("kms", region), operation)(KeyId=key_of(aws, region), **asked)


def on_bucket(bucket: str, operation: str, **asked: Any) -> Break:
    region = THERE if bucket == BUCKET else HERE
    return lambda aws: getattr(aws.client("s3", region), operation)(Bucket=bucket, **asked)


def in_rule(name: str, value: Any) -> Break:
    """Change a part of the lifecycle rule."""

    def change_it(aws: LocalAws) -> None:
        s3 = aws.client("s3", THERE)
        [rule] = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
        rule[name] = value
        s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [rule]})

    return change_it


def in_order(value: Any, *path: str) -> Break:
    """Change a part of the replication; None takes it away."""

    def change_it(aws: LocalAws) -> None:
        s3 = aws.client("s3", THERE)
        order = s3.get_bucket_replication(Bucket=BUCKET)["ReplicationConfiguration"]
        part = order["Rules"][0] if path[0] != "Role" else order
        for name in path[:-1]:
            part = part[name]
        if value is None:
            del part[path[-1]]
        else:
            part[path[-1]] = value
        s3.put_bucket_replication(Bucket=BUCKET, ReplicationConfiguration=order)

    return change_it


def without_statement(bucket: str, action: str) -> Break:
    def change_it(aws: LocalAws) -> None:
        s3 = aws.client("s3", THERE)
        policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
        policy["Statement"] = [each for each in policy["Statement"] if each["Action"] != action]
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    return change_it


def wider_role(aws: LocalAws) -> None:
    iam = aws.client("iam")
    [name] = iam.list_role_policies(RoleName=REPLICA)["PolicyNames"]
    policy = iam.get_role_policy(RoleName=REPLICA, PolicyName=name)["PolicyDocument"]
    policy["Statement"].append({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    iam.put_role_policy(RoleName=REPLICA, PolicyName=name, PolicyDocument=json.dumps(policy))


def trusting(aws: LocalAws) -> None:
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    aws.client("iam").update_assume_role_policy(RoleName=REPLICA, PolicyDocument=document)


BLOCK = {"BlockPublicAcls": True, "BlockPublicPolicy": False, "IgnorePublicAcls": True, "RestrictPublicBuckets": True}
AES = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]}
DAYS_KEPT = "days that noncurrent versions are kept"
SUSPENDED = {"Status": "Suspended"}
UPLOADS, MARKERS = "days that unfinished uploads are kept", "expiry of delete markers that hide nothing"
KEY_OF_COPIES = ("Destination", "EncryptionConfiguration", "ReplicaKmsKeyID")
BROKEN: list[tuple[str, str, Break]] = [
    *((KEYS[region], "state", on_key(region, "disable_key")) for region in KEYS),
    *((KEYS[region], "state", on_key(region, "schedule_key_deletion", PendingWindowInDays=7)) for region in KEYS),
    *(
        (KEYS[region], "alias", lambda aws, of=region: aws.client("kms", of).delete_alias(AliasName=STATE_KEY_ALIAS))
        for region in KEYS
    ),
    ("state key", "rotation", on_key(THERE, "disable_key_rotation")),
    ("replica bucket", "versioning", on_bucket(REPLICA, "put_bucket_versioning", VersioningConfiguration=SUSPENDED)),
    *(
        case
        for bucket, kind in BUCKETS.items()
        for case in (
            (kind, "public access", on_bucket(bucket, "put_public_access_block", PublicAccessBlockConfiguration=BLOCK)),
            (kind, "public access", on_bucket(bucket, "delete_public_access_block")),
            (kind, "ownership", on_bucket(bucket, "delete_bucket_ownership_controls")),
            (kind, "encryption", on_bucket(bucket, "put_bucket_encryption", ServerSideEncryptionConfiguration=AES)),
            (kind, "policy", on_bucket(bucket, "delete_bucket_policy")),
            (kind, "policy", without_statement(bucket, "s3:DeleteBucket")),
            (kind, "policy", without_statement(bucket, "s3:DeleteObjectVersion")),
            (kind, "policy", without_statement(bucket, "s3:*")),
        )
    ),
    ("state bucket", DAYS_KEPT, in_rule("NoncurrentVersionExpiration", {"NoncurrentDays": DAYS - 1})),
    ("state bucket", UPLOADS, in_rule("AbortIncompleteMultipartUpload", {"DaysAfterInitiation": 8})),
    ("state bucket", MARKERS, in_rule("Expiration", {"ExpiredObjectDeleteMarker": False})),
    ("replication role", "trust", trusting),
    ("replication role", "permissions", wider_role),
    ("replication", "existence", on_bucket(BUCKET, "delete_bucket_replication")),
    ("replication", "role", in_order("arn:aws:iam::123456789012:role/other", "Role")),
    ("replication", "status", in_order("Disabled", "Status")),
    ("replication", "selection", in_order({"Prefix": ".pulumi/"}, "Filter")),
    ("replication", "copying of delete markers", in_order({"Status": "Disabled"}, "DeleteMarkerReplication")),
    ("replication", "key of the copies", in_order("arn:aws:kms:eu-central-1:123456789012:key/other", *KEY_OF_COPIES)),
    ("replication", "time control", in_order(None, "Destination", "ReplicationTime")),
    ("replication", "metrics", in_order({"Status": "Disabled"}, "Destination", "Metrics")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "name", "broken"), BROKEN, ids=[f"{number} {kind} {name}" for number, (kind, name, _) in enumerate(BROKEN)]
)
def test_wrong_setting_is_found_and_corrected(made: LocalAws, kind: str, name: str, broken: Break) -> None:
    broken(made)
    assert findings() == [(kind, name)]
    bootstrap()
    assert findings() == []


def test_stricter_settings_are_kept(made: LocalAws) -> None:
    in_rule("NoncurrentVersionExpiration", {"NoncurrentDays": DAYS + 1})(made)
    s3 = made.client("s3", THERE)
    policy = json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])
    theirs = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "s3:PutBucketAcl",
              "Resource": f"arn:aws:s3:::{BUCKET}"}  # fmt: skip
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({**policy, "Statement": [theirs]}))
    assert findings() == [("state bucket", "policy")]
    in_rule("AbortIncompleteMultipartUpload", {"DaysAfterInitiation": 8})(made)
    bootstrap()
    assert findings() == []
    assert theirs in json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])["Statement"]
    [rule] = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": DAYS + 1}
