"""KMS: keys, their replicas in other regions, and aliases."""

from __future__ import annotations

from typing import Any, Final

from localcloud.plugins.aws.common import (
    REGION,
    TAGS,
    all_tags,
    client,
    document,
    given,
    gone_at,
    locate,
    same_policy,
    tags_found,
    unfinished,
)
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.aws.kms.common import delete, described, put_policy, retag, tags_of, to_tags
from localcloud.plugins.aws.kms.replica_keys import REPLICA_KEY
from localcloud.plugins.table import GoneError, Property, Props, RefusedError, ResourceType


def _create_key(cloud: Cloud, inputs: Props) -> str:
    policy = inputs.get("policy")
    created = client(cloud, "kms", inputs).create_key(
        **given(
            inputs,
            {
                "description": "Description",
                "keyUsage": "KeyUsage",
                "customerMasterKeySpec": "KeySpec",
                "multiRegion": "MultiRegion",
                "bypassPolicyLockoutSafetyCheck": "BypassPolicyLockoutSafetyCheck",
            },
        ),
        **({"Policy": document(policy)} if policy else {}),
        Tags=to_tags(all_tags(cloud, inputs)),
    )
    return str(created["KeyMetadata"]["KeyId"])


def _settle_key(cloud: Cloud, identity: str, inputs: Props) -> None:
    kms = client(cloud, "kms", inputs)
    if inputs.get("enableKeyRotation"):
        kms.enable_key_rotation(KeyId=identity, **given(inputs, {"rotationPeriodInDays": "RotationPeriodInDays"}))
    elif inputs.get("rotationPeriodInDays"):
        raise RefusedError("`rotationPeriodInDays` of a key needs `enableKeyRotation` to be true")
    if inputs.get("isEnabled") is False:
        kms.disable_key(KeyId=identity)


def _read_key(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    kms = cloud.client("kms", region)
    key = described(kms, identity)
    found = {
        "id": key["KeyId"],
        "region": region,
        "arn": key["Arn"],
        "keyId": key["KeyId"],
        "description": key["Description"],
        "keyUsage": key["KeyUsage"],
        "customerMasterKeySpec": key["KeySpec"],
        "isEnabled": key["Enabled"],
        "multiRegion": key["MultiRegion"],
        "policy": kms.get_key_policy(KeyId=identity, PolicyName="default")["Policy"],
        "enableKeyRotation": False,
        "rotationPeriodInDays": 0,
        **tags_found(cloud, tags_of(kms, identity), state),
    }
    if key["KeySpec"] == "SYMMETRIC_DEFAULT" and key["Origin"] == "AWS_KMS":
        rotation = kms.get_key_rotation_status(KeyId=identity)
        found["enableKeyRotation"] = rotation["KeyRotationEnabled"]
        found["rotationPeriodInDays"] = rotation.get("RotationPeriodInDays") or 0
    return found


def _update_key(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    kms = client(cloud, "kms", new)
    if unfinished(old):
        _settle_key(cloud, identity, new)
    # A disabled key refuses changes, so it is enabled first and disabled last.
    if "isEnabled" in changed and new.get("isEnabled", True):
        kms.enable_key(KeyId=identity)
    if changed & {"enableKeyRotation", "rotationPeriodInDays"}:
        if new.get("enableKeyRotation"):
            kms.enable_key_rotation(KeyId=identity, **given(new, {"rotationPeriodInDays": "RotationPeriodInDays"}))
        else:
            kms.disable_key_rotation(KeyId=identity)
    if "description" in changed and "description" in new:
        kms.update_key_description(KeyId=identity, Description=new["description"])
    if "policy" in changed and new.get("policy"):
        put_policy(kms, identity, new)
    retag(cloud, kms, identity, new)
    if "isEnabled" in changed and not new.get("isEnabled", True):
        kms.disable_key(KeyId=identity)


def _create_alias(cloud: Cloud, inputs: Props) -> str:
    name = inputs["name"]
    if not name.startswith("alias/"):
        raise RefusedError(f"`name` of an alias is {name!r}; it must begin with `alias/`")
    client(cloud, "kms", inputs).create_alias(AliasName=name, TargetKeyId=inputs["targetKeyId"])
    return str(name)


def _read_alias(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    kms = cloud.client("kms", region)
    alias = _alias(kms, identity)
    if alias is None:
        raise GoneError(f"{region} has no {identity}")
    target = alias["TargetKeyId"]
    return {
        "id": identity,
        "region": region,
        "name": identity,
        "arn": alias["AliasArn"],
        "targetKeyId": target,
        "targetKeyArn": f"{alias['AliasArn'].rsplit(':', 1)[0]}:key/{target}",
    }


def _alias(kms: Any, name: str) -> Any:
    pages = kms.get_paginator("list_aliases").paginate()
    return next((alias for page in pages for alias in page["Aliases"] if alias["AliasName"] == name), None)


def _update_alias(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    client(cloud, "kms", new).update_alias(AliasName=identity, TargetKeyId=new["targetKeyId"])


def _delete_alias(cloud: Cloud, identity: str, state: Props) -> None:
    with gone_at("NotFoundException"):
        client(cloud, "kms", state).delete_alias(AliasName=identity)


def _find_alias(cloud: Cloud, inputs: Props) -> str | None:
    alias = _alias(client(cloud, "kms", inputs), inputs["name"])
    return inputs["name"] if alias is not None and _same_key(alias["TargetKeyId"], inputs["targetKeyId"]) else None


def _same_key(one: Any, other: Any) -> bool:
    """An id and an ARN may mean the same key."""
    return str(one).rsplit("/", 1)[-1] == str(other).rsplit("/", 1)[-1]


RESOURCES: Final = (
    ResourceType(
        token="aws:kms/key:Key",  # noqa: S106 - a type's name
        properties={
            "region": REGION,
            "description": Property(),
            "keyUsage": Property(
                default="ENCRYPT_DECRYPT",
                replaces=True,
                choices=("ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC"),
            ),
            "customerMasterKeySpec": Property(default="SYMMETRIC_DEFAULT", replaces=True),
            "policy": Property(same=same_policy),
            "bypassPolicyLockoutSafetyCheck": Property(default=False, write_only=True),
            "deletionWindowInDays": Property(write_only=True, choices=tuple(range(7, 31))),
            "isEnabled": Property(default=True),
            "enableKeyRotation": Property(default=False),
            "rotationPeriodInDays": Property(),
            "multiRegion": Property(default=False, replaces=True),
            "tags": TAGS,
        },
        computed=("arn", "keyId", "tagsAll", "region", "description", "policy", "rotationPeriodInDays"),
        create=_create_key,
        settle=_settle_key,
        read=_read_key,
        update=_update_key,
        delete=delete,
    ),
    REPLICA_KEY,
    ResourceType(
        token="aws:kms/alias:Alias",  # noqa: S106
        properties={
            "region": REGION,
            "name": Property(required=True, replaces=True),
            "targetKeyId": Property(required=True, same=_same_key),
        },
        computed=("arn", "targetKeyArn", "region"),
        create=_create_alias,
        read=_read_alias,
        update=_update_alias,
        delete=_delete_alias,
        delete_before_replace=True,
        find=_find_alias,
    ),
)
