"""The destruction of a stack, whose protection is first lifted by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.conftest import LocalCloud
from tests.scenarios.harness import CONTINUITY, aws, hetzner


def lift_protection(cloud: LocalCloud, stack: str, region: str) -> str:
    """Lift by hand the three protections that keep a stack from being deleted; the identifier of its database."""
    assert cloud.run("pulumi", "state", "unprotect", "--all", "--yes", "--stack", stack).returncode == 0
    client = hetzner(cloud)
    for collection in (client.networks, client.load_balancers, client.primary_ips):
        for one in collection.get_all(label_selector=f"stack={stack}"):
            one.change_protection(delete=False).wait_until_finished()
    [database] = aws(cloud, "rds", region).describe_db_instances()["DBInstances"]
    name: str = database["DBInstanceIdentifier"]
    aws(cloud, "rds", region).modify_db_instance(
        DBInstanceIdentifier=name, DeletionProtection=False, ApplyImmediately=True
    )
    return name


def take_down(cloud: LocalCloud, stack: str, region: str) -> str:
    """Destroy a stack whose protection is lifted; the identifier of its database, of which a final snapshot is left."""
    database = lift_protection(cloud, stack, region)
    # A step of the program lifts the hosts' own protection before a host is deleted.
    assert cloud.run(*CONTINUITY, "destroy", stack, "--yes").returncode == 0
    state: Mapping[str, Any] = json.loads(cloud.run("pulumi", "stack", "export", "--stack", stack).stdout)
    assert not state["deployment"].get("resources")
    assert hetzner(cloud).servers.get_all(label_selector=f"stack={stack}") == []
    assert aws(cloud, "rds", region).describe_db_instances()["DBInstances"] == []
    snapshots = aws(cloud, "rds", region).describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    assert [shot["DBInstanceIdentifier"] for shot in snapshots] == [database]
    return database
