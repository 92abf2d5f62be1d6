"""Settings that a restored RDS instance takes over from its source. The others get their defaults.

After RestoreDBInstanceToPointInTime and RestoreDBInstanceFromDBSnapshot in the RDS API reference: "most of the original
configuration", but a single zone, the default security group, subnet group and parameter group; deletion protection,
IAM authentication, log exports and the copying of tags to snapshots off; a backup window of RDS's choice.
"""

from __future__ import annotations

from typing import Any, Final

# Attributes of moto's instance that are also parameters of its creation.
_CARRIED: Final = (
    "engine",
    "engine_version",
    "engine_lifecycle_support",
    "license_model",
    "db_instance_class",
    "master_username",
    "db_name",
    "port",
    "allocated_storage",
    "storage_type",
    "iops",
    "storage_throughput",
    "storage_encrypted",
    "kms_key_id",
    "character_set_name",
    "network_type",
    "auto_minor_version_upgrade",
    "backup_retention_period",
)


def carried(database: Any) -> dict[str, Any]:
    """Return the arguments of the restored instance's creation. The password is part of the data."""
    taken = {name: value for name in _CARRIED if (value := getattr(database, name, None)) is not None}
    # RDS refuses these for gp3 below 400 GiB, which has fixed values.
    if taken.get("storage_type") == "gp3" and taken["allocated_storage"] < 400:
        taken.pop("iops", None)
        taken.pop("storage_throughput", None)
    return {
        **taken,
        "master_user_password": database.__dict__.get("_master_user_password"),
        "tags": [dict(tag) for tag in database.tags],
    }
