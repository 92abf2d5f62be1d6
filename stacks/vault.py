"""The vault: the keys, copies, DNS zone and roles that must outlive everything else, in the recovery region."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.access.access import Access, AccessArgs
from components.access.github_oidc import RepositoryIdentity
from components.access.recovery_roles import RecoveryRoles
from components.alarms.copies import CopyAlarms, CopyAlarmsArgs
from components.backup.recovery_vault import RecoveryVault, RecoveryVaultArgs
from components.github.mirror import RepositoryMirror, RepositoryMirrorArgs
from components.hosts.identity import account_of
from components.hosts.role import HostRoleArgs
from components.network.hetzner_project import HetznerProject, HetznerProjectArgs
from plan.names import (
    DATABASE_USER_SECRET,
    GITHUB,
    PRODUCTION,
    RECOVERY,
    access_of,
    alarms_of,
    mirror_role,
    name_prefix,
    secret_name,
)

if TYPE_CHECKING:
    from stacks.context import Outputs, StackContext
    from stacks.settings.model import VaultSettings


def vault(context: StackContext[VaultSettings]) -> Outputs:
    """Declare the keys, the copies, the DNS zone, and the roles."""
    project = _hetzner_project(context)
    recovery_vault = _recovery_vault(context)
    access = _access(context)
    CopyAlarms(
        alarms_of(context.settings.stack),
        CopyAlarmsArgs(topic_arn=access.alarm_topic_arn, emails={}, protect=True),
        opts=context.aws,
    )
    mirror = _mirror(context, access)
    recovery_roles = _recovery_roles(context, recovery_vault, access)
    outputs: Outputs = {
        "region": context.settings.region,
        "zone_name": project.zone_name,
        "database_key_arn": recovery_vault.database_key_arn,
        "objects_key_arn": recovery_vault.objects_key_arn,
        "secrets_key_arn": recovery_vault.secrets_key_arn,
        "copies_key_arn": recovery_vault.copies_key_arn,
        "replica_bucket_name": recovery_vault.replica_bucket_name,
        "replica_bucket_arn": recovery_vault.replica_bucket_arn,
        "backup_vault_name": recovery_vault.backup_vault_name,
        "backup_vault_arn": recovery_vault.backup_vault_arn,
        "workload_boundary_arn": access.workload_boundary_arn,
        "break_glass_arn": access.break_glass_arn,
        "role_arns": {**access.role_arns, mirror_role(context.settings.stack): mirror.role_arn},
        "bundle_bucket_name": mirror.bucket_name,
        "alarm_topic_arn": access.alarm_topic_arn,
        "state_bucket_name": access.state_bucket_name,
        "recovery_host_role_name": recovery_roles.host_role_name,
        "recovery_backup_role_arn": recovery_roles.backup_role_arn,
    }
    if recovery_vault.return_key_arn is not None:
        outputs["return_key_arn"] = recovery_vault.return_key_arn
    return outputs


def _hetzner_project(context: StackContext[VaultSettings]) -> HetznerProject:
    return HetznerProject(
        f"{context.name}-hetzner",
        HetznerProjectArgs(
            zone=context.settings.zone,
            ttl_seconds=context.plan.redundancy.dns_ttl_seconds,
            ssh_keys=context.operators,
            labels=context.labels,
        ),
        opts=context.hetzner,
    )


def _recovery_vault(context: StackContext[VaultSettings]) -> RecoveryVault:
    retention = context.plan.retention
    return RecoveryVault(
        context.name,
        RecoveryVaultArgs(
            key_deletion_window_days=retention.key_deletion_window_days,
            object_version_days=retention.object_version_days,
            object_lock_days=retention.object_lock_days,
            vault_copy_days=retention.vault_copy_days,
            vault_lock_cooling_off_days=retention.vault_lock_cooling_off_days,
            # The home region gets a key, and any API call, only after that region is available again.
            home_region=context.plan.residency.aws.home_region if context.settings.failback else None,
        ),
        opts=context.aws,
    )


def _access(context: StackContext[VaultSettings]) -> Access:
    settings, promised = context.settings, context.plan
    return Access(
        access_of(settings.stack),
        AccessArgs(
            stack=settings.stack,
            services=(PRODUCTION, RECOVERY),
            outside_aws=(GITHUB,),
            region=settings.region,
            regions=promised.residency.aws.allowed_regions,
            people={role.person.lower(): role.email for role in promised.roles},
            repository=_repository_identity(settings),
            state_bucket=settings.state_bucket,
            emergency_role=promised.access.emergency_role,
            emergency_session_hours=promised.access.emergency_session_hours,
            key_deletion_window_days=promised.retention.key_deletion_window_days,
            record_days=promised.retention.object_version_days,
            record_lock_days=promised.retention.object_lock_days,
        ),
        opts=context.aws,
    )


def _recovery_roles(context: StackContext[VaultSettings], vault: RecoveryVault, access: Access) -> RecoveryRoles:
    """Declare the roles of the recovery stack. Its database has one of the vault's keys."""
    return RecoveryRoles(
        f"{name_prefix(RECOVERY)}-roles",
        HostRoleArgs(
            stack=RECOVERY,
            region=context.settings.region,
            account_id=account_of(vault.database_key_arn),
            secret_names=(secret_name(PRODUCTION, "*"),),
            secrets_key_arn=vault.secrets_key_arn,
            user_secret_name=secret_name(PRODUCTION, DATABASE_USER_SECRET),
            sets_user_secret=False,
            database_secret_arn=None,
            database_key_arns=[vault.database_key_arn, vault.copies_key_arn],
            boundary_arn=access.workload_boundary_arn,
        ),
        opts=context.aws,
    )


def _mirror(context: StackContext[VaultSettings], access: Access) -> RepositoryMirror:
    retention = context.plan.retention
    return RepositoryMirror(
        mirror_role(context.settings.stack),
        RepositoryMirrorArgs(
            repository=_repository_identity(context.settings),
            issuer_arn=access.issuer_arn,
            role_boundary_arn=access.workload_boundary_arn,
            version_days=retention.object_version_days,
            lock_days=retention.object_lock_days,
            key_deletion_window_days=retention.key_deletion_window_days,
        ),
        opts=context.aws,
    )


def _repository_identity(settings: VaultSettings) -> RepositoryIdentity:
    repository = settings.repository
    return RepositoryIdentity(
        owner=repository.owner,
        owner_id=repository.owner_id,
        name=repository.name,
        repository_id=repository.repository_id,
    )
