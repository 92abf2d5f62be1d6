"""The copies at AWS: backups, replicated objects and secrets, and the keys that they are encrypted with.

The stacks' outputs name what is copied. Everything else is read from AWS: an update can succeed although a copy fails
later, and `continuity drift` compares settings, not results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import plan
from continuity.clouds.aws import Aws
from continuity.copies.report import Copy, Report
from continuity.errors import CannotLookError, RefusedError

# A backup starts at 05:00 UTC or up to 3 hours later, and ends up to 12 hours after that
# (`components/backup/daily_backups.py`). So the newest of the daily copies is never older than this.
_DAILY_HOURS: Final = 24 + 3 + 12
_FAILED: Final = frozenset({"ABORTED", "EXPIRED", "FAILED", "PARTIAL"})
_METRIC_HOURS: Final = 24
_AGAIN: Final = "find the cause in the message, and start the job again (docs/recovery.md)"

Outputs = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Reads the copies of one service stack."""

    promised: plan.Plan
    aws: Aws
    vault: Outputs
    """The outputs of the vault's stack."""

    service: Outputs
    """The outputs of the stack whose data is copied."""

    now: datetime

    def read(self) -> Report:
        """Read all copies. A region that cannot be read does not prevent reading the others."""
        copies: list[Copy] = []
        unknown: dict[str, str] = {}
        for part in self._parts():
            try:
                copies += part()
            except CannotLookError as error:
                unknown.setdefault(error.where, error.why)
            except RefusedError as error:  # what is copied does not exist, for example
                unknown.setdefault("AWS", str(error))
        return Report(tuple(copies), tuple(f"{where}: {why}" for where, why in unknown.items()))

    def _parts(self) -> Iterator[Callable[[], Iterator[Copy]]]:
        yield self._point_in_time
        if "replicated_backup_arn" in self.service:
            yield self._replicated_backup
        yield self._daily_copies
        yield self._failed_jobs
        source, replica = str(self.service["objects_bucket"]), str(self.service["replica_bucket"])
        if source != replica:
            yield partial(self._objects, source, self._home, replica, self._recovery)
            yield partial(self._objects, replica, self._recovery, source, self._home)
        for arn in dict(self.service.get("secrets") or {}).values():
            yield partial(self._secret, str(arn))
        for key in self._keys_of_vault():
            yield partial(self._key, key)
        yield self._keys_of_service
        if "alarm_topic_arn" in self.service:
            yield self._recipients

    # -- the database -------------------------------------------------------------------------------------------------

    def _point_in_time(self) -> Iterator[Copy]:
        region, name = self._home, self._database
        instance = self._instance()
        yield self._restorable(
            Copy(kind="automated backup", name=name, region=region, state=str(instance.get("DBInstanceStatus"))),
            instance.get("LatestRestorableTime"),
            f"check the instance and its key: aws rds describe-events --source-type db-instance "
            f"--source-identifier {name} --region {region}",
        )

    def _replicated_backup(self) -> Iterator[Copy]:
        arn = str(self.service["replicated_backup_arn"])
        region, source = _region(arn), str(self.service["database_arn"])
        found = self.aws.find(
            "rds",
            region,
            "describe_db_instance_automated_backups",
            ("DBInstanceAutomatedBackupNotFound", "DBInstanceAutomatedBackupNotFoundFault"),
            DBInstanceAutomatedBackupsArn=arn,
        )
        backups = found["DBInstanceAutomatedBackups"] if found else []
        status = str(backups[0]["Status"]) if backups else "does not exist"
        copy = Copy(kind="replicated backup", name=self._database, region=region, state=status)
        remedy = f"enable its key, then run `pulumi up --refresh` on the stack of {source}: AWS does not restart it"
        if status != "replicating":
            fault = f"the replication is {status}, not replicating: it receives no more data"
            yield _faulty(copy, fault, remedy)
            return
        yield self._restorable(copy, backups[0].get("RestoreWindow", {}).get("LatestTime"), remedy)

    def _restorable(self, copy: Copy, latest: datetime | None, remedy: str) -> Copy:
        """Compare the latest time that can be restored with the recovery point objective of a lost region."""
        if latest is None:
            return _faulty(copy, "nothing can be restored from it yet", remedy)
        minutes = (self.now - latest).total_seconds() / 60
        state = f"{copy.state}, restorable up to {latest:%Y-%m-%d %H:%M:%S} UTC"
        copy = Copy(kind=copy.kind, name=copy.name, region=copy.region, state=state)
        limit = self.promised.severities.high.rpo_minutes
        if minutes <= limit:
            return copy
        return _faulty(copy, f"it lags by {minutes:.0f} minutes; {limit} are promised", remedy)

    def _daily_copies(self) -> Iterator[Copy]:
        newest = self._newest_daily_copy()
        copy = Copy(
            kind="daily backup",
            name=str(self.vault["backup_vault_name"]),
            region=self._recovery,
            state="no recovery point" if newest is None else f"newest from {newest:%Y-%m-%d %H:%M} UTC",
        )
        remedy = "start a backup and its copy now, and find out why the daily one failed (docs/recovery.md)"
        if newest is None:
            yield _faulty(copy, f"the vault has no recovery point of {self._database}", remedy)
        elif self.now - newest > timedelta(hours=_DAILY_HOURS):
            hours = (self.now - newest).total_seconds() / 3600
            yield _faulty(copy, f"the newest is {hours:.0f} hours old; a daily one is at most {_DAILY_HOURS}", remedy)
        else:
            yield copy

    def _failed_jobs(self) -> Iterator[Copy]:
        """Find jobs of AWS Backup that failed after the newest copy was made."""
        since = self._newest_daily_copy() or self.now - timedelta(hours=_DAILY_HOURS)
        for kind, operation, result in (
            ("backup job", "list_backup_jobs", "BackupJobs"),
            ("copy job", "list_copy_jobs", "CopyJobs"),
        ):
            for job in self.aws.call("backup", self._home, operation, ByCreatedAfter=since)[result]:
                if job["State"] in _FAILED and str(job["ResourceArn"]) == self.service["database_arn"]:
                    copy = Copy(
                        kind=kind,
                        name=str(job.get("CopyJobId") or job.get("BackupJobId")),
                        region=self._home,
                        state=str(job["State"]),
                    )
                    yield _faulty(copy, f"{job['State']}: {job.get('StatusMessage') or 'without a message'}", _AGAIN)

    def _newest_daily_copy(self) -> datetime | None:
        points = self.aws.call(
            "backup",
            self._recovery,
            "list_recovery_points_by_backup_vault",
            BackupVaultName=str(self.vault["backup_vault_name"]),
            ByResourceType="RDS",
        )["RecoveryPoints"]
        return max(
            (
                point["CreationDate"]
                for point in points
                if point["Status"] == "COMPLETED" and str(point["ResourceArn"]).endswith(f":db:{self._database}")
            ),
            default=None,
        )

    # -- objects ------------------------------------------------------------------------------------------------------

    def _objects(self, source: str, source_region: str, replica: str, replica_region: str) -> Iterator[Copy]:
        found = self.aws.find(
            "s3", source_region, "get_bucket_replication", ("ReplicationConfigurationNotFoundError",), Bucket=source
        )
        rules = found["ReplicationConfiguration"]["Rules"] if found else []
        rule = next((each for each in rules if str(each["Destination"]["Bucket"]).endswith(f":{replica}")), None)
        copy = Copy(kind="objects", name=f"{source} -> {replica}", region=replica_region, state="replicating")
        if rule is None or rule["Status"] != "Enabled":
            yield _faulty(
                copy, "no enabled rule replicates them", f"run `continuity drift`, and deploy the stack of {source}"
            )
            return
        dimensions = {"SourceBucket": source, "DestinationBucket": replica, "RuleId": rule["ID"]}
        # S3 publishes failures in the region of the source, and delays in the region of the destination (S3 User
        # Guide, "Using S3 Replication metrics").
        failed = self._metric(source_region, "OperationsFailedReplication", "Sum", dimensions)
        if failed:
            yield _faulty(
                copy,
                f"{failed:.0f} operations failed in the last {_METRIC_HOURS} hours, and S3 does not try again",
                "correct the role or the key, and copy the failed objects with S3 Batch Replication",
            )
            return
        seconds, limit = self._metric(replica_region, "ReplicationLatency", "Maximum", dimensions, hours=1), self._limit
        if seconds > limit * 60:
            yield _faulty(
                copy, f"it lags by {seconds / 60:.0f} minutes; {limit} are promised", "check AWS's status page"
            )
            return
        yield copy

    def _metric(
        self, region: str, name: str, statistic: str, dimensions: Mapping[str, str], hours: int = _METRIC_HOURS
    ) -> float:
        """The sum or maximum of a metric of S3 since some hours. It is 0 without data: S3 had nothing to copy."""
        found = self.aws.call(
            "cloudwatch",
            region,
            "get_metric_statistics",
            Namespace="AWS/S3",
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=self.now - timedelta(hours=hours),
            EndTime=self.now,
            Period=3600,
            Statistics=[statistic],
        )["Datapoints"]
        values = [float(point[statistic]) for point in found]
        return sum(values) if statistic == "Sum" else max(values, default=0.0)

    # -- secrets ------------------------------------------------------------------------------------------------------

    def _secret(self, arn: str) -> Iterator[Copy]:
        region = _region(arn)
        secret = self.aws.call("secretsmanager", region, "describe_secret", SecretId=arn)
        replica = next((each for each in secret.get("ReplicationStatus", []) if each["Region"] == self._recovery), None)
        status = "no replica" if replica is None else str(replica["Status"])
        copy = Copy(kind="secret", name=str(secret["Name"]), region=self._recovery, state=status)
        if replica is None or status != "InSync":
            fault = f"its replica is {status}" if replica else "it has no replica"
            message = str((replica or {}).get("StatusMessage") or "")
            target = f"Region={self._recovery},KmsKeyId={self.vault['secrets_key_arn']}"
            yield _faulty(
                copy,
                f"{fault} ({message})" if message else fault,
                "correct the cause, then: aws secretsmanager replicate-secret-to-regions"
                f" --region {region} --secret-id {secret['Name']} --add-replica-regions {target}",
            )
            return
        yield copy

    # -- keys ---------------------------------------------------------------------------------------------------------

    def _keys_of_vault(self) -> list[str]:
        return sorted(str(value) for name, value in self.vault.items() if name.endswith("_key_arn"))

    def _keys_of_service(self) -> Iterator[Copy]:
        """The keys of the originals. Disabling one stops the copies too."""
        keys = {self._instance().get("KmsKeyId")}
        for arn in dict(self.service.get("secrets") or {}).values():
            keys.add(
                self.aws.call("secretsmanager", _region(str(arn)), "describe_secret", SecretId=arn).get("KmsKeyId")
            )
        for arn in sorted(str(key) for key in keys if key and str(key) not in self._keys_of_vault()):
            yield from self._key(arn)

    def _key(self, arn: str) -> Iterator[Copy]:
        region = _region(arn)
        key = self.aws.call("kms", region, "describe_key", KeyId=arn)["KeyMetadata"]
        copy = Copy(kind="key", name=str(key.get("Description") or arn), region=region, state=str(key["KeyState"]))
        if copy.state == "Enabled":
            yield copy
            return
        cancel = "aws kms cancel-key-deletion, then " if copy.state == "PendingDeletion" else ""
        until = f" until {key['DeletionDate']:%Y-%m-%d}" if "DeletionDate" in key else ""
        yield _faulty(
            copy,
            f"it is {copy.state}{until}: what it encrypts cannot be read, and copies with it have stopped",
            f"as break-glass: {cancel}aws kms enable-key --region {region} --key-id {arn.rpartition('/')[2]}",
        )

    # -- alarms -------------------------------------------------------------------------------------------------------

    def _recipients(self) -> Iterator[Copy]:
        """The people whom the alarms in the data's region reach. An address receives them after its confirmation."""
        topic = str(self.service["alarm_topic_arn"])
        found = self.aws.call("sns", _region(topic), "list_subscriptions_by_topic", TopicArn=topic)["Subscriptions"]
        confirmed = {each["Endpoint"] for each in found if each["SubscriptionArn"].startswith("arn:")}
        for role in self.promised.roles:
            reached = role.email in confirmed
            copy = Copy(
                kind="alarm",
                name=role.email,
                region=_region(topic),
                state="confirmed" if reached else "not confirmed",
            )
            remedy = "open the link in AWS's mail to that address, or deploy the stack to receive a new mail"
            yield copy if reached else _faulty(copy, f"the alarms about copies do not reach {role.person}", remedy)

    # -- names --------------------------------------------------------------------------------------------------------

    @property
    def _limit(self) -> int:
        return self.promised.severities.high.rpo_minutes

    @property
    def _home(self) -> str:
        """The region of the data."""
        return _region(str(self.service["database_arn"]))

    @property
    def _recovery(self) -> str:
        return _region(str(self.vault["backup_vault_arn"]))

    @property
    def _database(self) -> str:
        return str(self.service["database_arn"]).rpartition(":")[2]

    def _instance(self) -> Any:
        (instance,) = self.aws.call("rds", self._home, "describe_db_instances", DBInstanceIdentifier=self._database)[
            "DBInstances"
        ]
        return instance


def read_copies(promised: plan.Plan, vault: Outputs, services: Sequence[Outputs]) -> Report:
    """Read the copies of all services."""
    aws, now = Aws(), datetime.now(UTC)
    reports = [Copies(promised=promised, aws=aws, vault=vault, service=service, now=now).read() for service in services]
    return Report(
        tuple(dict.fromkeys(copy for report in reports for copy in report.copies)),
        tuple(dict.fromkeys(sentence for report in reports for sentence in report.unknown)),
    )


def _faulty(copy: Copy, fault: str, remedy: str) -> Copy:
    return Copy(kind=copy.kind, name=copy.name, region=copy.region, state=copy.state, fault=fault, remedy=remedy)


def _region(arn: str) -> str:
    return arn.split(":")[3]
