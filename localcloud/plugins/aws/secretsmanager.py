"""Secrets Manager: secrets, their replicas in other regions, and the versions of their values."""

from __future__ import annotations

import time
from typing import Any, Final

from localcloud.plugins.aws.common import (
    REGION,
    TAGS,
    all_tags,
    change_tags,
    client,
    from_tag_list,
    given,
    gone_at,
    locate,
    tag_list,
    tags_found,
)
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import GoneError, Property, Props, RefusedError, ResourceType

_NO_SECRET: Final = "ResourceNotFoundException"  # noqa: S105 - an error's code
_DEFAULT_KEY: Final = "alias/aws/secretsmanager"
_PATIENCE_SECONDS: Final = 60.0


# -- secrets ----------------------------------------------------------------------------------------------------------


def _create_secret(cloud: Cloud, inputs: Props) -> str:
    replicas = inputs.get("replicas") or []
    created = client(cloud, "secretsmanager", inputs).create_secret(
        Name=inputs["name"],
        **given(inputs, {"description": "Description", "kmsKeyId": "KmsKeyId"}),
        **({"AddReplicaRegions": _replicas_to_api(replicas)} if replicas else {}),
        ForceOverwriteReplicaSecret=bool(inputs.get("forceOverwriteReplicaSecret")),
        Tags=tag_list(all_tags(cloud, inputs)),
    )
    return str(created["ARN"])


