"""`podman` on a host of the local cloud: an image is one of the sample programs, run as a process.

The last part of the image's name selects the program: `api` or `worker`. An unknown flag is refused, because its effect
would be missing. A container's environment has only the variables that its flags give it.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path

_IMAGE = re.compile(r"(?P<name>[a-z0-9][\w./:-]*?)@sha256:(?P<digest>[0-9a-f]{64})")
_PROGRAMS = {"api": "api.py", "worker": "worker.py"}
# Flags about storing, limiting or pulling a container, without an effect here.
_WITH_VALUE = frozenset({
    "--pull", "--stop-timeout", "--stop-signal", "--log-driver", "--memory", "--cpus", "--pids-limit", "--cap-drop",
    "--cap-add", "--security-opt", "--user", "--userns", "--tmpfs", "--ulimit", "--label", "--cgroups", "--sdnotify",
    "--restart", "--hostname", "--shm-size", "--volume", "-v", "--health-cmd", "--uts", "--memory-swap", "--retry",
    "--init-path", "--image-volume",
})  # fmt: skip
_ALONE = frozenset(
    {"--rm", "--replace", "--read-only", "--init", "--no-healthcheck", "--quiet", "-q", "-d", "--detach"}
)


def main(arguments: list[str]) -> int:
    match arguments:
        case ["run", *rest]:
            return _run(rest)
        case ["pull", *rest]:
            return _pull(rest)
        case ["stop" | "kill" | "rm" as verb, *rest]:
            return _stop(verb, rest)
        case ["image", "exists", image]:
            return 0 if _IMAGE.fullmatch(image) else 1
        case ["--version"]:
            print("podman version 5.4.2 (the local cloud's stand-in)")
            return 0
    return _refuse(f"podman {' '.join(arguments)} is not done here")


def _run(arguments: list[str]) -> int:
    environment: dict[str, str] = {}
    name = None
    words = list(arguments)
    while words and words[0].startswith("-"):
        flag, joined, value = words.pop(0).partition("=")
        if flag in _ALONE:
            if flag in ("-d", "--detach"):
                return _refuse("podman run --detach is not done here; a unit runs its container in the foreground")
            continue
        if flag not in (*_WITH_VALUE, "--name", "--network", "--net", "--env-file", "--env", "-e"):
            return _refuse(f"podman run {flag} is not known here")
        if not joined:
            if not words:
                return _refuse(f"podman run {flag} needs a value")
            value = words.pop(0)
        if flag == "--name":
            name = value
        elif flag in ("--network", "--net"):
            if value != "host":
                return _refuse(f"podman run --network={value} is not done here; a host has only its own network")
        elif flag == "--env-file":
            try:
                environment.update(_variables(Path(value)))
            except OSError as fault:
                return _refuse(f"Error: parsing file {value!r}: {fault}")
        elif flag in ("--env", "-e"):
            key, given, content = value.partition("=")
            environment[key] = content if given else os.environ.get(key, "")
    if not words:
        return _refuse("Error: an image is needed")
    program = _program(words[0])
    if program is None:
        return 125
    environment["IMAGE"] = words[0]
    for mark in ("LOCALCLOUD_MACHINE", "LOCALCLOUD_UNIT", "SSL_CERT_FILE", "NO_PROXY", "no_proxy", "PATH"):
        if mark in os.environ:
            environment.setdefault(mark, os.environ[mark])
    environment.update({key: os.environ[key] for key in ("LOCALCLOUD_MACHINE", "LOCALCLOUD_UNIT") if key in os.environ})
    environment.setdefault("HOME", "/")
    if name is not None:
        noted = _noted(name)
        noted.parent.mkdir(parents=True, exist_ok=True)
        noted.write_text(str(os.getpid()))
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-I", str(program), *words[1:]], environment)
    return 126


def _program(image: str) -> Path | None:
    found = _IMAGE.fullmatch(image)
    if found is None:
        _refuse(
            f"Error: {image!r} does not name an image by its digest (NAME@sha256:...); other forms are not done here"
        )
        return None
    last = found["name"].rsplit("/", 1)[-1].split(":")[0]
    if last not in _PROGRAMS:
        _refuse(f"Error: {image}: unknown image; the local cloud has {' and '.join(_PROGRAMS)}")
        return None
    return Path(__file__).resolve().parents[2] / "sample" / _PROGRAMS[last]


def _pull(arguments: list[str]) -> int:
    images = [word for word in arguments if not word.startswith("-")]
    return 0 if images and all(_program(image) is not None for image in images) else 125


def _stop(verb: str, arguments: list[str]) -> int:
    """Stop or kill containers by name. `stop` waits ten seconds, or the given number, and then kills."""
    patience, names, ignore = 10.0, [], False
    words = list(arguments)
    while words:
        flag, joined, value = words.pop(0).partition("=")
        if flag in ("-t", "--time", "--timeout"):
            patience = float(value if joined else words.pop(0))
        elif flag in ("-i", "--ignore", "-f", "--force"):
            ignore = True
        elif flag.startswith("-"):
            return _refuse(f"podman {verb} {flag} is not known here")
        else:
            names.append(flag)
    code = 0
    for name in names:
        try:
            pid = int(_noted(name).read_text())
            os.kill(pid, signal.SIGTERM if verb == "stop" else signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            if not ignore:
                code = _refuse(f"Error: no container with name or ID {name!r} found")
            continue
        deadline = time.monotonic() + patience
        while _runs(pid):
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        _noted(name).unlink(missing_ok=True)
    return code


def _runs(pid: int) -> bool:
    """Whether a process runs.

    One that has ended, but whose parent has not collected its status, has no command line.
    """
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def _noted(name: str) -> Path:
    return Path(os.environ["LOCALCLOUD_RUN"]) / "containers" / name


def _variables(file: Path) -> dict[str, str]:
    """Parse like podman: NAME=value up to the line's end, with quotes; a bare NAME comes from the environment."""
    found = {}
    for line in file.read_text().splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            key, given, value = line.partition("=")
            found[key.strip()] = value if given else os.environ.get(key.strip(), "")
    return found


def _refuse(said: str) -> int:
    print(said, file=sys.stderr)
    return 125


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
