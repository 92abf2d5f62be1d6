"""Replication of RDS's automated backups to another region, which moto lacks.

All calls are made in the destination region. A copy follows its instance. It stays, as retained, when the instance is
deleted, when the replication is stopped, and when a key of either region is disabled or deleted. In the last case AWS
itself stops the replication, and an operator must start it again.
"""

from __future__ import annotations

import re
from typing import Any, Final

from moto.core.responses import ActionResult, PaginatedResult
from moto.core.utils import utcnow
from moto.rds.exceptions import DBInstanceNotFoundError, InvalidParameterCombination, InvalidParameterValue
from moto.rds.models import DBInstance, RDSBackend, rds_backends
from moto.rds.responses import RDSResponse

from localcloud.aws.patching import add_methods, add_property
from localcloud.aws.rds.automated_backups import AutomatedBackup, kept, new_arn, replications, source_of, up_to_date
from localcloud.aws.rds.errors import refuse
from localcloud.aws.rds.servers import current_servers

QUOTA: Final = 20
"""Copies in one region (Amazon RDS User Guide, quotas)."""

_ARN: Final = re.compile(r"arn:aws[a-z-]*:rds:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):db:(?P<identifier>.+)")
_NORTH_AMERICA: Final = frozenset({"us-east-1", "us-east-2", "us-west-2"})
_EUROPE: Final = frozenset({"eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3"})
_SUPPORTED: Final = {
    region: (_EUROPE | _NORTH_AMERICA | ({"ca-central-1"} if region == "eu-west-1" else frozenset())) - {region}
    for region in _EUROPE
}
"""Sources of a copy by its region, as far as they are in Europe (RDS User Guide, supported regions)."""


def patch() -> None:
    add_methods(
        RDSResponse,
        start_db_instance_automated_backups_replication,
        stop_db_instance_automated_backups_replication,
        describe_source_regions,
    )
    add_property(DBInstance, _db_instance_automated_backups_replications)


def start_db_instance_automated_backups_replication(self: RDSResponse) -> ActionResult:
    backend = self.backend
    source_arn = self.params["SourceDBInstanceArn"]
    source_region, database = _source(backend, source_arn)
    supported = _SUPPORTED.get(backend.region_name, frozenset())
    if source_region not in supported:
        raise InvalidParameterValue(
            f"Automated backups can't be replicated from {source_region} to {backend.region_name}."
        )
    if database is None:
        raise DBInstanceNotFoundError(source_arn)
    if database.db_cluster_identifier is not None or not database.backup_retention_period:
        refuse(
            "InvalidDBInstanceState",
            f"DB instance {database.db_instance_identifier} doesn't have automated backups that could be replicated.",
        )
    days = self.params.get("BackupRetentionPeriod") or 7
    if not 1 <= days <= 35:
        raise InvalidParameterValue(f"Invalid backup retention period: {days}")
    key = self.params.get("KmsKeyId")
    if database.storage_encrypted:
        if not key:
            raise InvalidParameterCombination("Encrypted instances require a valid KMS key ID")
        key = backend._validate_kms_key(key)
    elif key:
        raise InvalidParameterCombination(
            "Your request does not require the KMS key parameter. Please remove the KMS key parameter and try your "
            "request again."
        )
    copies_here = [backup for backup in up_to_date(backend) if backup.replica]
    copy = next((backup for backup in copies_here if backup.dbi_resource_id == database.dbi_resource_id), None)
    if copy is None:
        if len(copies_here) >= QUOTA:
            refuse(
                "DBInstanceAutomatedBackupQuotaExceeded",
                f"The quota of {QUOTA} replicated automated backups in {backend.region_name} is exceeded.",
            )
        copy = AutomatedBackup(
            arn=new_arn(backend),
            dbi_resource_id=database.dbi_resource_id,
            source_arn=database.db_instance_arn,
            source_region=source_region,
            # With servers, there is something to restore from once the first copy has arrived.
            status="replicating" if current_servers() is None else "pending",
            earliest=utcnow(),
            latest=None,
            retention_period=days,
            kms_key_id=key,
            tags=[{"Key": tag["Key"], "Value": tag["Value"]} for tag in self.params.get("Tags", [])],
        )
        kept(backend)[copy.arn] = copy
    elif copy.ended is None:
        refuse(
            "InvalidDBInstanceAutomatedBackupState",
            f"Automated backups of {source_arn} are replicating to {backend.region_name} already.",
        )
    elif copy.kms_key_id != key:
        # The copied data are encrypted with the earlier key.
        refuse(
            "InvalidDBInstanceAutomatedBackupState",
            f"Retained backups of {source_arn} are encrypted with {copy.kms_key_id}: use that key, or delete them.",
        )
    else:
        copy.status, copy.ended, copy.retention_period = "replicating", None, days
    copy.follow(database)
    servers = current_servers()
    if servers is not None:
        servers.soon()
    return ActionResult({"DBInstanceAutomatedBackup": copy.shown()})


