"""botBrains' infrastructure: one program, three stacks, which differ by configuration alone.

vault
    What must outlive everything else, in the recovery region: the keys and the bucket of the copies.
prod
    The service, at home. It copies its backups and its objects to the vault.
dr
    The service, rebuilt in the recovery region from the code, the plan and the vault. It never reads prod.
"""

from __future__ import annotations

import atexit
import gc
from typing import TYPE_CHECKING, Any

import pulumi

import plan
from components import providers, settings
from components.settings import ProductionSettings, RecoverySettings, VaultSettings

# A run is over in seconds and nearly all that it makes is code of the SDKs, which lives as long as the run. Looking for
# what could be thrown away took a quarter of a preview's time (benchmarks/preview.py), part of it at the very end.
gc.disable()
atexit.register(gc.freeze)

# Components are imported where they are used, and with them the provider packages that they need: every package costs
# each run of each stack a good part of a second, and the vault needs one of three.
if TYPE_CHECKING:
    from components.database import BackupReplicationArgs, ExistingKeyArgs, OwnKeyArgs
    from components.database_source import Origin, Source
    from components.vault_reference import VaultReference

Outputs = dict[str, Any]


def vault(stack: VaultSettings, promised: plan.Plan) -> Outputs:
    """What must outlive everything else."""
    from components.access import Access, AccessArgs
    from components.github_access import RepositoryIdentity
    from components.recovery_vault import RecoveryVault, RecoveryVaultArgs

    name, labels = _identity(stack.stack)
    at_aws = pulumi.ResourceOptions(providers=[providers.aws(region=stack.region, tags=labels)])
    recovery_vault = RecoveryVault(
        name,
        RecoveryVaultArgs(
            key_deletion_window_days=promised.retention.key_deletion_window_days,
            object_version_days=promised.retention.object_version_days,
            object_lock_days=promised.retention.object_lock_days,
            vault_copy_days=promised.retention.vault_copy_days,
            vault_lock_cooling_off_days=promised.retention.vault_lock_cooling_off_days,
            # A key there, and so any call there, only once that region is back.
            home_region=promised.residency.aws.home_region if stack.failback else None,
        ),
        opts=at_aws,
    )
    access = Access(
        f"{name}-access",
        AccessArgs(
            stack=stack.stack,
            services=("prod", "dr"),
            region=stack.region,
            regions=promised.residency.aws.allowed_regions,
            people={role.person.lower(): role.email for role in promised.roles},
            repository=RepositoryIdentity(
                owner=stack.repository.owner,
                owner_id=stack.repository.owner_id,
                name=stack.repository.name,
                repository_id=stack.repository.repository_id,
            ),
            emergency_session_hours=promised.access.emergency_session_hours,
            key_deletion_window_days=promised.retention.key_deletion_window_days,
            record_days=promised.retention.object_version_days,
            record_lock_days=promised.retention.object_lock_days,
        ),
        opts=at_aws,
    )
    outputs: Outputs = {
        "region": stack.region,
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
        "role_arns": access.role_arns,
        "alarm_topic_arn": access.alarm_topic_arn,
    }
    if recovery_vault.return_key_arn is not None:
        outputs["return_key_arn"] = recovery_vault.return_key_arn
    return outputs


