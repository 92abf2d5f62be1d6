"""Tests of the log groups that a database publishes to."""

from __future__ import annotations

import json

import pulumi
import pulumi_aws as aws

from components.database.logs import DatabaseLogs, DatabaseLogsArgs
from tests.components.recording import BUCKET, KEY, deploy

LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"


def test_log_groups_exist_before_the_database_with_retention_and_key() -> None:
    def program() -> None:
        args = DatabaseLogsArgs(
            identifier="database",
            region="eu-central-1",
            account_id="123456789012",
            retention_days=90,
            key_deletion_window_days=9,
        )
        aws.s3.Bucket(
            "instance", bucket="instance", opts=pulumi.ResourceOptions(depends_on=[DatabaseLogs("logs", args)])
        )

    deployment = deploy(program)
    groups, key = deployment.all(LOG_GROUP), deployment.one(KEY)
    assert {group.inputs["name"] for group in groups} == {
        "/aws/rds/instance/database/postgresql",
        "/aws/rds/instance/database/upgrade",
    }
    assert {group.urn for group in groups} <= deployment.one(BUCKET).depends_on
    for group in groups:
        assert group.inputs["retentionInDays"] == 90
        assert group.inputs["kmsKeyId"].endswith(f"key/{key.id}")
    _, logs = json.loads(key.inputs["policy"])["Statement"]
    # The order of registration is not fixed.
    assert set(logs["Condition"]["ArnEquals"]["kms:EncryptionContext:aws:logs:arn"]) == {
        f"arn:aws:logs:eu-central-1:123456789012:log-group:{group.inputs['name']}" for group in groups
    }
