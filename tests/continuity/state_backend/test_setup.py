"""Bootstrap of the state backend: from nothing, after an interruption, and with resources of other owners."""

from __future__ import annotations

import json
import os
from pathlib import Path

import boto3
import pytest
import yaml

import plan
from continuity.engine import stacks
from continuity.errors import ContinuityError
from continuity.state_backend.config import resolve_config
from continuity.state_backend.setup import inspect
from plan.names import STATE_BUCKET_ALLOWED, STATE_KEY_ALIAS
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
    the_config,
)
from tests.localcloud.aws_harness import HERE, THERE, LocalAws


def test_bootstrap_creates_everything(aws: LocalAws) -> None:
    assert findings() == [
        (kind, "existence")
        for kind in (*KEYS.values(), *BUCKETS.values(), "replication role", "replication")
    ]  # fmt: skip
    bootstrap()

    keys = {region: aws.client("kms", region).describe_key(KeyId=STATE_KEY_ALIAS)["KeyMetadata"] for region in KEYS}
    assert keys[THERE]["KeyId"] == keys[HERE]["KeyId"]
    assert keys[THERE]["MultiRegionConfiguration"]["MultiRegionKeyType"] == "PRIMARY"
    assert keys[HERE]["MultiRegionConfiguration"]["MultiRegionKeyType"] == "REPLICA"
    assert keys[HERE]["MultiRegionConfiguration"]["PrimaryKey"] == {"Arn": keys[THERE]["Arn"], "Region": THERE}
    for region, key in keys.items():
        kms = aws.client("kms", region)
        assert key["KeyState"] == "Enabled"
        assert kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"]
    secret = aws.client("kms", THERE).encrypt(KeyId=STATE_KEY_ALIAS, Plaintext=b"secret")["CiphertextBlob"]
    assert aws.client("kms", HERE).decrypt(CiphertextBlob=secret)["Plaintext"] == b"secret"

    for bucket, region in ((BUCKET, THERE), (REPLICA, HERE)):
        s3 = aws.client("s3", region)
        assert s3.head_bucket(Bucket=bucket)["BucketRegion"] == region
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
        encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        assert encryption == [
            {
                "ApplyServerSideEncryptionByDefault": {
                    "SSEAlgorithm": "aws:kms",
                    "KMSMasterKeyID": keys[region]["Arn"],
                },
                "BucketKeyEnabled": True,
            }
        ]
        assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}
        ownership = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
        assert ownership == [{"ObjectOwnership": "BucketOwnerEnforced"}]
        [rule] = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        assert rule["Status"] == "Enabled"
        assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": DAYS}
        assert rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 7
        denied = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
        assert {each["Effect"] for each in denied} == {"Deny"}
        assert {each["Principal"] for each in denied} == {"*"}
        [over_tls] = [each for each in denied if "Condition" in each]
        assert over_tls["Action"] == "s3:*"
        assert over_tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}

    role = aws.client("iam").get_role(RoleName=REPLICA)["Role"]
    [trusted] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trusted["Principal"] == {"Service": "s3.amazonaws.com"}
    replication = aws.client("s3", THERE).get_bucket_replication(Bucket=BUCKET)["ReplicationConfiguration"]
    assert replication["Role"] == role["Arn"]
    [order] = replication["Rules"]
    assert order["Status"] == order["DeleteMarkerReplication"]["Status"] == "Enabled"
    assert order["SourceSelectionCriteria"]["SseKmsEncryptedObjects"]["Status"] == "Enabled"
    assert order["Destination"]["EncryptionConfiguration"]["ReplicaKmsKeyID"] == keys[HERE]["Arn"]
    assert order["Destination"]["Metrics"]["Status"] == order["Destination"]["ReplicationTime"]["Status"] == "Enabled"

    assert findings() == []


def test_interrupted_bootstrap_continues(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    while True:
        with monkeypatch.context() as one_run:
            calls = Calls(one_run, last=1)
            try:
                bootstrap()
                break
            except KeyboardInterrupt:
                done += calls.made
        inspect(the_config(os.environ["AWS_ENDPOINT_URL"]))  # half of it is there: that must not confuse a look
    assert findings() == []
    assert [operation for operation in done if operation.startswith("Create")] == [
        "CreateKey", "CreateAlias", "CreateAlias", "CreateBucket", "CreateBucket", "CreateRole"
    ]  # fmt: skip
    assert len(done) >= 20
    assert len(aws.client("kms", THERE).list_keys()["Keys"]) == 1


def with_a_foreign_alias(aws: LocalAws) -> None:
    kms = aws.client("kms", THERE)
    kms.create_alias(AliasName=STATE_KEY_ALIAS, TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])


