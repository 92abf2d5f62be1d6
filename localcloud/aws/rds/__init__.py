"""RDS: instances, groups, backups, snapshots, replication and restores. Importing this package changes nothing."""

from __future__ import annotations

from localcloud.aws.rds import backups, groups, instances, lifecycle, replication, restores, rotation, snapshots


def patch() -> None:
    """Add to moto's RDS the calls that it lacks, and wrap those that it gets wrong."""
    for subject in (instances, groups, backups, replication, restores, rotation, snapshots, lifecycle):
        subject.patch()
