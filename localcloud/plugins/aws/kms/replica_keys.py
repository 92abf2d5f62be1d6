"""KMS: replicas of multi-region keys.

After terraform-provider-aws, internal/service/kms/replica_key.go (2023): a replica is created in its primary's region.
All further calls go to the replica's region. The primary rotates the key.
"""

from __future__ import annotations

import time
from typing import Any, Final

from localcloud.plugins.aws.common import (
    REGION,
    TAGS,
    all_tags,
    client,
    document,
    given,
    locate,
    same_policy,
    tags_found,
    unfinished,
)
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.aws.kms.common import delete, described, put_policy, retag, tags_of, to_tags
from localcloud.plugins.table import GoneError, Property, Props, RefusedError, ResourceType

_PATIENCE_SECONDS: Final = 120
"""The provider's value."""


def _create(cloud: Cloud, inputs: Props) -> str:
    region, identity = _primary(inputs)
    policy = inputs.get("policy")
    replicated = cloud.client("kms", region).replicate_key(
        KeyId=identity,
        ReplicaRegion=inputs.get("region") or cloud.region,
        **given(
            inputs,
            {"description": "Description", "bypassPolicyLockoutSafetyCheck": "BypassPolicyLockoutSafetyCheck"},
        ),
        **({"Policy": document(policy)} if policy else {}),
        Tags=to_tags(all_tags(cloud, inputs)),
    )
    return str(replicated["ReplicaKeyMetadata"]["KeyId"])


def _primary(inputs: Props) -> tuple[str, str]:
    """Return the region and the id of the primary key."""
    parts = str(inputs["primaryKeyArn"]).split(":")
    if len(parts) != 6 or parts[2] != "kms" or not parts[5].startswith("key/"):
        raise RefusedError(
            f"`primaryKeyArn` of a replica key is {inputs['primaryKeyArn']!r}; it must be a key's ARN, "
            "arn:aws:kms:REGION:ACCOUNT:key/mrk-…"
        )
    return parts[3], parts[5].removeprefix("key/")


def _settle(cloud: Cloud, identity: str, inputs: Props) -> None:
    kms = client(cloud, "kms", inputs)
    end = time.monotonic() + _PATIENCE_SECONDS
    while (key := described(kms, identity))["KeyState"] == "Creating":
        if time.monotonic() > end:
            raise RefusedError(f"the replica key {key['Arn']} is Creating after {_PATIENCE_SECONDS} s")
        time.sleep(0.5)
    if inputs.get("enabled") is False:
        kms.disable_key(KeyId=identity)


def _read(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    kms = cloud.client("kms", region)
    key = described(kms, identity)
    regions = key.get("MultiRegionConfiguration") or {}
    if regions.get("MultiRegionKeyType") != "REPLICA":
        raise RefusedError(f"{key['Arn']} is not a multi-Region replica key")
    return {
        "id": key["KeyId"],
        "region": region,
        "arn": key["Arn"],
        "keyId": key["KeyId"],
        "primaryKeyArn": regions["PrimaryKey"]["Arn"],
        "description": key["Description"],
        "enabled": key["Enabled"],
        "keyUsage": key["KeyUsage"],
        "keySpec": key["KeySpec"],
        "keyRotationEnabled": kms.get_key_rotation_status(KeyId=identity)["KeyRotationEnabled"],
        "policy": kms.get_key_policy(KeyId=identity, PolicyName="default")["Policy"],
        **tags_found(cloud, tags_of(kms, identity), state),
    }


def _update(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    kms = client(cloud, "kms", new)
    if unfinished(old):
        _settle(cloud, identity, new)
    # A disabled key refuses changes, so it is enabled first and disabled last.
    if "enabled" in changed and new.get("enabled", True):
        kms.enable_key(KeyId=identity)
    if "description" in changed:
        kms.update_key_description(KeyId=identity, Description=new.get("description") or "")
    if "policy" in changed and new.get("policy"):
        put_policy(kms, identity, new)
    retag(cloud, kms, identity, new)
    if "enabled" in changed and not new.get("enabled", True):
        kms.disable_key(KeyId=identity)


def _find(cloud: Cloud, inputs: Props) -> str | None:
    try:
        found: Any = described(client(cloud, "kms", inputs), _primary(inputs)[1])
    except GoneError:
        return None
    return str(found["KeyId"])


REPLICA_KEY: Final = ResourceType(
    token="aws:kms/replicaKey:ReplicaKey",  # noqa: S106 - a type's name
    properties={
        "region": REGION,
        "primaryKeyArn": Property(required=True, replaces=True),
        "description": Property(),
        "enabled": Property(default=True),
        "policy": Property(same=same_policy),
        "bypassPolicyLockoutSafetyCheck": Property(default=False, write_only=True),
        "deletionWindowInDays": Property(write_only=True, choices=tuple(range(7, 31))),
        "tags": TAGS,
    },
    computed=("arn", "keyId", "keyRotationEnabled", "keySpec", "keyUsage", "policy", "region", "tagsAll"),
    create=_create,
    settle=_settle,
    read=_read,
    update=_update,
    delete=delete,
    find=_find,
)
