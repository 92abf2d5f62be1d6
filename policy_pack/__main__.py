"""Starts the policy pack for Pulumi's engine. The first thing printed is the port that it listens on, by the SDK."""

from __future__ import annotations

import sys
from pathlib import Path

# The engine runs this folder, from wherever it is, and so knows nothing of the packages beside it.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pulumi_policy import EnforcementLevel, PolicyPack

from plan import load
from policy_pack.adapter import PACK_NAME, pack

if __name__ == "__main__":
    PolicyPack(
        name=PACK_NAME,
        policies=[*pack(load())],
        enforcement_level=EnforcementLevel.MANDATORY,
        description="What botBrains promises its customers for a disruption, enforced before anything is deployed.",
    )