def production(stack: ProductionSettings, promised: plan.Plan) -> Outputs:
    """The service with keys of its own, copied to the vault, and the repository that all of it comes from."""
    from components.application_secrets import ApplicationSecrets, ApplicationSecretsArgs
    from components.code_repository import CodeRepository, CodeRepositoryArgs
    from components.database import BackupReplicationArgs, OwnKeyArgs
    from components.object_replication import ReplicatedBucket
    from components.object_storage import ObjectStorage, ObjectStorageArgs
    from components.vault_reference import VaultReference

    # First of all, so that a source that cannot be used is refused before anything is made.
    origin = _origin_of_database(stack, stack.database.source.declared())
    copies = VaultReference()
    key_deletion_window_days = promised.retention.key_deletion_window_days
    recovery_region = promised.residency.aws.recovery_region
    name, labels = _identity(stack.stack)
    at_aws = pulumi.ResourceOptions(providers=[providers.aws(region=stack.region, tags=labels)])

    objects = ObjectStorage(
        f"{name}-objects",
        ObjectStorageArgs(
            region=stack.region,
            version_days=promised.retention.object_version_days,
            lock_days=promised.retention.object_lock_days,
            key_deletion_window_days=key_deletion_window_days,
            replica=ReplicatedBucket(
                bucket_name=copies.replica_bucket_name,
                bucket_arn=copies.replica_bucket_arn,
                kms_key_arn=copies.objects_key_arn,
                region=recovery_region,
            ),
        ),
        opts=at_aws,
    )
    secrets = ApplicationSecrets(
        f"{name}-secrets",
        ApplicationSecretsArgs(
            stack=stack.stack,
            names=stack.secrets,
            deletion_window_days=key_deletion_window_days,
            replica_region=recovery_region,
            replica_kms_key_arn=copies.secrets_key_arn,
        ),
        opts=at_aws,
    )
    outputs = service(
        stack,
        promised,
        copies,
        at_aws=at_aws,
        objects_bucket=objects.bucket_name,
        onward_vault_arn=copies.backup_vault_arn,
        database_origin=origin,
        database_key=OwnKeyArgs(deletion_window_days=key_deletion_window_days),
        replication=BackupReplicationArgs(
            region=recovery_region,
            kms_key_arn=copies.database_key_arn,
            retention_days=promised.retention.replicated_backup_days,
        )
        if stack.database.replicate_backups
        else None,
    )
    repository = CodeRepository(
        f"{name}-repository",
        CodeRepositoryArgs(
            repository=stack.repository.name,
            description=stack.repository.description,
            required_approvals=stack.repository.required_approvals,
        ),
        opts=pulumi.ResourceOptions(providers=[providers.github(owner=stack.repository.owner)]),
    )
    return {**outputs, "secrets": dict(secrets.arns), "repository_url": repository.url}


def recovery(stack: RecoverySettings, promised: plan.Plan) -> Outputs:
    """The service with the vault's keys: whatever is recovered from the vault is encrypted with them already.

    A database that is restored keeps the key of what it is restored from, which is the vault's; so does an empty one.
    """
    from components.database import BackupReplicationArgs, ExistingKeyArgs
    from components.vault_reference import VaultReference

    source = stack.database.source
    origin = _origin_of_database(stack, None if source is None else source.declared())
    copies = VaultReference()
    _, labels = _identity(stack.stack)
    return service(
        stack,
        promised,
        copies,
        at_aws=pulumi.ResourceOptions(providers=[providers.aws(region=stack.region, tags=labels)]),
        objects_bucket=copies.replica_bucket_name,
        onward_vault_arn=None,
        database_origin=origin,
        database_key=ExistingKeyArgs(arn=copies.database_key_arn),
        # Onward to the home region, once that is back: the way home begins with it.
        replication=BackupReplicationArgs(
            region=promised.residency.aws.home_region,
            kms_key_arn=copies.return_key_arn,
            retention_days=promised.retention.replicated_backup_days,
        )
        if stack.database.replicate_backups
        else None,
    )


