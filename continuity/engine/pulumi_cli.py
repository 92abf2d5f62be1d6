"""Calls of the `pulumi` program: with its output in the operator's terminal, or captured and parsed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

from continuity.engine.stacks import POLICY_PACK, PROJECT, Stack
from continuity.errors import EngineError, SetupError, StoppedError
from continuity.programs import starting

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""The engine writes this for a value that is not known yet. It is a constant of its protocol."""


def preview(stack: Stack, options: Sequence[str] = (), **environment: str) -> None:
    """Run `pulumi preview` with the policy pack. It reports values of other stacks that do not exist yet."""
    run(["preview", "--stack", stack, "--policy-pack", str(POLICY_PACK), *options], **environment)


def read_outputs(stack: Stack) -> dict[str, Any] | None:
    """The outputs in a stack's state. None if the stack does not exist or is empty.

    They are read from the export, which needs no access to the key of the state's secrets.
    """
    roots = (each for each in _exported(stack) if each["type"] == "pulumi:pulumi:Stack")
    found: dict[str, Any] = next(roots, {}).get("outputs") or {}
    # An output that an update left out has this mark instead of a value.
    return {name: value for name, value in found.items() if value != UNKNOWN} or None


def read_resources(stack: Stack) -> list[dict[str, Any]]:
    """The resources in a stack's state, without the engine's own entries. Empty if the stack does not exist."""
    return [each for each in _exported(stack) if not each["type"].startswith("pulumi:")]


def _exported(stack: Stack) -> list[dict[str, Any]]:
    deployment = (read_stack("export", stack) or {}).get("deployment") or {}
    resources: list[dict[str, Any]] = deployment.get("resources") or []
    return resources


def read_stack(command: str, stack: Stack, *options: str) -> Any:
    """Run `pulumi stack COMMAND`, and return the JSON that it prints. None if the stack does not exist.

    Raises:
        EngineError: the command failed, or printed no JSON.
    """
    arguments = ["stack", command, "--stack", stack, "--non-interactive", *options]
    with starting("pulumi"):
        done = subprocess.run([find_pulumi(), *arguments], cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        if "no stack named" in done.stderr:
            return None
        raise EngineError(done.stderr.strip())
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise EngineError(f"`pulumi` printed no JSON, but: {done.stdout.strip()[:200] or 'nothing'}") from None


def run(arguments: Sequence[str], **environment: str) -> None:
    """Run `pulumi` in the operator's terminal, with `environment` added to its environment.

    Ctrl-C reaches Pulumi too. This function then waits until Pulumi has ended the steps that it began.

    Raises:
        StoppedError: it failed, after a Ctrl-C.
        EngineError: it failed.
    """
    with starting("pulumi"):
        process = subprocess.Popen([find_pulumi(), *arguments], cwd=PROJECT, env={**os.environ, **environment})
    failure = EngineError
    while True:
        try:
            code = process.wait()
            break
        except KeyboardInterrupt:
            failure = StoppedError
    if code != 0:
        raise failure(f"`pulumi {' '.join(arguments[:3])}` ended with exit code {code}", code)


def find_pulumi() -> str:
    """The path of `pulumi`. Raises `SetupError` if it is not on PATH."""
    found = shutil.which("pulumi")
    if found is None:
        raise SetupError(
            "`pulumi` is not on PATH: use `make shell`, or install it (https://www.pulumi.com/docs/install/)"
        )
    return found
