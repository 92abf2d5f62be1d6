"""The Pulumi program of botBrains' infrastructure: one program for four stacks, which differ only in configuration.

`stacks/` composes the vault, production, GitHub and recovery. `Pulumi.<stack>.yaml` configures each.
"""

from __future__ import annotations

import atexit
import gc

import pulumi

import plan
from policy_pack.engine.program import enforce
from stacks.context import Outputs, StackContext
from stacks.settings import GitHubSettings, ProductionSettings, RecoverySettings, VaultSettings, load

# A run takes seconds, and nearly all of its objects are code of the SDKs, which lives as long as the run. Garbage
# collection took a quarter of a preview's time (benchmarks/preview.py), part of it at the very end.
gc.disable()
atexit.register(gc.freeze)


def declare(promised: plan.Plan) -> Outputs:
    """Declare the configured stack. Each stack imports only the SDKs that it needs: one takes half a second to load."""
    match load(promised):
        case VaultSettings() as settings:
            from stacks.vault import vault

            return vault(StackContext(settings, promised))
        case ProductionSettings() as settings:
            from stacks.production import production

            return production(StackContext(settings, promised))
        case GitHubSettings() as settings:
            from stacks.repository import repository

            return repository(settings, promised)
        case RecoverySettings() as settings:
            from stacks.recovery import recovery

            return recovery(StackContext(settings, promised))


try:
    promised = plan.load()
except plan.PlanError as error:
    # Pulumi shows only the message of a RunError, without a traceback. The message states what is wrong and what to do.
    raise pulumi.RunError(str(error)) from None
# The program enforces the policy pack's rules itself, so they also apply to a plain `pulumi up` without the pack.
enforce(promised)
for name, value in declare(promised).items():
    pulumi.export(name, value)