def _read_secret(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    secret = _described(cloud.client("secretsmanager", region), identity)
    return {
        "id": secret["ARN"],
        "region": region,
        "arn": secret["ARN"],
        "name": secret["Name"],
        "description": secret.get("Description", ""),
        "kmsKeyId": secret.get("KmsKeyId", ""),
        "replicas": [
            {
                "region": replica["Region"],
                "kmsKeyId": replica.get("KmsKeyId", ""),
                "status": replica["Status"],
                "statusMessage": replica.get("StatusMessage", ""),
            }
            for replica in secret.get("ReplicationStatus", [])
        ],
        **tags_found(cloud, from_tag_list(secret.get("Tags", [])), state),
    }


def _described(secrets: Any, identity: str) -> Any:
    with gone_at(_NO_SECRET):
        secret = secrets.describe_secret(SecretId=identity)
    if secret.get("DeletedDate"):
        raise GoneError(f"{secret['ARN']} is scheduled for deletion")
    return secret


def _update_secret(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    secrets = client(cloud, "secretsmanager", new)
    if changed & {"description", "kmsKeyId"}:
        secrets.update_secret(
            SecretId=identity,
            Description=new.get("description") or "",
            KmsKeyId=new.get("kmsKeyId") or _DEFAULT_KEY,
        )
    if "replicas" in changed:
        _change_replicas(secrets, identity, new)
    change_tags(
        cloud,
        from_tag_list(_described(secrets, identity).get("Tags", [])),
        new,
        lambda tags: secrets.tag_resource(SecretId=identity, Tags=tag_list(tags)),
        lambda keys: secrets.untag_resource(SecretId=identity, TagKeys=keys),
    )


def _change_replicas(secrets: Any, identity: str, new: Props) -> None:
    """Create missing replicas. A replica with a changed key is removed first: no call changes its key.

    Like the provider, it reports no failed replica and does not repair one: the status is an output.
    """
    wanted = {replica["region"]: replica for replica in new.get("replicas") or []}
    found = {replica["Region"]: replica for replica in _described(secrets, identity).get("ReplicationStatus", [])}
    kept = {
        region
        for region, replica in found.items()
        if region in wanted and _key(wanted[region]) == _key_id(replica.get("KmsKeyId"))
    }
    surplus = sorted(set(found) - kept)
    if surplus:
        secrets.remove_regions_from_replication(SecretId=identity, RemoveReplicaRegions=surplus)
    missing = [replica for region, replica in wanted.items() if region not in kept]
    if missing:
        secrets.replicate_secret_to_regions(
            SecretId=identity,
            AddReplicaRegions=_replicas_to_api(missing),
            ForceOverwriteReplicaSecret=bool(new.get("forceOverwriteReplicaSecret")),
        )


def _delete_secret(cloud: Cloud, identity: str, state: Props) -> None:
    """Delete the replicas, which AWS requires, then the secret. A window of 0 days deletes it at once."""
    secrets = client(cloud, "secretsmanager", state)
    replicas = [replica["Region"] for replica in _described(secrets, identity).get("ReplicationStatus", [])]
    if replicas:
        secrets.remove_regions_from_replication(SecretId=identity, RemoveReplicaRegions=replicas)
        _wait(lambda: not secrets.describe_secret(SecretId=identity).get("ReplicationStatus"), f"{identity}'s replicas")
    days = state.get("recoveryWindowInDays")
    window = (
        {"ForceDeleteWithoutRecovery": True} if days == 0 else {"RecoveryWindowInDays": 30 if days is None else days}
    )
    with gone_at(_NO_SECRET):
        secrets.delete_secret(SecretId=identity, **window)
    _wait(lambda: _is_gone(secrets, identity), identity)


def _is_gone(secrets: Any, identity: str) -> bool:
    try:
        _described(secrets, identity)
    except GoneError:
        return True
    return False


def _wait(reached: Any, what: str) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while not reached():
        if time.monotonic() > end:
            raise RefusedError(f"{what} was not deleted within {_PATIENCE_SECONDS:.0f} s")
        time.sleep(0.2)


def _find_secret(cloud: Cloud, inputs: Props) -> str | None:
    secrets = client(cloud, "secretsmanager", inputs)
    try:
        found = _described(secrets, inputs["name"])
    except GoneError:
        return None
    # A replica belongs to its primary.
    is_replica = found.get("PrimaryRegion") not in (None, found["ARN"].split(":")[3])
    return None if is_replica else str(found["ARN"])


def _replicas_to_api(replicas: list[Props]) -> list[dict[str, str]]:
    for number, replica in enumerate(replicas):
        unknown = sorted(set(replica) - {"region", "kmsKeyId"} - {"status", "statusMessage", "lastAccessedDate"})
        if unknown:
            raise RefusedError(
                f"the local cloud has no mapping for `replicas[{number}].{unknown[0]}`; it has kmsKeyId, region"
            )
    return [given(replica, {"region": "Region", "kmsKeyId": "KmsKeyId"}) for replica in replicas]


def _key(replica: Props) -> str:
    return _key_id(replica.get("kmsKeyId"))


def _key_id(key: str | None) -> str:
    """Return the key's id. An ARN may name the same key, and no key means AWS's own."""
    key = key or _DEFAULT_KEY
    return key.rsplit(":key/", 1)[-1].rsplit(":alias/", 1)[-1].removeprefix("alias/")


def _same_replicas(one: Any, other: Any) -> bool:
    """Whether the replicas are in the same regions with the same keys."""
    sides = [{(replica["region"], _key(replica)) for replica in side or []} for side in (one, other)]
    return sides[0] == sides[1]


# -- versions ---------------------------------------------------------------------------------------------------------


def _create_version(cloud: Cloud, inputs: Props) -> str:
    created = client(cloud, "secretsmanager", inputs).put_secret_value(
        SecretId=inputs["secretId"], SecretString=inputs["secretString"]
    )
    return f"{inputs['secretId']}|{created['VersionId']}"


def _read_version(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    secret, found, version = identity.rpartition("|")
    if not found:
        raise RefusedError(f"the id of a secret's version is {identity!r}; it must be SECRET|VERSION")
    secrets = cloud.client("secretsmanager", region)
    _described(secrets, secret)
    with gone_at(_NO_SECRET):
        value = secrets.get_secret_value(SecretId=secret, VersionId=version)
    if not value.get("VersionStages"):
        raise GoneError(f"the version {version} of {value['ARN']} no longer has a label")
    return {
        "id": identity,
        "region": region,
        "secretId": secret,
        "secretString": value.get("SecretString"),
        "versionStages": value["VersionStages"],
        "versionId": version,
        "arn": value["ARN"],
        "secretArn": value["ARN"],
        "hasSecretStringWo": False,
    }


def _delete_version(cloud: Cloud, identity: str, state: Props) -> None:
    """Remove the version's labels. AWSCURRENT needs a successor, so it stays until the secret is deleted."""
    found = _read_version(cloud, identity, state)
    for stage in found["versionStages"]:
        if stage != "AWSCURRENT":
            client(cloud, "secretsmanager", state).update_secret_version_stage(
                SecretId=found["secretId"], VersionStage=stage, RemoveFromVersionId=found["versionId"]
            )


RESOURCES: Final[tuple[ResourceType, ...]] = (
    ResourceType(
        token="aws:secretsmanager/secret:Secret",  # noqa: S106 - a type's name
        properties={
            "region": REGION,
            "name": Property(generated_name=True, replaces=True),
            "description": Property(default=""),
            "kmsKeyId": Property(default="", same=lambda one, other: _key_id(one) == _key_id(other)),
            "recoveryWindowInDays": Property(default=30, write_only=True, choices=(0, *range(7, 31))),
            "replicas": Property(default=[], same=_same_replicas),
            "forceOverwriteReplicaSecret": Property(default=False, write_only=True),
            "tags": TAGS,
        },
        computed=("arn", "region", "tagsAll"),
        create=_create_secret,
        read=_read_secret,
        update=_update_secret,
        delete=_delete_secret,
        delete_before_replace=True,
        find=_find_secret,
    ),
    ResourceType(
        token="aws:secretsmanager/secretVersion:SecretVersion",  # noqa: S106
        properties={
            "region": REGION,
            "secretId": Property(required=True, replaces=True),
            "secretString": Property(required=True, replaces=True, secret=True),
        },
        computed=("arn", "hasSecretStringWo", "region", "secretArn", "versionId"),
        create=_create_version,
        read=_read_version,
        delete=_delete_version,
    ),
)