def with_a_foreign_alias_of_the_replica(aws: LocalAws) -> None:
    kms = aws.client("kms", HERE)
    kms.create_alias(AliasName=STATE_KEY_ALIAS, TargetKeyId=kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"])


def in_another_region(aws: LocalAws) -> None:
    aws.client("s3", HERE).create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": HERE})


def in_another_account(aws: LocalAws) -> None:
    role = "arn:aws:iam::210987654321:role/other"
    lent = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="other")["Credentials"]
    boto3.client(
        "s3",
        region_name=THERE,
        endpoint_url=aws.endpoint,
        aws_access_key_id=lent["AccessKeyId"],
        aws_secret_access_key=lent["SecretAccessKey"],
        aws_session_token=lent["SessionToken"],
    ).create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": THERE})


def open_to_others(aws: LocalAws) -> None:
    bootstrap()
    s3 = aws.client("s3", THERE)
    policy = json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])
    allowed = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::210987654321:root"}, "Action": "s3:GetObject",
               "Resource": f"arn:aws:s3:::{BUCKET}/*"}  # fmt: skip
    policy["Statement"].append(allowed)
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))


def expiring(aws: LocalAws) -> None:
    bootstrap()
    s3 = aws.client("s3", THERE)
    rules = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    theirs = {"ID": "tidy", "Status": "Enabled", "Filter": {"Prefix": ".pulumi/"}, "Expiration": {"Days": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [*rules, theirs]})


def mighty(aws: LocalAws) -> None:
    bootstrap()
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    aws.client("iam").attach_role_policy(RoleName=REPLICA, PolicyArn=arn)


@pytest.mark.parametrize(
    ("conflict", "kind", "name", "said"),
    [
        (with_a_foreign_alias, "state key", "existence", "delete-alias"),
        (with_a_foreign_alias_of_the_replica, "replica key", "existence", "delete-alias"),
        (in_another_region, "state bucket", "existence", "in eu-central-1"),
        (
            in_another_account,
            "state bucket",
            "existence",
            "set botbrains:stateBucket in Pulumi.vault.yaml to a different name",
        ),
        (open_to_others, "state bucket", "access for others", "210987654321"),
        (expiring, "state bucket", "other lifecycle rules", "tidy"),
        (mighty, "replication role", "further permissions", "AdministratorAccess"),
    ],
)
def test_conflict_is_reported_and_left_alone(
    aws: LocalAws, monkeypatch: pytest.MonkeyPatch, conflict: Break, kind: str, name: str, said: str
) -> None:
    conflict(aws)
    [finding] = [finding for finding in inspect(the_config(os.environ["AWS_ENDPOINT_URL"])).findings if finding.by_hand]
    assert (finding.resource.kind, finding.property) == (kind, name)
    assert said in finding.sentence()
    calls = Calls(monkeypatch)
    done = run_here("--yes")
    assert isinstance(done, ContinuityError)
    assert said in str(done)
    assert calls.made == []


def run_here(*arguments: str) -> BaseException | None:
    from typer.testing import CliRunner

    from continuity.cli import app

    done: BaseException | None = CliRunner().invoke(app, ["bootstrap", *arguments]).exception
    return done


@pytest.mark.parametrize("name", ["A", "a.b", "x" * 56, "-ab", "ab-", 123, "botbrains-prod-state"])
def test_invalid_bucket_name_is_refused(name: object) -> None:
    with pytest.raises(ContinuityError) as raised:
        resolve_config(plan.load(), {"botbrains:stateBucket": name})
    expected = f"botbrains:stateBucket in Pulumi.vault.yaml is {name!r}; allowed is {STATE_BUCKET_ALLOWED}"
    assert str(raised.value) == expected


def test_configured_bucket_name_is_used(aws: LocalAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for file in stacks.PROJECT.glob("Pulumi.*.yaml"):
        settings = yaml.safe_load(file.read_text())
        if file.name == "Pulumi.vault.yaml":
            settings["config"]["botbrains:stateBucket"] = "example-state"
        (tmp_path / file.name).write_text(yaml.safe_dump(settings))
    monkeypatch.setattr(stacks, "PROJECT", tmp_path)
    assert run_here("--yes") is None
    for bucket, region in (("example-state", THERE), ("example-state-replica", HERE)):
        assert aws.client("s3", region).head_bucket(Bucket=bucket)["BucketRegion"] == region
    assert run_here("--check") is None


def test_missing_credentials_are_reported(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ContinuityError, match=r"there are no AWS credentials: set AWS_PROFILE"):
        resolve_config(plan.load(), {})
