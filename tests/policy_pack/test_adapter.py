"""Whatever the SDK hands over arrives at the policies as plain data, and nothing is skipped for being unknown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from pulumi import AssetArchive, FileArchive, FileAsset, RemoteArchive, RemoteAsset, StringAsset
from pulumi_policy import (
    EnforcementLevel,
    PolicyCustomTimeouts,
    PolicyProviderResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)
from pulumi_policy.deserialize import SPECIAL_SECRET_SIG, SPECIAL_SIG_KEY
from pulumi_policy.proxy import (
    UNKNOWN_ARCHIVE_VALUE,
    UNKNOWN_ARRAY_VALUE,
    UNKNOWN_ASSET_VALUE,
    UNKNOWN_BOOLEAN_VALUE,
    UNKNOWN_NUMBER_VALUE,
    UNKNOWN_OBJECT_VALUE,
    UNKNOWN_STRING_VALUE,
    UnknownValueError,
    unknown_checking_proxy,
)

from policy_pack import POLICIES, UNKNOWN, Provider, Resource
from policy_pack.adapter import pack, plain, resource
from policy_pack.rules.database import INSTANCE
from tests.policy_pack.resources import DATABASE, HOME, PLAN


def handed_over(
    type_: str, props: Mapping[str, Any], provider: Mapping[str, Any] | None = None, protect: bool = False
) -> ResourceValidationArgs:
    """What the SDK gives to a policy for a resource with these properties, as they are on the wire."""
    options = PolicyResourceOptions(protect, [], None, [], PolicyCustomTimeouts(0, 0, 0), [], "urn:parent")
    of = None
    if provider is not None:
        of = PolicyProviderResource("pulumi:providers:aws", unknown_checking_proxy(dict(provider)), "urn:aws", "aws")
    return ResourceValidationArgs(type_, unknown_checking_proxy(dict(props)), f"urn:{type_}", "it", options, of)


def test_everything_arrives_as_plain_data() -> None:
    args = handed_over(
        "aws:s3/bucket:Bucket",
        {"days": 35.0, "ratio": 0.5, "on": True, "none": None, "rules": [{"days": 7.0}, "text", [1.0]]},
        {"region": HOME},
        protect=True,
    )
    assert resource(args) == Resource(
        type="aws:s3/bucket:Bucket",
        name="it",
        props={"days": 35, "ratio": 0.5, "on": True, "none": None, "rules": [{"days": 7}, "text", [1]]},
        provider=Provider("aws", "pulumi:providers:aws", {"region": HOME}, "urn:aws"),
        urn="urn:aws:s3/bucket:Bucket",
        parent="urn:parent",
        protect=True,
    )
    assert type(resource(args).props["days"]) is int


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan"), 1e300])
def test_no_number_breaks_it(number: float) -> None:
    assert repr(plain(number)) in (repr(number), repr(int(number)) if number == 1e300 else "")


@pytest.mark.parametrize(
    "wire",
    [
        UNKNOWN_ARCHIVE_VALUE,
        UNKNOWN_ARRAY_VALUE,
        UNKNOWN_ASSET_VALUE,
        UNKNOWN_BOOLEAN_VALUE,
        UNKNOWN_NUMBER_VALUE,
        UNKNOWN_OBJECT_VALUE,
        UNKNOWN_STRING_VALUE,
    ],
)
def test_what_is_unknown_becomes_the_marker_wherever_it_is(wire: str) -> None:
    props = {"a": wire, "b": [1.0, wire, {"c": wire}], "d": {"e": [[wire]]}, "f": "known"}
    with pytest.raises(UnknownValueError):
        list(unknown_checking_proxy(props).items())  # what a policy would meet without the adapter
    judged = resource(handed_over("aws:s3/bucket:Bucket", props, {"region": wire, "endpoints": json.dumps([wire])}))
    assert judged.props == {"a": UNKNOWN, "b": [1, UNKNOWN, {"c": UNKNOWN}], "d": {"e": [[UNKNOWN]]}, "f": "known"}
    assert judged.provider is not None
    assert judged.provider.props == {"region": UNKNOWN, "endpoints": [UNKNOWN]}


def test_a_providers_configuration_is_read_out_of_its_json() -> None:
    secret = {SPECIAL_SIG_KEY: SPECIAL_SECRET_SIG, "value": [HOME]}
    wire = {
        "region": HOME,
        "endpoints": json.dumps([{"s3": "https://s3.example", "rds": UNKNOWN_STRING_VALUE}]),
        "defaultTags": json.dumps({"tags": {"team": "platform"}, "days": 3.0, "hidden": secret}),
        "skipRegionValidation": "false",
        "profile": "[not json",
        "deep": "[" * 100_000,
    }
    expected = {
        "region": HOME,
        "endpoints": [{"s3": "https://s3.example", "rds": UNKNOWN}],
        "defaultTags": {"tags": {"team": "platform"}, "days": 3, "hidden": [HOME]},
        "skipRegionValidation": "false",
        "profile": "[not json",
        "deep": "[" * 100_000,
    }
    of_resource = resource(handed_over("aws:s3/bucket:Bucket", {}, wire)).provider
    assert of_resource is not None
    assert of_resource.props == expected
    assert resource(handed_over("pulumi:providers:aws", wire)).props == expected


def test_a_documents_text_stays_a_text() -> None:
    policy = json.dumps({"Statement": []})
    assert resource(handed_over("aws:iam/policy:Policy", {"policy": policy})).props == {"policy": policy}


def test_assets_are_judged_by_what_they_are_made_of() -> None:
    archive = AssetArchive(
        {"a": StringAsset("text"), "b": FileAsset("./b"), "c": AssetArchive({"d": RemoteAsset("u:")})}
    )
    assert plain([archive, FileArchive("./x"), RemoteArchive("u:x")]) == [
        {"assets": {"a": {"text": "text"}, "b": {"path": "./b"}, "c": {"assets": {"d": {"uri": "u:"}}}}},
        {"path": "./x"},
        {"uri": "u:x"},
    ]


def reported(policies: list[ResourceValidationPolicy], args: ResourceValidationArgs) -> dict[str, list[str]]:
    """What each policy of the pack reports."""
    messages: dict[str, list[str]] = {}
    for policy in policies:

        def report(message: str, _urn: str | None = None, name: str = policy.name) -> None:
            messages.setdefault(name, []).append(message)

        policy.validate(args, report)
    return messages


def test_the_packs_policies_refuse_what_is_unknown_instead_of_being_skipped() -> None:
    wire = {
        **dict.fromkeys(DATABASE, UNKNOWN_BOOLEAN_VALUE),
        "backupRetentionPeriod": UNKNOWN_NUMBER_VALUE,
        "tags": UNKNOWN_OBJECT_VALUE,
    }
    messages = reported(pack(PLAN), handed_over(INSTANCE, wire, {"region": UNKNOWN_STRING_VALUE}))
    assert sorted(messages) == [
        "aws-region-in-eu",
        "database-backup-retention",
        "database-backups-kept",
        "database-encrypted",
        "database-multi-az",
        "database-protected",
    ]
    assert all("is not known before deployment" in message for found in messages.values() for message in found)


def test_the_packs_policies_let_pass_what_the_plan_wants() -> None:
    wire = {**DATABASE, "kmsKeyId": UNKNOWN_STRING_VALUE, "backupRetentionPeriod": 20.0}
    assert reported(pack(PLAN), handed_over(INSTANCE, wire, {"region": HOME})) == {}


def test_every_policy_is_mandatory_and_says_which_control_and_which_promise_it_serves() -> None:
    policies = pack(PLAN)
    assert [policy.name for policy in policies] == [policy.id for policy in POLICIES]
    titles = {control.id: control.title for control in PLAN.controls}
    for policy in policies:
        assert policy.enforcement_level is EnforcementLevel.MANDATORY
        assert policy.framework is not None
        assert policy.framework.specification == titles[str(policy.framework.reference)]
        assert policy.remediation_steps


def test_a_policy_that_serves_a_control_which_the_plan_lacks_is_refused() -> None:
    fewer = PLAN.model_copy(update={"controls": PLAN.controls[:1]})
    with pytest.raises(LookupError, match=r"serves A\.8\.13, which the plan's controls do not have: they are A\.5\.29"):
        pack(fewer)
