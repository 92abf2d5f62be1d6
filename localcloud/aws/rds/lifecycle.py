"""The life of an instance's PostgreSQL server, from its first start to the instance's deletion.

An instance is `creating` until its server answers. That takes seconds, or minutes after a long recovery, and runs in
the background. If the local cloud is killed meanwhile, it begins again at its next start: the origin of an instance is
stored until the server is ready.

A restored instance is then `backing-up` until RDS has taken its first backup, which takes RDS hours for a large
database. Here it takes the minutes of `LOCALCLOUD_RDS_RESTORE_MINUTES`, by the clouds' clock.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from moto.logs.models import logs_backends
from moto.rds.models import DBInstance, DBSnapshot, RDSBackend

from localcloud.aws.patching import wrap_method
from localcloud.aws.rds.automated_backups import every_backend, kept
from localcloud.aws.rds.errors import refuse
from localcloud.aws.rds.servers import Origin, Servers, current_servers
from localcloud.instance.clock import real_seconds, setting
from localcloud.instance.folder import LocalCloudError

log = logging.getLogger(__name__)

RESTORE_VARIABLE: Final = "LOCALCLOUD_RDS_RESTORE_MINUTES"
_UNFINISHED: Final = frozenset({"creating", "backing-up"})


def patch() -> None:
    wrap_method(RDSBackend, "stop_db_instance", _stop)
    wrap_method(RDSBackend, "start_db_instance", _start)
    wrap_method(RDSBackend, "reboot_db_instance", _reboot)
    wrap_method(RDSBackend, "modify_db_parameter_group", _modify_parameter_group)


def databases(account: str | None = None) -> list[tuple[RDSBackend, Any]]:
    """Every instance that has a server, with its backend."""
    return [
        (backend, database)
        for backend in every_backend(account)
        for database in list(backend.databases.values())
        if hasattr(database, "server_address")
    ]


# -- being made ------------------------------------------------------------------------------------------------------


def begin(backend: RDSBackend, database: Any, origin: Origin) -> None:
    """Create the server of a new instance in the background. Called inside a request."""
    _create_log_groups(backend, database)
    servers = current_servers()
    if servers is None:
        return
    taken = (known.server_address for _, known in databases())
    database.server_address = servers.free_address(taken, database.port)
    database.origin = origin
    database.status = "creating"
    servers.work(partial(_make, servers, backend, database))


def _make(servers: Servers, backend: RDSBackend, database: Any) -> None:
    cluster, origin = servers.cluster(database), database.origin
    try:
        if not cluster.made:
            match origin.kind:
                case "new":
                    cluster.create(database.master_username, database._master_user_password, database.db_name)
                case "archive":
                    cluster.restore(servers.archive(origin.region, origin.name), origin.moment)
                case "snapshot":
                    cluster.unpack(servers.snapshot(origin.region, origin.name))
        _run(servers, backend, database)
    except (LocalCloudError, OSError):
        if servers.ending.is_set():
            return  # it is made when the local cloud starts again
        log.exception("the server of %s", database.db_instance_identifier)
        with servers.changing("rds"):
            database.status = "failed" if origin.kind == "new" else "incompatible-restore"
        return
    if origin.kind != "new" and (minutes := setting(RESTORE_VARIABLE)):
        with servers.changing("rds"):
            database.status = "backing-up"
        if servers.ending.wait(real_seconds(minutes * 60)):
            return
    with servers.changing("rds"):
        database.status = "available"
        database.origin = None
        if database.backup_retention_period:
            database.save_automated_backup()
    if servers.is_dead(backend.region_name):
        cluster.stop(crash=True)
    servers.soon()


def _start_soon(servers: Servers, backend: RDSBackend, database: Any) -> None:
    """Start a server in the background, unless its region is dead by then."""

    def start() -> None:
        if not servers.is_dead(backend.region_name):
            _run(servers, backend, database)

    servers.work(start)


def _run(servers: Servers, backend: RDSBackend, database: Any) -> None:
    cluster = servers.cluster(database)
    cluster.start()
    cluster.require_tls(_tls_required(database))
    keep_archive(servers, backend, database)


def keep_archive(servers: Servers, backend: RDSBackend, database: Any) -> None:
    """Archive the WAL of an instance that has backups, and stop archiving without them."""
    cluster = servers.cluster(database)
    if database.backup_retention_period:
        cluster.archive_to(servers.archive(backend.region_name, database.dbi_resource_id))
    else:
        cluster.archive_to(None)


def _tls_required(database: Any) -> bool:
    """`rds.force_ssl` of the parameter group. Since PostgreSQL 15 its default is on."""
    group = database.db_parameter_groups()[0]
    parameter = group.parameters.get("rds.force_ssl") or {}
    return str(parameter.get("ParameterValue", "1")) == "1"


# -- a local cloud that starts again ---------------------------------------------------------------------------------


def resume(servers: Servers) -> None:
    """Start the servers that ran, continue those in creation, and remove data without a record."""
    there = databases()
    every = every_backend()
    servers.forget_all_but("instances", ((backend.region_name, db.dbi_resource_id) for backend, db in there))
    servers.forget_all_but(
        "archives",
        ((backup.region, backup.dbi_resource_id) for backend in every for backup in kept(backend).values()),
    )
    servers.forget_all_but(
        "snapshots",
        (
            (backend.region_name, snapshot.db_snapshot_identifier)
            for backend in every
            for snapshot in backend.database_snapshots.values()
        ),
    )
    for backend, database in there:
        if database.status in _UNFINISHED:
            servers.work(partial(_make, servers, backend, database))
        elif database.status == "available":
            _start_soon(servers, backend, database)


def follow(servers: Servers, is_dead: Callable[[str], bool]) -> None:
    """Crash the servers of dead regions. Start those of the others, which recover by themselves."""
    servers.is_dead = is_dead
    for backend, database in databases():
        if database.status != "available":
            continue
        cluster = servers.cluster(database)
        if is_dead(backend.region_name):
            cluster.stop(crash=True)
        elif not cluster.running:
            _start_soon(servers, backend, database)
    servers.soon()


# -- being changed ---------------------------------------------------------------------------------------------------


def must_be_available(database: Any, to: str) -> None:
    """Refuse to change, copy or delete an instance that is still being created, like RDS."""
    if current_servers() is not None and database.status in _UNFINISHED:
        refuse(
            "InvalidDBInstanceState",
            f"Instance {database.db_instance_identifier} is {database.status}: it must be available to {to}.",
        )


def changed(backend: RDSBackend, database: Any, password_before: str | None) -> None:
    """Apply the changes of an instance to its server."""
    _create_log_groups(backend, database)
    servers = current_servers()
    if servers is None or not hasattr(database, "server_address") or database.status != "available":
        return
    cluster = servers.cluster(database)
    if database._master_user_password != password_before:
        cluster.set_password(database.master_username, database._master_user_password)
    cluster.require_tls(_tls_required(database))
    keep_archive(servers, backend, database)


def _modify_parameter_group(original: Callable[..., Any], backend: RDSBackend, name: str, parameters: Any) -> Any:
    group = original(backend, name, parameters)
    servers = current_servers()
    if servers is not None:
        for mine, database in databases(backend.account_id):
            if mine is backend and database.db_parameter_group_name == name and database.status == "available":
                servers.cluster(database).require_tls(_tls_required(database))
    return group


def _stop(original: Callable[..., DBInstance], backend: RDSBackend, identifier: str, *rest: Any) -> DBInstance:
    database: DBInstance = original(backend, identifier, *rest)
    servers = current_servers()
    if servers is not None:
        servers.cluster(database).stop()
    return database


def _start(original: Callable[..., DBInstance], backend: RDSBackend, identifier: str) -> DBInstance:
    database: DBInstance = original(backend, identifier)
    servers = current_servers()
    if servers is not None:
        _run(servers, backend, database)
    return database


def _reboot(original: Callable[..., DBInstance], backend: RDSBackend, identifier: str, *rest: Any) -> DBInstance:
    database: DBInstance = original(backend, identifier, *rest)
    servers = current_servers()
    if servers is not None:
        must_be_available(database, "be rebooted")
        servers.cluster(database).stop()
        _run(servers, backend, database)
    return database


def _create_log_groups(backend: RDSBackend, database: Any) -> None:
    """Create the missing groups of exported logs, like RDS: without retention, under AWS's key. They stay for ever."""
    logs = logs_backends[backend.account_id][backend.region_name]
    for log in database.enabled_cloudwatch_logs_exports:
        name = f"/aws/rds/instance/{database.db_instance_identifier}/{log}"
        if name not in logs.groups:
            logs.create_log_group(name, {})


# -- deletion --------------------------------------------------------------------------------------------------------


def last_words(backend: RDSBackend, database: Any, final_snapshot: str | None) -> None:
    """Before an instance is deleted, upload everything committed and take the final snapshot."""
    servers = current_servers()
    if servers is None or not hasattr(database, "server_address"):
        return
    cluster = servers.cluster(database)
    if cluster.running:
        if database.backup_retention_period:
            cluster.upload()
        cluster.stop()
    if final_snapshot is not None:
        cluster.snapshot(servers.snapshot(backend.region_name, final_snapshot.lower()))


def gone(database: Any) -> None:
    servers = current_servers()
    if servers is not None and hasattr(database, "server_address"):
        servers.drop(database)


def has_data(backend: RDSBackend, snapshot: DBSnapshot) -> bool:
    """Whether a snapshot's data exist."""
    servers = current_servers()
    return servers is None or servers.snapshot(backend.region_name, snapshot.db_snapshot_identifier).exists()
