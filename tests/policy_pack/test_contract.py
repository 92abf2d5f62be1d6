"""The pack's answers have the form of the answers of Pulumi's SDK for packs, field by field."""

from __future__ import annotations

from typing import Any

import pulumi_policy
import pytest
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy import (
    EnforcementLevel,
    PolicyComplianceFramework,
    PolicyConfigSchema,
    ResourceValidationPolicy,
    Severity,
    StackValidationPolicy,
)
from pulumi_policy.policy import _PolicyAnalyzerServicer

from plan import load
from policy_pack import ALL, Policy, Resource, judge_stack
from policy_pack.documentation.examples import EXAMPLES
from policy_pack.documentation.examples.model import Example, declared_as
from policy_pack.engine.analyzer import PACK_NAME, VERSION, Analyzer
from policy_pack.rules.policy import AnyPolicy
from policy_pack.verdicts import Judge
from tests.policy_pack.resources import message

PLAN = load()
CONTROLS = {control.id: control.title for control in PLAN.controls}


def of_the_sdk(policy: AnyPolicy, resources: list[Resource]) -> ResourceValidationPolicy | StackValidationPolicy:
    """The policy as the SDK has it, which reports the same violations of these resources."""
    described: dict[str, Any] = {
        "name": policy.id,
        "display_name": policy.id,
        "description": policy.title,
        "enforcement_level": EnforcementLevel.ADVISORY if policy.advisory else EnforcementLevel.MANDATORY,
        "severity": Severity(policy.severity),
        "remediation_steps": f"{policy.remedy} It protects this promise: {policy.promise(PLAN)}",
        "framework": PolicyComplianceFramework("ISO/IEC 27001", "2022", policy.control, CONTROLS[policy.control]),
        "config_schema": PolicyConfigSchema({one.name: one.schema(PLAN) for one in policy.thresholds}),
    }
    if not isinstance(policy, Policy):

        def validate_stack(_args: Any, report: Any) -> None:
            for violation in judge_stack(resources, PLAN):
                if violation.policy is policy:
                    report(violation.message, violation.resource.urn)

        return StackValidationPolicy(**described, validate=validate_stack)

    def validate(args: Any, report: Any) -> None:
        for one in resources:
            if one.urn == args.urn:
                for violation in policy.judge(one, PLAN):
                    report(violation.message, violation.resource.urn)

    return ResourceValidationPolicy(**described, validate=validate)


def servicers(resources: list[Resource]) -> tuple[Analyzer, Any]:
    judge = Judge(PLAN, waivers=())
    policies: list[pulumi_policy.Policy] = [of_the_sdk(policy, resources) for policy in ALL]
    ours = Analyzer(PLAN, lambda: judge)
    ours.start()
    return ours, _PolicyAnalyzerServicer(PACK_NAME, VERSION, policies, EnforcementLevel.MANDATORY)


def test_the_policies_are_presented_alike() -> None:
    ours, theirs = (one.GetAnalyzerInfo(Empty(), None) for one in servicers([]))
    assert (ours.name, ours.version, ours.supportsConfig) == (theirs.name, theirs.version, theirs.supportsConfig)
    for policy, other in zip(ours.policies, theirs.policies, strict=False):
        policy.ClearField("message")  # the SDK has none
        assert policy == other
    assert [policy.name for policy in ours.policies] == [*(one.name for one in theirs.policies), "exceptions-valid"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.policy)
def test_the_violations_are_reported_alike(example: Example) -> None:
    resources = declared_as(example.broken(PLAN), PLAN)
    ours, theirs = servicers(resources)
    whole, reported = analyzer_pb2.AnalyzeStackRequest(), []
    for one in resources:
        said = {"type": one.type, "name": one.name, "urn": one.urn, "properties": message(dict(one.props))}
        provider = analyzer_pb2.AnalyzerProviderResource(type="", name="", urn="")
        if one.provider is not None:
            provider.type, provider.name = one.provider.type, one.provider.name
            provider.properties.CopyFrom(message(dict(one.provider.props)))
        request = analyzer_pb2.AnalyzeRequest(**said, provider=provider)
        request.options.protect = one.protect
        found = ours.Analyze(request, None).diagnostics
        assert found == theirs.Analyze(request, None).diagnostics
        reported += found
        resource = analyzer_pb2.AnalyzerResource(**said, provider=provider)
        resource.options.protect = one.protect
        for name, urns in one.links.items():
            resource.propertyDependencies[name].urns.extend(sorted(urns))
        whole.resources.append(resource)
    found = ours.AnalyzeStack(whole, None).diagnostics
    assert found == theirs.AnalyzeStack(whole, None).diagnostics
    assert {one.policyName for one in (*reported, *found)} == {example.policy}
