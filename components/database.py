"""The application database, with point-in-time recovery here and a copy of its backups in another region."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.database_network import POSTGRESQL_PORT
from components.encryption_key import EncryptionKey, EncryptionKeyArgs

# UTC, and in the EU's night. Maintenance comes after the daily snapshot, never during it: RDS refuses an overlap, and a
# change that goes wrong then has a fresh snapshot behind it.
_BACKUP_WINDOW = "01:00-02:00"
_MAINTENANCE_WINDOW = "sun:03:00-sun:04:00"


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

    instance_class: str
    engine_version: str
    """PostgreSQL's version. With the major number alone, RDS chooses the minor one and keeps it current."""

    storage_gib: int
    max_storage_gib: int
    """How far RDS may grow the storage by itself. A full disk stops a database as surely as a lost zone."""

    subnet_group_name: pulumi.Input[str]
    security_group_id: pulumi.Input[str]
    backup_retention_days: int
    """Days back to which the database can be restored in its own region; 0 turns backups off."""

    multi_az: bool
    """Whether a second copy stands ready in another availability zone."""

    key: OwnKeyArgs | ExistingKeyArgs
    replication: BackupReplicationArgs | None
    """Where the backups are copied to; None where there is no further region to copy them to."""


class Database(pulumi.ComponentResource):
    """PostgreSQL on RDS.

    Three things protect it from being deleted, because each alone can be lifted by a different mistake: Pulumi's
    protection, RDS's deletion protection, and, should both be gone, a final snapshot together with automated backups
    that outlive the instance.

    RDS makes the master password, keeps it in Secrets Manager and rotates it: no person and no state file has it.
    """

    arn: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    """Host name and port, as `host:port`."""

    replicated_backup_arn: pulumi.Output[str] | None
    """The copies' ARN, which is all that a restore in the other region needs. The provider cannot look it up later."""

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:database:Database", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        guarded = pulumi.ResourceOptions(parent=self, protect=True)

        major_version = args.engine_version.partition(".")[0]
        parameters = aws.rds.ParameterGroup(
            # The version is in the name so that a new one can exist beside the old one during a major upgrade.
            f"{name}-postgres{major_version}",
            name=f"{name}-postgres{major_version}",
            family=f"postgres{major_version}",
            description="Connections over TLS only",
            parameters=[aws.rds.ParameterGroupParameterArgs(name="rds.force_ssl", value="1")],
            tags={"Name": name},
            opts=child,
        )
        instance = aws.rds.Instance(
            name,
            identifier=name,
            engine="postgres",
            engine_version=args.engine_version,
            auto_minor_version_upgrade=True,
            instance_class=args.instance_class,
            storage_type="gp3",
            allocated_storage=args.storage_gib,
            max_allocated_storage=args.max_storage_gib,
            storage_encrypted=True,
            kms_key_id=self._key_arn(name, args.key),
            db_name="botbrains",
            username="botbrains",
            manage_master_user_password=True,
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
            # The default would take the automated backups away with the instance that they are there to bring back.
            delete_automated_backups=False,
            skip_final_snapshot=False,
            final_snapshot_identifier=f"{name}-final",
            deletion_protection=True,
            tags={"Name": name},
            opts=guarded,
        )

        self.arn = instance.arn
        self.endpoint = instance.endpoint
        self.replicated_backup_arn = None
        if args.replication is not None:
            replication = aws.rds.InstanceAutomatedBackupsReplication(
                name,
                # It is made in the region that receives the copies; in the database's own it would copy to itself.
                region=args.replication.region,
                source_db_instance_arn=instance.arn,
                kms_key_id=args.replication.kms_key_arn,
                retention_period=args.replication.retention_days,
                opts=guarded,
            )
            self.replicated_backup_arn = replication.id
        self.register_outputs(
            {"arn": self.arn, "endpoint": self.endpoint, "replicatedBackupArn": self.replicated_backup_arn}
        )

    def _key_arn(self, name: str, key: OwnKeyArgs | ExistingKeyArgs) -> pulumi.Input[str]:
        """The ARN of the key that the database is encrypted with. It is chosen once: RDS cannot change it in place."""
        if isinstance(key, ExistingKeyArgs):
            return key.arn
        own = EncryptionKey(
            name,
            EncryptionKeyArgs(
                description="The application database and its backups",
                deletion_window_days=key.deletion_window_days,
            ),
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
        return own.arn
