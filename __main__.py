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
    from components.object_storage import InRecoveryArgs, ReplicatedArgs
    from components.vault_reference import VaultReference

Outputs = dict[str, Any]


def vault(stack: VaultSettings, promised: plan.Plan) -> Outputs:
    """What must outlive everything else."""
    from components.recovery_vault import RecoveryVault, RecoveryVaultArgs

    name, labels = _identity(stack.stack)
    recovery_vault = RecoveryVault(
        name,
        RecoveryVaultArgs(
            key_deletion_window_days=promised.retention.key_deletion_window_days,
            object_version_days=promised.retention.object_version_days,
        ),
        opts=pulumi.ResourceOptions(providers=[providers.aws(region=stack.region, tags=labels)]),
    )
    return {
        "region": stack.region,
        "database_key_arn": recovery_vault.database_key_arn,
        "objects_key_arn": recovery_vault.objects_key_arn,
        "replica_bucket_name": recovery_vault.replica_bucket_name,
        "replica_bucket_arn": recovery_vault.replica_bucket_arn,
    }


def production(stack: ProductionSettings, promised: plan.Plan) -> Outputs:
    """The service with keys of its own, copied to the vault, and the repository that all of it comes from."""
    from components.code_repository import CodeRepository, CodeRepositoryArgs
    from components.database import BackupReplicationArgs, OwnKeyArgs
    from components.object_storage import ReplicaArgs, ReplicatedArgs
    from components.vault_reference import VaultReference

    copies = VaultReference()
    key_deletion_window_days = promised.retention.key_deletion_window_days
    recovery_region = promised.residency.aws.recovery_region

    outputs = service(
        stack,
        promised,
        copies,
        database_key=OwnKeyArgs(deletion_window_days=key_deletion_window_days),
        replication=BackupReplicationArgs(
            region=recovery_region,
            kms_key_arn=copies.database_key_arn,
            retention_days=promised.retention.replicated_backup_days,
        )
        if stack.database.replicate_backups
        else None,
        durability=ReplicatedArgs(
            key_deletion_window_days=key_deletion_window_days,
            replica=ReplicaArgs(
                bucket_arn=copies.replica_bucket_arn,
                kms_key_arn=copies.objects_key_arn,
                region=recovery_region,
            ),
        ),
    )
    repository = CodeRepository(
        f"{_identity(stack.stack)[0]}-repository",
        CodeRepositoryArgs(
            repository=stack.repository.name,
            description=stack.repository.description,
            required_approvals=stack.repository.required_approvals,
        ),
        opts=pulumi.ResourceOptions(providers=[providers.github(owner=stack.repository.owner)]),
    )
    return {**outputs, "repository_url": repository.url}


def recovery(stack: RecoverySettings, promised: plan.Plan) -> Outputs:
    """The service with the vault's keys: whatever is recovered from the vault is encrypted with them already."""
    from components.database import ExistingKeyArgs
    from components.object_storage import InRecoveryArgs
    from components.vault_reference import VaultReference

    copies = VaultReference()
    return service(
        stack,
        promised,
        copies,
        database_key=ExistingKeyArgs(arn=copies.database_key_arn),
        replication=None,
        durability=InRecoveryArgs(kms_key_arn=copies.objects_key_arn),
    )


def service(
    stack: ProductionSettings | RecoverySettings,
    promised: plan.Plan,
    copies: VaultReference,
    *,
    database_key: OwnKeyArgs | ExistingKeyArgs,
    replication: BackupReplicationArgs | None,
    durability: ReplicatedArgs | InRecoveryArgs,
) -> Outputs:
    """Hosts behind a load balancer, their database, and their objects."""
    from components.database import Database, DatabaseArgs
    from components.database_network import DatabaseNetwork, DatabaseNetworkArgs
    from components.host_pool import HostPool, HostPoolArgs
    from components.load_balancer import HealthCheck, LoadBalancer, LoadBalancerArgs
    from components.network import PrivateNetwork, PrivateNetworkArgs
    from components.object_storage import ObjectStorage, ObjectStorageArgs

    name, labels = _identity(stack.stack)
    at_aws = pulumi.ResourceOptions(providers=[providers.aws(region=stack.region, tags=labels)])
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
    objects = ObjectStorage(
        f"{name}-objects",
        ObjectStorageArgs(
            region=stack.region,
            version_days=promised.retention.object_version_days,
            durability=durability,
        ),
        opts=at_aws,
    )

    outputs: Outputs = {
        "load_balancer_address": load_balancer.address,
        "database_endpoint": database.endpoint,
        "database_arn": database.arn,
        "objects_bucket": objects.bucket_name,
        "replica_bucket": copies.replica_bucket_name,
    }
    for output, pool in (("api_hosts", api), ("worker_hosts", worker)):
        outputs[output] = [{"name": host.name, "location": host.location, "state": host.state} for host in pool.hosts]
    if database.replicated_backup_arn is not None:
        outputs["replicated_backup_arn"] = database.replicated_backup_arn
    return outputs


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
