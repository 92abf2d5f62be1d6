"""Examples of the policies on backups."""

from __future__ import annotations

from typing import Final

from policy_pack.documentation.examples.data import bucket, database, key, secret, table
from policy_pack.documentation.examples.model import (
    PROTECT,
    TYPE,
    Example,
    constant,
    in_home_region,
    plan_less_one,
)
from policy_pack.documentation.examples.service import (
    queue,
)

RECOVERY: Final[tuple[Example, ...]] = (
    Example(
        policy="data-store-reviewed",
        family=queue,
        at="queue",
        path=TYPE,
        refused=constant("aws:efs/fileSystem:FileSystem"),
        left_out=False,
        unknown=False,
        hidden=("queue", "kmsMasterKeyId"),
    ),
    Example(
        policy="protected-in-pulumi",
        family=key,
        at="key",
        path=PROTECT,
        refused=constant(False),
        unknown=False,
    ),
    Example(
        policy="database-backup-retention",
        family=database,
        at="database",
        path="backupRetentionPeriod",
        refused=plan_less_one("retention.database_backup_days"),
    ),
    Example(
        policy="database-backups-kept",
        family=database,
        at="database",
        path="deleteAutomatedBackups",
        refused=constant(True),
    ),
    Example(
        policy="database-encrypted", family=database, at="database", path="storageEncrypted", refused=constant(False)
    ),
    Example(
        policy="database-protected", family=database, at="database", path="deletionProtection", refused=constant(False)
    ),
    Example(
        policy="database-replica-retention",
        family=database,
        at="replication",
        path="retentionPeriod",
        refused=plan_less_one("retention.replicated_backup_days"),
    ),
    Example(
        policy="table-recoverable",
        family=table,
        at="table",
        path="pointInTimeRecovery.enabled",
        refused=constant(False),
    ),
    Example(
        policy="bucket-force-destroy-off",
        family=bucket,
        at="bucket",
        path="objectLockEnabled",
        refused=constant(False),
        left_out=False,
    ),
    Example(
        policy="bucket-versioned",
        family=bucket,
        at="versioning",
        path="versioningConfiguration.status",
        refused=constant("Suspended"),
    ),
    Example(
        policy="bucket-locked",
        family=bucket,
        at="lock",
        path="rule.defaultRetention.days",
        refused=plan_less_one("retention.object_lock_days"),
    ),
    Example(
        policy="bucket-versions-kept",
        family=bucket,
        at="lifecycle",
        path="rules.0.noncurrentVersionExpiration.noncurrentDays",
        refused=plan_less_one("retention.object_version_days"),
    ),
    Example(
        policy="bucket-encrypted",
        family=bucket,
        at="encryption",
        path="rules.0.applyServerSideEncryptionByDefault.sseAlgorithm",
        refused=constant("AES256"),
    ),
    Example(
        policy="bucket-replication-complete",
        family=bucket,
        at="replication",
        path="rules.0.sourceSelectionCriteria.sseKmsEncryptedObjects.status",
        refused=constant("Disabled"),
    ),
    Example(
        policy="backup-vault-retention",
        family=database,
        at="lock",
        path="minRetentionDays",
        refused=plan_less_one("retention.vault_copy_days"),
    ),
    Example(
        policy="backup-plan-daily",
        family=database,
        at="plan",
        path="rules.0.schedule",
        refused=constant("cron(0 5 ? * SUN *)"),
        left_out=False,
    ),
    Example(policy="key-rotated", family=key, at="key", path="enableKeyRotation", refused=constant(False)),
    Example(
        policy="key-deletion-window",
        family=key,
        at="key",
        path="deletionWindowInDays",
        refused=plan_less_one("retention.key_deletion_window_days"),
        left_out=False,
    ),
    Example(
        policy="secret-recoverable",
        family=secret,
        at="secret",
        path="recoveryWindowInDays",
        refused=constant(0),
        left_out=False,
    ),
    Example(
        policy="secret-replicated",
        family=secret,
        at="secret",
        path="replicas.0.region",
        refused=in_home_region("{home}"),
    ),
)
