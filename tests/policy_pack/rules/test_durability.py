"""Tests of the rules on health checks, backups, buckets, databases and selectors, over plain resources."""

from __future__ import annotations

import pytest

from policy_pack import UNKNOWN, Resource, Stack
from policy_pack.documentation.examples.data import bucket, database
from policy_pack.documentation.examples.model import changed, declared_as
from policy_pack.documentation.examples.service import public_endpoint
from policy_pack.rules.policy import leads
from policy_pack.rules.stack.pools import hosts_behind
from tests.policy_pack.resources import ACCOUNT, HOME, PLAN, RECOVERY, names, resource

SERVICE = "hcloud:index/loadBalancerService:LoadBalancerService"

CHECK = {"protocol": "http", "interval": 3, "timeout": 2, "retries": 2, "http": {"statusCodes": ["200"]}}


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (CHECK, []),
        ({**CHECK, "http": {"statusCodes": ["2??"]}}, []),
        ({**CHECK, "http": {"statusCodes": ["2??", "3??"]}}, ["healthCheck.http.statusCodes"]),
        ({**CHECK, "http": {}}, ["healthCheck.http.statusCodes"]),
        ({**CHECK, "protocol": "tcp"}, ["healthCheck.protocol"]),
        ({**CHECK, "retries": 3}, ["healthCheck's interval x retries + timeout"]),
        ({**CHECK, "timeout": None}, ["healthCheck's interval, retries and timeout"]),
        ({**CHECK, "timeout": UNKNOWN}, ["healthCheck's interval, retries and timeout"]),
        (UNKNOWN, ["healthCheck"]),
        (None, ["healthCheck"]),
    ],
)
def test_a_dead_host_is_given_up_in_time(check: object, expected: list[str]) -> None:
    assert names(resource(SERVICE, {"healthCheck": check}), "load-balancer-checks-health") == expected


@pytest.mark.parametrize(
    ("schedule", "daily"),
    [
        ("cron(0 5 * * ? *)", True),
        ("cron(0 5 ? * * *)", True),
        ("cron(0 */6 * * ? *)", True),
        ("rate(12 hours)", True),
        ("rate(1 day)", True),
        ("rate(36 hours)", False),
        ("rate(2 days)", False),
        ("cron(0 5 ? * MON-FRI *)", False),
        ("cron(0 5 1 * ? *)", False),
        ("cron(0 5 * 1 ? *)", False),
        (UNKNOWN, False),
    ],
)
def test_a_backup_plan_backs_up_every_day(schedule: object, daily: bool) -> None:
    family = changed(database(PLAN), "plan", "rules.0.schedule", schedule)
    plan = next(one for one in declared_as(family, PLAN) if one.name == "plan")
    assert (names(plan, "backup-plan-daily") == []) is daily


@pytest.mark.parametrize(
    ("path", "value", "property_"),
    [
        ("rules.0.lifecycle.deleteAfter", PLAN.retention.vault_copy_days - 1, "rules[0].lifecycle.deleteAfter"),
        ("rules.0.copyActions", [], "rules[0].copyActions"),
        ("rules.0.copyActions", UNKNOWN, "rules[0].copyActions"),
        ("rules.0.enableContinuousBackup", True, "rules[0].enableContinuousBackup"),
        (
            "rules.0.copyActions.0.destinationVaultArn",
            f"arn:aws:backup:{HOME}:{ACCOUNT}:backup-vault:x",
            "rules[0].copyActions[0].destinationVaultArn",
        ),
        ("rules.0.copyActions.0.lifecycle.deleteAfter", 1, "rules[0].copyActions[0].lifecycle.deleteAfter"),
        ("rules", [], "rules"),
        ("rules", UNKNOWN, "rules"),
    ],
)
def test_a_backup_is_copied_to_another_region_and_kept(path: str, value: object, property_: str) -> None:
    plan = next(one for one in declared_as(changed(database(PLAN), "plan", path, value), PLAN) if one.name == "plan")
    assert names(plan, "backup-plan-daily") == [property_]


