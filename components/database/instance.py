"""The application database, with point-in-time recovery here and a copy of its backups in another region.

`lookup.py` finds its source before anything is declared, `restore.py` declares the source, and `verification.py`
compares the created instance with the declaration.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from components.aws.encryption_key import EncryptionKey, EncryptionKeyArgs
from components.database.logs import EXPORTED_LOGS
from components.database.network import POSTGRESQL_PORT
from components.database.restore import DATABASE_NAME, IGNORED_CHANGES, OriginArgs, key_arn
from components.database.source import Empty, Origin
from components.database.verification import verify

# UTC, during the EU's night. Maintenance comes after the daily snapshot: RDS refuses an overlap, and a change that goes
# wrong can be undone with the fresh snapshot.
_BACKUP_WINDOW: Final = "01:00-02:00"
_MAINTENANCE_WINDOW: Final = "sun:03:00-sun:04:00"

# The queries and their waits, for the days in which an incident is examined. RDS keeps 7 days without charge. The next
# longer period is a month, and the plan does not ask for it.
_PERFORMANCE_INSIGHTS_DAYS: Final = 7

# RSA with 2048 bits, which every client supports, valid to 2061. It is declared because RDS changes its default, and a
# client that pins the authority could then not connect to a restored database.
_CERTIFICATE_AUTHORITY: Final = "rds-ca-rsa2048-g1"

# The provider waits until the instance is `available`, by default for 40 minutes. RDS takes a first backup after each
# restore, and the instance is `backing-up` meanwhile: 2 to 3 hours for a large database
# (hashicorp/terraform-provider-aws#44104). An update that gives up leaves an instance without its master secret. The
# sessions of people and of workflows are an hour longer, so that Pulumi can still write its state.
TIMEOUT_HOURS: Final = 5
# The replication copies all data to the other region first; the provider's default is 75 minutes.
_TIMEOUTS: Final = pulumi.CustomTimeouts(create=f"{TIMEOUT_HOURS}h", update=f"{TIMEOUT_HOURS}h", delete="2h")


@dataclass(frozen=True, kw_only=True)
class BackupReplicationArgs:
    """The target of the copies of the backups."""

    region: str
    """The AWS region that holds the copies."""

    kms_key_arn: pulumi.Input[str]
    """The key in that region that encrypts the copies. A database restored from them keeps it."""

    retention_days: int
    """The days for which the copies are kept, from the plan."""


@dataclass(frozen=True, kw_only=True)
class OwnKeyArgs:
    """The database gets its own key, in its region."""

    deletion_window_days: int
    """`retention.key_deletion_window_days` of the plan."""

    existing_arn: str | None = None
    """The ARN of the key, if AWS has it already. Then Pulumi imports it."""


@dataclass(frozen=True, kw_only=True)
class ExistingKeyArgs:
    """The database is encrypted with a key of a different stack."""

    arn: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class DatabaseArgs:
    """The size, the place and the protection of a database.

    The policy pack, not this class, checks the retentions and Multi-AZ.
    """

    identifier: str
    """The name of the instance in its region. A changed name declares a second database, as a separate resource."""

    origin: Origin
    """The source that it is created from, or the existing database."""

    instance_class: str
    engine_version: str
    """PostgreSQL's version. With a major version alone, RDS chooses the minor version and updates it."""

    storage_gib: int
    """The storage of an empty database. A restored one has at least the storage of its origin."""

    max_storage_gib: int
    """The limit of RDS's storage autoscaling. A full disk stops a database, like the loss of its zone."""

    subnet_group_name: pulumi.Input[str]
    security_group_id: pulumi.Input[str]
    backup_retention_days: int
    """The days for which automated backups are kept in the database's region; 0 turns backups off."""

    multi_az: bool
    """Whether RDS runs a standby in a second availability zone."""

    key: OwnKeyArgs | ExistingKeyArgs
    """The key of an empty database. A restored one keeps the key of its source."""

    logs: pulumi.Resource
    """The log groups, which must exist first: RDS creates a missing one without a retention."""

    replication: BackupReplicationArgs | None
    """The target of the copies of the backups; `None` for no copies."""


