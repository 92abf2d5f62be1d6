"""RDS: instances, their subnet groups and parameter groups, and the replication of backups across regions."""

from __future__ import annotations

from typing import Final

from localcloud.plugins.aws.rds.groups import GROUPS
from localcloud.plugins.aws.rds.instances import INSTANCE
from localcloud.plugins.aws.rds.replication import REPLICATION

RESOURCES: Final = (INSTANCE, *GROUPS, REPLICATION)
