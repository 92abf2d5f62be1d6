"""The application database, with point-in-time recovery here and a copy of its backups in another region.

What it is made from is asked first, by `lookup.py`; how that is declared stands in `restore.py`, and
`verification.py` sees to it that what was made is what was declared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from components.aws.encryption_key import EncryptionKey, EncryptionKeyArgs
from components.database.network import POSTGRESQL_PORT
from components.database.restore import DATABASE_NAME, IGNORED_CHANGES, OriginArgs, key_arn
from components.database.source import Empty, Origin
from components.database.verification import verify

# UTC, and in the EU's night. Maintenance comes after the daily snapshot, never during it: RDS refuses an overlap, and a
# change that goes wrong then has a fresh snapshot behind it.
_BACKUP_WINDOW: Final = "01:00-02:00"
_MAINTENANCE_WINDOW: Final = "sun:03:00-sun:04:00"

# Who called what and what it waited for, in the days that an incident is looked into. It is what RDS keeps without
# charge; the next longer one is a month, of data about data that nobody has promised to keep.
_PERFORMANCE_INSIGHTS_DAYS: Final = 7

# RSA with 2048 bits, which every client speaks, and valid to 2061. Stated, because RDS's default moves on by itself and
# a client that pins the authority would then no longer connect to a database that was restored.
_CERTIFICATE_AUTHORITY: Final = "rds-ca-rsa2048-g1"


@dataclass(frozen=True, kw_only=True)
class BackupReplicationArgs:
    """Where the copies of the backups go."""

    region: str
    """The AWS region that holds the copies."""

    kms_key_arn: pulumi.Input[str]
    """The key, in that region, that the copies are encrypted with. A database restored from them keeps it."""

    retention_days: int
    """Days back to which the copies can be restored. The plan says how many."""


@dataclass(frozen=True, kw_only=True)
class OwnKeyArgs:
    """The database gets a key of its own, in its region."""

    deletion_window_days: int
    """`retention.key_deletion_window_days` of the plan."""


@dataclass(frozen=True, kw_only=True)
class ExistingKeyArgs:
    """The database is encrypted with a key that somebody else owns."""

    arn: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class DatabaseArgs:
    """The database's size, where it is, and how it is kept.

    Retentions and Multi-AZ are taken as they are: whether they are enough is for the policy pack to say.
    """

    identifier: str
    """The instance's own name, in its region. Another one is another database, and another resource of Pulumi's."""

    origin: Origin
    """What it is made from, or that it is there already."""

    instance_class: str
    engine_version: str
    """PostgreSQL's version. With the major number alone, RDS chooses the minor one and keeps it current."""

    storage_gib: int
    """For a database that is made empty. Any other has what its origin says, which is no less."""

    max_storage_gib: int
    """How far RDS may grow the storage by itself. A full disk stops a database as surely as a lost zone."""

    subnet_group_name: pulumi.Input[str]
    security_group_id: pulumi.Input[str]
    backup_retention_days: int
    """Days back to which the database can be restored in its own region; 0 turns backups off."""

    multi_az: bool
    """Whether a second copy stands ready in another availability zone."""

    key: OwnKeyArgs | ExistingKeyArgs
    """For a database that is made empty. A restored one keeps the key of what it was restored from."""

    replication: BackupReplicationArgs | None
    """Where the backups are copied to; None where there is no further region to copy them to."""


class Database(pulumi.ComponentResource):
    """PostgreSQL on RDS.

    Three things protect it from being deleted, because each alone can be lifted by a different mistake: Pulumi's
    protection, RDS's deletion protection, and, should both be gone, a final snapshot together with automated backups
    that outlive the instance.

    RDS makes the master password, keeps it in Secrets Manager and rotates it: no person and no state file has it. All
    that it holds, the password and the statistics of its queries included, is under one key, in its own region.

    The database and its replication are named by the instance's identifier, and are ignored by whatever changes in
    their origin: once made, a database stays until a person deletes it.
    """

    arn: pulumi.Output[str]
    declared_key_arn: pulumi.Output[str]
    """The key that `key` declares. A database that was restored may have come with another one; this one stays."""

    endpoint: pulumi.Output[str]
    """Host name and port, as `host:port`."""

    database_name: str
    """What clients connect to, on that instance."""

    secret_arn: pulumi.Output[str]
    """Where RDS keeps the master user's name and password. It is another secret for every instance."""

    secret_key_arn: pulumi.Output[str]
    """The key that this secret is encrypted with, as all of the database is."""

    replicated_backup_arn: pulumi.Output[str] | None
    """The copies' ARN, which is all that a restore in the other region needs. The provider cannot look it up later."""

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
                guarded, pulumi.ResourceOptions(ignore_changes=IGNORED_CHANGES, depends_on=own_keys)
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
            ),
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )


def _instance_args(
    args: DatabaseArgs, key: pulumi.Input[str], parameters: aws.rds.ParameterGroup
) -> aws.rds.InstanceArgs:
    """The instance as it is to be, restored or empty."""
    origin = OriginArgs.of(args.origin)
    return aws.rds.InstanceArgs(
        identifier=args.identifier,
        restore_to_point_in_time=origin.restore_to_point_in_time,
        snapshot_identifier=origin.snapshot_identifier,
        engine="postgres",
        engine_version=args.engine_version,
        # Extended support is charged for, and RDS turns it on by itself where nothing is said. We upgrade instead.
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
        # The default key of Secrets Manager is nobody's to grant: no other account could ever be let in.
        master_user_secret_kms_key_id=key,
        iam_database_authentication_enabled=True,
        ca_cert_identifier=_CERTIFICATE_AUTHORITY,
        port=POSTGRESQL_PORT,
        parameter_group_name=parameters.name,
        db_subnet_group_name=args.subnet_group_name,
        vpc_security_group_ids=[args.security_group_id],
        # The hosts are at Hetzner, and no private line leads from there to AWS. The security group admits their
        # addresses and nobody else's, and the parameter group admits TLS and nothing else.
        publicly_accessible=True,
        multi_az=args.multi_az,
        backup_retention_period=args.backup_retention_days,
        backup_window=_BACKUP_WINDOW,
        maintenance_window=_MAINTENANCE_WINDOW,
        copy_tags_to_snapshot=True,
        # Everything that PostgreSQL logs on RDS: what happened in it, and what an upgrade did.
        enabled_cloudwatch_logs_exports=["postgresql", "upgrade"],
        performance_insights_enabled=True,
        performance_insights_kms_key_id=key,
        performance_insights_retention_period=_PERFORMANCE_INSIGHTS_DAYS,
        # The default would take the automated backups away with the instance that they are there to bring back.
        delete_automated_backups=False,
        skip_final_snapshot=False,
        final_snapshot_identifier=f"{args.identifier}-final",
        deletion_protection=True,
        tags={"Name": args.identifier},
    )


def _replication(
    identifier: str, instance: aws.rds.Instance, args: BackupReplicationArgs, guarded: pulumi.ResourceOptions
) -> aws.rds.InstanceAutomatedBackupsReplication:
    return aws.rds.InstanceAutomatedBackupsReplication(
        identifier,
        # It is created in the region that receives the copies; in the database's own it would copy to itself.
        region=args.region,
        source_db_instance_arn=instance.arn,
        kms_key_id=args.kms_key_arn,
        retention_period=args.retention_days,
        opts=guarded,
    )


def _secret_arn(secrets: Any) -> str:
    """Empty where RDS manages no password, which reading back refuses."""
    return str(secrets[0].secret_arn) if secrets else ""
