"""Helpers for KMS keys and replica keys: description, policy, tags and deletion."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from localcloud.plugins.aws.common import change_tags, client, code, document, given, gone_at
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import GoneError, Props


def described(kms: Any, identity: str) -> Any:
    """Return a key's metadata. A key that is pending deletion counts as gone, because it cannot be used."""
    with gone_at("NotFoundException"):
        key = kms.describe_key(KeyId=identity)["KeyMetadata"]
    if key["KeyState"] in ("PendingDeletion", "PendingReplicaDeletion"):
        raise GoneError(f"{key['Arn']} is pending deletion")
    return key


def put_policy(kms: Any, identity: str, inputs: Props) -> None:
    kms.put_key_policy(
        KeyId=identity,
        PolicyName="default",
        Policy=document(inputs["policy"]),
        BypassPolicyLockoutSafetyCheck=bool(inputs.get("bypassPolicyLockoutSafetyCheck")),
    )


def delete(cloud: Cloud, identity: str, state: Props) -> None:
    kms = client(cloud, "kms", state)
    with gone_at("NotFoundException"):
        try:
            kms.schedule_key_deletion(KeyId=identity, **given(state, {"deletionWindowInDays": "PendingWindowInDays"}))
        except ClientError as error:
            if code(error) == "KMSInvalidStateException" and "pending deletion" in str(error):
                raise GoneError(str(error)) from error
            raise


def to_tags(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"TagKey": key, "TagValue": value} for key, value in tags.items()]


def tags_of(kms: Any, identity: str) -> dict[str, str]:
    return {
        tag["TagKey"]: tag["TagValue"]
        for page in kms.get_paginator("list_resource_tags").paginate(KeyId=identity)
        for tag in page["Tags"]
    }


def retag(cloud: Cloud, kms: Any, identity: str, inputs: Props) -> None:
    change_tags(
        cloud,
        tags_of(kms, identity),
        inputs,
        lambda tags: kms.tag_resource(KeyId=identity, Tags=to_tags(tags)),
        lambda keys: kms.untag_resource(KeyId=identity, TagKeys=keys),
    )
