"""The service: hosts behind load balancers, with a database and objects. Production and recovery both use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import pulumi

from components.backup.daily_backups import (
    DailyBackups,
    DailyBackupsArgs,
    ExistingRoleArgs,
    ExistingVaultArgs,
    OwnRoleArgs,
    OwnVaultArgs,
)
from components.database.instance import BackupReplicationArgs, Database, DatabaseArgs, ExistingKeyArgs, OwnKeyArgs
from components.database.logs import DatabaseLogs, DatabaseLogsArgs
from components.database.network import DatabaseNetwork, DatabaseNetworkArgs
from components.hosts.addresses import HostAddresses, HostAddressesArgs
from components.hosts.descriptions import HostContext
from components.hosts.identity import DatabaseAddressArgs, HostIdentity, HostIdentityArgs, account_of
from components.hosts.pool import HostPool, HostPoolArgs
from components.hosts.role import ExistingHostRoleArgs, HostRoleArgs
from components.hosts.user_data import UserData
from components.network.addressing import Role, balancer_address
from components.network.hetzner_project import ssh_key_name
from components.network.load_balancer import HealthCheck
from components.network.private_network import PrivateNetwork, PrivateNetworkArgs
from components.network.public_endpoint import PublicEndpoint, PublicEndpointArgs
from plan.names import DATABASE_USER_SECRET, secret_name
from stacks.findings import Findings, database_identifier

if TYPE_CHECKING:
    from stacks.context import Outputs, ServiceContext
    from stacks.vault_reference import VaultReference


@dataclass(frozen=True, kw_only=True)
class ExistingRoles:
    """The roles that the vault declares for a stack."""

    host_role_name: pulumi.Output[str]
    backup_role_arn: pulumi.Output[str]


@dataclass(frozen=True, kw_only=True)
class DataPlane:
    """The properties of data that differ between production and recovery."""

    objects_bucket: pulumi.Output[str]
    """The name of the bucket with the application's objects."""

    database_key: OwnKeyArgs | ExistingKeyArgs
    database_replication: BackupReplicationArgs | None
    """The target of the replication of the database's backups. `None` for no replication."""

    onward_vault_arn: pulumi.Output[str] | None
    """The backup vault in another region that daily backups are copied to. `None` keeps them in the stack `vault`."""

    secrets_stack: str
    """The stack whose secrets the hosts read: this stack, or the stack with replicas in this region."""

    secrets_key_arn: pulumi.Output[str]
    roles: ExistingRoles | None
    """The roles of the hosts and the backups. `None` declares them in this stack."""


def service(context: ServiceContext, findings: Findings, vault: VaultReference, data: DataPlane) -> Outputs:
    """Declare the service, and return its outputs.

    Args:
        context: the context of the stack.
        findings: the clouds' answers from before anything was declared.
        vault: the outputs of the vault.
        data: the sources and targets of the service's data.
    """
    network = _private_network(context)
    addresses = _host_addresses(context, findings)
    database = _database(context, findings, vault, data, addresses)
    _daily_backups(context, vault, data, database)
    check = HealthCheck.within(context.plan.redundancy.host_failover_seconds, context.settings.hosts.api.health_path)
    identity = _host_identity(context, vault, data, database)
    host_context = _host_context(context, data, network, identity.log_group_name, check)
    _host_pools(context, findings, network, addresses, identity, host_context)
    endpoint = _public_endpoint(context, vault, network, check)
    outputs: Outputs = {
        "name": endpoint.fqdn,
        "load_balancers": [
            {"name": one.name, "location": one.location, "address": one.address, "address_v6": one.address_v6}
            for one in endpoint.balancers
        ],
        "health_check": asdict(check),
        "database_endpoint": database.endpoint,
        "database_arn": database.arn,
        "database_name": database.database_name,
        "database_secret_arn": database.secret_arn,
        "objects_bucket": data.objects_bucket,
        "replica_bucket": vault.replica_bucket_name,
    }
    for role, hosts in findings.hosts.items():
        outputs[f"{role}_hosts"] = [
            {"name": host.name, "location": host.offer.location, "state": host.state} for host in hosts
        ]
    if database.replicated_backup_arn is not None:
        outputs["replicated_backup_arn"] = database.replicated_backup_arn
    return outputs


def _private_network(context: ServiceContext) -> PrivateNetwork:
    return PrivateNetwork(
        f"{context.name}-network",
        PrivateNetworkArgs(
            ip_range=context.settings.network.ip_range,
            zone=context.plan.residency.hetzner.network_zone,
            labels=context.labels,
        ),
        opts=context.hetzner,
    )


def _host_addresses(context: ServiceContext, findings: Findings) -> dict[Role, HostAddresses]:
    return {
        role: HostAddresses(
            f"{context.name}-{role}",
            HostAddressesArgs(hosts=hosts, labels={**context.labels, "role": role}),
            opts=context.hetzner,
        )
        for role, hosts in findings.hosts.items()
    }


