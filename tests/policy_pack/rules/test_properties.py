"""Properties of every resource: no policy breaks on it, and hiding a value never helps."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from policy_pack import POLICIES, UNKNOWN, Provider, Resource, judge, judge_stack
from policy_pack.documentation.examples import EXAMPLES
from policy_pack.documentation.examples.model import declared_as
from policy_pack.rules.residency.hetzner_location import PLACES
from policy_pack.rules.resource_types import RDS_BACKUP_REPLICATION, RDS_INSTANCE
from tests.policy_pack.resources import ACCOUNT, DATABASE, HOME, PLAN, RECOVERY, REPLICA, aws_provider

BUCKET = "aws:s3/bucket:Bucket"

TYPES = [
    RDS_INSTANCE,
    RDS_BACKUP_REPLICATION,
    BUCKET,
    "aws:cloudfront/distribution:Distribution",
    "aws:iam/role:Role",
    "pulumi:providers:aws",
    "pulumi:providers:gcp",
    "pulumi:pulumi:Stack",
    "hcloud:index/network:Network",
    "hcloud:index/unheard:Of",
    "",
    ":",
    *PLACES,
    *sorted({resource.type for example in EXAMPLES for resource in example.compliant(PLAN).values()}),
]

SPEAKING = [
    HOME,
    RECOVERY,
    "us-east-1",
    "eu-west-2a",
    "use1-az1",
    "nbg1",
    "ash",
    "eu-central",
    f"arn:aws:kms:{RECOVERY}:{ACCOUNT}:key/1",
    "arn:aws:rds:us-east-1:1:db:x",
    "arn:::",
    "https://s3.us-west-2.amazonaws.com",
    "global.anthropic.claude-x",
    "https://api.openai.com",
    '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}',
    '{"Statement": {"Effect": "Allow", "Principal": {"AWS": [3]}, "Condition": {"Bool": []}}}',
    '{"Statement": [3, {"Condition": 3}]}',
    "0.0.0.0/0",
    "pool=,=x,,",
    "active",
    "",
]
"""Texts that some rule reads something into."""


def _names(value: object) -> set[str]:
    """Every name of a property in a value, however deep."""
    if isinstance(value, dict):
        return {*value, *(name for item in value.values() for name in _names(item))}
    return {name for item in value for name in _names(item)} if isinstance(value, list) else set()


NAMES = sorted(
    {
        name
        for example in EXAMPLES
        for resource in example.compliant(PLAN).values()
        for name in _names(dict(resource.props))
    }
    | {*DATABASE, *REPLICA, *(name for place in PLACES.values() for name in place)}
    | {"region", "availabilityZone", "availabilityZones", "tags", "endpoints"}
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(SPEAKING)
    | st.just(UNKNOWN)
)
keys = st.sampled_from(NAMES) | st.text(max_size=5)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4))
properties = st.dictionaries(keys, values, max_size=8)
providers = st.none() | st.builds(Provider, st.just("p"), st.sampled_from(TYPES), properties)


def resources(types: st.SearchStrategy[str]) -> st.SearchStrategy[Resource]:
    """Resources of these types, with any properties."""
    return st.builds(Resource, type=types, name=st.text(max_size=5), props=properties, provider=providers)


@given(resources(st.sampled_from(TYPES) | st.text(max_size=10)))
def test_no_policy_breaks_on_any_properties(judged: Resource) -> None:
    for violation in judge(judged, PLAN):
        message = violation.message
        assert message.startswith(f"{judged.type} {judged.name!r}: ")
        assert violation.finding.property in message
        assert violation.finding.allowed in message
        assert violation.finding.remedy in message
        assert message.endswith(violation.promise)


@settings(max_examples=60, deadline=None)
@given(st.lists(resources(st.sampled_from(TYPES)), max_size=4), st.data())
def test_no_policy_on_a_stack_breaks_on_any_properties(judged: list[Resource], data: st.DataObject) -> None:
    urns = [f"urn:{index}" for index in range(len(judged))]
    links = st.dictionaries(keys, st.frozensets(st.sampled_from(urns or ["urn"]), max_size=2), max_size=3)
    stack = [replace(one, urn=urn, links=data.draw(links)) for one, urn in zip(judged, urns, strict=True)]
    for violation in judge_stack(stack, PLAN):
        assert violation.message.startswith(f"{violation.resource.type} {violation.resource.name!r}: ")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_policy_breaks_on_what_was_right_but_for_one_part(data: st.DataObject) -> None:
    example = data.draw(st.sampled_from(EXAMPLES))
    family = declared_as(example.compliant(PLAN), PLAN)
    broken = [_disturbed(one, data) if data.draw(st.booleans()) else one for one in family]
    for one in broken:
        judge(one, PLAN)
    judge_stack(broken, PLAN)


def _disturbed(of: Resource, data: st.DataObject) -> Resource:
    if not of.props:
        return of
    name = data.draw(st.sampled_from(sorted(of.props)))
    return replace(of, props={**of.props, name: data.draw(disturbed(of.props[name]))})


@st.composite
def disturbed(draw: st.DrawFn, of: Any) -> Any:
    """A value of which one part, however deep, is something else."""
    if isinstance(of, dict) and of and draw(st.booleans()):
        name = draw(st.sampled_from(sorted(of)))
        return {**of, name: draw(disturbed(of[name]))}
    if isinstance(of, list) and of and draw(st.booleans()):
        return [draw(disturbed(of[0])), *of[1:]]
    return draw(values)


@given(resources(st.sampled_from(TYPES)))
def test_judging_changes_nothing_and_always_says_the_same(judged: Resource) -> None:
    before = copy.copy(judged.props)
    first = [violation.message for violation in judge(judged, PLAN)]
    assert [violation.message for violation in judge(judged, PLAN)] == first
    assert list(judged.props) == list(before)


LITERALS: dict[str, tuple[str, tuple[str, ...]]] = {
    # The policy, a type that it judges, and the properties whose value has to be written out.
    "aws-region-in-eu": (BUCKET, ("region",)),
    "database-backup-retention": (RDS_INSTANCE, ("backupRetentionPeriod",)),
    "database-backups-kept": (RDS_INSTANCE, ("deleteAutomatedBackups", "skipFinalSnapshot", "copyTagsToSnapshot")),
    "database-encrypted": (RDS_INSTANCE, ("storageEncrypted",)),
    "database-protected": (RDS_INSTANCE, ("deletionProtection",)),
    "database-multi-az": (RDS_INSTANCE, ("multiAz",)),
    "database-replica-retention": (RDS_BACKUP_REPLICATION, ("retentionPeriod", "region")),
}

REQUIRED: dict[str, tuple[str, tuple[str, ...]]] = {
    # The same, for the properties that have to be there.
    "database-backup-retention": (RDS_INSTANCE, ("backupRetentionPeriod",)),
    "database-backups-kept": (
        RDS_INSTANCE,
        ("deleteAutomatedBackups", "finalSnapshotIdentifier", "copyTagsToSnapshot"),
    ),
    "database-encrypted": (RDS_INSTANCE, ("storageEncrypted", "kmsKeyId")),
    "database-protected": (RDS_INSTANCE, ("deletionProtection",)),
    "database-multi-az": (RDS_INSTANCE, ("multiAz",)),
    "database-replica-retention": (RDS_BACKUP_REPLICATION, ("retentionPeriod", "sourceDbInstanceArn", "kmsKeyId")),
}

ONE_PLACE = {
    type_: next(iter(names)) for type_, names in PLACES.items() if "networkZone" not in names or len(names) == 1
}
"""Hetzner's types for which one property alone says where they are."""