def stop_db_instance_automated_backups_replication(self: RDSResponse) -> ActionResult:
    source_arn = self.params["SourceDBInstanceArn"]
    _, database = _source(self.backend, source_arn)
    copy = next(
        (
            backup
            for backup in up_to_date(self.backend)
            if backup.replica and backup.source_arn == source_arn and backup.ended is None
        ),
        None,
    )
    if copy is None:
        if database is None:
            raise DBInstanceNotFoundError(source_arn)
        refuse("InvalidDBInstanceState", f"DB instance {source_arn} is not replicating to the current region.")
    copy.end()
    return ActionResult({"DBInstanceAutomatedBackup": copy.shown()})


def describe_source_regions(self: RDSResponse) -> ActionResult:
    """List the source regions of copies: all for snapshots, some for automated backups."""
    here = self.backend.region_name
    wanted = self.params.get("RegionName")
    regions = sorted(
        region
        for region in rds_backends[self.current_account].regions
        if region != here
        and region.split("-")[0] not in ("cn", "us-gov", "us-iso")
        and "-iso" not in region
        and "gov" not in region
    )
    if wanted is not None:
        if wanted not in regions:
            raise InvalidParameterValue(f"Invalid region name: {wanted}")
        regions = [wanted]
    supported = _SUPPORTED.get(here, frozenset())
    return PaginatedResult(
        {
            "SourceRegions": [
                {
                    "RegionName": region,
                    "Endpoint": f"https://rds.{region}.amazonaws.com",
                    "Status": "available",
                    "SupportsDBInstanceAutomatedBackupsReplication": region in supported,
                }
                for region in regions
            ]
        }
    )


def key_was_lost(account: str, key_arn: str) -> None:
    """Stop the replications that use a key which was disabled or is being deleted."""
    for region in list(rds_backends[account]):
        for backup in up_to_date(rds_backends[account][region]):
            if backup.replica and backup.ended is None:
                database = source_of(backup, account)
                if key_arn in (backup.kms_key_id, database.kms_key_id if database is not None else None):
                    backup.end()


def _source(backend: RDSBackend, arn: str) -> tuple[str, DBInstance | None]:
    match = _ARN.fullmatch(arn)
    if match is None:
        raise InvalidParameterValue(f"Invalid DB instance ARN: {arn}")
    if match["region"] == backend.region_name:
        raise InvalidParameterValue(f"The source DB instance {arn} is in the current region.")
    if match["account"] != backend.account_id or match["region"] not in rds_backends[backend.account_id].regions:
        return match["region"], None
    return match["region"], rds_backends[backend.account_id][match["region"]].databases.get(match["identifier"])


def _db_instance_automated_backups_replications(self: Any) -> list[dict[str, str]]:
    return replications(self.db_instance_arn, self.dbi_resource_id)
