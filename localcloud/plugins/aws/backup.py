"""AWS Backup: vaults, their locks, plans, and what a plan selects."""

from __future__ import annotations

from typing import Final

from localcloud.plugins.table import ResourceType

RESOURCES: Final[tuple[ResourceType, ...]] = ()
