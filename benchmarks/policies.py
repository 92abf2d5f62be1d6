"""The cost of the policies: a preview of prod with and without the policy pack, and the time for each resource.

    make bench          (python -m benchmarks.policies [--pairs N] [--json])

There are two promises. The exit code is 1 if one does not hold:

- the pack adds at most 15% to the time of a preview of prod (which applies the policies to itself in both cases);
- the evaluation of a resource takes less than a millisecond, from the engine's request to the answer.

The first figure is the median over pairs. The two previews of a pair run one after the other, so that load on the
machine disturbs both. The second figure uses every resource of every policy's example. The examples have more of the
properties that policies check than a stack has.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import Mock

from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import analyzer_pb2
from rich.console import Console

from benchmarks.preview import ROOT, Bench, Timed
from plan import load
from policy_pack.documentation.examples import EXAMPLES
from policy_pack.documentation.examples.model import declared_as
from policy_pack.engine.analyzer import Analyzer
from policy_pack.engine.wire import UNKNOWN_WORDS
from policy_pack.rules.policy import Provider, Resource
from policy_pack.rules.values import UNKNOWN
from policy_pack.verdicts import Judge

MAX_ADDED = 0.15
MAX_MILLISECONDS = 1.0
_TURNS = 10

_progress = Console(stderr=True, highlight=False, soft_wrap=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5, help="how many pairs to run (default 5)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    judging = milliseconds_a_resource()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bench = Bench(Path(folder))
        try:
            without, with_pack = previews(bench, arguments.pairs)
        finally:
            bench.close()
    added = statistics.median(one.seconds / other.seconds for one, other in zip(with_pack, without, strict=True)) - 1
    result = {
        "seconds_without": [one.seconds for one in without],
        "seconds_with": [one.seconds for one in with_pack],
        "resources": with_pack[0].resources,
        "added": added,
        "milliseconds_a_resource": judging,
        "holds": added <= MAX_ADDED and max(judging.values()) < MAX_MILLISECONDS,
    }
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)
    sys.exit(0 if result["holds"] else 1)


def previews(bench: Bench, pairs: int) -> tuple[list[Timed], list[Timed]]:
    """Run previews of prod without the pack and with it, in pairs."""
    with_pack = bench.prod()
    at = with_pack.index("--policy-pack")
    kinds = {"without the pack": [*with_pack[:at], *with_pack[at + 2 :]], "with the pack": with_pack}
    runs: dict[str, list[Timed]] = {name: [] for name in kinds}
    for turn in range(pairs + 1):
        for name, arguments in kinds.items():
            timed = bench.timed(ROOT, *arguments)
            if turn:  # the first run fills caches and does not count
                runs[name].append(timed)
                _progress.print(f"  pair {turn} of {pairs}: {name}: {timed.seconds:.2f} s, {timed.resources} resources")
    return runs["without the pack"], runs["with the pack"]


def milliseconds_a_resource() -> dict[str, float]:
    """Measure the evaluation of a resource alone, and of a resource in its stack."""
    plan = load()
    resources = [one for example in EXAMPLES for one in declared_as(example.compliant(plan), plan, example.policy)]
    analyzer, context = Analyzer(plan, lambda: Judge(plan)), Mock()
    analyzer.start()
    single = [analyzer_pb2.AnalyzeRequest(**_request_fields(one)) for one in resources]
    stack = analyzer_pb2.AnalyzeStackRequest(
        resources=[
            analyzer_pb2.AnalyzerResource(
                **_request_fields(one),
                propertyDependencies={
                    name: analyzer_pb2.AnalyzerPropertyDependencies(urns=urns) for name, urns in one.links.items()
                },
            )
            for one in resources
        ]
    )
    alone, together = [], []
    for _ in range(_TURNS):
        started = time.perf_counter()
        for request in single:
            analyzer.Analyze(request, context)
        alone.append(time.perf_counter() - started)
        started = time.perf_counter()
        analyzer.AnalyzeStack(stack, context)
        together.append(time.perf_counter() - started)
    thousandth = 1000 / len(resources)
    return {"alone": statistics.median(alone) * thousandth, "in its stack": statistics.median(together) * thousandth}


def _request_fields(resource: Resource) -> dict[str, Any]:
    """Return the fields of the engine's request for a resource."""
    by = resource.provider or Provider("", "", {})
    return {
        "type": resource.type,
        "name": resource.name,
        "urn": resource.urn,
        "properties": _struct(resource.props),
        "options": analyzer_pb2.AnalyzerResourceOptions(protect=resource.protect),
        "provider": analyzer_pb2.AnalyzerProviderResource(type=by.type, name=by.name, properties=_struct(by.props)),
    }


def _struct(props: Mapping[str, object]) -> Struct:
    struct = Struct()
    struct.update({name: _wired(value) for name, value in props.items()})
    return struct


def _wired(value: object) -> object:
    if value is UNKNOWN:
        return min(UNKNOWN_WORDS)
    if isinstance(value, Mapping):
        return {name: _wired(item) for name, item in value.items()}
    return [_wired(item) for item in value] if isinstance(value, list) else value


def show(result: dict[str, Any]) -> None:
    out = Console(highlight=False, soft_wrap=True)
    without, with_pack = (statistics.median(result[name]) for name in ("seconds_without", "seconds_with"))
    out.print(f"preview of prod, {result['resources']} resources, without the pack: {without:.2f} s")
    out.print(f"the same with the pack: {with_pack:.2f} s, {result['added']:+.0%} (at most +{MAX_ADDED:.0%})")
    for name, milliseconds in result["milliseconds_a_resource"].items():
        out.print(f"evaluation of a resource {name}: {milliseconds:.2f} ms (less than {MAX_MILLISECONDS:.0f} ms)")
    out.print("both promises hold" if result["holds"] else "a promise does not hold")


if __name__ == "__main__":
    main()
