"""The continuous work of RDS: upload WAL, copy backups to other regions, delete old ones, and rotate passwords.

A round is due every `Servers.upload_seconds`. It first sends the earlier uploads to the copies, and then uploads again.
So the window of a copy is one round behind its source's; at AWS it is minutes behind.
"""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from moto.rds.models import RDSBackend, rds_backends

from localcloud.aws.rds import rotation
from localcloud.aws.rds.automated_backups import AutomatedBackup, copies_of
from localcloud.aws.rds.lifecycle import databases
from localcloud.aws.rds.servers import Servers
from localcloud.instance.folder import LocalCloudError

log = logging.getLogger(__name__)

_DAY: Final = timedelta(days=1)
"""RDS takes a snapshot of the volume once a day, and keeps the WAL since the oldest."""


def start(servers: Servers) -> None:
    threading.Thread(target=_rounds, args=(servers,), name="rds-uploads", daemon=True).start()


def _rounds(servers: Servers) -> None:
    while servers.wait_for_upload():
        for backend, database in databases():
            if database.status == "available":
                try:
                    if not servers.is_dead(backend.region_name):
                        rotation.rotate_due(servers, backend, database)
                    if database.backup_retention_period:
                        _round(servers, backend, database)
                except (LocalCloudError, OSError) as fault:
                    # The instance was deleted or its region lost power meanwhile, or a disk is full. The window
                    # shows the last uploads.
                    if not servers.ending.is_set() and not servers.is_dead(backend.region_name):
                        log.warning("backups of %s: %s", database.db_instance_identifier, fault)


def _round(servers: Servers, backend: RDSBackend, database: Any) -> None:
    home = backend.region_name
    if servers.is_dead(home):
        return
    archive = servers.archive(home, database.dbi_resource_id)
    for copy in copies_of(backend.account_id, database.dbi_resource_id):
        if not servers.is_dead(copy.region):
            replicate(servers, database, copy)
    cluster = servers.cluster(database)
    if not cluster.running:
        return
    cluster.upload()
    now = datetime.now(UTC)
    bases = archive.bases()
    if not bases or now - bases[-1].end > _DAY:
        cluster.base_backup()
        archive.expire(now - timedelta(days=database.backup_retention_period))


def replicate(servers: Servers, database: Any, copy: AutomatedBackup) -> None:
    """Copy the uploads and the description of the instance to a copy in another region."""
    archive = servers.archive(copy.source_region, copy.dbi_resource_id)
    held = servers.archive(copy.region, copy.dbi_resource_id)
    archive.replicate(held)
    window = held.window()
    if window is None:
        return
    if datetime.now(UTC) - window[0] > _DAY + timedelta(days=copy.retention_period):
        held.expire(datetime.now(UTC) - timedelta(days=copy.retention_period))
    account = copy.arn.split(":")[4]
    with servers.changing("rds"):
        if copy.ended is None and copy.arn in rds_backends[account][copy.region].__dict__.get("automated_backups", {}):
            copy.follow(database)
            copy.status = "replicating"
