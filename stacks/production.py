"""Production: the service with its own keys, and its copies in the vault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.alarms.copies import CopyAlarms, CopyAlarmsArgs
from components.aws.iam_documents import Arn
from components.aws.retained import RetainedQueries
from components.backup.object_replication import ReplicatedBucket
from components.database.instance import BackupReplicationArgs, OwnKeyArgs
from components.storage.application_secrets import ApplicationSecrets, ApplicationSecretsArgs
from components.storage.object_storage import ObjectStorage, ObjectStorageArgs
from plan.names import DATABASE_USER_SECRET, alarms_of, bucket_name, secret_name
from stacks.findings import query_clouds
from stacks.service import DataPlane, service
from stacks.vault_reference import VaultReference

if TYPE_CHECKING:
    from stacks.context import Outputs, StackContext
    from stacks.settings.model import ProductionSettings


@dataclass(frozen=True, kw_only=True)
class _Existing:
    """The keys, objects and secrets of production that AWS has. A destroyed stack leaves all of them."""

    database_key: str | None
    objects_key: str | None
    objects_bucket: str | None
    secrets_key: str | None
    secrets: dict[str, str | None]

    @classmethod
    def find(cls, context: StackContext[ProductionSettings]) -> _Existing:
        """Query the home region. Raises `RetainedError` when something is there and cannot be imported."""
        settings, aws = context.settings, RetainedQueries(context.settings.region)
        objects_key = aws.key(f"{context.name}-objects")
        return cls(
            database_key=aws.key(f"{context.name}-database"),
            objects_key=objects_key,
            # The name ends with the account's number.
            objects_bucket=objects_key
            and aws.bucket(bucket_name(f"{context.name}-objects", Arn.parse(objects_key).account)),
            secrets_key=aws.key(f"{context.name}-secrets"),
            secrets={secret: aws.secret(secret_name(settings.stack, secret)) for secret in _secret_names(settings)},
        )


def production(context: StackContext[ProductionSettings]) -> Outputs:
    """Declare the service, with its objects and secrets."""
    settings = context.settings
    findings = query_clouds(context, settings.database.source.declared())
    existing = _Existing.find(context)
    vault = VaultReference()
    alarms = CopyAlarms(
        alarms_of(settings.stack),
        CopyAlarmsArgs(emails={role.person.lower(): role.email for role in context.plan.roles}),
        opts=context.aws,
    )
    objects = _objects(context, vault, existing, alarms)
    secrets = _secrets(context, vault, existing)
    outputs = service(
        context,
        findings,
        vault,
        DataPlane(
            objects_bucket=objects.bucket_name,
            database_key=OwnKeyArgs(
                deletion_window_days=context.plan.retention.key_deletion_window_days,
                existing_arn=existing.database_key,
            ),
            database_replication=_database_replication(context, vault),
            onward_vault_arn=vault.backup_vault_arn,
            secrets_stack=settings.stack,
            secrets_key_arn=secrets.key_arn,
            roles=None,
        ),
    )
    outputs["secrets"] = dict(secrets.arns)
    outputs["alarm_topic_arn"] = alarms.topic_arn
    return outputs


def _objects(
    context: StackContext[ProductionSettings], vault: VaultReference, existing: _Existing, alarms: CopyAlarms
) -> ObjectStorage:
    retention = context.plan.retention
    return ObjectStorage(
        f"{context.name}-objects",
        ObjectStorageArgs(
            region=context.settings.region,
            version_days=retention.object_version_days,
            lock_days=retention.object_lock_days,
            key_deletion_window_days=retention.key_deletion_window_days,
            role_boundary_arn=vault.workload_boundary_arn,
            replica=ReplicatedBucket(
                bucket_name=vault.replica_bucket_name,
                bucket_arn=vault.replica_bucket_arn,
                kms_key_arn=vault.objects_key_arn,
                region=context.plan.residency.aws.recovery_region,
                alarm_topic_arn=vault.alarm_topic_arn,
            ),
            existing_key_arn=existing.objects_key,
            existing_bucket=existing.objects_bucket,
            alarm_topic_arn=alarms.topic_arn,
        ),
        opts=context.aws,
    )


def _secrets(
    context: StackContext[ProductionSettings], vault: VaultReference, existing: _Existing
) -> ApplicationSecrets:
    return ApplicationSecrets(
        f"{context.name}-secrets",
        ApplicationSecretsArgs(
            stack=context.settings.stack,
            names=_secret_names(context.settings),
            deletion_window_days=context.plan.retention.key_deletion_window_days,
            region=context.settings.region,
            replica_region=context.plan.residency.aws.recovery_region,
            replica_kms_key_arn=vault.secrets_key_arn,
            existing_key_arn=existing.secrets_key,
            existing_arns=existing.secrets,
        ),
        opts=context.aws,
    )


def _secret_names(settings: ProductionSettings) -> tuple[str, ...]:
    return (*settings.secrets, DATABASE_USER_SECRET)


def _database_replication(
    context: StackContext[ProductionSettings], vault: VaultReference
) -> BackupReplicationArgs | None:
    if not context.settings.database.replicate_backups:
        return None
    return BackupReplicationArgs(
        region=context.plan.residency.aws.recovery_region,
        kms_key_arn=vault.database_key_arn,
        retention_days=context.plan.retention.replicated_backup_days,
    )
