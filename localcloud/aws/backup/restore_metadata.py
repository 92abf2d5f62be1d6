"""Metadata of a recovery point for its restore."""

from __future__ import annotations

import json
from typing import Any

from moto.backup.responses import BackupResponse
from moto.core.responses import ActionResult

from localcloud.aws.backup import records, recovery_points
from localcloud.aws.backup.errors import invalid
from localcloud.aws.patching import add_methods


def patch() -> None:
    add_methods(BackupResponse, get_recovery_point_restore_metadata)


def get_recovery_point_restore_metadata(self: BackupResponse) -> ActionResult:
    """Return the settings of the instance for a restore: text, and lists as JSON."""
    point = recovery_points.asked_for(self)
    snapshot = records.snapshot_of(point.arn)
    if snapshot is None:
        invalid(f"The snapshot of {point.arn} is gone")
    database = snapshot.database
    metadata = {
        "DBInstanceIdentifier": database.db_instance_identifier,
        "DBInstanceClass": database.db_instance_class,
        "Engine": database.engine,
        "EngineVersion": snapshot.engine_version,
        "LicenseModel": database.license_model,
        "AllocatedStorage": snapshot.allocated_storage,
        "StorageType": database.storage_type,
        "Iops": database.iops,
        "Port": snapshot.port,
        "MultiAZ": bool(database.multi_az),
        "AvailabilityZone": database.availability_zone,
        "DBName": database.db_name,
        "DBSubnetGroupName": database.db_subnet_group.name,
        "VpcSecurityGroupIds": json.dumps(list(database.vpc_security_group_ids)),
        "OptionGroupName": database.option_group_name,
        "PubliclyAccessible": bool(database.publicly_accessible),
        "AutoMinorVersionUpgrade": bool(database.auto_minor_version_upgrade),
        "CopyTagsToSnapshot": bool(database.copy_tags_to_snapshot),
        "DeletionProtection": bool(database.deletion_protection),
        "EnableIAMDatabaseAuthentication": bool(database.enable_iam_database_authentication),
    }
    return ActionResult(
        {
            "BackupVaultArn": self.backup_backend.vaults[point.vault].backup_vault_arn,
            "RecoveryPointArn": point.arn,
            "RestoreMetadata": {key: _text(value) for key, value in metadata.items() if value is not None},
            "ResourceType": "RDS",
        }
    )


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
