"""Recovery of stacks after `pulumi` was killed in the local cloud: their locks and pending operations.

A killed engine leaves the stack locked, and its last steps marked as pending: it had sent a request to a cloud and
never recorded the answer. The object may exist or not. In a real account an operator has to look. Here the clouds are
queried by the name or number that the creation would have used. So the next update neither creates the object twice nor
loses it.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from localcloud.instance.folder import Folder, LocalCloudError, Running
from localcloud.runtime.environment import STAND_INS

_BROKER_PATIENCE = 60.0


@dataclass(frozen=True)
class Recovered:
    """Result for one stack:

    removed locks, creations that were found in the clouds, and creations that never happened.
    """

    stack: str
    locks: int
    adopted: tuple[str, ...]
    dropped: tuple[str, ...]
    others: int
    torn: bool = False

    def sentence(self) -> str:
        parts = []
        if self.torn:
            parts.append("restored the last complete copy of its state, because the newer one was incomplete")
        if self.locks:
            parts.append("released the lock of a pulumi process that no longer runs")
        if self.adopted:
            parts.append(f"kept {len(self.adopted)} resources that it had created ({_names(self.adopted)})")
        if self.dropped:
            parts.append(f"cleared {len(self.dropped)} resources that it had not created ({_names(self.dropped)})")
        if self.others:
            parts.append(f"refreshed {self.others} resources that it was changing")
        return f"{self.stack}: recovered from an interrupted update: {'; '.join(parts)}"


def recover(folder: Folder, running: Running, env: Mapping[str, str], project: Path) -> list[Recovered]:
    """Recover every stack of the local backend; [] if nothing was interrupted."""
    name = _project_name(project)
    found = []
    for state in sorted((folder.backend / ".pulumi" / "stacks" / name).glob("*.json")):
        stack = state.stem
        locks = _dead_locks(folder, name, stack)
        torn = _restore_backup(state)
        pending = _pending(state) if state.exists() else []
        if not locks and not pending and not torn:
            continue
        for lock in locks:
            lock.unlink(missing_ok=True)
        adopted: dict[str, str] = {}
        dropped: list[str] = []
        creating = [operation["resource"] for operation in pending if operation["type"] == "creating"]
        if pending:
            providers = _providers(state)
            for resource in creating:
                identity = _find(running, env, resource, providers)
                if identity is None:
                    dropped.append(resource["urn"])
                else:
                    adopted[resource["urn"]] = identity
            _adopt(env, project, stack, adopted)
        found.append(
            Recovered(
                stack=stack,
                locks=len(locks),
                adopted=tuple(adopted),
                dropped=tuple(dropped),
                others=len(pending) - len(creating),
                torn=torn,
            )
        )
    return found


def _restore_backup(state: Path) -> bool:
    """Replace a state that a kill left incomplete by the engine's backup. Return whether it was incomplete.

    The backup is one step behind. A step that began later has not reached a cloud, because the engine records a step
    before it carries it out. A step that ended later is still pending in the backup, and is looked up like any other. A
    state without a backup was interrupted when its stack was created, and is empty. Next to each file the backend keeps
    attributes, which are optional; incomplete ones are deleted.
    """
    for attributes in state.parent.glob(f"{state.name}*.attrs"):
        if not _whole(attributes):
            attributes.unlink()
    if _whole(state):
        return False
    copy = state.with_suffix(".json.bak")
    if _whole(copy):
        shutil.copyfile(copy, state)
    else:
        state.unlink()
    return True


def _whole(file: Path) -> bool:
    try:
        json.loads(file.read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return True


def _names(urns: tuple[str, ...]) -> str:
    return ", ".join(urn.rsplit("::", 1)[-1] for urn in urns)


def _project_name(project: Path) -> str:
    for line in (project / "Pulumi.yaml").read_text().splitlines():
        if line.startswith("name:"):
            return line.partition(":")[2].strip().strip("\"'")
    raise LocalCloudError(f"{project}/Pulumi.yaml has no `name:`")


def _dead_locks(folder: Folder, project: str, stack: str) -> list[Path]:
    """Return the locks whose holder is gone.

    A live holder is refused, because two updates of a stack destroy each other.
    """
    dead = []
    for lock in (folder.backend / ".pulumi" / "locks" / "organization" / project / stack).glob("*.json"):
        holder = json.loads(lock.read_bytes())
        if holder.get("hostname") in (None, socket.gethostname()) and not _is_pulumi(holder.get("pid")):
            dead.append(lock)
        else:
            raise LocalCloudError(
                f"the stack {stack} is being updated by process {holder.get('pid')} since {holder.get('timestamp')}: "
                "wait for it, or end it"
            )
    return dead


def _is_pulumi(pid: int | None) -> bool:
    """Whether the holder still runs.

    A killed one may stay in the list of processes until its parent collects its status.
    """
    try:
        process = psutil.Process(pid) if pid is not None else None
        return process is not None and process.status() != psutil.STATUS_ZOMBIE and "pulumi" in process.name()
    except psutil.NoSuchProcess:
        return False


def _latest(state: Path) -> dict[str, Any]:
    latest: dict[str, Any] = json.loads(state.read_bytes()).get("checkpoint", {}).get("latest") or {}
    return latest


def _pending(state: Path) -> list[dict[str, Any]]:
    pending: list[dict[str, Any]] = _latest(state).get("pending_operations") or []
    return pending


def _providers(state: Path) -> dict[str, dict[str, Any]]:
    """The settings of each provider of the stack, by the reference in its resources."""
    return {
        f"{resource['urn']}::{resource['id']}": resource.get("inputs", {})
        for resource in _latest(state).get("resources", [])
        if resource["type"].startswith("pulumi:providers:")
    }


def _readable(properties: dict[str, Any]) -> dict[str, Any]:
    """Drop the encrypted properties: credentials are also in the environment, and a name is never secret."""
    return {
        key: value
        for key, value in properties.items()
        if not (isinstance(value, dict) and any(part in value for part in ("ciphertext", "plaintext")))
    }


def _find(
    running: Running, env: Mapping[str, str], resource: dict[str, Any], providers: dict[str, dict[str, Any]]
) -> str | None:
    package = resource["type"].partition(":")[0]
    if package not in STAND_INS:
        return None
    question = {
        "secret": running.secret,
        "plugin": package,
        "environment": {key: env[key] for key in env if key.startswith(("AWS_", "HCLOUD_", "GITHUB_"))},
        "find": {
            "type": resource["type"],
            "settings": _readable(providers.get(resource.get("provider", ""), {})),
            "inputs": _readable(resource.get("inputs", {})),
        },
    }
    with socket.create_connection(("127.0.0.1", running.broker_port), timeout=_BROKER_PATIENCE) as connection:
        connection.sendall(json.dumps(question).encode() + b"\n")
        answer = json.loads(connection.makefile("rb").readline())
    if "error" in answer:
        raise LocalCloudError(f"the search for {resource['urn']} failed: {answer['error']}")
    identity: str | None = answer["id"]
    return identity


def _adopt(env: Mapping[str, str], project: Path, stack: str, adopted: Mapping[str, str]) -> None:
    """Add the found objects to the stack's resources, drop the pending operations, and refresh everything.

    The engine has a flag for this (`refresh --import-pending-creates`). In the tested version (3.259) it drops the
    operation without adding the resource. So the state is edited, with the engine's own export and import.
    """
    exported = json.loads(_pulumi(env, project, "stack", "export", "--stack", stack))
    deployment = exported["deployment"]
    for operation in deployment.pop("pending_operations", []):
        resource = operation["resource"]
        if resource["urn"] in adopted:
            # Its dependencies exist already, so it comes last. The refresh reads its outputs.
            made = {**resource, "id": adopted[resource["urn"]], "outputs": resource.get("inputs", {})}
            deployment["resources"].append(made)
    _pulumi(env, project, "stack", "import", "--stack", stack, given=json.dumps(exported))
    _pulumi(env, project, "refresh", "--yes", "--skip-preview", "--non-interactive", "--stack", stack)


def _pulumi(env: Mapping[str, str], project: Path, *arguments: str, given: str | None = None) -> str:
    command = ["pulumi", *arguments]
    done = subprocess.run(command, cwd=project, env=dict(env), input=given, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LocalCloudError(f"`{' '.join(command)}` failed:\n{(done.stdout + done.stderr).strip()[-3000:]}")
    return done.stdout
