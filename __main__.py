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
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pulumi

import plan
from components import providers, settings
from components.settings import ProductionSettings, RecoverySettings, VaultSettings
from plan.names import (
    PRODUCTION,
    RECOVERY,
    STACKS,
    VAULT,
    WITHOUT_GITHUB,
    access_of,
    deploy_role,
    labels_of,
    mirror_role,
    name_prefix,
    preview_role,
    secret_name,
)
from policy_pack.program import enforce

# A run is over in seconds and nearly all that it makes is code of the SDKs, which lives as long as the run. Looking for
# what could be thrown away took a quarter of a preview's time (benchmarks/preview.py), part of it at the very end.
gc.disable()
atexit.register(gc.freeze)

# Components are imported where they are used, and with them the provider packages that they need: every package costs
# each run of each stack a good part of a second, and the vault needs one of three.
if TYPE_CHECKING:
    import pulumi_hcloud

    from components.database import BackupReplicationArgs, ExistingKeyArgs, OwnKeyArgs
    from components.database_source import Origin, Source
    from components.host_plan import PlannedHost, Role
    from components.vault_reference import VaultReference

Outputs = dict[str, Any]


def vault(stack: VaultSettings, promised: plan.Plan) -> Outputs:
    """What must outlive everything else."""
    from components.access import Access, AccessArgs
    from components.github_access import RepositoryIdentity
    from components.hetzner_project import HetznerProject, HetznerProjectArgs
    from components.recovery_vault import RecoveryVault, RecoveryVaultArgs
    from components.repository_mirror import RepositoryMirror, RepositoryMirrorArgs

    name, labels = name_prefix(stack.stack), labels_of(stack.stack)
    repository = RepositoryIdentity(
        owner=stack.repository.owner,
        owner_id=stack.repository.owner_id,
        name=stack.repository.name,
        repository_id=stack.repository.repository_id,
    )
    at_aws = pulumi.ResourceOptions(providers=[providers.aws(region=stack.region, tags=labels)])
    project = HetznerProject(
        f"{name}-hetzner",
        HetznerProjectArgs(
            zone=stack.zone,
            ttl_seconds=promised.redundancy.dns_ttl_seconds,
            ssh_keys=_operators(promised),
            labels=labels,
        ),
        opts=pulumi.ResourceOptions(providers=[providers.hetzner()]),
    )
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
        access_of(stack.stack),
        AccessArgs(
            stack=stack.stack,
            services=(PRODUCTION, RECOVERY),
            region=stack.region,
            regions=promised.residency.aws.allowed_regions,
            people={role.person.lower(): role.email for role in promised.roles},
            repository=repository,
            state_bucket=stack.state_bucket,
            emergency_role=promised.access.emergency_role,
            emergency_session_hours=promised.access.emergency_session_hours,
            key_deletion_window_days=promised.retention.key_deletion_window_days,
            record_days=promised.retention.object_version_days,
            record_lock_days=promised.retention.object_lock_days,
        ),
        opts=at_aws,
    )
    mirror = RepositoryMirror(
        mirror_role(stack.stack),
        RepositoryMirrorArgs(
            repository=repository,
            issuer_arn=access.issuer_arn,
            role_boundary_arn=access.workload_boundary_arn,
            version_days=promised.retention.object_version_days,
            lock_days=promised.retention.object_lock_days,
            key_deletion_window_days=promised.retention.key_deletion_window_days,
        ),
        opts=at_aws,
    )
    outputs: Outputs = {
        "region": stack.region,
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
        "role_arns": {**access.role_arns, mirror_role(stack.stack): mirror.role_arn},
        "bundle_bucket_name": mirror.bucket_name,
        "alarm_topic_arn": access.alarm_topic_arn,
        "state_bucket_name": access.state_bucket_name,
    }
    if recovery_vault.return_key_arn is not None:
        outputs["return_key_arn"] = recovery_vault.return_key_arn
    return outputs


