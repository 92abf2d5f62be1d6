"""CloudWatch Logs: log groups."""

from __future__ import annotations

from typing import Any, Final

from localcloud.plugins.aws.common import (
    REGION,
    TAGS,
    all_tags,
    change_tags,
    client,
    given,
    gone_at,
    locate,
    tags_found,
)
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import GoneError, Property, Props, ResourceType

# The days that PutRetentionPolicy accepts. 0: no expiry.
_RETENTIONS: Final = (
    *(0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545),
    *(731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)


def _create(cloud: Cloud, inputs: Props) -> str:
    client(cloud, "logs", inputs).create_log_group(
        logGroupName=inputs["name"],
        tags=all_tags(cloud, inputs),
        **given(inputs, {"kmsKeyId": "kmsKeyId", "logGroupClass": "logGroupClass"}),
    )
    return str(inputs["name"])


def _settle(cloud: Cloud, identity: str, inputs: Props) -> None:
    if inputs.get("retentionInDays"):
        logs = client(cloud, "logs", inputs)
        logs.put_retention_policy(logGroupName=identity, retentionInDays=int(inputs["retentionInDays"]))


def _described(logs: Any, identity: str) -> Any:
    for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=identity):
        for group in page["logGroups"]:
            if group["logGroupName"] == identity:
                return group
    raise GoneError(f"the log group {identity} does not exist")


def _read(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    logs = cloud.client("logs", region)
    group = _described(logs, identity)
    arn = group["arn"].removesuffix(":*")
    return {
        "id": identity,
        "region": region,
        "name": identity,
        "namePrefix": "",
        "arn": arn,
        "kmsKeyId": group.get("kmsKeyId", ""),
        "logGroupClass": group.get("logGroupClass", "STANDARD"),
        "retentionInDays": group.get("retentionInDays", 0),
        **tags_found(cloud, logs.list_tags_for_resource(resourceArn=arn)["tags"], state),
    }


def _update(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    logs = client(cloud, "logs", new)
    if "retentionInDays" in changed or "arn" not in old:
        if new.get("retentionInDays"):
            _settle(cloud, identity, new)
        else:
            logs.delete_retention_policy(logGroupName=identity)
    if "kmsKeyId" in changed:
        if new.get("kmsKeyId"):
            logs.associate_kms_key(logGroupName=identity, kmsKeyId=new["kmsKeyId"])
        else:
            logs.disassociate_kms_key(logGroupName=identity)
    arn = _described(logs, identity)["arn"].removesuffix(":*")
    change_tags(
        cloud,
        logs.list_tags_for_resource(resourceArn=arn)["tags"],
        new,
        lambda tags: logs.tag_resource(resourceArn=arn, tags=tags),
        lambda keys: logs.untag_resource(resourceArn=arn, tagKeys=keys),
    )


def _delete(cloud: Cloud, identity: str, state: Props) -> None:
    if not state.get("skipDestroy"):
        with gone_at("ResourceNotFoundException"):
            client(cloud, "logs", state).delete_log_group(logGroupName=identity)


def _find(cloud: Cloud, inputs: Props) -> str | None:
    try:
        return str(_described(client(cloud, "logs", inputs), inputs["name"])["logGroupName"])
    except GoneError:
        return None


RESOURCES: Final[tuple[ResourceType, ...]] = (
    ResourceType(
        token="aws:cloudwatch/logGroup:LogGroup",  # noqa: S106 - a type's name
        properties={
            "region": REGION,
            "name": Property(generated_name=True, replaces=True),
            "kmsKeyId": Property(default=""),
            "logGroupClass": Property(
                default="STANDARD", replaces=True, choices=("STANDARD", "INFREQUENT_ACCESS", "DELIVERY")
            ),
            "retentionInDays": Property(default=0, choices=_RETENTIONS),
            "skipDestroy": Property(default=False, write_only=True),
            "tags": TAGS,
        },
        computed=("arn", "region", "tagsAll"),
        create=_create,
        settle=_settle,
        read=_read,
        update=_update,
        delete=_delete,
        delete_before_replace=True,
        find=_find,
    ),
)
