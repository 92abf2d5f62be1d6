"""Examples of the policies on backups."""

from __future__ import annotations

from typing import Final

from policy_pack.documentation.examples.data import bucket, database, key, secret, table
from policy_pack.documentation.examples.model import PROTECT, TYPE, Example, in_home_region, plan_less_one
from policy_pack.documentation.examples.service import queue

RECOVERY: Final[tuple[Example, ...]] = (
    Example(
        "data-store-reviewed",
        queue,
        "queue",
        TYPE,
        "aws:efs/fileSystem:FileSystem",
        left_out=False,
        unknown=False,
        hidden=("queue", "kmsMasterKeyId"),
    ),
    Example("protected-in-pulumi", key, "key", PROTECT, False, unknown=False),
    Example(
        "database-backup-retention",
        database,
        "database",
        "backupRetentionPeriod",
        plan_less_one("retention.database_backup_days"),
    ),
    Example("database-backups-kept", database, "database", "deleteAutomatedBackups", True),
    Example("database-encrypted", database, "database", "storageEncrypted", False),
    Example("database-protected", database, "database", "deletionProtection", False),
    Example(
        "database-replica-retention",
        database,
        "replication",
        "retentionPeriod",
        plan_less_one("retention.replicated_backup_days"),
    ),
    Example("table-recoverable", table, "table", "pointInTimeRecovery.enabled", False),
    Example("bucket-force-destroy-off", bucket, "bucket", "objectLockEnabled", False, left_out=False),
    Example("bucket-versioned", bucket, "versioning", "versioningConfiguration.status", "Suspended"),
    Example("bucket-locked", bucket, "lock", "rule.defaultRetention.days", plan_less_one("retention.object_lock_days")),
    Example(
        "bucket-versions-kept",
        bucket,
        "lifecycle",
        "rules.0.noncurrentVersionExpiration.noncurrentDays",
        plan_less_one("retention.object_version_days"),
    ),
    Example(
        "bucket-encrypted", bucket, "encryption", "rules.0.applyServerSideEncryptionByDefault.sseAlgorithm", "AES256"
    ),
    Example(
        "bucket-replication-complete",
        bucket,
        "replication",
        "rules.0.sourceSelectionCriteria.sseKmsEncryptedObjects.status",
        "Disabled",
    ),
    Example("backup-vault-retention", database, "lock", "minRetentionDays", plan_less_one("retention.vault_copy_days")),
    Example("backup-plan-daily", database, "plan", "rules.0.schedule", "cron(0 5 ? * SUN *)", left_out=False),
    Example("key-rotated", key, "key", "enableKeyRotation", False),
    Example(
        "key-deletion-window",
        key,
        "key",
        "deletionWindowInDays",
        plan_less_one("retention.key_deletion_window_days"),
        left_out=False,
    ),
    Example("secret-recoverable", secret, "secret", "recoveryWindowInDays", 0, left_out=False),
    Example("secret-replicated", secret, "secret", "replicas.0.region", in_home_region("{home}")),
)
