"""S3: buckets, and their settings, which are types of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from localcloud.plugins.aws.common import (
    REGION,
    TAGS,
    Keys,
    Member,
    all_tags,
    change_tags,
    client,
    code,
    document,
    from_api,
    from_tag_list,
    gone_at,
    locate,
    same_policy,
    tag_list,
    tags_found,
    to_api,
)
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.aws.s3 import object_lock
from localcloud.plugins.table import Property, Props, Refused, ResourceType

# Route 53's zones of S3's website endpoints; AWS publishes them.
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
_NO_BUCKET: Final = ("404", "NoSuchBucket")


# -- buckets ----------------------------------------------------------------------------------------------------------


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
    with gone_at(*_NO_BUCKET):
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

    # S3 knows only all tags at once.
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
    with gone_at(*_NO_BUCKET):
        if state.get("forceDestroy"):
            _empty(s3, identity, bool(state.get("objectLockEnabled")))
        s3.delete_bucket(Bucket=identity)


def _empty(s3: Any, bucket: str, locked: bool) -> None:
    """Every version of every object, every delete marker, and what was begun in parts."""
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
                raise Refused(
                    f"the bucket {bucket} cannot be emptied: {len(errors)} objects stay, {first['Key']} among them: "
                    f"{first['Code']}: {first['Message']}"
                )
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])


def _find_bucket(cloud: Cloud, inputs: Props) -> str | None:
    try:
        client(cloud, "s3", inputs).head_bucket(Bucket=inputs["bucket"])
    except ClientError as error:
        if code(error) in _NO_BUCKET:
            return None
        raise
    return str(inputs["bucket"])


def _bucket_tags(s3: Any, bucket: str) -> dict[str, str]:
    try:
        return from_tag_list(s3.get_bucket_tagging(Bucket=bucket)["TagSet"])
    except ClientError as error:
        if code(error) == "NoSuchTagSet":
            return {}
        raise


# -- the settings of a bucket -----------------------------------------------------------------------------------------
#
# All alike: the id is the bucket's name, putting it again is changing it, and a bucket has one of each at most.

Put = Callable[[Any, str, Props], None]
Get = Callable[[Any, str], Props]
Remove = Callable[[Any, str, Props], None]


def _setting(
    token: str,
    properties: Mapping[str, Property],
    put: Put,
    get: Get,
    remove: Remove,
    absent: tuple[str, ...] = (),
) -> ResourceType:
    """`absent`: the codes with which S3 says that the bucket has no such setting."""

    def create(cloud: Cloud, inputs: Props) -> str:
        put(client(cloud, "s3", inputs), inputs["bucket"], inputs)
        return str(inputs["bucket"])

    def read(cloud: Cloud, identity: str, state: Props) -> Props:
        identity, region = locate(cloud, identity, state)
        with gone_at(*_NO_BUCKET, *absent):
            found = get(cloud.client("s3", region), identity)
        return {"id": identity, "region": region, "bucket": identity, **found}

    def update(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
        put(client(cloud, "s3", new), identity, new)

    def delete(cloud: Cloud, identity: str, state: Props) -> None:
        with gone_at(*_NO_BUCKET, *absent):
            remove(client(cloud, "s3", state), identity, state)

    return ResourceType(
        token=token,
        properties={"region": REGION, "bucket": Property(required=True, replaces=True), **properties},
        computed=("region",),
        create=create,
        read=read,
        update=update,
        delete=delete,
    )


_VERSIONING: Final[Keys] = {"status": Member("Status")}


def _put_versioning(s3: Any, bucket: str, inputs: Props) -> None:
    wanted = to_api(_VERSIONING, inputs["versioningConfiguration"], "versioningConfiguration")
    now = s3.get_bucket_versioning(Bucket=bucket).get("Status")
    match wanted.get("Status"):
        case "Enabled" | "Suspended":
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=wanted)
        case "Disabled":  # a bucket's first state, to which none goes back
            if now is not None:
                raise Refused(
                    f"versioning of {bucket} is {now}; once it was enabled it can be suspended, but not disabled"
                )
        case other:
            raise Refused(f"`versioningConfiguration.status` is {other!r}; allowed: 'Enabled', 'Suspended', 'Disabled'")


def _get_versioning(s3: Any, bucket: str) -> Props:
    return {"versioningConfiguration": {"status": s3.get_bucket_versioning(Bucket=bucket).get("Status") or "Disabled"}}


def _remove_versioning(s3: Any, bucket: str, state: Props) -> None:
    """With an object lock S3 keeps versioning for good, and the provider leaves it at that."""
    if s3.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled" and not object_lock.enabled(s3, bucket):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


_ENCRYPTION: Final[Keys] = {
    "applyServerSideEncryptionByDefault": Member(
        "ApplyServerSideEncryptionByDefault",
        {"sseAlgorithm": Member("SSEAlgorithm"), "kmsMasterKeyId": Member("KMSMasterKeyID")},
    ),
    "bucketKeyEnabled": Member("BucketKeyEnabled"),
}


def _put_encryption(s3: Any, bucket: str, inputs: Props) -> None:
    rules = [to_api(_ENCRYPTION, rule, f"rules[{n}]") for n, rule in enumerate(inputs["rules"])]
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})


def _get_encryption(s3: Any, bucket: str) -> Props:
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    return {"rules": [from_api(_ENCRYPTION, rule) for rule in rules]}


_PUBLIC_ACCESS: Final = {
    "blockPublicAcls": "BlockPublicAcls",
    "blockPublicPolicy": "BlockPublicPolicy",
    "ignorePublicAcls": "IgnorePublicAcls",
    "restrictPublicBuckets": "RestrictPublicBuckets",
}


def _put_public_access(s3: Any, bucket: str, inputs: Props) -> None:
    s3.put_public_access_block(
        Bucket=bucket,
        PublicAccessBlockConfiguration={api: bool(inputs.get(key)) for key, api in _PUBLIC_ACCESS.items()},
    )


def _get_public_access(s3: Any, bucket: str) -> Props:
    found = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    return {key: bool(found.get(api)) for key, api in _PUBLIC_ACCESS.items()}


def _remove_public_access(s3: Any, bucket: str, state: Props) -> None:
    if not state.get("skipDestroy"):
        s3.delete_public_access_block(Bucket=bucket)


_OWNERSHIP: Final[Keys] = {"objectOwnership": Member("ObjectOwnership")}


def _put_ownership(s3: Any, bucket: str, inputs: Props) -> None:
    s3.put_bucket_ownership_controls(
        Bucket=bucket, OwnershipControls={"Rules": [to_api(_OWNERSHIP, inputs["rule"], "rule")]}
    )


def _get_ownership(s3: Any, bucket: str) -> Props:
    rules = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    return {"rule": from_api(_OWNERSHIP, rules[0])}


def _put_policy(s3: Any, bucket: str, inputs: Props) -> None:
    s3.put_bucket_policy(Bucket=bucket, Policy=document(inputs["policy"]))


def _get_policy(s3: Any, bucket: str) -> Props:
    return {"policy": s3.get_bucket_policy(Bucket=bucket)["Policy"]}


_TAG: Final[Keys] = {"key": Member("Key"), "value": Member("Value")}
_LIFECYCLE: Final[Keys] = {
    "id": Member("ID"),
    "status": Member("Status"),
    "abortIncompleteMultipartUpload": Member(
        "AbortIncompleteMultipartUpload", {"daysAfterInitiation": Member("DaysAfterInitiation")}
    ),
    "expiration": Member(
        "Expiration",
        {
            "date": Member("Date"),
            "days": Member("Days"),
            "expiredObjectDeleteMarker": Member("ExpiredObjectDeleteMarker"),
        },
    ),
    "filter": Member(
        "Filter",
        {
            "prefix": Member("Prefix"),
            "objectSizeGreaterThan": Member("ObjectSizeGreaterThan"),
            "objectSizeLessThan": Member("ObjectSizeLessThan"),
            "tag": Member("Tag", _TAG),
            "and": Member(
                "And",
                {
                    "prefix": Member("Prefix"),
                    "objectSizeGreaterThan": Member("ObjectSizeGreaterThan"),
                    "objectSizeLessThan": Member("ObjectSizeLessThan"),
                    "tags": Member("Tags", tags=True),
                },
            ),
        },
    ),
    "noncurrentVersionExpiration": Member(
        "NoncurrentVersionExpiration",
        {
            "noncurrentDays": Member("NoncurrentDays"),
            "newerNoncurrentVersions": Member("NewerNoncurrentVersions"),
        },
    ),
    "noncurrentVersionTransitions": Member(
        "NoncurrentVersionTransitions",
        {
            "noncurrentDays": Member("NoncurrentDays"),
            "newerNoncurrentVersions": Member("NewerNoncurrentVersions"),
            "storageClass": Member("StorageClass"),
        },
        many=True,
    ),
    "transitions": Member(
        "Transitions",
        {"date": Member("Date"), "days": Member("Days"), "storageClass": Member("StorageClass")},
        many=True,
    ),
}


def _put_lifecycle(s3: Any, bucket: str, inputs: Props) -> None:
    rules = [to_api(_LIFECYCLE, rule, f"rules[{n}]") for n, rule in enumerate(inputs["rules"])]
    for rule in rules:
        rule.setdefault("Filter", {"Prefix": ""})  # the provider's own default: the whole bucket
        if not rule["Filter"]:
            rule["Filter"] = {"Prefix": ""}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})


def _get_lifecycle(s3: Any, bucket: str) -> Props:
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    return {"rules": [from_api(_LIFECYCLE, rule) for rule in rules]}


_STATUS: Final[Keys] = {"status": Member("Status")}
_REPLICATION: Final[Keys] = {
    "id": Member("ID"),
    "priority": Member("Priority"),
    "status": Member("Status"),
    "prefix": Member("Prefix"),
    "filter": Member(
        "Filter",
        {
            "prefix": Member("Prefix"),
            "tag": Member("Tag", _TAG),
            "and": Member("And", {"prefix": Member("Prefix"), "tags": Member("Tags", tags=True)}),
        },
    ),
    "deleteMarkerReplication": Member("DeleteMarkerReplication", _STATUS),
    "sourceSelectionCriteria": Member(
        "SourceSelectionCriteria", {"sseKmsEncryptedObjects": Member("SseKmsEncryptedObjects", _STATUS)}
    ),
    "destination": Member(
        "Destination",
        {
            "bucket": Member("Bucket"),
            "account": Member("Account"),
            "storageClass": Member("StorageClass"),
            "encryptionConfiguration": Member(
                "EncryptionConfiguration", {"replicaKmsKeyId": Member("ReplicaKmsKeyID")}
            ),
            "metrics": Member(
                "Metrics",
                {
                    "status": Member("Status"),
                    "eventThreshold": Member("EventThreshold", {"minutes": Member("Minutes")}),
                },
            ),
            "replicationTime": Member(
                "ReplicationTime",
                {"status": Member("Status"), "time": Member("Time", {"minutes": Member("Minutes")})},
            ),
        },
    ),
}


def _put_replication(s3: Any, bucket: str, inputs: Props) -> None:
    rules = [to_api(_REPLICATION, rule, f"rules[{n}]") for n, rule in enumerate(inputs["rules"])]
    s3.put_bucket_replication(Bucket=bucket, ReplicationConfiguration={"Role": inputs["role"], "Rules": rules})


def _get_replication(s3: Any, bucket: str) -> Props:
    found = s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]
    return {"role": found["Role"], "rules": [from_api(_REPLICATION, rule) for rule in found["Rules"]]}


RESOURCES: Final = (
    ResourceType(
        token="aws:s3/bucket:Bucket",  # noqa: S106 - a type's name
        properties={
            "region": REGION,
            "bucket": Property(generated_name=True, replaces=True),
            "forceDestroy": Property(default=False, write_only=True),
            # Without a default: a lock that came later, with a configuration of its own, is no reason to replace.
            "objectLockEnabled": Property(replaces=True),
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
    _setting(
        "aws:s3/bucketVersioning:BucketVersioning",
        {"versioningConfiguration": Property(required=True)},
        _put_versioning,
        _get_versioning,
        _remove_versioning,
    ),
    _setting(
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        object_lock.PROPERTIES,
        object_lock.put,
        object_lock.get,
        object_lock.remove,
        (object_lock.ABSENT,),
    ),
    _setting(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        {"rules": Property(required=True)},
        _put_encryption,
        _get_encryption,
        lambda s3, bucket, state: s3.delete_bucket_encryption(Bucket=bucket),
        ("ServerSideEncryptionConfigurationNotFoundError",),
    ),
    _setting(
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        {
            **{key: Property(default=False) for key in _PUBLIC_ACCESS},
            "skipDestroy": Property(default=False, write_only=True),
        },
        _put_public_access,
        _get_public_access,
        _remove_public_access,
        ("NoSuchPublicAccessBlockConfiguration",),
    ),
    _setting(
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        {"rule": Property(required=True)},
        _put_ownership,
        _get_ownership,
        lambda s3, bucket, state: s3.delete_bucket_ownership_controls(Bucket=bucket),
        ("OwnershipControlsNotFoundError",),
    ),
    _setting(
        "aws:s3/bucketPolicy:BucketPolicy",
        {"policy": Property(required=True, same=same_policy)},
        _put_policy,
        _get_policy,
        lambda s3, bucket, state: s3.delete_bucket_policy(Bucket=bucket),
        ("NoSuchBucketPolicy",),
    ),
    _setting(
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        {"rules": Property(required=True)},
        _put_lifecycle,
        _get_lifecycle,
        lambda s3, bucket, state: s3.delete_bucket_lifecycle(Bucket=bucket),
        ("NoSuchLifecycleConfiguration",),
    ),
    _setting(
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
        {"role": Property(required=True), "rules": Property(required=True)},
        _put_replication,
        _get_replication,
        lambda s3, bucket, state: s3.delete_bucket_replication(Bucket=bucket),
        ("ReplicationConfigurationNotFoundError",),
    ),
)
