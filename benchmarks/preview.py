"""The time of a preview of prod, compared with a program that only imports the same SDK modules.

    make bench          (python -m benchmarks.preview [--pairs N] [--json])

There are two promises. The exit code is 1 if one does not hold:

- the preview, with the policy pack, takes at most 1.5 times as long as the bare imports on the same engine with an
  empty pack. The imports are unavoidable; the rest is the time of the clouds, the rules and the resources.
- from 6 to 40 hosts its time grows no faster than its number of resources.

Each figure is the median over pairs. The two runs of a pair follow one another, so that load on the machine disturbs
both.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from localcloud.engine.provide import provide
from localcloud.instance.folder import Folder
from localcloud.runtime import process
from localcloud.runtime.environment import environment

ROOT = Path(__file__).resolve().parent.parent
MAX_OVER_IMPORTS = 1.5
SIZES = (6, 40)

_progress = Console(stderr=True, highlight=False, soft_wrap=True)

# A pack needs a policy; this one does nothing.
_EMPTY_PACK = """
from pulumi_policy import PolicyPack, StackValidationPolicy

PolicyPack("empty", [StackValidationPolicy("nothing", "does nothing", lambda args, report: None)])
"""

# Runs the program without an engine, and prints the modules of the providers' SDKs that it imports.
_IMPORTED = """
import sys
from tests.components.recording import deploy_stack

