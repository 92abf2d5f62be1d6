"""What a restored RDS instance takes over from its source, and what falls back to a default.

After RestoreDBInstanceToPointInTime and RestoreDBInstanceFromDBSnapshot in the RDS API reference: "most of the original
configuration", but a single zone, the default security group, subnet group and parameter group; deletion protection,
IAM authentication, log exports and the copying of tags to snapshots off; a backup window of RDS's choice.
"""

from __future__ import annotations

from typing import Any, Final

# Attributes of moto's instance that are also what its creation is asked with.
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
    """As the arguments of a creation. The password is that of the day, and comes with the data."""
    taken = {name: value for name in _CARRIED if (value := getattr(database, name, None)) is not None}
    # What gp3 comes with is not asked for: RDS takes these below 400 GiB from nobody.
    if taken.get("storage_type") == "gp3" and taken["allocated_storage"] < 400:
        taken.pop("iops", None)
        taken.pop("storage_throughput", None)
    return {
        **taken,
        "master_user_password": database.__dict__.get("_master_user_password"),
        "tags": [dict(tag) for tag in database.tags],
    }
