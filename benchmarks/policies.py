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

import statistics
import time
from collections.abc import Mapping
from typing import Any
from unittest.mock import Mock

from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import analyzer_pb2
from rich.console import Console

from benchmarks.preview import ROOT, Bench, Result, ratio, run
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


def measure(bench: Bench, pairs: int) -> Result:
    """Measure the evaluation of resources, and previews of prod without the pack and with it."""
    evaluation = milliseconds_a_resource()
    arguments = bench.prod()
    at = arguments.index("--policy-pack")
    runs = bench.in_turn(
        {
            "without the pack": (ROOT, [*arguments[:at], *arguments[at + 2 :]]),
            "with the pack": (ROOT, arguments),
        },
        pairs,
    )
    without, with_pack = runs["without the pack"], runs["with the pack"]
    added = ratio(with_pack, without) - 1
    return {
        "seconds_without": [one.seconds for one in without],
        "seconds_with": [one.seconds for one in with_pack],
        "resources": with_pack[0].resources,
        "added": added,
        "milliseconds_a_resource": evaluation,
        "holds": added <= MAX_ADDED and max(evaluation.values()) < MAX_MILLISECONDS,
    }


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


def show(result: Result) -> None:
    out = Console(highlight=False, soft_wrap=True)
    without, with_pack = (statistics.median(result[name]) for name in ("seconds_without", "seconds_with"))
    out.print(f"preview of prod, {result['resources']} resources, without the pack: {without:.2f} s")
    out.print(f"the same with the pack: {with_pack:.2f} s, {result['added']:+.0%} (at most +{MAX_ADDED:.0%})")
    for name, milliseconds in result["milliseconds_a_resource"].items():
        out.print(f"evaluation of a resource {name}: {milliseconds:.2f} ms (less than {MAX_MILLISECONDS:.0f} ms)")
    out.print("both promises hold" if result["holds"] else "a promise does not hold")


if __name__ == "__main__":
    run(__doc__, measure, show)
