"""Recovery: the service in the recovery region, with the vault's keys.

The data in the vault is encrypted with the vault's keys. A restored database keeps the key of its backup, which is the
vault's key. An empty database gets the same key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.database.instance import BackupReplicationArgs, ExistingKeyArgs
from stacks.findings import query_clouds
from stacks.service import DataPlane, ExistingRoles, service
from stacks.vault_reference import VaultReference

if TYPE_CHECKING:
    from stacks.context import Outputs, StackContext
    from stacks.settings.model import RecoverySettings


def recovery(context: StackContext[RecoverySettings]) -> Outputs:
    """Declare the service, from the code, the plan and the vault alone."""
    settings = context.settings
    source = settings.database.source
    findings = query_clouds(context, None if source is None else source.declared())
    vault = VaultReference()
    return service(
        context,
        findings,
        vault,
        DataPlane(
            objects_bucket=vault.replica_bucket_name,
            database_key=ExistingKeyArgs(arn=vault.database_key_arn),
            database_replication=_database_replication(context, vault),
            onward_vault_arn=None,
            secrets_stack=settings.secrets_of,
            secrets_key_arn=vault.secrets_key_arn,
            roles=ExistingRoles(
                host_role_name=vault.recovery_host_role_name, backup_role_arn=vault.recovery_backup_role_arn
            ),
        ),
    )


def _database_replication(
    context: StackContext[RecoverySettings], vault: VaultReference
) -> BackupReplicationArgs | None:
    """The replication to the home region, once that region is available again. It is the first step of failback."""
    if not context.settings.database.replicate_backups:
        return None
    return BackupReplicationArgs(
        region=context.plan.residency.aws.home_region,
        kms_key_arn=vault.return_key_arn,
        retention_days=context.plan.retention.replicated_backup_days,
    )
