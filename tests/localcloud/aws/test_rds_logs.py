"""Tests of the log groups that RDS creates for exported logs."""

from __future__ import annotations

from tests.localcloud.aws_harness import HERE, a_database, local_aws


def test_rds_creates_only_missing_log_groups_and_without_retention() -> None:
    with local_aws() as aws:
        logs = aws.client("logs")
        declared = "/aws/rds/instance/exporting/postgresql"
        logs.create_log_group(logGroupName=declared)
        logs.put_retention_policy(logGroupName=declared, retentionInDays=90)
        a_database(aws, "exporting", EnableCloudwatchLogsExports=["postgresql"])
        aws.client("rds", HERE).modify_db_instance(
            DBInstanceIdentifier="exporting", CloudwatchLogsExportConfiguration={"EnableLogTypes": ["upgrade"]}
        )
        found = {
            group["logGroupName"]: group.get("retentionInDays") for group in logs.describe_log_groups()["logGroups"]
        }
        assert found == {declared: 90, "/aws/rds/instance/exporting/upgrade": None}