def production(stack: ProductionSettings, promised: plan.Plan) -> Outputs:
    """The service with keys of its own, copied to the vault, and the repository that all of it comes from."""
    from components.application_secrets import ApplicationSecrets, ApplicationSecretsArgs
    from components.database import BackupReplicationArgs, OwnKeyArgs
    from components.object_replication import ReplicatedBucket
    from components.object_storage import ObjectStorage, ObjectStorageArgs
    from components.vault_reference import VaultReference

    found = look(stack, promised, stack.database.source.declared())
    copies = VaultReference()
    key_deletion_window_days = promised.retention.key_deletion_window_days
    recovery_region = promised.residency.aws.recovery_region
    name, labels = name_prefix(stack.stack), labels_of(stack.stack)
    at_aws = pulumi.ResourceOptions(providers=[providers.aws(region=stack.region, tags=labels)])

    objects = ObjectStorage(
        f"{name}-objects",
        ObjectStorageArgs(
            region=stack.region,
            version_days=promised.retention.object_version_days,
            lock_days=promised.retention.object_lock_days,
            key_deletion_window_days=key_deletion_window_days,
            role_boundary_arn=copies.workload_boundary_arn,
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
        found,
        at_aws=at_aws,
        objects_bucket=objects.bucket_name,
        onward_vault_arn=copies.backup_vault_arn,
        database_key=OwnKeyArgs(deletion_window_days=key_deletion_window_days),
        replication=BackupReplicationArgs(
            region=recovery_region,
            kms_key_arn=copies.database_key_arn,
            retention_days=promised.retention.replicated_backup_days,
        )
        if stack.database.replicate_backups
        else None,
        secrets_of=stack.stack,
        secrets_key_arn=secrets.key_arn,
    )
    outputs["secrets"] = dict(secrets.arns)
    if not os.environ.get(WITHOUT_GITHUB):
        outputs["repository_url"] = repository(stack, promised, copies)
    return outputs


def repository(stack: ProductionSettings, promised: plan.Plan, copies: VaultReference) -> pulumi.Output[str]:
    """What all of this comes from, and what stands between a change there and the clouds; the address of it.

    The service runs without it. So that losing GitHub keeps nobody from bringing production up, `continuity up
    --without-github` says so in the environment and leaves what is there as it is: an outage is no setting.
    """
    from components.code_repository import CodeRepository, CodeRepositoryArgs
    from components.delivery import Delivery, DeliveryArgs, EnvironmentArgs

    name = name_prefix(stack.stack)
    recovery_region = promised.residency.aws.recovery_region
    at_github = pulumi.ResourceOptions(providers=[providers.github(owner=stack.repository.owner)])
    code = CodeRepository(
        f"{name}-repository",
        CodeRepositoryArgs(
            repository=stack.repository.name,
            description=stack.repository.description,
            required_approvals=stack.repository.required_approvals,
            required_checks=stack.repository.required_checks,
        ),
        opts=at_github,
    )
    Delivery(
        f"{name}-delivery",
        DeliveryArgs(
            repository=code.repository_name,
            administrators=[role.github for role in promised.roles],
            reviewers=stack.repository.reviewers,
            branch=stack.repository.branch,
            environments=[
                EnvironmentArgs(
                    name=place,
                    # Recovery is what one person alone must be able to do: they agree to it themselves, on record.
                    agreed_by_another=place != RECOVERY,
                    variables={"DEPLOY_ROLE_ARN": copies.role_arn(deploy_role(place))},
                )
                for place in STACKS
            ],
            actions=stack.repository.actions,
            variables={
                "AWS_REGION": recovery_region,
                "PULUMI_BACKEND_URL": copies.state_bucket_name.apply(
                    lambda bucket: f"s3://{bucket}?region={recovery_region}"
                ),
                "PREVIEW_ROLE_ARN": copies.role_arn(preview_role(stack.stack)),
                "MIRROR_ROLE_ARN": copies.role_arn(mirror_role(VAULT)),
                "MIRROR_BUCKET": copies.bundle_bucket_name,
            },
        ),
        opts=at_github,
    )
    return code.url


def recovery(stack: RecoverySettings, promised: plan.Plan) -> Outputs:
    """The service with the vault's keys: whatever is recovered from the vault is encrypted with them already.

    A database that is restored keeps the key of what it is restored from, which is the vault's; so does an empty one.
    """
    from components.database import BackupReplicationArgs, ExistingKeyArgs
    from components.vault_reference import VaultReference

    source = stack.database.source
    found = look(stack, promised, None if source is None else source.declared())
    copies = VaultReference()
    labels = labels_of(stack.stack)
    return service(
        stack,
        promised,
        copies,
        found,
        at_aws=pulumi.ResourceOptions(providers=[providers.aws(region=stack.region, tags=labels)]),
        objects_bucket=copies.replica_bucket_name,
        onward_vault_arn=None,
        database_key=ExistingKeyArgs(arn=copies.database_key_arn),
        # Onward to the home region, once that is back: the way home begins with it.
        replication=BackupReplicationArgs(
            region=promised.residency.aws.home_region,
            kms_key_arn=copies.return_key_arn,
            retention_days=promised.retention.replicated_backup_days,
        )
        if stack.database.replicate_backups
        else None,
        secrets_of=stack.secrets_of,
        secrets_key_arn=copies.secrets_key_arn,
    )


@dataclass(frozen=True)
class Found:
    """What the clouds said before anything was made."""

    planned: dict[Role, tuple[PlannedHost, ...]]
    """Every role's hosts, of what Hetzner has."""

    database_origin: Origin
    """What the database is made from, or that it is there already."""

    hetzner: pulumi_hcloud.Provider


def look(stack: ProductionSettings | RecoverySettings, promised: plan.Plan, source: Source | None) -> Found:
    """Ask the clouds first of all: what they cannot give is refused while nothing exists yet.

    Args:
        stack: what is to be brought up.
        promised: the plan.
        source: what the database is to be made from.

    Raises:
        RunError: the database cannot be made from that, hosts cannot be had, or there are too many.
    """
    origin = _origin_of_database(stack, source)
    hetzner = providers.hetzner()
    return Found(planned=_planned_hosts(stack, promised, hetzner), database_origin=origin, hetzner=hetzner)


def service(
    stack: ProductionSettings | RecoverySettings,
    promised: plan.Plan,
    copies: VaultReference,
    found: Found,
    *,
    at_aws: pulumi.ResourceOptions,
    objects_bucket: pulumi.Output[str],
    onward_vault_arn: pulumi.Output[str] | None,
    database_key: OwnKeyArgs | ExistingKeyArgs,
    replication: BackupReplicationArgs | None,
    secrets_of: str,
    secrets_key_arn: pulumi.Output[str],
) -> Outputs:
    """Hosts behind load balancers, their database, and their objects."""
    from components.database import Database, DatabaseArgs
    from components.database_network import DatabaseNetwork, DatabaseNetworkArgs
    from components.entrance import Entrance, EntranceArgs
    from components.hetzner_project import ssh_key_name
    from components.host_addresses import HostAddresses, HostAddressesArgs
    from components.host_descriptions import Surroundings
    from components.host_identity import DatabaseAccessArgs, HostIdentity, HostIdentityArgs, account_of
    from components.host_plan import balancer_address
    from components.host_pool import HostPool, HostPoolArgs
    from components.host_user_data import UserData
    from components.load_balancer import HealthCheck
    from components.network import PrivateNetwork, PrivateNetworkArgs
    from components.second_copy import ExistingVaultArgs, OwnVaultArgs, SecondCopy, SecondCopyArgs

    name, labels = name_prefix(stack.stack), labels_of(stack.stack)
    at_hetzner = pulumi.ResourceOptions(providers=[found.hetzner])
    planned = found.planned

    network = PrivateNetwork(
        f"{name}-network",
        PrivateNetworkArgs(
            ip_range=stack.network.ip_range,
            zone=promised.residency.hetzner.network_zone,
            labels=labels,
        ),
        opts=at_hetzner,
    )
    addresses = {
        role: HostAddresses(
            f"{name}-{role}", HostAddressesArgs(hosts=planned[role], labels={**labels, "role": role}), opts=at_hetzner
        )
        for role in planned
    }

    database_network = DatabaseNetwork(
        f"{name}-database",
        DatabaseNetworkArgs(
            region=stack.region,
            ip_range=stack.database.ip_range,
            clients={name: address for of_role in addresses.values() for name, address in of_role.addresses.items()},
        ),
        opts=at_aws,
    )
    database = Database(
        f"{name}-database",
        DatabaseArgs(
            identifier=_database_identifier(stack),
            origin=found.database_origin,
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
            region=stack.region,
            database_arn=database.arn,
            retention_days=promised.retention.vault_copy_days,
            vault=ExistingVaultArgs(name=copies.backup_vault_name)
            if onward_vault_arn is None
            # Not the key that the database has: a vault's key is for good, and the database's changes with a recovery.
            else OwnVaultArgs(kms_key_arn=database.declared_key_arn),
            onward_vault_arn=onward_vault_arn,
            role_boundary_arn=copies.workload_boundary_arn,
        ),
        opts=at_aws,
    )

    health_check = HealthCheck.within(promised.redundancy.host_failover_seconds, stack.hosts.api.health_path)
    identity = HostIdentity(
        f"{name}-hosts",
        HostIdentityArgs(
            stack=stack.stack,
            region=stack.region,
            account_id=account_of(copies.database_key_arn),
            secret_names=tuple(secret_name(secrets_of, secret) for secret in stack.secrets),
            secrets_key_arn=secrets_key_arn,
            database=DatabaseAccessArgs(
                endpoint=database.endpoint,
                name=database.database_name,
                secret_arn=database.secret_arn,
                secret_key_arn=database.secret_key_arn,
            ),
            log_retention_days=promised.retention.host_log_days,
            key_deletion_window_days=promised.retention.key_deletion_window_days,
            role_boundary_arn=copies.workload_boundary_arn,
        ),
        opts=at_aws,
    )
    surroundings = Surroundings(
        stack=stack.stack,
        region=stack.region,
        secrets_of=secrets_of,
        secrets=stack.secrets,
        operators=_operators(promised),
        log_group=identity.log_group_name,
        subnet=network.subnet,
        balancer_addresses=[balancer_address(network.subnet, index) for index in range(len(stack.locations))],
        health_check=health_check,
    )
    for role, hosts in stack.hosts.by_role().items():
        HostPool(
            f"{name}-{role}",
            HostPoolArgs(
                role=role,
                hosts=planned[role],
                image=hosts.image,
                address_ids=addresses[role].ids,
                subnet_id=network.subnet_id,
                user_data=UserData(identity, surroundings, planned[role], hosts).of,
                ssh_keys=[ssh_key_name(person) for person in _operators(promised)],
                ssh_from=stack.hosts.ssh_from,
                labels=labels,
                backups=promised.redundancy.host_backups,
                keep_serving=stack.hosts.keep_serving,
            ),
            opts=at_hetzner,
        )
    # Workers take their work from a queue: nothing of theirs is public.
    entrance = Entrance(
        f"{name}-api",
        EntranceArgs(
            locations=stack.locations,
            load_balancer_type=stack.load_balancer.type,
            subnet_id=network.subnet_id,
            subnet=network.subnet,
            pool=f"{name}-api",
            server_port=stack.hosts.api.port,
            zone=copies.zone_name,
            names=stack.load_balancer.names,
            ttl_seconds=promised.redundancy.dns_ttl_seconds,
            health_check=health_check,
            labels=labels,
        ),
        opts=at_hetzner,
    )

    outputs: Outputs = {
        "name": entrance.fqdn,
        "load_balancers": [
            {"name": one.name, "location": one.location, "address": one.address, "address_v6": one.address_v6}
            for one in entrance.balancers
        ],
        "health_check": asdict(health_check),
        "database_endpoint": database.endpoint,
        "database_arn": database.arn,
        "database_name": database.database_name,
        "database_secret_arn": database.secret_arn,
        "objects_bucket": objects_bucket,
        "replica_bucket": copies.replica_bucket_name,
    }
    for role, of_role in planned.items():
        outputs[f"{role}_hosts"] = [
            {"name": host.name, "location": host.offer.location, "state": host.state} for host in of_role
        ]
    if database.replicated_backup_arn is not None:
        outputs["replicated_backup_arn"] = database.replicated_backup_arn
    return outputs


def _planned_hosts(
    stack: ProductionSettings | RecoverySettings, promised: plan.Plan, hetzner: pulumi_hcloud.Provider
) -> dict[Role, tuple[PlannedHost, ...]]:
    """Every role's hosts. Raises before anything is made if they cannot be had, or there are too many."""
    from components.host_market import look_at_market
    from components.host_plan import HostPlanError, plan_hosts
    from components.network import hosts_subnet

    name = name_prefix(stack.stack)
    market = look_at_market(hetzner, stack.stack)
    try:
        return {
            role: plan_hosts(
                pool=f"{name}-{role}",
                role=role,
                counts={"active": hosts.active, "standby": hosts.standby},
                locations=stack.locations,
                server_type=hosts.server_type,
                alternatives=hosts.declared_alternatives(),
                allowed_locations=promised.residency.hetzner.allowed_locations,
                subnet=hosts_subnet(stack.network.ip_range),
                market=market,
            )
            for role, hosts in stack.hosts.by_role().items()
        }
    except HostPlanError as error:
        raise pulumi.RunError(str(error)) from None


def _operators(promised: plan.Plan) -> dict[str, str]:
    """The accounts of the people who reach the hosts, with the public halves of their keys."""
    return {role.person.lower(): role.ssh_key for role in promised.roles}


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
    return stack.database.identifier or f"{name_prefix(stack.stack)}-database"


def main() -> None:
    """Builds the stack that is configured."""
    try:
        promised = plan.load()
    except plan.PlanError as error:
        # Pulumi shows a RunError's message alone; it already says what is wrong and what to do.
        raise pulumi.RunError(str(error)) from None
    # With or without `--policy-pack`: what it would refuse does not get past the program either.
    enforce(promised)
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