class Database(pulumi.ComponentResource):
    """PostgreSQL on RDS.

    Three protections keep it from being deleted, because a mistake can remove each of them: Pulumi's protection, RDS's
    deletion protection, and a final snapshot together with automated backups that outlive the instance.

    RDS creates the master password, keeps it in Secrets Manager and rotates it: no person and no state file has it. One
    key in the database's region encrypts all of its data, including the password and the statistics of its queries.

    The database and its replication are named by the instance's identifier. A changed origin does not change them: a
    database stays until a person deletes it.
    """

    arn: pulumi.Output[str]
    declared_key_arn: pulumi.Output[str]
    """The key that `key` declares. A restored database may have a different one; this one stays."""

    endpoint: pulumi.Output[str]
    """Host name and port, as `host:port`."""

    database_name: str
    """The name of the database on the instance."""

    secret_arn: pulumi.Output[str]
    """The secret with the master user's name and password. Each instance has its own."""

    secret_key_arn: pulumi.Output[str]
    """The key that encrypts this secret and all of the database."""

    replicated_backup_arn: pulumi.Output[str] | None
    """The ARN of the copies, which a restore in the other region needs. The provider cannot look it up later."""

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:database:Database", name, {}, opts)
        guarded = pulumi.ResourceOptions(parent=self, protect=True)

        # The own key is declared for every origin of the database. A protected key that is no longer declared stops
        # every update, and an existing database does not say whether it was created with it.
        own_keys = [self._own_key(name, args.key)] if isinstance(args.key, OwnKeyArgs) else []
        declared_key = args.key.arn if isinstance(args.key, ExistingKeyArgs) else own_keys[0].arn
        key = key_arn(args.origin, declared_key)
        declared = _instance_args(args, key, self._parameter_group(name, args.engine_version))
        instance = aws.rds.Instance(
            args.identifier,
            declared,
            opts=pulumi.ResourceOptions.merge(
                guarded,
                pulumi.ResourceOptions(
                    ignore_changes=IGNORED_CHANGES, depends_on=[*own_keys, args.logs], custom_timeouts=_TIMEOUTS
                ),
            ),
        )
        verify(instance, declared)

        self.arn = instance.arn
        self.declared_key_arn = pulumi.Output.from_input(declared_key)
        self.endpoint = instance.endpoint
        self.database_name = DATABASE_NAME
        self.secret_arn = instance.master_user_secrets.apply(_secret_arn)
        self.secret_key_arn = pulumi.Output.from_input(key)
        self.replicated_backup_arn = None
        if args.replication is not None:
            self.replicated_backup_arn = _replication(args.identifier, instance, args.replication, guarded).id
        self.register_outputs(
            {
                "arn": self.arn,
                "endpoint": self.endpoint,
                "databaseName": self.database_name,
                "secretArn": self.secret_arn,
                "replicatedBackupArn": self.replicated_backup_arn,
            }
        )

    def _parameter_group(self, name: str, engine_version: str) -> aws.rds.ParameterGroup:
        major_version = engine_version.partition(".")[0]
        return aws.rds.ParameterGroup(
            # The version is in the name so that a new one can exist next to the old one during a major upgrade.
            f"{name}-postgres{major_version}",
            name=f"{name}-postgres{major_version}",
            family=f"postgres{major_version}",
            description="Connections over TLS only",
            parameters=[aws.rds.ParameterGroupParameterArgs(name="rds.force_ssl", value="1")],
            tags={"Name": name},
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _own_key(self, name: str, key: OwnKeyArgs) -> EncryptionKey:
        return EncryptionKey(
            name,
            EncryptionKeyArgs(
                description="The application database and its backups",
                deletion_window_days=key.deletion_window_days,
                # The final snapshot and the automated backups outlive the database, and need the key.
                retain_on_delete=True,
                existing_arn=key.existing_arn,
            ),
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )


def _instance_args(
    args: DatabaseArgs, key: pulumi.Input[str], parameters: aws.rds.ParameterGroup
) -> aws.rds.InstanceArgs:
    """The declaration of the instance, restored or empty."""
    origin = OriginArgs.of(args.origin)
    return aws.rds.InstanceArgs(
        identifier=args.identifier,
        restore_to_point_in_time=origin.restore_to_point_in_time,
        snapshot_identifier=origin.snapshot_identifier,
        engine="postgres",
        engine_version=args.engine_version,
        # Extended support costs money, and RDS turns it on by default. We upgrade instead.
        engine_lifecycle_support="open-source-rds-extended-support-disabled",
        auto_minor_version_upgrade=True,
        instance_class=args.instance_class,
        storage_type="gp3",
        allocated_storage=args.storage_gib if isinstance(args.origin, Empty) else args.origin.storage_gib,
        max_allocated_storage=args.max_storage_gib,
        storage_encrypted=True,
        kms_key_id=key,
        db_name=origin.db_name,
        username=origin.username,
        manage_master_user_password=True,
        # Access to the default key of Secrets Manager cannot be granted to a different account.
        master_user_secret_kms_key_id=key,
        iam_database_authentication_enabled=True,
        ca_cert_identifier=_CERTIFICATE_AUTHORITY,
        port=POSTGRESQL_PORT,
        parameter_group_name=parameters.name,
        db_subnet_group_name=args.subnet_group_name,
        vpc_security_group_ids=[args.security_group_id],
        # The hosts are at Hetzner, without a private connection to AWS. The security group admits only their addresses,
        # and the parameter group admits only TLS.
        publicly_accessible=True,
        multi_az=args.multi_az,
        backup_retention_period=args.backup_retention_days,
        backup_window=_BACKUP_WINDOW,
        maintenance_window=_MAINTENANCE_WINDOW,
        copy_tags_to_snapshot=True,
        # All logs of PostgreSQL on RDS.
        enabled_cloudwatch_logs_exports=list(EXPORTED_LOGS),
        performance_insights_enabled=True,
        performance_insights_kms_key_id=key,
        performance_insights_retention_period=_PERFORMANCE_INSIGHTS_DAYS,
        # The default would delete the automated backups together with the instance.
        delete_automated_backups=False,
        skip_final_snapshot=False,
        # RDS refuses the name of an existing snapshot, such as that of an earlier instance with the same name.
        final_snapshot_identifier=f"{args.identifier}-final-{datetime.now(UTC):%Y%m%d-%H%M%S}",
        deletion_protection=True,
        tags={"Name": args.identifier},
    )


def _replication(
    identifier: str, instance: aws.rds.Instance, args: BackupReplicationArgs, guarded: pulumi.ResourceOptions
) -> aws.rds.InstanceAutomatedBackupsReplication:
    return aws.rds.InstanceAutomatedBackupsReplication(
        identifier,
        # The replication is created in the region that receives the copies.
        region=args.region,
        source_db_instance_arn=instance.arn,
        kms_key_id=args.kms_key_arn,
        retention_period=args.retention_days,
        opts=pulumi.ResourceOptions.merge(guarded, pulumi.ResourceOptions(custom_timeouts=_TIMEOUTS)),
    )


def _secret_arn(secrets: Any) -> str:
    """The secret's ARN. Empty if RDS manages no password, which `verification.py` refuses."""
    return str(secrets[0].secret_arn) if secrets else ""
