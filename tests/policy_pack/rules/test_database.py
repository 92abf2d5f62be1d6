"""The policies on databases: refused, allowed, left out, and not known yet."""

from __future__ import annotations

import pytest

from policy_pack import UNKNOWN, Resource, judge
from tests.policy_pack.resources import (
    ACCOUNT,
    HOME,
    KEY_ARN,
    PLAN,
    RECOVERY,
    aws_provider,
    database,
    refused,
    replica,
    resource,
    violations,
    without,
)

RETENTION = "backupRetentionPeriod"
KEPT = "deleteAutomatedBackups"
NOT_A_NUMBER = float("nan")


def test_a_database_and_a_replication_as_the_plan_wants_them_pass_every_policy() -> None:
    assert judge(database(), PLAN) == []
    assert judge(replica(), PLAN) == []


@pytest.mark.parametrize(
    ("policy", "judged", "expected"),
    [
        # 20 days are what the plan of these tests promises.
        ("database-backup-retention", database(backupRetentionPeriod=20), {}),
        ("database-backup-retention", database(backupRetentionPeriod=35), {}),
        ("database-backup-retention", database(backupRetentionPeriod=19), {RETENTION: 19}),
        ("database-backup-retention", database(backupRetentionPeriod=0), {RETENTION: 0}),
        ("database-backup-retention", without(database(), RETENTION), {RETENTION: None}),
        ("database-backup-retention", database(backupRetentionPeriod=None), {RETENTION: None}),
        ("database-backup-retention", database(backupRetentionPeriod=UNKNOWN), {RETENTION: UNKNOWN}),
        ("database-backup-retention", database(backupRetentionPeriod=True), {RETENTION: True}),
        ("database-backup-retention", database(backupRetentionPeriod="35"), {RETENTION: "35"}),
        ("database-backup-retention", database(backupRetentionPeriod=NOT_A_NUMBER), {RETENTION: NOT_A_NUMBER}),
        #
        ("database-backups-kept", database(deleteAutomatedBackups=False), {}),
        ("database-backups-kept", database(deleteAutomatedBackups=True), {KEPT: True}),
        ("database-backups-kept", database(deleteAutomatedBackups=UNKNOWN), {KEPT: UNKNOWN}),
        ("database-backups-kept", without(database(), KEPT), {KEPT: None}),
        ("database-backups-kept", database(skipFinalSnapshot=False), {}),
        ("database-backups-kept", without(database(), "skipFinalSnapshot"), {}),
        ("database-backups-kept", database(skipFinalSnapshot=True), {"skipFinalSnapshot": True}),
        ("database-backups-kept", database(skipFinalSnapshot=UNKNOWN), {"skipFinalSnapshot": UNKNOWN}),
        ("database-backups-kept", database(finalSnapshotIdentifier="last"), {}),
        ("database-backups-kept", database(finalSnapshotIdentifier=UNKNOWN), {}),
        ("database-backups-kept", database(finalSnapshotIdentifier=""), {"finalSnapshotIdentifier": ""}),
        (
            "database-backups-kept",
            without(database(), "finalSnapshotIdentifier"),
            {"finalSnapshotIdentifier": None},
        ),
        ("database-backups-kept", database(copyTagsToSnapshot=False), {"copyTagsToSnapshot": False}),
        ("database-backups-kept", database(copyTagsToSnapshot=UNKNOWN), {"copyTagsToSnapshot": UNKNOWN}),
        ("database-backups-kept", without(database(), "copyTagsToSnapshot"), {"copyTagsToSnapshot": None}),
        #
        ("database-encrypted", database(storageEncrypted=True, kmsKeyId=f"arn:aws:kms:{HOME}:1:key/1"), {}),
        ("database-encrypted", database(kmsKeyId=UNKNOWN), {}),
        ("database-encrypted", database(storageEncrypted=False), {"storageEncrypted": False}),
        ("database-encrypted", database(storageEncrypted="true"), {"storageEncrypted": "true"}),
        ("database-encrypted", database(storageEncrypted=UNKNOWN), {"storageEncrypted": UNKNOWN}),
        ("database-encrypted", without(database(), "storageEncrypted"), {"storageEncrypted": None}),
        ("database-encrypted", database(kmsKeyId=""), {"kmsKeyId": ""}),
        ("database-encrypted", without(database(), "kmsKeyId"), {"kmsKeyId": None}),
        #
        ("database-protected", database(deletionProtection=True), {}),
        ("database-protected", database(deletionProtection=False), {"deletionProtection": False}),
        ("database-protected", database(deletionProtection=UNKNOWN), {"deletionProtection": UNKNOWN}),
        ("database-protected", without(database(), "deletionProtection"), {"deletionProtection": None}),
        #
        ("database-multi-az", database(multiAz=True), {}),
        ("database-multi-az", database(multiAz=False), {"multiAz": False}),
        ("database-multi-az", database(multiAz=UNKNOWN), {"multiAz": UNKNOWN}),
        ("database-multi-az", without(database(), "multiAz"), {"multiAz": None}),
        # 12 days are what the plan of these tests promises for the copies.
        ("database-replica-retention", replica(retentionPeriod=12), {}),
        ("database-replica-retention", replica(retentionPeriod=11), {"retentionPeriod": 11}),
        ("database-replica-retention", without(replica(), "retentionPeriod"), {"retentionPeriod": None}),
        ("database-replica-retention", replica(retentionPeriod=UNKNOWN), {"retentionPeriod": UNKNOWN}),
        ("database-replica-retention", replica(region="us-east-1", kmsKeyId=UNKNOWN), {"region": "us-east-1"}),
        ("database-replica-retention", replica(region=UNKNOWN), {"region": UNKNOWN}),
        # Its own region is left out: its provider's is the database's.
        (
            "database-replica-retention",
            without(replica(kmsKeyId=UNKNOWN), "region"),
            {"region of its provider 'aws'": HOME},
        ),
        ("database-replica-retention", replica(region=HOME, kmsKeyId=UNKNOWN), {"region": HOME}),
        ("database-replica-retention", replica(sourceDbInstanceArn=UNKNOWN), {}),
        ("database-replica-retention", replica(sourceDbInstanceArn="main"), {"sourceDbInstanceArn": "main"}),
        ("database-replica-retention", without(replica(), "sourceDbInstanceArn"), {"sourceDbInstanceArn": None}),
        ("database-replica-retention", without(replica(), "kmsKeyId"), {"kmsKeyId": None}),
        ("database-replica-retention", replica(kmsKeyId=UNKNOWN), {}),
        (
            "database-replica-retention",
            replica(kmsKeyId=f"arn:aws:kms:{HOME}:{ACCOUNT}:key/1"),
            {"kmsKeyId": f"arn:aws:kms:{HOME}:{ACCOUNT}:key/1"},
        ),
    ],
)
def test_a_database_can_be_brought_back(policy: str, judged: Resource, expected: dict[str, object]) -> None:
    assert refused(judged, policy) == expected