deploy_stack("prod", preview=True)
sdks = ("pulumi_aws", "pulumi_hcloud", "pulumi_github")
# The AWS SDK lists all of its modules and loads each at its first use. A module that is only listed does not count.
loaded = (name for name, module in sys.modules.items() if not type(module).__name__.endswith("LazyModule"))
print(*sorted(name for name in loaded if name.split(".")[0] in sdks))
"""


@dataclass(frozen=True)
class Timed:
    seconds: float
    resources: int


class Bench:
    """A separate local cloud with the stack `vault`, in which prod can be previewed before it exists."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cloud = Folder(folder / "localcloud")
        engine = provide(_progress)
        running, _ = process.start(self.cloud)
        self.env = environment(self.cloud, running, engine)
        _progress.print("deploying the vault")
        self.pulumi(ROOT, "up", "--yes", "--skip-preview", "--stack", "vault")
        self.pulumi(ROOT, "stack", "init", "prod")
        self.imports = self._imports_only()

    def close(self) -> None:
        process.erase(self.cloud)

    def pulumi(self, cwd: Path, *arguments: str) -> str:
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=cwd,
            env=dict(self.env),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            sys.exit(f"`pulumi {' '.join(arguments)}` failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def timed(self, cwd: Path, *arguments: str) -> Timed:
        started = time.monotonic()
        output = self.pulumi(cwd, "preview", *arguments)
        seconds = time.monotonic() - started
        found = re.search(r"\+ (\d+) to create", output)
        return Timed(seconds, int(found.group(1)) if found else 0)

    def in_turn(self, kinds: Mapping[str, tuple[Path, Sequence[str]]], pairs: int) -> dict[str, list[Timed]]:
        """Run previews of each kind in turn, each with its folder and arguments."""
        runs: dict[str, list[Timed]] = {name: [] for name in kinds}
        for turn in range(pairs + 1):
            for name, (cwd, arguments) in kinds.items():
                timed = self.timed(cwd, *arguments)
                if turn:  # the first of each fills caches and does not count
                    runs[name].append(timed)
                    _progress.print(
                        f"  pair {turn} of {pairs}: {name}: {timed.seconds:.2f} s, {timed.resources} resources"
                    )
        return runs

    def prod(self, hosts: int | None = None) -> list[str]:
        """Return the arguments of a preview of prod, as configured or with `hosts` hosts (one standby a role)."""
        config = yaml.safe_load((ROOT / "Pulumi.prod.yaml").read_text())
        if hosts is not None:
            for role in config["config"]["botbrains:hosts"].values():
                if isinstance(role, dict):
                    role.update(active=hosts // 2 - 1, standby=1)
        file = self.folder / f"Pulumi.{hosts or 'prod'}.yaml"
        file.write_text(yaml.safe_dump(config))
        return ["--stack", "prod", "--policy-pack", str(ROOT / "policy_pack"), "--config-file", str(file)]

    def _imports_only(self) -> Path:
        """Create a project whose program only imports the modules of prod's program, and a pack without policies."""
        found = subprocess.run(
            [sys.executable, "-c", _IMPORTED],
            cwd=ROOT,
            env=dict(self.env),
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        if not {"pulumi_aws", "pulumi_hcloud"} <= set(found):
            sys.exit(f"prod's program must import two SDKs; it imports: {' '.join(found)}")
        project = self.folder / "imports"
        (project / "empty_pack").mkdir(parents=True)
        options = f"  name: python\n  options:\n    toolchain: pip\n    virtualenv: {sys.prefix}\n"
        (project / "Pulumi.yaml").write_text(f"name: imports\nruntime:\n{options}")
        (project / "__main__.py").write_text("\n".join(["import pulumi", *(f"import {name}" for name in found)]))
        (project / "empty_pack" / "PulumiPolicy.yaml").write_text(f"runtime:\n{options}")
        (project / "empty_pack" / "__main__.py").write_text(_EMPTY_PACK)
        self.pulumi(project, "stack", "init", "dev")
        _progress.print(f"the bare program imports {len(found)} modules of three SDKs")
        return project


Result = dict[str, Any]
"""The figures of a benchmark. `holds` says whether its promises hold."""


def run(description: str | None, measure: Callable[[Bench, int], Result], show: Callable[[Result], None]) -> None:
    """Run a benchmark from the command line. The exit code is 1 if a promise does not hold."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5, help="how many pairs to run (default 5)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bench = Bench(Path(folder))
        try:
            result = measure(bench, arguments.pairs)
        finally:
            bench.close()
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)
    sys.exit(0 if result["holds"] else 1)


def measure(bench: Bench, pairs: int) -> Result:
    small, large = SIZES
    runs = bench.in_turn(
        {
            "imports": (bench.imports, ["--stack", "dev", "--policy-pack", "empty_pack"]),
            "prod": (ROOT, bench.prod()),
            f"{small} hosts": (ROOT, bench.prod(small)),
            f"{large} hosts": (ROOT, bench.prod(large)),
        },
        pairs,
    )
    over = ratio(runs["prod"], runs["imports"])
    growth = ratio(runs[f"{large} hosts"], runs[f"{small} hosts"])
    resources = runs[f"{large} hosts"][0].resources / runs[f"{small} hosts"][0].resources
    return {
        "runs": {
            name: {
                "median_seconds": statistics.median(run.seconds for run in timed),
                "seconds": [run.seconds for run in timed],
                "resources": timed[0].resources,
            }
            for name, timed in runs.items()
        },
        "prod_over_imports": over,
        "most_over_imports": MAX_OVER_IMPORTS,
        "time_growth": growth,
        "resource_growth": resources,
        "holds": over <= MAX_OVER_IMPORTS and growth <= resources,
    }


def ratio(ones: list[Timed], others: list[Timed]) -> float:
    """Return the median ratio over the pairs."""
    return statistics.median(one.seconds / other.seconds for one, other in zip(ones, others, strict=True))


def show(result: Result) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("preview of", "resources", "median", "fastest", "slowest"):
        table.add_column(heading, justify="left" if heading == "preview of" else "right")
    for name, run in result["runs"].items():
        seconds = run["seconds"]
        table.add_row(
            name,
            str(run["resources"]),
            f"{run['median_seconds']:.2f} s",
            f"{min(seconds):.2f} s",
            f"{max(seconds):.2f} s",
        )
    out = Console(highlight=False, soft_wrap=True)
    out.print(table)
    out.print(f"prod over the bare imports: {result['prod_over_imports']:.2f} (at most {result['most_over_imports']})")
    small, large = SIZES
    growth = f"time x {result['time_growth']:.2f}, resources x {result['resource_growth']:.2f}"
    out.print(f"from {small} to {large} hosts: {growth}")
    out.print("both promises hold" if result["holds"] else "a promise does not hold")


if __name__ == "__main__":
    run(__doc__, measure, show)
