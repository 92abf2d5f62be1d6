"""What botBrains promises its customers for a disruption, as typed data.

Every number and every name that the continuity policy states stands in `plan.yaml` and nowhere else. Everything else
reads it from here:

    from plan import load

    load().retention.database_backup_days
"""

from __future__ import annotations

from plan.loading import load
from plan.model import Plan
from plan.problems import PlanError

__all__ = ["Plan", "PlanError", "load"]