def test_a_replication_may_take_its_region_from_its_provider() -> None:
    props = {key: value for key, value in replica().props.items() if key != "region"}
    elsewhere = resource(replica().type, {**props, "kmsKeyId": KEY_ARN}, aws_provider(region=RECOVERY))
    assert judge(elsewhere, PLAN) == []


def test_one_zone_is_enough_where_the_plan_says_so() -> None:
    plan = PLAN.model_copy(update={"redundancy": PLAN.redundancy.model_copy(update={"database_multi_az": False})})
    assert judge(database(multiAz=False), plan) == []


def test_true_is_not_one_day() -> None:
    plan = PLAN.model_copy(update={"retention": PLAN.retention.model_copy(update={"database_backup_days": 1})})
    assert judge(database(backupRetentionPeriod=1), plan) == []
    assert len(judge(database(backupRetentionPeriod=True), plan)) == 1


def test_a_message_names_the_resource_the_property_its_value_what_is_allowed_and_what_to_do() -> None:
    (violation,) = violations(database(backupRetentionPeriod=7), "database-backup-retention")
    assert violation.message == (
        "aws:rds/instance:Instance 'it': backupRetentionPeriod is 7; allowed is 20 days or more."
        " Set it to what the plan promises. Left out it is 0, and then there are no backups to recover from."
        f" The promise (A.8.13): {violation.promise}"
    )
    (violation,) = violations(database(multiAz=UNKNOWN), "database-multi-az")
    assert "multiAz is not known before deployment; allowed is true. Write it out" in violation.message
