"""AWS Backup: vaults, their locks and access policies. Plans are in `backup/plans.py`."""

from __future__ import annotations

from typing import Final

from localcloud.plugins.aws.backup import plans
from localcloud.plugins.aws.backup.common import change_tags_of, tags_of
from localcloud.plugins.aws.common import (
    REGION,
    TAGS,
    all_tags,
    call_or_none,
    client,
    document,
    given,
    gone_at,
    locate,
    same_policy,
    tags_found,
)
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import GoneError, Property, Props, ResourceType

# AWS answers with either code if a vault does not exist.
_NO_VAULT: Final = ("ResourceNotFoundException", "AccessDeniedException")


# -- vaults -----------------------------------------------------------------------------------------------------------


def _create_vault(cloud: Cloud, inputs: Props) -> str:
    client(cloud, "backup", inputs).create_backup_vault(
        BackupVaultName=inputs["name"],
        BackupVaultTags=all_tags(cloud, inputs),
        **given(inputs, {"kmsKeyArn": "EncryptionKeyArn"}),
    )
    return str(inputs["name"])


def _read_vault(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    backup = cloud.client("backup", region)
    with gone_at(*_NO_VAULT):
        vault = backup.describe_backup_vault(BackupVaultName=identity)
    return {
        "id": identity,
        "region": region,
        "name": vault["BackupVaultName"],
        "arn": vault["BackupVaultArn"],
        "kmsKeyArn": vault["EncryptionKeyArn"],
        "recoveryPoints": vault["NumberOfRecoveryPoints"],
        **tags_found(cloud, tags_of(backup, vault["BackupVaultArn"]), state),
    }


def _update_vault(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    backup = client(cloud, "backup", new)
    change_tags_of(cloud, backup, backup.describe_backup_vault(BackupVaultName=identity)["BackupVaultArn"], new)


def _delete_vault(cloud: Cloud, identity: str, state: Props) -> None:
    """Delete a vault. `forceDestroy` deletes its recovery points first, which AWS refuses if the vault is locked."""
    backup = client(cloud, "backup", state)
    with gone_at(*_NO_VAULT):
        if state.get("forceDestroy"):
            pages = backup.get_paginator("list_recovery_points_by_backup_vault").paginate(BackupVaultName=identity)
            for point in [point for page in pages for point in page["RecoveryPoints"]]:
                backup.delete_recovery_point(BackupVaultName=identity, RecoveryPointArn=point["RecoveryPointArn"])
        backup.delete_backup_vault(BackupVaultName=identity)


def _find_vault(cloud: Cloud, inputs: Props) -> str | None:
    backup = client(cloud, "backup", inputs)
    found = call_or_none(_NO_VAULT, backup.describe_backup_vault, BackupVaultName=inputs["name"])
    return inputs["name"] if found is not None else None


# -- locks ------------------------------------------------------------------------------------------------------------

_LOCK: Final = {
    "changeableForDays": "ChangeableForDays",
    "minRetentionDays": "MinRetentionDays",
    "maxRetentionDays": "MaxRetentionDays",
}


def _create_lock(cloud: Cloud, inputs: Props) -> str:
    client(cloud, "backup", inputs).put_backup_vault_lock_configuration(
        BackupVaultName=inputs["backupVaultName"], **given(inputs, _LOCK)
    )
    return str(inputs["backupVaultName"])


def _read_lock(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    with gone_at(*_NO_VAULT):
        vault = cloud.client("backup", region).describe_backup_vault(BackupVaultName=identity)
    if not vault.get("Locked"):
        raise GoneError(f"{vault['BackupVaultArn']} is not locked")
    return {
        "id": identity,
        "region": region,
        "backupVaultName": vault["BackupVaultName"],
        "backupVaultArn": vault["BackupVaultArn"],
        "minRetentionDays": vault.get("MinRetentionDays"),
        "maxRetentionDays": vault.get("MaxRetentionDays"),
    }


def _delete_lock(cloud: Cloud, identity: str, state: Props) -> None:
    with gone_at(*_NO_VAULT):
        client(cloud, "backup", state).delete_backup_vault_lock_configuration(BackupVaultName=identity)


def _find_lock(cloud: Cloud, inputs: Props) -> str | None:
    backup = client(cloud, "backup", inputs)
    vault = call_or_none(_NO_VAULT, backup.describe_backup_vault, BackupVaultName=inputs["backupVaultName"]) or {}
    same = all(vault.get(_LOCK[key]) == inputs.get(key) for key in ("minRetentionDays", "maxRetentionDays"))
    return inputs["backupVaultName"] if vault.get("Locked") and same else None


# -- access policies --------------------------------------------------------------------------------------------------


def _put_policy(cloud: Cloud, inputs: Props) -> str:
    client(cloud, "backup", inputs).put_backup_vault_access_policy(
        BackupVaultName=inputs["backupVaultName"], Policy=document(inputs["policy"])
    )
    return str(inputs["backupVaultName"])


def _read_policy(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    with gone_at(*_NO_VAULT):
        found = cloud.client("backup", region).get_backup_vault_access_policy(BackupVaultName=identity)
    return {
        "id": identity,
        "region": region,
        "backupVaultName": found["BackupVaultName"],
        "backupVaultArn": found["BackupVaultArn"],
        "policy": found["Policy"],
    }


def _update_policy(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    _put_policy(cloud, new)


def _delete_policy(cloud: Cloud, identity: str, state: Props) -> None:
    with gone_at(*_NO_VAULT):
        client(cloud, "backup", state).delete_backup_vault_access_policy(BackupVaultName=identity)


def _find_policy(cloud: Cloud, inputs: Props) -> str | None:
    backup, name = client(cloud, "backup", inputs), inputs["backupVaultName"]
    found = call_or_none(_NO_VAULT, backup.get_backup_vault_access_policy, BackupVaultName=name)
    return name if found is not None and same_policy(found["Policy"], inputs["policy"]) else None


RESOURCES: Final[tuple[ResourceType, ...]] = (
    ResourceType(
        token="aws:backup/vault:Vault",  # noqa: S106 - a type's name
        properties={
            "region": REGION,
            "name": Property(generated_name=True, replaces=True),
            "kmsKeyArn": Property(replaces=True),
            "forceDestroy": Property(default=False, write_only=True),
            "tags": TAGS,
        },
        computed=("arn", "kmsKeyArn", "recoveryPoints", "tagsAll", "region"),
        create=_create_vault,
        read=_read_vault,
        update=_update_vault,
        delete=_delete_vault,
        delete_before_replace=True,
        find=_find_vault,
    ),
    ResourceType(
        token="aws:backup/vaultLockConfiguration:VaultLockConfiguration",  # noqa: S106
        properties={
            "region": REGION,
            "backupVaultName": Property(required=True, replaces=True),
            "changeableForDays": Property(replaces=True, write_only=True),
            "minRetentionDays": Property(default=0, replaces=True),
            "maxRetentionDays": Property(default=0, replaces=True),
        },
        computed=("backupVaultArn", "region"),
        create=_create_lock,
        read=_read_lock,
        delete=_delete_lock,
        # In the other order, deleting the old lock would remove the new one.
        delete_before_replace=True,
        find=_find_lock,
    ),
    ResourceType(
        token="aws:backup/vaultPolicy:VaultPolicy",  # noqa: S106
        properties={
            "region": REGION,
            "backupVaultName": Property(required=True, replaces=True),
            "policy": Property(required=True, same=same_policy),
        },
        computed=("backupVaultArn", "region"),
        create=_put_policy,
        read=_read_policy,
        update=_update_policy,
        delete=_delete_policy,
        find=_find_policy,
    ),
    *plans.RESOURCES,
)
