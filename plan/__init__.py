"""The continuity policy as typed data: botBrains' promises to its customers for a disruption.

Every number and every name in the continuity policy is defined in `plan.yaml` only. All other code reads it from here:

    from plan import load

    load().retention.database_backup_days
"""

from __future__ import annotations

from plan.loading import load
from plan.model import Plan
from plan.problems import PlanError

__all__ = ["Plan", "PlanError", "load"]
