"""The three stacks of the one program, brought up and read through Pulumi's own command.

Whether they land in real accounts or in the local cloud is a matter of the environment alone.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from continuity.errors import EngineError, SetupError, StoppedError
from plan import names

PROJECT = Path(__file__).resolve().parents[2]
POLICY_PACK = PROJECT / "policy_pack"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine writes for a value that is not known yet. It is a constant of its protocol."""


class Stack(StrEnum):
    """The stacks, in the order in which they come up: what outlives the others is there before them."""

    VAULT = names.VAULT
    PROD = names.PRODUCTION
    DR = names.RECOVERY


_NEEDS: dict[Stack, tuple[Stack, ...]] = {Stack.VAULT: (), Stack.PROD: (Stack.VAULT,), Stack.DR: (Stack.VAULT,)}


def in_order(stacks: Sequence[Stack], with_needs: bool) -> list[Stack]:
    """The named stacks in the order in which they come up; with the stacks that they need, where asked."""
    wanted = set(stacks)
    if with_needs:
        wanted.update(need for stack in stacks for need in _NEEDS[stack])
    return [stack for stack in Stack if stack in wanted]


def configuration(stack: Stack) -> dict[str, Any]:
    """The settings in a stack's file, by their keys with the namespace. They are known before the stack exists.

    Raises:
        SetupError: the file cannot be read, or is not a stack's configuration.
    """
    file = PROJECT / f"Pulumi.{stack}.yaml"
    try:
        found = yaml.safe_load(file.read_text())["config"]
        return {str(key): value for key, value in found.items()}
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise SetupError(f"{file.name} cannot be read as a stack's configuration: {error}") from None


def preview(stack: Stack, extra: Sequence[str] = (), **more: str) -> None:
    """`pulumi preview` with the policy pack in force. Of another stack's values that do not exist yet it says so."""
    run(["preview", "--stack", stack, "--policy-pack", str(POLICY_PACK), *extra], **more)


def outputs(stack: Stack) -> dict[str, Any] | None:
    """What a stack says of itself, from its state; None when it does not exist or nothing is in it."""
    done = _pulumi(["stack", "output", "--stack", stack, "--json", "--non-interactive"])
    if done.returncode != 0:
        if "no stack named" in done.stderr:
            return None
        raise EngineError(done.stderr.strip())
    found: dict[str, Any] = parsed(done.stdout)
    # What an update left out has a mark instead of a value.
    return {name: value for name, value in found.items() if value != UNKNOWN} or None


def resources(stack: Stack) -> list[dict[str, Any]]:
    """What is in a stack's state, the engine's own entries aside; nothing when the stack does not exist."""
    done = _pulumi(["stack", "export", "--stack", stack, "--non-interactive"])
    if done.returncode != 0:
        if "no stack named" in done.stderr:
            return []
        raise EngineError(done.stderr.strip())
    found: list[dict[str, Any]] = (parsed(done.stdout).get("deployment") or {}).get("resources") or []
    return [resource for resource in found if not resource["type"].startswith("pulumi:")]


def run(arguments: Sequence[str], **more: str) -> None:
    """Run `pulumi` in the person's sight, with `more` in its environment.

    Ctrl-C reaches it too, and it is waited for while it ends its steps.

    Raises:
        StoppedError: it failed, after a Ctrl-C.
        EngineError: it failed.
    """
    with starting("pulumi"):
        process = subprocess.Popen([program(), *arguments], cwd=PROJECT, env={**os.environ, **more})
    failure = EngineError
    while True:
        try:
            code = process.wait()
            break
        except KeyboardInterrupt:
            failure = StoppedError
    if code != 0:
        raise failure(f"`pulumi {' '.join(arguments[:3])}` ended with exit code {code}", code)


def read(arguments: Sequence[str]) -> str:
    done = _pulumi(arguments)
    if done.returncode != 0:
        raise EngineError(f"`pulumi {' '.join(arguments)}`: {done.stderr.strip()}", done.returncode)
    return done.stdout


def _pulumi(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    with starting("pulumi"):
        return subprocess.run([program(), *arguments], cwd=PROJECT, capture_output=True, text=True, check=False)


def parsed(text: str) -> Any:
    """What Pulumi printed as JSON."""
    try:
        return json.loads(text)
    except ValueError:
        raise EngineError(f"`pulumi` printed no JSON, but: {text.strip()[:200] or 'nothing'}") from None


@contextmanager
def starting(name: str) -> Iterator[None]:
    """A program that cannot be started is missing, or of another kind of machine."""
    try:
        yield
    except OSError as error:
        raise SetupError(f"`{name}` cannot be started: {error.strerror or error}") from None


def program() -> str:
    """`pulumi`, wherever it is on PATH. Raises `SetupError` when it is not."""
    found = shutil.which("pulumi")
    if found is None:
        raise SetupError(
            "`pulumi` is not on PATH: use `make shell`, or install it (https://www.pulumi.com/docs/install/)"
        )
    return found
