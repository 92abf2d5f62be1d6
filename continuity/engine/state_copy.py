"""A copy of Pulumi's state without its secrets, for previews and drift detection.

The role of these workflows runs the code of pull requests, so it cannot decrypt a secret of the state. Pulumi decrypts
all secrets before a preview. So the preview uses a local copy, in which a fixed text replaces each secret. The program
knows the text (`components/hosts/user_data.py`), so a host whose user data is hidden is not a difference.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from continuity.engine.pulumi_cli import read_stack
from continuity.engine.stacks import PROJECT, Stack
from plan.names import APP, HIDDEN

# The engine's mark of a secret, from its protocol.
_MARK: Final = ("4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270")
# The lines of a stack's file that name the key of its secrets.
_ENCRYPTION: Final = re.compile(r"^(secretsprovider|encryptedkey|encryptionsalt):.*\n?", re.MULTILINE)
# The provider stores this hash in place of the user data.
_HIDDEN_HASH: Final = base64.b64encode(hashlib.sha1(HIDDEN.encode(), usedforsecurity=False).digest()).decode()


@dataclass(frozen=True)
class StateCopy:
    """The copy in a temporary folder. A command that uses it changes no stack."""

    folder: Path
    existing: frozenset[Stack]
    """The stacks that have resources."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment variables of a command that uses the copy."""
        return {"PULUMI_BACKEND_URL": f"file://{self.folder}", "PULUMI_CONFIG_PASSPHRASE": ""}

    def options(self, stack: Stack) -> list[str]:
        """The options of a command that uses the copy of a stack."""
        return ["--config-file", str(self.folder / f"Pulumi.{stack}.yaml")]


@contextmanager
def state_copy() -> Iterator[StateCopy]:
    """Copy the state of all stacks, because a stack reads the outputs of others.

    Raises:
        EngineError: the state cannot be read.
    """
    with TemporaryDirectory(prefix="continuity-") as name:
        folder = Path(name)
        states = {stack: read_stack("export", stack) for stack in Stack}
        stacks = folder / ".pulumi" / "stacks" / APP
        stacks.mkdir(parents=True)
        (folder / ".pulumi" / "meta.yaml").write_text("version: 1\n")
        for stack, state in states.items():
            (stacks / f"{stack}.json").write_text(json.dumps(_checkpoint(stack, state)))
            settings = (PROJECT / f"Pulumi.{stack}.yaml").read_text()
            (folder / f"Pulumi.{stack}.yaml").write_text(_ENCRYPTION.sub("", settings))
        yield StateCopy(folder, frozenset(stack for stack, state in states.items() if _resources(state)))


def _checkpoint(stack: Stack, state: dict[str, Any] | None) -> dict[str, Any]:
    """A stack in the form of the backend's files."""
    checkpoint: dict[str, Any] = {"stack": f"organization/{APP}/{stack}"}
    if state and _resources(state):
        deployment = without_secrets(state["deployment"])
        checkpoint["latest"] = {key: value for key, value in deployment.items() if key != "secrets_providers"}
    return {"version": 3 if state is None else state["version"], "checkpoint": checkpoint}


def _resources(state: dict[str, Any] | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ((state or {}).get("deployment") or {}).get("resources") or []
    return found


def without_secrets(deployment: Any) -> Any:
    """Return a deployment with a fixed text in place of each secret, and of the hash of hidden user data."""
    hidden = _hide(deployment)
    for resource in hidden["resources"]:
        if resource["type"] == "hcloud:index/server:Server" and resource.get("outputs", {}).get("userData") == HIDDEN:
            resource["outputs"]["userData"] = _HIDDEN_HASH
    return hidden


def _hide(value: Any) -> Any:
    if isinstance(value, dict):
        return HIDDEN if _MARK in value.items() else {key: _hide(each) for key, each in value.items()}
    return [_hide(each) for each in value] if isinstance(value, list) else value
