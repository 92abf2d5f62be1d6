"""The whole pack against generated documents and resources: it always has a verdict, in the pack and in the program."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pulumi
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pulumi.runtime.proto import analyzer_pb2, resource_pb2

from plan import load
from policy_pack import ALL, UNKNOWN
from policy_pack.documentation.examples import EXAMPLES
from policy_pack.documentation.examples.model import declared_as
from policy_pack.engine.analyzer import Analyzer
from policy_pack.engine.program import Judged
from policy_pack.rules.inside import inside
from policy_pack.rules.templates import MAKERS
from policy_pack.verdicts import Judge
from tests.policy_pack.resources import message
from tests.policy_pack.rules.documents import BROKEN

PLAN = load()
PIECES = 2000
"""The generated documents and resources."""

FAMILIES = [declared_as(example.compliant(PLAN), PLAN) for example in EXAMPLES]
DECLARED = {(one.type, repr(one.props)): one for family in FAMILIES for one in family}
TYPES = sorted({type_ for type_, _ in DECLARED} | {f"aws:{path}:X" for path in MAKERS})

words = st.sampled_from(["*", "Allow", "Deny", "s3:*", "arn:aws:iam::123456789012:root", "false", "repo:*", "~ALL", ""])
leaves = st.none() | st.booleans() | st.integers(-400, 400) | st.floats() | words | st.text(max_size=6)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=4), inner, max_size=3)
)
names = st.sampled_from(
    ["Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "Condition", "Statement", "Version"]
)
conditions = st.dictionaries(
    st.sampled_from(["Bool", "StringEquals", "StringLike", "ArnLike", "Null"]) | st.text(max_size=4),
    values
    | st.dictionaries(
        st.sampled_from(["aws:SecureTransport", "token.actions.githubusercontent.com:sub", "aws:SourceArn"]), values
    ),
    max_size=2,
)
statements = st.dictionaries(names, values | conditions, max_size=6)
documents = st.sampled_from(BROKEN) | st.builds(
    lambda statement, version, form: form({"Version": version, "Statement": statement}),
    statements | st.lists(statements | values, max_size=3) | values,
    st.just("2012-10-17") | values,
    st.sampled_from([json.dumps, lambda of: of, lambda of: json.dumps(json.dumps(of)), lambda of: json.dumps(of)[:-2]]),
)


@st.composite
def properties(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A type and its properties: those of an example with some of them broken, or only generated ones."""
    example = DECLARED[draw(st.sampled_from(sorted(DECLARED)))]
    type_ = draw(st.just(example.type) | st.sampled_from(TYPES))
    props = dict(example.props)
    for name in draw(st.lists(st.sampled_from([*props, "policy", "assumeRolePolicy", "ingress", "versioning"]))):
        props[name] = draw(documents | values | st.just(UNKNOWN) | st.just(json.dumps(props.get(name), default=str)))
    return type_, props


class Engine:
    """Registers every resource."""

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        return resource_pb2.RegisterResourceResponse(urn=f"urn::{request.name}", object=request.object)

    def SignalAndWaitForShutdown(self, request: Any) -> None:  # noqa: N802
        pass


def test_the_pack_and_the_program_have_a_verdict_on_everything(capsys: pytest.CaptureFixture[str]) -> None:
    judge = Judge(PLAN, stack="generated", waivers=())
    pack = Analyzer(PLAN, lambda: judge)
    pack.ConfigureStack(analyzer_pb2.AnalyzerStackConfigureRequest(stack="generated", dry_run=True), None)
    pack.start()
    counts: Counter[str] = Counter()

    @seed(1)
    @settings(
        max_examples=PIECES // 4,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(properties(), min_size=4, max_size=4))
    def run(pieces: list[tuple[str, dict[str, Any]]]) -> None:
        counts["pieces"] += len(pieces)
        program = Judged(Engine(), judge, preview=True)
        whole = analyzer_pb2.AnalyzeStackRequest()
        for index, (type_, props) in enumerate(pieces):
            urn, struct = f"urn::{index}", message(props)
            said = pack.Analyze(analyzer_pb2.AnalyzeRequest(type=type_, name=urn, urn=urn, properties=struct), None)
            counts["undecided until the update"] += len(said.not_applicable)
            counts["refused"] += any(one.enforcementLevel == analyzer_pb2.MANDATORY for one in said.diagnostics)
            counts["unreadable"] += any("a policy document with a list" in one.message for one in said.diagnostics)
            faults = [one.message for one in said.diagnostics if "Report this fault of the policy" in one.message]
            assert faults == []
            whole.resources.append(analyzer_pb2.AnalyzerResource(type=type_, name=urn, urn=urn, properties=struct))
            made = resource_pb2.RegisterResourceRequest(type=type_, name=str(index), custom=True, object=struct)
            program.RegisterResource(made)
        faults = [one.message for one in pack.AnalyzeStack(whole, None).diagnostics]
        assert not any("Report this fault of the policy" in one for one in faults)
        refusal = ""
        try:
            program.SignalAndWaitForShutdown(None)
        except pulumi.RunError as error:
            refusal = str(error)
        assert "Report this fault of the policy" not in refusal

    run()
    assert counts["pieces"] >= PIECES
    assert min(counts["refused"], counts["unreadable"], counts["undecided until the update"]) > 0
    with capsys.disabled():
        print(f"\n{len(ALL)} policies, no exception: {dict(counts)}")


def test_a_fault_of_one_policy_is_a_verdict_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    family = FAMILIES[0]
    broken = next(policy for policy in ALL if policy.id == "aws-region-in-eu")
    rule = broken.rule
    object.__setattr__(broken, "rule", lambda *_: 1 / 0)
    try:
        found = [one for of in family for one in Judge(PLAN, waivers=()).resource(of)]
    finally:
        object.__setattr__(broken, "rule", rule)
    (verdict,) = found
    assert verdict.refuses
    assert "the verdict is 'ZeroDivisionError: division by zero'" in verdict.message


def test_no_part_of_a_resource_is_read_out_of_what_is_no_part() -> None:
    for of in DECLARED.values():
        assert all(part.part_of is of for part in inside(of))
