"""S3's buckets. Each setting of a bucket is a separate resource type, in a module next to this one."""

from __future__ import annotations

from typing import Any, Final

from localcloud.plugins.aws.common import (
    REGION,
    TAGS,
    all_tags,
    call_or_none,
    change_tags,
    client,
    from_tag_list,
    gone_at,
    locate,
    tag_list,
    tags_found,
)
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.aws.s3 import object_lock
from localcloud.plugins.aws.s3.setting import NO_BUCKET
from localcloud.plugins.table import Property, Props, RefusedError, ResourceType

# The Route 53 zones of S3's website endpoints, which AWS publishes.
_HOSTED_ZONES: Final = {
    "eu-central-1": "Z21DNDUVLTQW6Q",
    "eu-north-1": "Z3BAZG2TWCNX0D",
    "eu-west-1": "Z1BKCTXD74EZPE",
    "eu-west-2": "Z3GKZC51ZF0DB4",
    "eu-west-3": "Z3R1K369G5AVDG",
    "us-east-1": "Z3AQBSTGFYJSTF",
    "us-east-2": "Z2O1EMRO9K5GLX",
    "us-west-1": "Z2F56UZL2M1ACD",
    "us-west-2": "Z3BJ6K6RIION7M",
}


def _create_bucket(cloud: Cloud, inputs: Props) -> str:
    region = inputs.get("region") or cloud.region
    placed = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    cloud.client("s3", region).create_bucket(
        Bucket=inputs["bucket"], ObjectLockEnabledForBucket=bool(inputs.get("objectLockEnabled")), **placed
    )
    return str(inputs["bucket"])


def _settle_bucket(cloud: Cloud, identity: str, inputs: Props) -> None:
    tags = all_tags(cloud, inputs)
    if tags:
        client(cloud, "s3", inputs).put_bucket_tagging(Bucket=identity, Tagging={"TagSet": tag_list(tags)})


def _read_bucket(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    s3 = cloud.client("s3", region)
    with gone_at(*NO_BUCKET):
        s3.head_bucket(Bucket=identity)
    region = s3.get_bucket_location(Bucket=identity).get("LocationConstraint") or "us-east-1"
    return {
        "id": identity,
        "region": region,
        "bucket": identity,
        "arn": f"arn:aws:s3:::{identity}",
        "bucketDomainName": f"{identity}.s3.amazonaws.com",
        "bucketRegionalDomainName": f"{identity}.s3.{region}.amazonaws.com",
        "bucketRegion": region,
        "hostedZoneId": _HOSTED_ZONES.get(region, ""),
        "objectLockEnabled": object_lock.enabled(s3, identity),
        **tags_found(cloud, _bucket_tags(s3, identity), state),
    }


def _update_bucket(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    s3 = client(cloud, "s3", new)
    found = _bucket_tags(s3, identity)

    # S3 sets all tags in one call.
    def put(tags: dict[str, str]) -> None:
        found.update(tags)
        s3.put_bucket_tagging(Bucket=identity, Tagging={"TagSet": tag_list(found)})

    def remove(keys: list[str]) -> None:
        for key in keys:
            found.pop(key)
        if found:
            put({})
        else:
            s3.delete_bucket_tagging(Bucket=identity)

    change_tags(cloud, dict(found), new, put, remove)


def _delete_bucket(cloud: Cloud, identity: str, state: Props) -> None:
    s3 = client(cloud, "s3", state)
    with gone_at(*NO_BUCKET):
        if state.get("forceDestroy"):
            _empty(s3, identity, bool(state.get("objectLockEnabled")))
        s3.delete_bucket(Bucket=identity)


def _empty(s3: Any, bucket: str, locked: bool) -> None:
    """Delete every version of every object, every delete marker, and every multipart upload."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        objects = [
            {"Key": entry["Key"], "VersionId": entry["VersionId"]}
            for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        ]
        if objects:
            bypass = {"BypassGovernanceRetention": True} if locked else {}
            errors = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True}, **bypass).get(
                "Errors"
            )
            if errors:
                first = errors[0]
                raise RefusedError(
                    f"the bucket {bucket} cannot be emptied: {len(errors)} objects stay, {first['Key']} among them: "
                    f"{first['Code']}: {first['Message']}"
                )
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])


def _find_bucket(cloud: Cloud, inputs: Props) -> str | None:
    found = call_or_none(NO_BUCKET, client(cloud, "s3", inputs).head_bucket, Bucket=inputs["bucket"])
    return None if found is None else str(inputs["bucket"])


def _bucket_tags(s3: Any, bucket: str) -> dict[str, str]:
    found = call_or_none(("NoSuchTagSet",), s3.get_bucket_tagging, Bucket=bucket)
    return {} if found is None else from_tag_list(found["TagSet"])


RESOURCES: Final = (
    ResourceType(
        token="aws:s3/bucket:Bucket",  # noqa: S106 - a type's name
        properties={
            "region": REGION,
            "bucket": Property(generated_name=True, replaces=True),
            "forceDestroy": Property(default=False, write_only=True),
            # A bucket may get its lock later, from `BucketObjectLockConfiguration`. That does not replace it.
            "objectLockEnabled": Property(replaces=True, cloud_chooses=True),
            "tags": TAGS,
        },
        computed=(
            "arn",
            "bucketDomainName",
            "bucketRegionalDomainName",
            "bucketRegion",
            "hostedZoneId",
            "objectLockEnabled",
            "region",
            "tagsAll",
        ),
        create=_create_bucket,
        settle=_settle_bucket,
        read=_read_bucket,
        update=_update_bucket,
        delete=_delete_bucket,
        delete_before_replace=True,
        find=_find_bucket,
    ),
)
