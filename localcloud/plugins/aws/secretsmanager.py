"""Secrets Manager: secrets, and their replicas in other regions."""

from __future__ import annotations

from typing import Final

from localcloud.plugins.table import ResourceType

RESOURCES: Final[tuple[ResourceType, ...]] = ()
