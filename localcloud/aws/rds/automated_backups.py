"""Automated backups: one for each instance with backups, in its own region and in each region of a replication.

    active        of an instance that is there        pending, replicating   a copy of one, in another region
    retained      of one that was deleted, or a copy that is no longer fed; it ends with its retention period

Its description of the instance is updated when the backup follows the instance. A copy in another region follows its
instance only when something is copied, so otherwise its description does not change.

`RDSBackend` keeps them by ARN. With servers (`servers.py`) the restore window is that of the archive. Without
them RDS only records instances, and the window follows the clock.
"""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from moto.core.utils import utcnow
from moto.rds.models import DBInstance, RDSBackend, rds_backends

from localcloud.aws.rds.inherited import carried
from localcloud.aws.rds.servers import current_servers, naive


@dataclass
class AutomatedBackup:
    """`described`: the API's description of the instance. `carried`: the settings that a restore takes over from it."""

    arn: str
    dbi_resource_id: str
    source_arn: str
    source_region: str
    status: str
    earliest: datetime
    latest: datetime | None
    retention_period: int
    kms_key_id: str | None
    described: dict[str, Any] = field(default_factory=dict)
    carried: dict[str, Any] = field(default_factory=dict)
    tags: list[dict[str, str]] = field(default_factory=list)
    ended: datetime | None = None

    @property
    def region(self) -> str:
        """The region in which it is stored."""
        return self.arn.split(":")[3]

    @property
    def replica(self) -> bool:
        """Whether its region differs from that of its instance."""
        return self.region != self.source_region

    def follow(self, database: DBInstance) -> None:
        """Update the description from the instance."""
        servers = current_servers()
        if servers is None and database.backup_retention_period:
            self.latest = utcnow()
            self.earliest = max(self.earliest, self.latest - timedelta(days=self.retention_period))
        if not self.replica:
            self.retention_period = database.backup_retention_period
        shown: Any = database
        self.described = {
            "DBInstanceIdentifier": shown.db_instance_identifier,
            "AllocatedStorage": shown.allocated_storage,
            "Port": shown.port,
            "AvailabilityZone": shown.availability_zone,
            "VpcId": shown.db_subnet_group.vpc_id,
            "InstanceCreateTime": shown.created,
            "MasterUsername": shown.master_username,
            "Engine": shown.engine,
            "EngineVersion": shown.engine_version,
            "LicenseModel": shown.license_model,
            "Iops": shown.iops,
            "StorageThroughput": shown.storage_throughput,
            "OptionGroupName": shown.option_group_name,
            "Encrypted": bool(shown.storage_encrypted),
            "StorageType": shown.storage_type,
            "IAMDatabaseAuthenticationEnabled": bool(shown.enable_iam_database_authentication),
            "PreferredBackupWindow": shown.preferred_backup_window,
            "BackupTarget": "region",
        }
        # The key that this backup is encrypted with. It differs in each region.
        self.carried = {**carried(database), "kms_key_id": self.kms_key_id}

    def window(self) -> tuple[datetime, datetime] | None:
        """The first and the last moment that can be restored now (UTC, without a time zone, like moto's times)."""
        servers = current_servers()
        if servers is not None:
            window = servers.archive(self.region, self.dbi_resource_id).window()
            return None if window is None else (naive(window[0]), naive(window[1]))
        return None if self.latest is None else (self.earliest, self.latest)

    def end(self) -> None:
        """Mark it as retained: it gets no more data."""
        self.status = "retained"
        self.ended = utcnow()

    @property
    def expired(self) -> bool:
        return self.ended is not None and utcnow() > self.ended + timedelta(days=self.retention_period)

    def shown(self) -> dict[str, Any]:
        """The description by DescribeDBInstanceAutomatedBackups."""
        window = self.window()
        return {
            **self.described,
            "DBInstanceArn": self.source_arn,
            "DbiResourceId": self.dbi_resource_id,
            "Region": self.source_region,
            "Status": self.status,
            "RestoreWindow": _in_whole_seconds(*window) if window else {},
            "KmsKeyId": self.kms_key_id,
            "BackupRetentionPeriod": self.retention_period,
            "DBInstanceAutomatedBackupsArn": self.arn,
            "DBInstanceAutomatedBackupsReplications": []
            if self.replica
            else replications(self.source_arn, self.dbi_resource_id),
            "TagList": self.tags,
        }


def every_backend(account: str | None = None) -> list[RDSBackend]:
    """The backends of all regions that have one."""
    found: list[tuple[str, str, Any]] = list(rds_backends.iter_backends())
    return [backend for number, _, backend in found if account is None or number == account]


def kept(backend: RDSBackend) -> dict[str, AutomatedBackup]:
    """The automated backups that are kept in this backend's region, by ARN."""
    found: dict[str, AutomatedBackup] = backend.__dict__.setdefault("automated_backups", {})
    return found


def up_to_date(backend: RDSBackend) -> list[AutomatedBackup]:
    """The automated backups of a region, after following their instances and deleting the expired ones."""
    for backup in list(kept(backend).values()):
        if backup.expired:
            forget(backend, backup)
        elif backup.ended is None and not (backup.replica and current_servers()):
            source = source_of(backup, backend.account_id)
            if source is not None:
                backup.follow(source)
    return list(kept(backend).values())


def forget(backend: RDSBackend, backup: AutomatedBackup) -> None:
    """Delete a backup with its data."""
    del kept(backend)[backup.arn]
    servers = current_servers()
    if servers is not None:
        servers.archive(backup.region, backup.dbi_resource_id).remove()


def source_of(backup: AutomatedBackup, account: str) -> DBInstance | None:
    """The instance of a backup. A later instance with the same name does not count."""
    database = rds_backends[account][backup.source_region].databases.get(backup.source_arn.rsplit(":", 1)[1])
    return database if database is not None and database.dbi_resource_id == backup.dbi_resource_id else None


def new_arn(backend: RDSBackend) -> str:
    suffix = "".join(secrets.choice(string.ascii_lowercase + "234567") for _ in range(26))
    return f"arn:{backend.partition}:rds:{backend.region_name}:{backend.account_id}:auto-backup:ab-{suffix}"


def copies_of(account: str, dbi_resource_id: str) -> list[AutomatedBackup]:
    """The copies in other regions that an instance's backups are being replicated to."""
    return [
        backup
        for backend in every_backend(account)
        for backup in list(kept(backend).values())
        if backup.replica and backup.ended is None and backup.dbi_resource_id == dbi_resource_id
    ]


def replications(source_arn: str, dbi_resource_id: str) -> list[dict[str, str]]:
    """These copies in the form of an instance's description."""
    account = source_arn.split(":")[4]
    return [{"DBInstanceAutomatedBackupsArn": backup.arn} for backup in copies_of(account, dbi_resource_id)]


def _in_whole_seconds(earliest: datetime, latest: datetime) -> dict[str, datetime]:
    """RDS shows whole seconds. To stay restorable, the first is rounded up and the last down."""
    last = latest.replace(microsecond=0)
    first = earliest.replace(microsecond=0) + timedelta(seconds=bool(earliest.microsecond))
    return {"EarliestTime": min(first, last), "LatestTime": last}
