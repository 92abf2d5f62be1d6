"""Makes good what a killed `pulumi` left behind in the local cloud: its lock, and what it was just making.

A killed engine leaves the stack locked, and its last steps noted as pending: it had asked a cloud for something and
never wrote the answer down. The object may exist or not. In a real account a person looks; here the clouds can be
asked, by the name or number that the creation would have used, so that the next update neither makes it twice nor
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
    """What was done for one stack: locks taken away; creations found in the clouds, and those that never came."""

    stack: str
    locks: int
    adopted: tuple[str, ...]
    dropped: tuple[str, ...]
    others: int
    torn: bool = False

    def sentence(self) -> str:
        parts = []
        if self.torn:
            parts.append("took its state's last whole copy, because it was killed while it wrote a newer one")
        if self.locks:
            parts.append("released the lock of a pulumi that no longer runs")
        if self.adopted:
            parts.append(f"kept {len(self.adopted)} that it had just made ({_names(self.adopted)})")
        if self.dropped:
            parts.append(f"cleared {len(self.dropped)} that it had not made yet ({_names(self.dropped)})")
        if self.others:
            parts.append(f"read {self.others} again that it was changing")
        return f"{self.stack}: recovered from an interrupted update: {'; '.join(parts)}"


def recover(folder: Folder, running: Running, env: Mapping[str, str], project: Path) -> list[Recovered]:
    """Look at every stack of the local backend; [] where nothing was interrupted."""
    name = _project_name(project)
    found = []
    for state in sorted((folder.backend / ".pulumi" / "stacks" / name).glob("*.json")):
        stack = state.stem
        locks = _dead_locks(folder, name, stack)
        torn = _mend(state)
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
            _take_in(env, project, stack, adopted)
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


def _mend(state: Path) -> bool:
    """Whether the state was torn by a kill while it was written, and is now the copy that the engine makes before.

    The copy is one step behind. A step that began after it had asked no cloud for anything yet, because the engine
    notes a step before it takes it; one that ended after it is still pending in the copy, and is looked for like any
    other. A state without a copy was torn when its stack was made, with nothing in it. Beside each file the backend
    keeps attributes, which it can do without; torn ones are taken away.
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
    """The locks whose holder is gone; a living one is refused, because two updates of a stack destroy each other."""
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
    """Whether the holder still runs. One that was killed may stay in the list of processes until its parent looks."""
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
    """The settings of each provider of the stack, by the reference that its resources carry."""
    return {
        f"{resource['urn']}::{resource['id']}": resource.get("inputs", {})
        for resource in _latest(state).get("resources", [])
        if resource["type"].startswith("pulumi:providers:")
    }


def _readable(properties: dict[str, Any]) -> dict[str, Any]:
    """Without what is encrypted in the state: a credential is in the environment too, and no name is a secret."""
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
        raise LocalCloudError(f"looking for {resource['urn']}: {answer['error']}")
    identity: str | None = answer["id"]
    return identity


def _take_in(env: Mapping[str, str], project: Path, stack: str, adopted: Mapping[str, str]) -> None:
    """Put what was found among the stack's resources, drop the notes of what was pending, and read everything again.

    The engine has a flag for this (`refresh --import-pending-creates`), which in the version that was looked at (3.259)
    takes the note away and not the resource in; so the state is edited, by its own export and import.
    """
    exported = json.loads(_pulumi(env, project, "stack", "export", "--stack", stack))
    deployment = exported["deployment"]
    for operation in deployment.pop("pending_operations", []):
        resource = operation["resource"]
        if resource["urn"] in adopted:
            # What it stands on was there before it, so it comes last. The refresh finds out what its outputs are.
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
