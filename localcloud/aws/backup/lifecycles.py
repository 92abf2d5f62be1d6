"""Lifecycles of recovery points: the values that AWS allows, and the limits of a vault's lock.

A lifecycle is AWS's document: `DeleteAfterDays` (days, kept forever without it), `MoveToColdStorageAfterDays` (days,
which AWS ignores for RDS) and `OptInToArchiveForSupportedResources`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from moto.backup.models import Vault

Lifecycle = Mapping[str, Any]

_LONGEST: Final = 36500
_LONGEST_CONTINUOUS: Final = 35
_SHORTEST_IN_COLD_STORAGE: Final = 90


def wrong(lifecycle: Lifecycle | None, continuous: bool = False) -> str | None:
    """Return the reason for which AWS refuses a lifecycle, or `None`. The bounds are from the API reference."""
    lifecycle = lifecycle or {}
    delete, cold = lifecycle.get("DeleteAfterDays"), lifecycle.get("MoveToColdStorageAfterDays")
    if lifecycle.get("DeleteAfterEvent") is not None:
        return "Invalid lifecycle. DeleteAfterEvent is not valid as an input"
    if continuous:
        if cold is not None:
            return "Invalid lifecycle. MoveToColdStorageAfterDays is unavailable"
        if delete is None or not 1 <= delete <= _LONGEST_CONTINUOUS:
            return (
                f"Invalid lifecycle. DeleteAfterDays of continuous backups is {delete}; it cannot be less than 1 or "
                f"more than {_LONGEST_CONTINUOUS} days"
            )
    if delete is not None and not 1 <= delete <= _LONGEST:
        return f"Invalid lifecycle. DeleteAfterDays cannot be less than 1 or more than {_LONGEST} days"
    if cold is not None and not 1 <= cold <= _LONGEST:
        return f"Invalid lifecycle. MoveToColdStorageAfterDays cannot be less than 1 or more than {_LONGEST} days"
    if cold is not None and delete is not None and delete < cold + _SHORTEST_IN_COLD_STORAGE:
        return (
            f"Invalid lifecycle. DeleteAfterDays cannot be less than {_SHORTEST_IN_COLD_STORAGE} days apart from "
            "MoveToColdStorageAfterDays"
        )
    return None


def outside_lock(vault: Vault, lifecycle: Lifecycle | None) -> str | None:
    """Return the reason for which a job with this lifecycle fails in this vault, or `None`."""
    days = (lifecycle or {}).get("DeleteAfterDays")
    if not vault.locked:
        return None
    if vault.min_retention_days is not None and days is not None and days < vault.min_retention_days:
        return (
            f"The retention period of {days} days is shorter than the minimum of {vault.min_retention_days} days that "
            f"the lock of backup vault {vault.backup_vault_name} allows."
        )
    if vault.max_retention_days is not None and (days is None or days > vault.max_retention_days):
        return (
            f"The retention period of {'unlimited' if days is None else days} days is longer than the maximum of "
            f"{vault.max_retention_days} days that the lock of backup vault {vault.backup_vault_name} allows."
        )
    return None