def _database(
    context: ServiceContext,
    findings: Findings,
    vault: VaultReference,
    data: DataPlane,
    addresses: Mapping[Role, HostAddresses],
) -> Database:
    """Declare the database, its log groups and its network, which admits only the hosts' addresses."""
    settings = context.settings
    network = DatabaseNetwork(
        f"{context.name}-database",
        DatabaseNetworkArgs(
            region=settings.region,
            ip_range=settings.database.ip_range,
            clients={name: address for of_role in addresses.values() for name, address in of_role.addresses.items()},
        ),
        opts=context.aws,
    )
    logs = DatabaseLogs(
        f"{context.name}-database-logs",
        DatabaseLogsArgs(
            identifier=database_identifier(settings),
            region=settings.region,
            account_id=account_of(vault.database_key_arn),
            retention_days=context.plan.retention.host_log_days,
            key_deletion_window_days=context.plan.retention.key_deletion_window_days,
        ),
        opts=context.aws,
    )
    return Database(
        f"{context.name}-database",
        DatabaseArgs(
            identifier=database_identifier(settings),
            origin=findings.database_origin,
            instance_class=settings.database.instance_class,
            engine_version=settings.database.engine_version,
            storage_gib=settings.database.storage_gib,
            max_storage_gib=settings.database.max_storage_gib,
            subnet_group_name=network.subnet_group_name,
            security_group_id=network.security_group_id,
            backup_retention_days=settings.database.backup_retention_days,
            multi_az=context.plan.redundancy.database_multi_az,
            key=data.database_key,
            logs=logs,
            replication=data.database_replication,
        ),
        opts=context.aws,
    )


def _daily_backups(context: ServiceContext, vault: VaultReference, data: DataPlane, database: Database) -> None:
    DailyBackups(
        f"{context.name}-second-copy",
        DailyBackupsArgs(
            region=context.settings.region,
            database_arn=database.arn,
            retention_days=context.plan.retention.vault_copy_days,
            vault=ExistingVaultArgs(name=vault.backup_vault_name)
            if data.onward_vault_arn is None
            # The declared key, not the key of the existing database: a backup vault never changes its key, but a
            # recovery changes the database's key.
            else OwnVaultArgs(kms_key_arn=database.declared_key_arn),
            onward_vault_arn=data.onward_vault_arn,
            role=OwnRoleArgs(boundary_arn=vault.workload_boundary_arn)
            if data.roles is None
            else ExistingRoleArgs(arn=data.roles.backup_role_arn),
        ),
        opts=context.aws,
    )


def _host_identity(context: ServiceContext, vault: VaultReference, data: DataPlane, database: Database) -> HostIdentity:
    settings, retention = context.settings, context.plan.retention
    return HostIdentity(
        f"{context.name}-hosts",
        HostIdentityArgs(
            stack=settings.stack,
            region=settings.region,
            account_id=account_of(vault.database_key_arn),
            role=_host_role(context, vault, data, database)
            if data.roles is None
            else ExistingHostRoleArgs(name=data.roles.host_role_name),
            database=DatabaseAddressArgs(
                endpoint=database.endpoint, name=database.database_name, secret_arn=database.secret_arn
            ),
            log_retention_days=retention.host_log_days,
            key_deletion_window_days=retention.key_deletion_window_days,
        ),
        opts=context.aws,
    )


def _host_role(context: ServiceContext, vault: VaultReference, data: DataPlane, database: Database) -> HostRoleArgs:
    settings = context.settings
    return HostRoleArgs(
        stack=settings.stack,
        region=settings.region,
        account_id=account_of(vault.database_key_arn),
        secret_names=tuple(secret_name(data.secrets_stack, secret) for secret in settings.secrets),
        secrets_key_arn=data.secrets_key_arn,
        user_secret_name=secret_name(data.secrets_stack, DATABASE_USER_SECRET),
        sets_user_secret=data.secrets_stack == settings.stack,
        database_secret_arn=database.secret_arn,
        database_key_arns=[database.secret_key_arn],
        boundary_arn=vault.workload_boundary_arn,
    )


def _host_context(
    context: ServiceContext, data: DataPlane, network: PrivateNetwork, log_group: str, check: HealthCheck
) -> HostContext:
    settings = context.settings
    return HostContext(
        stack=settings.stack,
        region=settings.region,
        secrets_of=data.secrets_stack,
        secrets=settings.secrets,
        operators=context.operators,
        log_group=log_group,
        subnet=network.subnet,
        balancer_addresses=[balancer_address(network.subnet, index) for index in range(len(settings.locations))],
        health_check=check,
    )


def _host_pools(
    context: ServiceContext,
    findings: Findings,
    network: PrivateNetwork,
    addresses: Mapping[Role, HostAddresses],
    identity: HostIdentity,
    host_context: HostContext,
) -> None:
    settings = context.settings
    for role, hosts in settings.hosts.by_role().items():
        planned = findings.hosts[role]
        HostPool(
            f"{context.name}-{role}",
            HostPoolArgs(
                role=role,
                hosts=planned,
                image=hosts.image,
                address_ids=addresses[role].ids,
                subnet_id=network.subnet_id,
                user_data=UserData(identity, host_context, planned, hosts.app, hosts.application_port).of,
                ssh_keys=[ssh_key_name(person) for person in context.operators],
                ssh_from=settings.hosts.ssh_from,
                labels=context.labels,
                backups=context.plan.redundancy.host_backups,
                keep_serving=settings.hosts.keep_serving,
            ),
            opts=context.hetzner,
        )


def _public_endpoint(
    context: ServiceContext, vault: VaultReference, network: PrivateNetwork, check: HealthCheck
) -> PublicEndpoint:
    """Declare the load balancers and names of the API. Workers take jobs from a queue and have no public endpoint."""
    settings = context.settings
    return PublicEndpoint(
        f"{context.name}-api",
        PublicEndpointArgs(
            locations=settings.locations,
            load_balancer_type=settings.load_balancer.type,
            subnet_id=network.subnet_id,
            subnet=network.subnet,
            pool=f"{context.name}-api",
            server_port=settings.hosts.api.port,
            zone=vault.zone_name,
            names=settings.load_balancer.names,
            ttl_seconds=context.plan.redundancy.dns_ttl_seconds,
            health_check=check,
            labels=context.labels,
        ),
        opts=context.hetzner,
    )
