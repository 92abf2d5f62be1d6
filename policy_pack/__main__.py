"""Starts the policy pack for Pulumi's engine. The first thing printed is the port that it listens on."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# It lives for one command, and next to nothing that it makes is garbage before it ends.
gc.disable()

HERE = Path(__file__).resolve().parent
# The engine runs this folder from any working directory, so the packages next to it are not on the path.
sys.path.insert(0, str(HERE.parent))

import yaml  # noqa: E402

from policy_pack.engine.analyzer import serve  # noqa: E402
from policy_pack.verdicts import Judge  # noqa: E402


def announced(value: Any) -> Any:
    """The plan's values as attributes, without the model that checks them, which `loaded` does."""
    if isinstance(value, dict):
        return SimpleNamespace(**{name: announced(item) for name, item in value.items()})
    return tuple(announced(item) for item in value) if isinstance(value, list) else value


def loaded() -> Judge:
    """The judge by the plan, checked. While this loads, the engine starts the program."""
    from plan import load

    return Judge(load())


if __name__ == "__main__":
    plan = (HERE.parent / "plan" / "plan.yaml").read_bytes()
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    # The engine starts it with its own address in front of the pack's folder.
    serve(announced(yaml.load(plan, loader)), loaded, sys.argv[1])  # noqa: S506 - both are safe ones
