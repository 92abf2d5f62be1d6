"""The log groups of exported logs. RDS creates a missing group itself: without retention, and under the key of AWS.

The groups stay when the instance is deleted.
"""

from __future__ import annotations

from typing import Any

from moto.logs.models import logs_backends
from moto.rds.models import RDSBackend


def create_groups(backend: RDSBackend, database: Any) -> None:
    """Create the groups that an instance publishes its logs to, if they do not exist."""
    logs = logs_backends[backend.account_id][backend.region_name]
    for log in database.enabled_cloudwatch_logs_exports:
        name = f"/aws/rds/instance/{database.db_instance_identifier}/{log}"
        if name not in logs.groups:
            logs.create_log_group(name, {})
