"""Wrapper of `pulumi` in the local cloud's environment. It uses local copies of the stacks' configuration.

    shim.py STATE_FOLDER REAL_PULUMI [arguments of pulumi]

The engine writes a stack's encryption salt into `Pulumi.STACK.yaml`. That file is tracked, and in production it names
the real key. So in the local cloud the engine gets a copy in the ignored folder: the present content of the tracked
file, with the local cloud's own salt instead of the real key. A stack that the local backend does not have is created.

The wrapper imports only the standard library, because it runs before every command.
"""

import fcntl
import json
import os
import re
import subprocess
import sys
from pathlib import Path

# Commands that read a stack's configuration file, and therefore get the copy.
_READERS = {"config", "destroy", "dn", "down", "import", "logs", "pre", "preview", "refresh", "up", "update", "watch"}
_ENCRYPTION = re.compile(r"^(secretsprovider|encryptedkey|encryptionsalt):.*\n?", re.MULTILINE)
_SALT = re.compile(r"^encryptionsalt: *(\S+)", re.MULTILINE)
_VALUE_FLAGS = {"-s": "stack", "--stack": "stack", "-C": "cwd", "--cwd": "cwd"}


def main(folder: Path, real: str, arguments: list[str]) -> int:
    words, options = _parse(arguments)
    project = _project(Path(options.get("cwd", ".")).resolve())
    # `stack rm` would also delete the tracked file.
    os.environ["PULUMI_OPTION_PRESERVE_CONFIG"] = "true"
    if project is None or "--config-file" in arguments:
        return _execute(real, arguments)
    if words[:2] == ["stack", "init"] and len(words) > 2:
        _copy(folder, project, words[2].rsplit("/", 1)[-1], real)
        print(f"Created stack '{words[2]}'")
        return 0
    if words[:2] == ["stack", "change-secrets-provider"]:
        print("the stacks of the local cloud keep its own key; run this outside `make shell`", file=sys.stderr)
        return 2
    if words[:1] == ["config"] and words[1:2] and words[1] not in ("get", "env"):
        print(f"edit {project}/Pulumi.STACK.yaml instead; the local cloud reads it at each command", file=sys.stderr)
        return 2
    if words and words[0] in _READERS:
        stack = options.get("stack") or os.environ.get("PULUMI_STACK") or _selected(real, options.get("cwd", "."))
        if stack:
            os.environ["PULUMI_OPTION_CONFIG_FILE"] = str(_copy(folder, project, stack.rsplit("/", 1)[-1], real))
            # Stacks refer to each other. So every stack with a configuration file exists, even if it is empty.
            for tracked in project.glob("Pulumi.*.yaml"):
                _copy(folder, project, tracked.name.split(".", 1)[1].removesuffix(".yaml"), real)
    return _execute(real, arguments)


def _parse(arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    """The words of the command, and the two options that matter here."""
    words: list[str] = []
    options: dict[str, str] = {}
    rest = iter(arguments)
    for argument in rest:
        name, equals, value = argument.partition("=")
        if name in _VALUE_FLAGS:
            options[_VALUE_FLAGS[name]] = value if equals else next(rest, "")
        elif not argument.startswith("-"):
            words.append(argument)
    return words, options


def _project(here: Path) -> Path | None:
    return next((folder for folder in (here, *here.parents) if (folder / "Pulumi.yaml").exists()), None)


def _selected(real: str, cwd: str) -> str:
    """The stack that `pulumi stack select` chose."""
    said = subprocess.run([real, "stack", "--show-name", "--cwd", cwd], capture_output=True, text=True)
    return said.stdout.strip()


def _copy(folder: Path, project: Path, stack: str, real: str) -> Path:
    """Update the local copy of a stack's configuration. Create the stack first if it does not exist."""
    name = re.search(r"^name: *[\"']?([\w.-]+)", (project / "Pulumi.yaml").read_text(), re.MULTILINE)
    if name is None:
        raise SystemExit(f"{project}/Pulumi.yaml has no `name:`")
    here = folder / "config" / name.group(1)
    here.mkdir(parents=True, exist_ok=True)
    copy, tracked = here / f"Pulumi.{stack}.yaml", project / f"Pulumi.{stack}.yaml"
    with open(here / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two simultaneous commands create one stack
        state = folder / "pulumi" / ".pulumi" / "stacks" / name.group(1) / f"{stack}.json"
        salt = (_salt(copy) if state.exists() else None) or _create_stack(state, here, name.group(1), stack, real)
        content = _ENCRYPTION.sub("", tracked.read_text()) if tracked.exists() else ""
        temporary = copy.with_suffix(".new")
        temporary.write_text(f"encryptionsalt: {salt}\n{content}")
        os.replace(temporary, copy)
    return copy


def _salt(file: Path) -> str | None:
    try:
        match = _SALT.search(file.read_text())
    except FileNotFoundError:
        return None
    return match.group(1) if match else None


def _create_stack(state: Path, here: Path, project: str, stack: str, real: str) -> str:
    """Create the stack from a temporary project next to the copy. If this is killed, the next call repairs it."""
    if state.exists():
        latest = json.loads(state.read_text()).get("checkpoint", {}).get("latest") or {}
        salt = latest.get("secrets_providers", {}).get("state", {}).get("salt")
        if salt:
            return str(salt)
        subprocess.run([real, "stack", "rm", stack, "--yes"], cwd=here, capture_output=True)
    (here / "Pulumi.yaml").write_text(f"name: {project}\nruntime: python\n")
    (here / f"Pulumi.{stack}.yaml").unlink(missing_ok=True)
    done = subprocess.run(
        [real, "stack", "init", stack, "--no-select", "--non-interactive"], cwd=here, capture_output=True, text=True
    )
    salt = _salt(here / f"Pulumi.{stack}.yaml")
    if done.returncode != 0 or salt is None:
        raise SystemExit(f"the stack {stack} could not be created: {done.stderr.strip()}")
    return salt


def _execute(real: str, arguments: list[str]) -> int:
    os.execv(real, [real, *arguments])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
