"""CloudTrail: trails."""

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
    given,
    gone_at,
    locate,
    region_of,
    tag_list,
    tags_found,
)
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import Property, Props, ResourceType

_NO_TRAIL: Final = "TrailNotFoundException"


def _trail_settings(inputs: Props) -> dict[str, Any]:
    return {
        "S3BucketName": inputs["s3BucketName"],
        "IncludeGlobalServiceEvents": bool(inputs.get("includeGlobalServiceEvents", True)),
        "IsMultiRegionTrail": bool(inputs.get("isMultiRegionTrail")),
        "EnableLogFileValidation": bool(inputs.get("enableLogFileValidation")),
        **given(inputs, {"kmsKeyId": "KmsKeyId", "s3KeyPrefix": "S3KeyPrefix"}),
    }


def _create_trail(cloud: Cloud, inputs: Props) -> str:
    made = client(cloud, "cloudtrail", inputs).create_trail(
        Name=inputs["name"], **_trail_settings(inputs), TagsList=tag_list(all_tags(cloud, inputs))
    )
    return str(made["TrailARN"])


def _settle_trail(cloud: Cloud, identity: str, inputs: Props) -> None:
    trails = cloud.client("cloudtrail", region_of(identity))
    if inputs.get("enableLogging", True):
        trails.start_logging(Name=identity)
    else:
        trails.stop_logging(Name=identity)


def _read_trail(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, _ = locate(cloud, identity, state)
    region = region_of(identity)
    trails = cloud.client("cloudtrail", region)
    with gone_at(_NO_TRAIL):
        found = trails.get_trail(Name=identity)["Trail"]
        logging = trails.get_trail_status(Name=identity)["IsLogging"]
    return {
        "id": identity,
        "arn": identity,
        "region": region,
        "homeRegion": found.get("HomeRegion", region),
        "name": found["Name"],
        "s3BucketName": found["S3BucketName"],
        "s3KeyPrefix": found.get("S3KeyPrefix") or "",
        "includeGlobalServiceEvents": found["IncludeGlobalServiceEvents"],
        "isMultiRegionTrail": found["IsMultiRegionTrail"],
        "enableLogFileValidation": found["LogFileValidationEnabled"],
        "enableLogging": logging,
        "kmsKeyId": found.get("KmsKeyId") or "",
        "snsTopicArn": found.get("SnsTopicARN") or "",
        **tags_found(cloud, _trail_tags(trails, identity), state),
    }


def _update_trail(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    trails = cloud.client("cloudtrail", region_of(identity))
    trails.update_trail(Name=identity, **_trail_settings(new))
    _settle_trail(cloud, identity, new)
    change_tags(
        cloud,
        _trail_tags(trails, identity),
        new,
        lambda tags: trails.add_tags(ResourceId=identity, TagsList=tag_list(tags)),
        lambda keys: trails.remove_tags(ResourceId=identity, TagsList=[{"Key": key} for key in keys]),
    )


def _delete_trail(cloud: Cloud, identity: str, state: Props) -> None:
    with gone_at(_NO_TRAIL):
        cloud.client("cloudtrail", region_of(identity)).delete_trail(Name=identity.rpartition("/")[2])


def _find_trail(cloud: Cloud, inputs: Props) -> str | None:
    region = inputs.get("region") or cloud.region
    arn = f"arn:aws:cloudtrail:{region}:{cloud.account}:trail/{inputs['name']}"
    found = call_or_none((_NO_TRAIL,), cloud.client("cloudtrail", region).get_trail, Name=arn)
    return None if found is None else arn


def _trail_tags(trails: Any, arn: str) -> dict[str, str]:
    listed = trails.list_tags(ResourceIdList=[arn])["ResourceTagList"]
    return from_tag_list(listed[0]["TagsList"]) if listed else {}


RESOURCES: Final = (
    ResourceType(
        token="aws:cloudtrail/trail:Trail",  # noqa: S106 - a type's name
        properties={
            "region": REGION,
            "name": Property(generated_name=True, replaces=True),
            "s3BucketName": Property(required=True),
            "s3KeyPrefix": Property(default=""),
            "includeGlobalServiceEvents": Property(default=True),
            "isMultiRegionTrail": Property(default=False),
            "enableLogFileValidation": Property(default=False),
            "enableLogging": Property(default=True),
            "kmsKeyId": Property(default=""),
            "tags": TAGS,
        },
        computed=("arn", "homeRegion", "region", "snsTopicArn", "tagsAll"),
        create=_create_trail,
        settle=_settle_trail,
        read=_read_trail,
        update=_update_trail,
        delete=_delete_trail,
        delete_before_replace=True,
        find=_find_trail,
    ),
)
