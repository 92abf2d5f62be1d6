"""Each promise in every form that a program can write it in: what is equivalent gets the same verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from policy_pack import UNKNOWN, Provider, Resource, judge, judge_stack
from policy_pack.documentation.examples.data import ONLY_TLS, bucket, database, policy_document, table
from policy_pack.documentation.examples.model import Declared, Family, Ref, changed, declared_as
from policy_pack.documentation.examples.service import public_endpoint, repository
from policy_pack.rules.backups.selections import runs_daily
from policy_pack.rules.resource_types import DYNAMODB_REPLICA, RDS_INSTANCE, SECURITY_GROUPS
from policy_pack.rules.selectors import parsed, selects
from tests.policy_pack.refusals import policies
from tests.policy_pack.resources import ACCOUNT, HOME, PLAN, RECOVERY, names, resource

RULE = database(PLAN)["plan"].props["rules"][0]
COPY = bucket(PLAN)["replication"].props["rules"][0]
DAYS = PLAN.retention.vault_copy_days


def refused(family: Family, *changes: tuple[str, str, object]) -> set[str]:
    """The ids of the policies that refuse a family with some of its properties changed."""
    for name, path, value in changes:
        family = changed(family, name, path, value)
    return policies(family, PLAN)


def test_a_rule_that_adds_to_a_complete_one_is_allowed() -> None:
    weekly = {**RULE, "ruleName": "weekly", "schedule": "cron(0 4 ? * SUN *)"}
    assert refused(database(PLAN), ("plan", "rules", [RULE, weekly])) == set()
    assert refused(database(PLAN), ("plan", "rules", [weekly])) == {"backup-plan-daily"}
    further = {**RULE["copyActions"][0], "lifecycle": {"deleteAfter": DAYS + 1}}
    assert refused(database(PLAN), ("plan", "rules.0.copyActions", [*RULE["copyActions"], further])) == set()


def test_a_replication_of_a_part_adds_to_one_of_everything() -> None:
    part = {**COPY, "id": "part", "filter": {"prefix": "logs/"}}
    assert refused(bucket(PLAN), ("replication", "rules", [COPY, part])) == set()
    assert refused(bucket(PLAN), ("replication", "rules", [part])) == {"bucket-replication-complete"}


@pytest.mark.parametrize(
    "of",
    [
        {"prefix": "logs/"},
        {"tag": {"key": "copy", "value": "yes"}},
        {"tags": {"copy": "yes"}},
        {"and": {"prefix": "", "tags": {"copy": "yes"}}},
        {"prefix": UNKNOWN},
        UNKNOWN,
    ],
)
def test_a_replication_of_a_part_is_refused_in_every_form(of: object) -> None:
    assert refused(bucket(PLAN), ("replication", "rules.0.filter", of)) == {"bucket-replication-complete"}


@pytest.mark.parametrize(
    ("selection", "selected"),
    [
        ({"selectionTags": [{"type": "STRINGEQUALS", "key": "backup", "value": "daily"}]}, True),
        ({"selectionTags": [{"type": "STRINGEQUALS", "key": "team", "value": "data"}]}, True),
        ({"selectionTags": [{"type": "STRINGEQUALS", "key": "backup", "value": "weekly"}]}, False),
        ({"resources": ["*"]}, True),
        ({"resources": ["arn:aws:rds:*:*:db:*"]}, True),
        ({"resources": ["arn:aws:rds:*:*:db:ord*"]}, True),
        ({"resources": ["arn:aws:rds:*:*:db:other*"]}, False),
        ({"resources": ["arn:aws:rds:us-east-1:*:db:*"]}, False),
        ({"resources": ["arn:aws:dynamodb:*:*:table/*"]}, False),
        ({"resources": ["*"], "notResources": ["arn:aws:rds:*:*:db:*"]}, False),
        ({"resources": ["*"], "notResources": [Ref("database", "arn")]}, False),
        (
            {
                "resources": ["*"],
                "conditions": [{"stringEquals": [{"key": "aws:ResourceTag/backup", "value": "daily"}]}],
            },
            True,
        ),
        (
            {"resources": ["*"], "conditions": [{"stringLike": [{"key": "aws:ResourceTag/backup", "value": "week*"}]}]},
            False,
        ),
        (
            {
                "resources": ["*"],
                "conditions": [{"stringNotEquals": [{"key": "aws:ResourceTag/backup", "value": "daily"}]}],
            },
            False,
        ),
        ({}, False),
    ],
)
def test_a_second_copy_is_selected_by_arn_pattern_or_tag(selection: Mapping[str, Any], selected: bool) -> None:
    family = dict(changed(database(PLAN), "database", "tags", {"backup": "daily"}))
    family = dict(changed(family, "database", "identifier", "orders"))
    family["selection"] = Declared(family["selection"].type, {"planId": Ref("plan"), **selection})
    provider = Provider("aws", "pulumi:providers:aws", {"region": HOME, "defaultTags": {"tags": {"team": "data"}}})
    resources = [
        Resource(one.type, one.name, one.props, provider, one.urn, links=one.links) for one in declared_as(family, PLAN)
    ]
    found = {violation.policy.id for violation in judge_stack(resources, PLAN)}
    assert ("database-second-copy" not in found) is selected


@pytest.mark.parametrize(
    ("schedule", "daily"),
    [
        (None, True),  # AWS Backup then runs the rule every day
        ("cron(0 5 1-31 * ? *)", True),
        ("cron(0 5 ? * SUN-SAT *)", True),
        ("cron(0 5 ? * 1,2,3,4,5,6,7 *)", True),
        ("cron(0 5 */1 JAN-DEC ? *)", True),
        ("cron(15 0/6 * * ? *)", True),
        ("cron(0 5 ? * 2-6 *)", False),
        ("cron(0 5 */2 * ? *)", False),
        ("cron(0 5 L * ? *)", False),
        ("cron(0 5 * * ? 2030)", False),
        ("cron(0 25 * * ? *)", False),
        ("rate(0 hours)", False),
        (["cron(0 5 * * ? *)"], False),
    ],
)
def test_every_day_in_every_form_of_a_schedule(schedule: object, daily: bool) -> None:
    assert runs_daily(schedule) is daily


def test_object_lock_may_be_switched_on_by_its_own_resource() -> None:
    family = bucket(PLAN)
    without = {**family, "bucket": Declared(family["bucket"].type)}
    assert refused(without) == set()
    assert refused({name: one for name, one in without.items() if name != "lock"}) == {"bucket-baseline"}


SETTINGS: Mapping[str, tuple[str, Any, Any]] = {
    "versioning": ("bucket-versioned", {"enabled": True}, {"enabled": False}),
    "lock": (
        "bucket-locked",
        {"objectLockEnabled": "Enabled", "rule": {"defaultRetention": {"mode": "GOVERNANCE", "days": 7}}},
        {"objectLockEnabled": "Enabled", "rule": {"defaultRetention": {"mode": "GOVERNANCE", "days": 1}}},
    ),
    "lifecycle": (
        "bucket-versions-kept",
        [{"enabled": True, "noncurrentVersionExpiration": {"days": 35}}],
        [{"enabled": True, "noncurrentVersionExpiration": {"days": 1}}],
    ),
    "encryption": (
        "bucket-encrypted",
        {"rule": {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": UNKNOWN}}},
        {"rule": {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}},
    ),
    "policy": ("bucket-over-tls", policy_document(ONLY_TLS), policy_document({**ONLY_TLS, "Action": "s3:PutObject"})),
    "replication": (
        "bucket-replication-complete",
        {
            "role": "arn",
            "rules": [
                {
                    **COPY,
                    "sourceSelectionCriteria": {"sseKmsEncryptedObjects": {"enabled": True}},
                    "destination": {
                        **{key: of for key, of in COPY["destination"].items() if key != "encryptionConfiguration"},
                        "replicaKmsKeyId": f"arn:aws:kms:{RECOVERY}:{ACCOUNT}:key/copies",
                    },
                }
            ],
        },
        {"role": "arn", "rules": [{"status": "Disabled", "destination": {"bucket": "arn:aws:s3:::copies"}}]},
    ),
}
INSIDE = {
    "versioning": "versioning",
    "lock": "objectLockConfiguration",
    "lifecycle": "lifecycleRules",
    "encryption": "serverSideEncryptionConfiguration",
    "policy": "policy",
    "replication": "replicationConfiguration",
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_inside_of_a_bucket_is_judged_as_the_separate_one(setting: str) -> None:
    policy, right, wrong = SETTINGS[setting]
    family = {name: one for name, one in bucket(PLAN).items() if name != setting}
    assert refused(family, ("bucket", INSIDE[setting], right)) == set()
    assert refused(family, ("bucket", INSIDE[setting], wrong)) == {policy}
    if setting != "policy":  # it contains the bucket's ARN, and is judged again
        assert policy in refused(family, ("bucket", INSIDE[setting], UNKNOWN))


def test_an_output_of_a_bucket_is_no_setting_of_it() -> None:
    family = {name: one for name, one in bucket(PLAN).items() if name != "versioning"}
    resources = declared_as(family, PLAN)
    read = {"versioning": {"enabled": False}, "policy": UNKNOWN}
    whole = [
        Resource(one.type, one.name, {**one.props, **read}, one.provider, one.urn, links=one.links, inputs=one.props)
        if one.name == "bucket"
        else one
        for one in resources
    ]
    (violation,) = judge_stack(whole, PLAN)
    assert violation.finding.property == "versioning"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"cidrBlocks": ["198.51.100.23/32"]}, {"database-ingress-hosts-only"}),
        ({"cidrBlocks": [Ref("host", "ipAddress")]}, set()),
        ({"cidrBlocks": [Ref("host", "ipAddress"), "198.51.100.23/32"]}, {"database-ingress-hosts-only"}),
        ({"securityGroups": ["sg-of-another-stack"]}, {"database-ingress-hosts-only"}),
        ({"securityGroups": [Ref("workers")]}, set()),
        ({"self": True}, set()),
    ],
)
def test_a_rule_inside_of_a_security_group_is_judged_as_a_separate_one(rule: Any, expected: set[str]) -> None:
    family = dict(database(PLAN))
    family["workers"] = Declared(SECURITY_GROUPS[0], {"description": "a job of this stack"})
    inside = {"protocol": "tcp", "fromPort": 5432, "toPort": 5432, **rule}
    family["security-group"] = Declared(SECURITY_GROUPS[0], {"description": "PostgreSQL", "ingress": [inside]})
    assert refused({name: one for name, one in family.items() if name != "ingress"}) == expected


def test_a_tables_replica_may_be_a_separate_resource() -> None:
    family = dict(changed(table(PLAN), "table", "replicas", []))
    assert refused(family) == {"database-replicated"}
    family["replica"] = Declared(DYNAMODB_REPLICA, {"globalTableArn": Ref("table", "arn"), "region": RECOVERY})
    assert refused(family) == set()


def test_a_read_replica_is_not_asked_for_what_aws_refuses() -> None:
    family = dict(database(PLAN))
    of = {
        name: family["database"].props[name]
        for name in ("parameterGroupName", "vpcSecurityGroupIds", "enabledCloudwatchLogsExports")
    }
    reader = {**of, "replicateSourceDb": Ref("database", "identifier"), "iamDatabaseAuthenticationEnabled": True}
    family["reader"] = Declared(RDS_INSTANCE, {**reader, "skipFinalSnapshot": True})
    assert refused(family) == set()
    del reader["replicateSourceDb"]
    family["reader"] = Declared(RDS_INSTANCE, {**reader, "skipFinalSnapshot": True})
    assert {"database-backups-kept", "database-second-copy", "database-replicated"} <= refused(family)


def test_a_replica_in_another_region_needs_a_key_there() -> None:
    arn = f"arn:aws:rds:{HOME}:{ACCOUNT}:db:orders"
    far = resource(RDS_INSTANCE, {"replicateSourceDb": arn, "region": RECOVERY})
    assert names(far, "database-encrypted") == ["kmsKeyId"]
    assert names(resource(RDS_INSTANCE, {"replicateSourceDb": "orders"}), "database-encrypted") == []


LABELS = {"role": "api", "env": "live", "team": "core"}


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ("role", True),
        ("!role", False),
        ("!spare", True),
        ("role=api", True),
        ("role==api", True),
        ("role == api , env", True),
        ("role!=worker", True),
        ("spare!=x", True),
        ("role!=api", False),
        ("role in (api, worker)", True),
        ("role notin (api)", False),
        ("role notin (worker),env=live", True),
        ("spare notin (x)", True),
        ("example.com/role", False),
        ("in in (api)", False),
        ("notin", False),
    ],
)
def test_every_form_of_a_label_selector(selector: str, selected: bool) -> None:
    assert parsed(selector) is not None
    assert selects(selector, LABELS) is selected


@pytest.mark.parametrize("selector", ["", ",", "role=api,", "=api", "role in api", "role>1", "a b", "role=a/b", "!"])
def test_what_is_no_label_selector_is_refused(selector: str) -> None:
    assert parsed(selector) is None
    assert not selects(selector, LABELS)
    family = changed(public_endpoint(PLAN), "target", "labelSelector", selector)
    assert "load-balancer-baseline" in refused(family)


def test_load_balancers_with_equivalent_selectors_are_in_front_of_the_same_hosts() -> None:
    family = public_endpoint(PLAN)
    assert refused(family, ("target", "labelSelector", "pool in (example-api)")) == set()


def test_everything_above_judges_what_the_pack_judges() -> None:
    """The examples here are complete, so that no other policy refuses them."""
    for family in (database(PLAN), bucket(PLAN), table(PLAN), public_endpoint(PLAN), repository(PLAN)):
        assert [violation for one in declared_as(family, PLAN) for violation in judge(one, PLAN)] == []
