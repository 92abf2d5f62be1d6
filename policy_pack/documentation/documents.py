"""Writes docs/policies.md from the policies, their examples and the plan.

python -m policy_pack.documentation.documents           (prints it)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from plan import Plan, load
from policy_pack.catalogue import ALL, judge, judge_stack
from policy_pack.documentation.comparison import comparison
from policy_pack.documentation.examples import EXAMPLES
from policy_pack.documentation.examples.model import LEFT_OUT, TYPE, Example, Ref, declared_as
from policy_pack.rules.policy import AnyPolicy, Policy

_INTRODUCTION: Final = """\
<!-- Written by `make policies`. A test fails when it differs from the policies. -->
# The policies

{count} policies keep the promises of the continuity plan. Every deployment of every stack has to pass them. Each is a
pure function over plain data. They are applied twice:

- by **the policy pack** (`pulumi preview --policy-pack policy_pack`), for this program and for any other;
- by **the program itself**, on each message that it is about to send to the engine. So a plain `pulumi up` or `pulumi
  preview` is refused for the same reasons in the same words.

A policy on **one resource** judges it before it is deployed, so a refused resource never exists. A policy on **the
stack** judges it at the end of a preview or an update, and demands only that resources belong together.

**Two forms of a setting** get the same verdict: a property inside a resource (`ingress` of a security group, the
settings of a bucket) is judged like the separate resource. Where several rules, rulesets or selections add up in the
cloud, they add up here. A type that makes resources out of a template is refused by name.

**A value that is not known yet** in a preview never passes in silence. A value that must be a literal is refused ("not
known before deployment"). A value that only has to exist, or to lead to another resource of the stack, is decided by
the engine's dependencies, which are always known. Every other value (an ARN in a document, for example) is judged
again before it is deployed, and the pack lists these values at the end of a preview. **A property that is left out**
is judged by the provider's documented default.

**Thresholds** are the plan's (`plan/plan.yaml`). The pack's configuration can make them stricter and never looser, and
it can switch no policy off:

    pulumi preview --policy-pack policy_pack --policy-pack-config strict.json
    # strict.json: {{"{threshold_policy}": {{"{threshold_name}": {threshold_value}}}}}

**Remediation** is off. `{{"{fix_policy}": "remediate"}}` in the same file lets a policy set the one
value that complies, where there is only one. These properties are listed below.

**Exceptions** are data: `policy_pack/exceptions.yaml` names a policy, a stack and a resource, with a reason, the role
of the plan that approved it, and an end at most 90 days later. After its end the resource is refused again, and the
exception is itself a violation (`exceptions-valid`) until it is removed.
"""

_SHOWN_THRESHOLD: Final = "retention.object_version_days"

_SECTIONS: Final = {
    "aws-region-in-eu": "Where data may be",
    "data-store-reviewed": "Recovery",
    "database-multi-az": "Redundancy",
    "host-firewalled": "Access",
    "database-replicated": "The stack as a whole",
}
"""The policy that each section begins with."""


def policies(plan: Plan) -> str:
    """docs/policies.md."""
    by_id = {example.policy: example for example in EXAMPLES}
    threshold = next((policy, of) for policy in ALL for of in policy.thresholds if of.path == _SHOWN_THRESHOLD)
    fixing = next(policy for policy in ALL if isinstance(policy, Policy) and policy.fixes)
    lines = [
        _INTRODUCTION.format(
            count=len(ALL),
            threshold_policy=threshold[0].id,
            threshold_name=threshold[1].name,
            threshold_value=2 * threshold[1].of(plan),
            fix_policy=fixing.id,
        )
    ]
    for policy in ALL:
        if policy.id in _SECTIONS:
            lines.append(f"## {_SECTIONS[policy.id]}\n")
        lines += _policy(policy, by_id[policy.id], plan)
    lines += ["## Comparison with other collections of rules\n", *_comparison()]
    return "\n".join(lines).rstrip() + "\n"


def _policy(policy: AnyPolicy, example: Example, plan: Plan) -> Iterator[str]:
    yield f"### {policy.id}\n"
    yield f"{policy.title}\n"
    force = "advice" if policy.advisory else "mandatory"
    yield f"- severity {policy.severity}, {force}; ISO/IEC 27001 {policy.control}"
    yield f"- protects: {policy.promise(plan)}"
    yield f"- to comply: {policy.remedy}"
    for threshold in policy.thresholds:
        said = {"at least": "more than", "at most": "less than", "among": "fewer than"}[threshold.direction]
        value = threshold.of(plan)
        shown = ", ".join(value) if isinstance(value, tuple) else value
        yield f"- `{threshold.name}` can be configured to {said} the plan's {shown} (`{threshold.path}`)"
    if isinstance(policy, Policy) and policy.asks_again != frozenset():
        names = (
            "every property"
            if policy.asks_again is None
            else ", ".join(f"`{name}`" for name in sorted(policy.asks_again))
        )
        yield f"- decides at the update about {names}, where it is not known before"
    if isinstance(policy, Policy) and policy.fixes:
        yield f"- can set: {', '.join(f'`{name}`' for name in policy.fixes)}"
    yield ""
    yield from _example(policy, example, plan)


def _example(policy: AnyPolicy, example: Example, plan: Plan) -> Iterator[str]:
    family, broken = example.compliant(plan), example.broken(plan)
    at = family[example.at]
    yield f"Allowed, of `{at.type}`:\n" if example.path not in ("", TYPE) else "Allowed:\n"
    if example.path in ("", TYPE):
        yield _code(f"{at.type} {example.at!r}", *_shown(at.props))
        yield f"Refused: {'the same without it' if not example.path else f'the same as `{broken[example.at].type}`'}\n"
    else:
        yield _code(*_at(at.props, example.path, at.protect))
        yield "Refused:\n"
        yield _code(*_at(broken[example.at].props, example.path, broken[example.at].protect))
    resources = declared_as(broken, plan)
    found = [one for of in resources for one in judge(of, plan)] + judge_stack(resources, plan)
    message = next(one.message for one in found if one.policy.id == policy.id)
    yield f"> {message.partition(' The promise (')[0]}\n"


def _at(props: Mapping[str, object], path: str, protect: bool) -> Iterator[str]:
    value: object = {**props, "the option protect": protect}
    for name in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(name, LEFT_OUT)
        elif isinstance(value, list):
            value = value[int(name)]
    yield f"{path}: {'(left out)' if value is LEFT_OUT else _value(value)}"


def _shown(props: Mapping[str, object]) -> Iterator[str]:
    for name, value in props.items():
        yield f"  {name}: {_value(value)}"


def _value(value: object) -> str:
    if isinstance(value, Ref):
        return f"{value.resource}.{value.output}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_value(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return value if isinstance(value, str) else json.dumps(value)


def _code(*lines: str) -> str:
    return "\n".join(["```yaml", *lines, "```\n"])


def _comparison() -> Iterator[str]:
    yield (
        "Checks of other collections on the same resources, and the policies here that do the same: Checkov (CKV),"
        " Prowler (PW), AWS Config and the"
        " CloudFormation Guard registry, Steampipe's AWS compliance mod (SP), Pulumi's awsguard (PG) and"
        " compliance-policies (PC). A check that has no policy here has a reason.\n"
    )
    yield "| what | theirs | ours | how they differ, or why not |"
    yield "|---|---|---|---|"
    for row in comparison():
        ours = ", ".join(f"[{one}](#{one})" for one in row.ours) or "none"
        yield f"| {row.what} | {row.theirs} | {ours} | {row.why} |"


if __name__ == "__main__":
    print(policies(load()), end="")
