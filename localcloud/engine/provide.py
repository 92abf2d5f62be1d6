"""Provides the engine: `pulumi` on PATH, or else a build from its source in the user's cache.

A machine with the Pulumi CLI uses it. A machine that cannot download the CLI builds the same program from the Go module
registry, which takes some minutes once. A build is keyed by its sources, is put in place by one rename, and is shared
by every clone.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from localcloud.instance.folder import LocalCloudError

_SOURCES = Path(__file__).parent
_ENGINE_MODULE = "github.com/pulumi/pulumi/pkg/v3"
_HOST = "pulumi-language-python"
_SDK_MODULE = "github.com/pulumi/pulumi/sdk/v3"
# The oldest engine that the SDKs in uv.lock support (their packages require it).
_OLDEST = (3, 231, 0)
_QUIET_STEP = 20.0  # seconds between progress lines when the output is not a terminal


@dataclass(frozen=True)
class Engine:
    """`pulumi`: the program, with its language host next to it, where the engine looks first. `built`: built here."""

    pulumi: Path
    built: bool


def provide(console: Console, without: Path | None = None) -> Engine:
    """Return the engine, and build it first if necessary. Skip `without` on PATH, the folder of our shims."""
    found = _on_path(without)
    if found is not None and (found.parent / _HOST).exists():
        _check_version(found)
        return Engine(pulumi=found, built=False)
    sources = (_SOURCES / "go.mod", _SOURCES / "go.sum", _SOURCES / _HOST / "main.go")
    return Engine(pulumi=_built(console, sources) / "pulumi", built=True)


def cache() -> Path:
    """`XDG_CACHE_HOME` or `~/.cache`, which outlives every clone."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "localcloud"


def _on_path(without: Path | None) -> Path | None:
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    kept = os.pathsep.join(folder for folder in folders if without is None or Path(folder) != without)
    found = shutil.which("pulumi", path=kept)
    return Path(found).resolve() if found else None


def _check_version(pulumi: Path) -> None:
    said = subprocess.run([pulumi, "version"], capture_output=True, text=True, check=False).stdout.strip()
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", said)
    if not match or tuple(map(int, match.groups())) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise LocalCloudError(
            f"{pulumi} reports version {said or 'nothing'}; the SDKs need {oldest} or newer. Update it, "
            "or remove it from PATH to build the engine from its source"
        )


@contextmanager
def _one_build(console: Console, target: Path) -> Iterator[None]:
    """Allow one build per machine: a second clone prints that it waits, and waits for the first."""
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{target}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        console.print("another process is building the engine; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _built(console: Console, sources: tuple[Path, ...]) -> Path:
    key = hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    target = cache() / "engine" / key
    if target.exists():
        return target
    go = shutil.which("go")
    if go is None:
        raise LocalCloudError(
            "neither `pulumi` nor `go` is on PATH. Install the Pulumi CLI (https://www.pulumi.com/docs/install/), "
            "or Go 1.25 or newer (https://go.dev/dl/) to build the engine from its source"
        )
    with _one_build(console, target):
        if target.exists():
            return target
        folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=".building-"))
        try:
            _build(console, go, folder)
            folder.chmod(0o755)
            os.replace(folder, target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return target


def _build(console: Console, go: str, folder: Path) -> None:
    version = _go(go, "list", "-m", "-f", "{{.Version}}", _ENGINE_MODULE).strip()
    console.print(f"Building the Pulumi engine {version} from its source (once, several minutes; no pulumi on PATH)")
    _compile(console, go, f"{_ENGINE_MODULE}/cmd/pulumi", folder / "pulumi", version)
    console.print("Building its language host for Python")
    _compile(console, go, f"./{_HOST}", folder / _HOST, None)
    sdk = Path(_go(go, "list", "-m", "-f", "{{.Dir}}", _SDK_MODULE).strip())
    runner = sdk / "python" / "cmd" / f"{_HOST}-exec"
    shutil.copyfile(runner, folder / runner.name)


def _go(go: str, *arguments: str) -> str:
    result = subprocess.run([go, *arguments], cwd=_SOURCES, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise LocalCloudError(f"`go {' '.join(arguments)}` failed:\n{result.stderr.strip()[-2000:]}")
    return result.stdout


def _compile(console: Console, go: str, package: str, target: Path, version: str | None) -> None:
    """Run `go build` with a progress display: compiled packages out of all packages of the program."""
    console.print("  fetching the modules and counting the packages")
    total = len(_go(go, "list", "-deps", package).split())
    flags = "-s -w"
    if version is not None:
        flags += f" -X {_SDK_MODULE}/go/common/version.Version={version}"
    process = subprocess.Popen(
        [go, "build", "-v", "-buildvcs=false", "-ldflags", flags, "-o", str(target), package],
        cwd=_SOURCES,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    said: list[str] = []
    try:
        _show(console, process.stderr or (), total, said)
        code = process.wait()
    except BaseException:  # on Ctrl-C the compiler stops too
        process.terminate()
        process.wait()
        raise
    if code != 0:
        raise LocalCloudError(f"`go build {package}` failed:\n" + "\n".join(said[-20:]))


def _show(console: Console, lines: Iterable[str], total: int, said: list[str]) -> None:
    started = shown = time.monotonic()
    columns = (
        TextColumn("  compiling"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("packages"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("compile", total=total)
        for line in lines:
            said.append(line.rstrip())
            progress.update(task, completed=len(said))
            if not console.is_terminal and time.monotonic() - shown > _QUIET_STEP:
                shown = time.monotonic()
                console.print(f"  compiling: {len(said)} of {total} packages, {shown - started:.0f} s")
        # Packages that were compiled earlier do not appear again.
        progress.update(task, completed=total)
    console.print(f"  built in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    print(provide(Console(file=sys.stderr)).pulumi)