@pytest.mark.parametrize(
    ("name", "path", "value", "policy"),
    [
        ("bucket", "forceDestroy", True, "bucket-force-destroy-off"),
        ("bucket", "forceDestroy", UNKNOWN, "bucket-force-destroy-off"),
        ("bucket", "acl", "public-read", "bucket-private"),
        ("lock", "rule.defaultRetention.mode", "NONE", "bucket-locked"),
        ("encryption", "rules.0.applyServerSideEncryptionByDefault.kmsMasterKeyId", "", "bucket-encrypted"),
        (
            "encryption",
            "rules.0.applyServerSideEncryptionByDefault.kmsMasterKeyId",
            f"arn:aws:kms:{HOME}:{ACCOUNT}:alias/aws/s3",
            "bucket-encrypted",
        ),
        (
            "encryption",
            "rules.0.applyServerSideEncryptionByDefault.kmsMasterKeyId",
            f"arn:aws:kms:{RECOVERY}:{ACCOUNT}:key/x",
            "bucket-encrypted",
        ),
        ("lifecycle", "rules", UNKNOWN, "bucket-versions-kept"),
        ("lifecycle", "rules.0", UNKNOWN, "bucket-versions-kept"),
        ("replication", "rules.0.status", "Disabled", "bucket-replication-complete"),
        ("replication", "rules.0.filter.prefix", "logs/", "bucket-replication-complete"),
        ("replication", "rules.0.destination.metrics.status", None, "bucket-replication-complete"),
        ("replication", "rules.0.destination.replicationTime.status", UNKNOWN, "bucket-replication-complete"),
        (
            "replication",
            "rules.0.destination.encryptionConfiguration.replicaKmsKeyId",
            f"arn:aws:kms:{HOME}:{ACCOUNT}:key/x",
            "bucket-replication-complete",
        ),
        ("replication", "rules", [], "bucket-replication-complete"),
    ],
)
def test_a_buckets_settings_keep_what_is_in_it(name: str, path: str, value: object, policy: str) -> None:
    of = next(one for one in declared_as(changed(bucket(PLAN), name, path, value), PLAN) if one.name == name)
    assert len(names(of, policy)) == 1


@pytest.mark.parametrize(
    ("name", "path", "value", "policy"),
    [
        ("database", "parameterGroupName", "default.postgres18", "database-over-tls"),
        ("parameters", "parameters", UNKNOWN, "database-over-tls"),
        ("parameters", "parameters.0.name", "log_statement", "database-over-tls"),
        ("database", "password", "secret", "database-password-managed"),
        ("database", "vpcSecurityGroupIds", [], "database-private-network"),
        ("database", "masterUserSecretKmsKeyId", f"arn:aws:kms:{RECOVERY}:{ACCOUNT}:key/x", "database-encrypted"),
        ("vault", "forceDestroy", True, "backup-vault-retention"),
        ("vault", "kmsKeyArn", "", "backup-vault-retention"),
        ("lock", "changeableForDays", 3, "backup-vault-retention"),
        ("lock", "maxRetentionDays", 1, "backup-vault-retention"),
        ("key", "deletionWindowInDays", 7, "key-deletion-window"),
        ("key", "isEnabled", False, "key-deletion-window"),
        ("key", "customerMasterKeySpec", "RSA_2048", "key-rotated"),
    ],
)
def test_a_database_and_its_copies_are_kept(name: str, path: str, value: object, policy: str) -> None:
    of = next(one for one in declared_as(changed(database(PLAN), name, path, value), PLAN) if one.name == name)
    assert len(names(of, policy)) == 1


@pytest.mark.parametrize(
    ("selector", "hosts"),
    [("pool=example-api", 3), ("pool=example-api,state=active", 2), ("pool=other", 0), ("pool==example-api", 3)],
)
def test_a_selector_stands_for_the_hosts_that_it_selects(selector: str, hosts: int) -> None:
    family = changed(public_endpoint(PLAN), "target", "labelSelector", selector)
    resources = declared_as(family, PLAN)
    target = next(one for one in resources if one.name == "target")
    assert len(hosts_behind(target, Stack(tuple(resources)))) == hosts


def test_a_literal_leads_as_a_link_does_and_an_unknown_value_does_not() -> None:
    target = Resource("aws:s3/bucket:Bucket", "it", {"bucket": "objects"}, urn="urn:it")
    for props, links, expected in (
        ({"bucket": "objects"}, {}, True),
        ({"bucket": "others"}, {}, False),
        ({"bucket": UNKNOWN}, {}, False),
        ({"bucket": UNKNOWN}, {"bucket": frozenset({"urn:it"})}, True),
        ({"bucket": UNKNOWN}, {"bucket": frozenset({"urn:other"})}, False),
        ({}, {}, False),
    ):
        versioning = Resource("aws:s3/bucketVersioning:BucketVersioning", "v", props, links=links)
        assert leads(versioning, "bucket", target) is expected


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (PLAN.access.emergency_role, False),
        (f"another-{PLAN.access.emergency_role}", True),
        ("botbrains-prod-deploy", True),
        (UNKNOWN, True),
        (None, True),
    ],
)
def test_every_right_is_for_the_plans_role_for_emergencies_alone(role: object, expected: bool) -> None:
    props = {"policyArn": "arn:aws:iam::aws:policy/AdministratorAccess", **({} if role is None else {"role": role})}
    attachment = resource("aws:iam/rolePolicyAttachment:RolePolicyAttachment", props)
    assert bool(names(attachment, "no-wildcard-administrator")) is expected
