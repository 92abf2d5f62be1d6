"""Production: the service with its own keys, its copies in the vault, and the repository with the source code."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from components.backup.object_replication import ReplicatedBucket
from components.database.instance import BackupReplicationArgs, OwnKeyArgs
from components.storage.application_secrets import ApplicationSecrets, ApplicationSecretsArgs
from components.storage.object_storage import ObjectStorage, ObjectStorageArgs
from plan.names import WITHOUT_GITHUB
from stacks.findings import query_clouds
from stacks.service import DataPlane, service
from stacks.vault_reference import VaultReference

if TYPE_CHECKING:
    from stacks.context import Outputs, StackContext
    from stacks.settings.model import ProductionSettings


def production(context: StackContext[ProductionSettings]) -> Outputs:
    """Declare the service, its objects and secrets, and the repository."""
    settings = context.settings
    findings = query_clouds(context, settings.database.source.declared())
    vault = VaultReference()
    objects = _objects(context, vault)
    secrets = _secrets(context, vault)
    outputs = service(
        context,
        findings,
        vault,
        DataPlane(
            objects_bucket=objects.bucket_name,
            database_key=OwnKeyArgs(deletion_window_days=context.plan.retention.key_deletion_window_days),
            database_replication=_database_replication(context, vault),
            onward_vault_arn=vault.backup_vault_arn,
            secrets_stack=settings.stack,
            secrets_key_arn=secrets.key_arn,
        ),
    )
    outputs["secrets"] = dict(secrets.arns)
    if not os.environ.get(WITHOUT_GITHUB):
        # Only production declares resources at GitHub, and the SDK takes a good part of a second of each run.
        from stacks.repository import repository

        outputs["repository_url"] = repository(context, vault)
    return outputs


def _objects(context: StackContext[ProductionSettings], vault: VaultReference) -> ObjectStorage:
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
            ),
        ),
        opts=context.aws,
    )


def _secrets(context: StackContext[ProductionSettings], vault: VaultReference) -> ApplicationSecrets:
    return ApplicationSecrets(
        f"{context.name}-secrets",
        ApplicationSecretsArgs(
            stack=context.settings.stack,
            names=context.settings.secrets,
            deletion_window_days=context.plan.retention.key_deletion_window_days,
            replica_region=context.plan.residency.aws.recovery_region,
            replica_kms_key_arn=vault.secrets_key_arn,
        ),
        opts=context.aws,
    )


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