def service(
    stack: ProductionSettings | RecoverySettings,
    promised: plan.Plan,
    copies: VaultReference,
    *,
    at_aws: pulumi.ResourceOptions,
    objects_bucket: pulumi.Output[str],
    onward_vault_arn: pulumi.Output[str] | None,
    database_origin: Origin,
    database_key: OwnKeyArgs | ExistingKeyArgs,
    replication: BackupReplicationArgs | None,
) -> Outputs:
    """Hosts behind a load balancer, their database, and their objects."""
    from components.database import Database, DatabaseArgs
    from components.database_network import DatabaseNetwork, DatabaseNetworkArgs
    from components.host_pool import HostPool, HostPoolArgs
    from components.load_balancer import HealthCheck, LoadBalancer, LoadBalancerArgs
    from components.network import PrivateNetwork, PrivateNetworkArgs
    from components.second_copy import ExistingVaultArgs, OwnVaultArgs, SecondCopy, SecondCopyArgs

    name, labels = _identity(stack.stack)
    at_hetzner = pulumi.ResourceOptions(providers=[providers.hetzner()])

    network = PrivateNetwork(
        f"{name}-network",
        PrivateNetworkArgs(
            ip_range=stack.network.ip_range,
            zone=promised.residency.hetzner.network_zone,
            labels=labels,
        ),
        opts=at_hetzner,
    )
    api, worker = (
        HostPool(
            f"{name}-{role}",
            HostPoolArgs(
                role=role,
                active=hosts.active,
                standby=hosts.standby,
                locations=stack.locations,
                server_type=hosts.server_type,
                image=hosts.image,
                subnet_id=network.subnet_id,
                labels=labels,
                protect=stack.hosts.protect,
            ),
            opts=at_hetzner,
        )
        for role, hosts in (("api", stack.hosts.api), ("worker", stack.hosts.worker))
    )
    # Workers take their work from a queue: their standby is one worker more, and nothing of theirs is public.
    load_balancer = LoadBalancer(
        f"{name}-api",
        LoadBalancerArgs(
            location=stack.locations[0],
            load_balancer_type=stack.load_balancer.type,
            subnet_id=network.subnet_id,
            servers={host.name: host.server_id for host in api.hosts},
            server_port=stack.hosts.api.port,
            health_check=HealthCheck(path=stack.hosts.api.health_path),
            labels=labels,
        ),
        opts=at_hetzner,
    )

    database_network = DatabaseNetwork(
        f"{name}-database",
        DatabaseNetworkArgs(
            region=stack.region,
            ip_range=stack.database.ip_range,
            clients={host.name: host.address for host in (*api.hosts, *worker.hosts)},
        ),
        opts=at_aws,
    )
    database = Database(
        f"{name}-database",
        DatabaseArgs(
            identifier=_database_identifier(stack),
            origin=database_origin,
            instance_class=stack.database.instance_class,
            engine_version=stack.database.engine_version,
            storage_gib=stack.database.storage_gib,
            max_storage_gib=stack.database.max_storage_gib,
            subnet_group_name=database_network.subnet_group_name,
            security_group_id=database_network.security_group_id,
            backup_retention_days=stack.database.backup_retention_days,
            multi_az=promised.redundancy.database_multi_az,
            key=database_key,
            replication=replication,
        ),
        opts=at_aws,
    )
    SecondCopy(
        f"{name}-second-copy",
        SecondCopyArgs(
            database_arn=database.arn,
            retention_days=promised.retention.vault_copy_days,
            vault=ExistingVaultArgs(name=copies.backup_vault_name)
            if onward_vault_arn is None
            # Not the key that the database has: a vault's key is for good, and the database's changes with a recovery.
            else OwnVaultArgs(kms_key_arn=database.declared_key_arn),
            onward_vault_arn=onward_vault_arn,
        ),
        opts=at_aws,
    )

    outputs: Outputs = {
        "load_balancer_address": load_balancer.address,
        "database_endpoint": database.endpoint,
        "database_arn": database.arn,
        "database_name": database.database_name,
        "database_secret_arn": database.secret_arn,
        "objects_bucket": objects_bucket,
        "replica_bucket": copies.replica_bucket_name,
    }
    for output, pool in (("api_hosts", api), ("worker_hosts", worker)):
        outputs[output] = [{"name": host.name, "location": host.location, "state": host.state} for host in pool.hosts]
    if database.replicated_backup_arn is not None:
        outputs["replicated_backup_arn"] = database.replicated_backup_arn
    return outputs


def _origin_of_database(stack: ProductionSettings | RecoverySettings, source: Source | None) -> Origin:
    """What the database is made from, or that it is there already. Raises before anything is made if it cannot be."""
    from components.database_lookup import look_up
    from components.database_source import Target

    return look_up(
        source,
        Target(
            region=stack.region,
            identifier=_database_identifier(stack),
            engine_version=stack.database.engine_version,
            storage_gib=stack.database.storage_gib,
            max_storage_gib=stack.database.max_storage_gib,
        ),
    )


def _database_identifier(stack: ProductionSettings | RecoverySettings) -> str:
    return stack.database.identifier or f"{_identity(stack.stack)[0]}-database"


def _identity(stack: str) -> tuple[str, dict[str, str]]:
    """What everything of a stack is called by, in every cloud: the beginning of its name, and its labels or tags."""
    return f"botbrains-{stack}", {"app": "botbrains", "stack": stack}


def main() -> None:
    """Builds the stack that is configured."""
    try:
        promised = plan.load()
    except plan.PlanError as error:
        # Pulumi shows a RunError's message alone; it already says what is wrong and what to do.
        raise pulumi.RunError(str(error)) from None
    match settings.load(promised):
        case VaultSettings() as stack:
            outputs = vault(stack, promised)
        case ProductionSettings() as stack:
            outputs = production(stack, promised)
        case RecoverySettings() as stack:
            outputs = recovery(stack, promised)
    for name, value in outputs.items():
        pulumi.export(name, value)


main()
