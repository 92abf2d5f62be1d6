"""S3's object lock in the local AWS: what the stand-in's tables do with it, and what it protects from whom."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import RefusedError
from tests.localcloud.aws_harness import HERE, TABLES, THERE, LocalAws, Made, local_aws

LOCK = "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with local_aws() as running:
        yield running


@pytest.fixture(scope="module")
def cloud(aws: LocalAws) -> Cloud:
    return aws.connect()


@pytest.fixture(scope="module")
def s3(aws: LocalAws) -> Any:
    return aws.client("s3")


def a_bucket(s3: Any, name: str, mode: str | None = None, region: str = HERE, days: int = 7) -> str:
    """A versioned bucket; with a mode it is locked, with a default retention."""
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    if mode is not None:
        lock(s3, name, {"Mode": mode, "Days": days})
    return name


def lock(s3: Any, bucket: str, retention: dict[str, Any]) -> None:
    s3.put_object_lock_configuration(
        Bucket=bucket,
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}},
    )


def code_of(call: Callable[..., Any], **asked: Any) -> str:
    with pytest.raises(ClientError) as refusal:
        call(**asked)
    return str(refusal.value.response["Error"]["Code"])


def days_left(s3: Any, bucket: str, key: str) -> tuple[str, int]:
    found = s3.get_object_retention(Bucket=bucket, Key=key)["Retention"]
    return found["Mode"], round((found["RetainUntilDate"] - datetime.now(UTC)) / DAY)


# -- tables -----------------------------------------------------------------------------------------------------------


def test_a_lock_on_a_bucket_that_was_there(s3: Any, cloud: Cloud) -> None:
    bucket = Made.create(cloud, "aws:s3/bucket:Bucket", bucket="later-locked")
    versioned = Made.create(
        cloud,
        "aws:s3/bucketVersioning:BucketVersioning",
        bucket="later-locked",
        versioningConfiguration={"status": "Enabled"},
    )
    s3.put_object(Bucket="later-locked", Key="old", Body=b"1")
    made = Made.create(
        cloud, LOCK, bucket="later-locked", rule={"defaultRetention": {"mode": "COMPLIANCE", "days": 30}}
    )
    assert bucket.drift() == set()  # else the engine would replace it
    assert bucket.outputs["objectLockEnabled"] is True
    assert code_of(s3.get_object_retention, Bucket="later-locked", Key="old") == "NoSuchObjectLockConfiguration"
    made.change(rule={"defaultRetention": {"mode": "GOVERNANCE", "years": 1}})
    s3.put_object(Bucket="later-locked", Key="new", Body=b"1")
    assert days_left(s3, "later-locked", "new") == ("GOVERNANCE", 365)
    lock(s3, "later-locked", {"Mode": "GOVERNANCE", "Days": 1})
    assert made.drift() == {"rule"}
    made.delete()
    left = s3.get_object_lock_configuration(Bucket="later-locked")["ObjectLockConfiguration"]
    assert left == {"ObjectLockEnabled": "Enabled"}
    assert made.drift() == {"rule"}
    versioned.delete()
    assert s3.get_bucket_versioning(Bucket="later-locked")["Status"] == "Enabled"
    with pytest.raises(RefusedError, match="exactly one"):
        TABLES[LOCK].create(
            cloud,
            {"bucket": "later-locked", "rule": {"defaultRetention": {"mode": "COMPLIANCE", "days": 1, "years": 1}}},
        )


def test_a_bucket_made_with_a_lock_goes_by_force_unless_compliance_forbids(s3: Any, cloud: Cloud) -> None:
    def filled(name: str, mode: str) -> Made:
        made = Made.create(
            cloud, "aws:s3/bucket:Bucket", bucket=name, region=THERE, objectLockEnabled=True, forceDestroy=True
        )
        retention = {"mode": mode, "days": 1}
        Made.create(cloud, LOCK, bucket=name, region=THERE, rule={"defaultRetention": retention})
        s3.put_object(Bucket=name, Key="k", Body=b"1")
        return made

    filled("made-governed", "GOVERNANCE").delete()
    assert code_of(s3.head_bucket, Bucket="made-governed") == "404"
    with pytest.raises(RefusedError, match="AccessDenied"):
        filled("made-compliant", "COMPLIANCE").delete()
    assert s3.get_object(Bucket="made-compliant", Key="k")["Body"].read() == b"1"


# -- configurations ---------------------------------------------------------------------------------------------------


def test_what_is_no_configuration_is_refused(s3: Any) -> None:
    s3.create_bucket(Bucket="unversioned", CreateBucketConfiguration={"LocationConstraint": HERE})
    enabled = {"ObjectLockEnabled": "Enabled"}
    put = s3.put_object_lock_configuration
    assert code_of(put, Bucket="unversioned", ObjectLockConfiguration=enabled) == "InvalidBucketState"
    bucket = a_bucket(s3, "versioned-only")
    for retention in ({"Mode": "COMPLIANCE"}, {"Mode": "COMPLIANCE", "Days": 1, "Years": 1}, {"Mode": "W", "Days": 1}):
        rule = {**enabled, "Rule": {"DefaultRetention": retention}}
        assert code_of(put, Bucket=bucket, ObjectLockConfiguration=rule) == "MalformedXML"
    assert code_of(s3.get_object_lock_configuration, Bucket=bucket) == "ObjectLockConfigurationNotFoundError"
    suspended = {"Status": "Suspended"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=suspended)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    lock(s3, bucket, {"Mode": "COMPLIANCE", "Days": 3})
    assert code_of(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration=suspended) == "InvalidBucketState"
    shown = s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    assert shown == {**enabled, "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 3}}}


# -- versions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["COMPLIANCE", "GOVERNANCE"])
def test_a_version_under_retention_stays(s3: Any, mode: str) -> None:
    bucket = a_bucket(s3, f"held-{mode.lower()}", mode)
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"kept")["VersionId"]
    this = {"Bucket": bucket, "Key": "k", "VersionId": version}
    assert code_of(s3.delete_object, **this) == "AccessDenied"
    assert code_of(s3.delete_object, **this, BypassGovernanceRetention=False) == "AccessDenied"
    several = {"Objects": [{"Key": "k", "VersionId": version}]}
    assert s3.delete_objects(Bucket=bucket, Delete=several)["Errors"][0]["Code"] == "AccessDenied"
    sooner = {"Mode": mode, "RetainUntilDate": datetime.now(UTC) + DAY}
    assert code_of(s3.put_object_retention, **this, Retention=sooner) == "AccessDenied"
    s3.put_object_retention(**this, Retention={"Mode": mode, "RetainUntilDate": datetime.now(UTC) + 9 * DAY})
    assert days_left(s3, bucket, "k") == (mode, 9)

    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"] is True
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"kept"

    bypassed = {"BypassGovernanceRetention": True}
    if mode == "COMPLIANCE":
        assert code_of(s3.put_object_retention, **this, **bypassed, Retention=sooner) == "AccessDenied"
        assert code_of(s3.delete_object, **this, **bypassed) == "AccessDenied"
    else:
        s3.put_object_retention(**this, **bypassed, Retention=sooner)
        assert days_left(s3, bucket, "k") == (mode, 1)
        s3.delete_object(**this, **bypassed)
        assert code_of(s3.head_object, **this) == "404"


def test_a_default_reaches_every_new_version(aws: LocalAws, s3: Any) -> None:
    bucket = a_bucket(s3, "every-way", "COMPLIANCE")
    s3.put_object(Bucket=bucket, Key="put", Body=b"1", ObjectLockLegalHoldStatus="ON")
    s3.copy_object(Bucket=bucket, Key="copied", CopySource={"Bucket": bucket, "Key": "put"})
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"1")["ETag"]
    s3.complete_multipart_upload(
        Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": [{"ETag": part, "PartNumber": 1}]}
    )
    source = a_bucket(aws.client("s3", THERE), "source", region=THERE)
    destination = {"Bucket": f"arn:aws:s3:::{bucket}"}
    rule = {
        "ID": "all",
        "Priority": 1,
        "Status": "Enabled",
        "Filter": {},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": destination,
    }
    role = "arn:aws:iam::123456789012:role/replication"
    s3.put_bucket_replication(Bucket=source, ReplicationConfiguration={"Role": role, "Rules": [rule]})
    s3.put_object(Bucket=source, Key="replica", Body=b"1")
    s3.put_object_tagging(Bucket=bucket, Key="put", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    for key in ("put", "copied", "parts", "replica"):
        assert days_left(s3, bucket, key) == ("COMPLIANCE", 7)
        version = s3.head_object(Bucket=bucket, Key=key)["VersionId"]
        assert code_of(s3.delete_object, Bucket=bucket, Key=key, VersionId=version) == "AccessDenied"


def test_a_lock_of_its_own_overrides_the_default(s3: Any) -> None:
    bucket, until = a_bucket(s3, "own-lock", "GOVERNANCE"), datetime.now(UTC) + 3 * DAY
    asked = {"Bucket": bucket, "Key": "k", "Body": b"1", "ObjectLockMode": "COMPLIANCE"}
    s3.put_object(**asked, ObjectLockRetainUntilDate=until)
    assert days_left(s3, bucket, "k") == ("COMPLIANCE", 3)
    assert code_of(s3.put_object, **asked) == "InvalidArgument"
    assert code_of(s3.put_object, **asked, ObjectLockRetainUntilDate=until - 4 * DAY) == "InvalidArgument"
    refused = s3.create_multipart_upload
    assert code_of(refused, Bucket=bucket, Key="k", ObjectLockLegalHoldStatus="ON") == "NotImplemented"


def test_a_locked_body_needs_a_checksum(s3: Any) -> None:
    bucket = a_bucket(s3, "summed", "GOVERNANCE")
    address = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"})
    bare = urllib.request.Request(address, data=b"1", method="PUT")
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(bare)
