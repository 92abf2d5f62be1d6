"""botBrains' infrastructure: one program, three stacks, which differ by configuration alone.

`stacks/` composes the vault, production and recovery; `Pulumi.<stack>.yaml` configures each.
"""

from __future__ import annotations

import atexit
import gc

import pulumi

import plan
from policy_pack.engine.program import enforce
from stacks.context import Outputs, StackContext
from stacks.settings import ProductionSettings, RecoverySettings, VaultSettings, load

# A run is over in seconds, and nearly all that it creates is code of the SDKs, which lives as long as the run. Looking
# for garbage took a quarter of a preview's time (benchmarks/preview.py), part of it at the very end.
gc.disable()
atexit.register(gc.freeze)


def declare(promised: plan.Plan) -> Outputs:
    """Declares the configured stack. Each stack imports only the SDKs that it needs: one costs half a second."""
    match load(promised):
        case VaultSettings() as settings:
            from stacks.vault import vault

            return vault(StackContext(settings, promised))
        case ProductionSettings() as settings:
            from stacks.production import production

            return production(StackContext(settings, promised))
        case RecoverySettings() as settings:
            from stacks.recovery import recovery

            return recovery(StackContext(settings, promised))


try:
    promised = plan.load()
except plan.PlanError as error:
    # Pulumi shows a RunError's message alone. It already says what is wrong and what to do.
    raise pulumi.RunError(str(error)) from None
# The program applies the rules of the policy pack to itself, so a plain `pulumi up` without the pack is refused too.
enforce(promised)
for name, value in declare(promised).items():
    pulumi.export(name, value)