POLICY = {policy.id: policy for policy in POLICIES}


def passes(policy: str, type_: str, props: dict[str, Any]) -> bool:
    return not POLICY[policy].judge(Resource(type_, "it", props, aws_provider(region=HOME)), PLAN)


# Mostly what the plan wants, so that what is left to refuse is often the one thing that is then hidden.
nearly_right = st.builds(
    lambda base, changes: {**base, **changes},
    st.sampled_from([DATABASE, REPLICA, {}]),
    st.dictionaries(st.sampled_from(NAMES), scalars | st.sampled_from([True, False, 12, 20, 35]), max_size=3),
)


@given(st.data(), nearly_right)
def test_what_must_be_literal_is_never_let_pass_for_being_unknown(data: st.DataObject, props: dict[str, Any]) -> None:
    policy, (type_, names) = data.draw(st.sampled_from(sorted(LITERALS.items())))
    name = data.draw(st.sampled_from(names))
    assert not passes(policy, type_, {**props, name: UNKNOWN})


@given(st.data(), nearly_right)
def test_what_must_be_there_is_never_let_pass_for_being_left_out(data: st.DataObject, props: dict[str, Any]) -> None:
    policy, (type_, names) = data.draw(st.sampled_from(sorted(REQUIRED.items())))
    name = data.draw(st.sampled_from(names))
    assert not passes(policy, type_, {key: value for key, value in props.items() if key != name})
    assert not passes(policy, type_, {**props, name: None})


@given(st.sampled_from(sorted(PLACES)), properties, st.sampled_from([None, UNKNOWN, "ash", "us-east"]))
def test_hetzner_is_never_told_less_than_an_allowed_place(type_: str, props: dict[str, Any], hidden: object) -> None:
    told = {**props, **dict.fromkeys(PLACES[type_], hidden)}
    assert not passes("hetzner-location-in-eu", type_, told)


@given(st.sampled_from(sorted(ONE_PLACE)), properties)
def test_taking_away_a_refused_place_does_not_help(type_: str, props: dict[str, Any]) -> None:
    assume(not passes("hetzner-location-in-eu", type_, props))
    left = {key: value for key, value in props.items() if key != ONE_PLACE[type_]}
    assert not passes("hetzner-location-in-eu", type_, left)


@given(st.sampled_from(["us-east-1", "eu-west-2", "cn-north-1", "*", "eu-*"]), properties, st.lists(keys, max_size=4))
def test_an_arn_of_another_region_is_found_however_deep_it_is(
    region: str, props: dict[str, Any], path: list[str]
) -> None:
    buried: Any = f"prefix arn:aws:sns:{region}:{ACCOUNT}:topic"
    for step in reversed(path):
        buried = {step: [buried]}
    assert not passes("aws-region-in-arguments", BUCKET, {**props, "buried": buried})
