"""Recovery points of AWS Backup. Those of RDS instances are snapshots, and have the snapshots' ARNs.

The status follows the snapshot: `CREATING` while data are being written, `COMPLETED` afterwards, `PARTIAL` if that
failed, `EXPIRED` if the snapshot is gone. A recovery point is deleted at the first read after the end of its lifecycle.
"""

from __future__ import annotations

from typing import Any, Final

from moto.backup.models import BackupBackend
from moto.backup.responses import BackupResponse
from moto.core.responses import ActionResult, EmptyResult, PaginatedResult

from localcloud.aws.backup import lifecycles, records
from localcloud.aws.backup.errors import invalid, missing, refuse
from localcloud.aws.backup.filters import Filters, after, before, equal, narrowed
from localcloud.aws.backup.records import RecoveryPoint
from localcloud.aws.patching import add_methods

_GIBIBYTE: Final = 1 << 30


def patch() -> None:
    add_methods(
        BackupResponse,
        describe_recovery_point,
        list_recovery_points_by_backup_vault,
        list_recovery_points_by_resource,
        list_protected_resources,
        describe_protected_resource,
        delete_recovery_point,
        update_recovery_point_lifecycle,
    )


def in_vault(backend: BackupBackend, vault: str, arn: str) -> RecoveryPoint:
    records.vault_named(backend, vault)
    point = records.points(backend).get(arn)
    if point is None or point.vault != vault:
        missing(f"Backup vault {vault} has no recovery point {arn}")
    return point


# -- calls ------------------------------------------------------------------------------------------------------------

_FILTERS: Final[Filters] = {
    "ByResourceArn": equal("ResourceArn"),
    "ByResourceType": equal("ResourceType"),
    "ByBackupPlanId": equal("BackupPlanId"),  # no plan runs, so none has created any
    "ByParentRecoveryPointArn": equal("ParentRecoveryPointArn"),
    "ByCreatedBefore": before("CreationDate"),
    "ByCreatedAfter": after("CreationDate"),
}


def describe_recovery_point(self: BackupResponse) -> ActionResult:
    point = asked_for(self)
    return ActionResult(_shown(self.backup_backend, point))


def list_recovery_points_by_backup_vault(self: BackupResponse) -> ActionResult:
    backend, name = self.backup_backend, self.params["BackupVaultName"]
    records.vault_named(backend, name)
    shown = [_shown(backend, point) for point in records.of_vault(backend, name)]
    return PaginatedResult({"RecoveryPoints": narrowed(shown, _FILTERS, self.params)})


def list_recovery_points_by_resource(self: BackupResponse) -> ActionResult:
    backend, arn = self.backup_backend, self.params["ResourceArn"]
    found = [point for point in records.points(backend).values() if point.resource_arn == arn]
    return PaginatedResult({"RecoveryPoints": [_shown(backend, point) for point in found]})


def list_protected_resources(self: BackupResponse) -> ActionResult:
    return PaginatedResult({"Results": list(_protected(self.backup_backend).values())})


def describe_protected_resource(self: BackupResponse) -> ActionResult:
    found = _protected(self.backup_backend).get(self.params["ResourceArn"])
    if found is None:
        missing(f"{self.params['ResourceArn']} has no recovery points in {self.region}")
    return ActionResult(found)


def delete_recovery_point(self: BackupResponse) -> EmptyResult:
    backend, point = self.backup_backend, asked_for(self)
    _must_be_unlocked(backend, point, "deleted")
    if point.status == "CREATING" or records.is_copied(point.arn):
        refuse(
            "InvalidResourceStateException",
            f"AWS Backup is already performing an action on the recovery point {point.arn}. Try again later.",
        )
    records.delete_point(backend, point)
    return EmptyResult()


def update_recovery_point_lifecycle(self: BackupResponse) -> ActionResult:
    backend, point = self.backup_backend, asked_for(self)
    lifecycle = self.params.get("Lifecycle") or None
    _must_be_unlocked(backend, point, "given a different lifecycle")
    wrong = lifecycles.wrong(lifecycle)
    if wrong is not None:
        invalid(wrong)
    point.lifecycle = dict(lifecycle) if lifecycle else None
    return ActionResult(_shown(backend, point))


def _must_be_unlocked(backend: BackupBackend, point: RecoveryPoint, what: str) -> None:
    if backend.vaults[point.vault].locked:
        end = point.deletion_time
        kept = f"until {end:%Y-%m-%dT%H:%M:%SZ}" if end is not None else "for ever"
        refuse(
            "InvalidRequestException",
            f"The recovery point {point.arn} cannot be {what}: backup vault {point.vault} is locked, and keeps it "
            f"{kept}.",
        )


def asked_for(response: BackupResponse) -> RecoveryPoint:
    asked = response.params
    return in_vault(response.backup_backend, asked["BackupVaultName"], asked["RecoveryPointArn"])


def _shown(backend: BackupBackend, point: RecoveryPoint) -> dict[str, Any]:
    """The description by DescribeRecoveryPoint, of which the listings show a part."""
    job = records.creation_job(point.arn)
    snapshot = records.snapshot_of(point.arn)
    size = snapshot.allocated_storage * _GIBIBYTE if snapshot is not None else None
    return {
        "RecoveryPointArn": point.arn,
        "BackupVaultName": point.vault,
        "BackupVaultArn": backend.vaults[point.vault].backup_vault_arn,
        "SourceBackupVaultArn": point.source_vault_arn,
        "ResourceArn": point.resource_arn,
        "ResourceType": "RDS",
        "ResourceName": point.resource_arn.rsplit(":", 1)[1],
        "IamRoleArn": point.role_arn,
        "Status": point.status,
        "CreationDate": point.created,
        "InitiationDate": point.created,
        "CompletionDate": job.completed if job is not None and job.state == "COMPLETED" else None,
        "BackupSizeInBytes": size,
        "BackupSizeBytes": size,
        "CalculatedLifecycle": {"DeleteAt": point.deletion_time},
        "Lifecycle": point.lifecycle,
        "EncryptionKeyArn": snapshot.kms_key_id if snapshot is not None else None,
        "IsEncrypted": bool(snapshot is not None and snapshot.encrypted),
        "StorageClass": "WARM",
        "IsParent": False,
        "VaultType": "BACKUP_VAULT",
    }


def _protected(backend: BackupBackend) -> dict[str, dict[str, Any]]:
    """The resources that have recovery points in this region, by ARN."""
    latest = {
        point.resource_arn: point for point in sorted(records.points(backend).values(), key=lambda point: point.created)
    }
    return {
        arn: {
            "ResourceArn": arn,
            "ResourceType": "RDS",
            "ResourceName": arn.rsplit(":", 1)[1],
            "LastBackupTime": point.created,
            "LastBackupVaultArn": backend.vaults[point.vault].backup_vault_arn,
            "LastRecoveryPointArn": point.arn,
        }
        for arn, point in latest.items()
    }
