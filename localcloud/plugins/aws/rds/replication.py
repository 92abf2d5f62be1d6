"""RDS: the replication of an instance's automated backups to a second region."""

from __future__ import annotations

import time
from typing import Any, Final

from botocore.exceptions import ClientError

from localcloud.plugins.aws.common import REGION, client, code, given, gone_at, locate
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import GoneError, Property, Props, RefusedError, ResourceType
from localcloud.plugins.time_limit import TimeLimit

_CREATE_MINUTES: Final = 75


def _start_replication(cloud: Cloud, inputs: Props) -> str:
    started = client(cloud, "rds", inputs).start_db_instance_automated_backups_replication(
        SourceDBInstanceArn=inputs["sourceDbInstanceArn"],
        BackupRetentionPeriod=inputs.get("retentionPeriod") or 7,
        **given(inputs, {"kmsKeyId": "KmsKeyId", "preSignedUrl": "PreSignedUrl"}),
    )
    return str(started["DBInstanceAutomatedBackup"]["DBInstanceAutomatedBackupsArn"])


def _settle_replication(cloud: Cloud, identity: str, inputs: Props) -> None:
    rds = client(cloud, "rds", inputs)
    limit = TimeLimit.of(_CREATE_MINUTES)
    while (status := _replicated(rds, identity)["Status"].lower()) != "replicating":
        if limit.passed():
            raise RefusedError(f"{identity} is {status}, not replicating, after {limit}")
        time.sleep(0.5)


def _replicated(rds: Any, arn: str) -> Any:
    """Return the replicated backup with this ARN. A retained backup, which gets no updates, counts as gone."""
    with gone_at("DBInstanceAutomatedBackupNotFound"):
        found = rds.describe_db_instance_automated_backups(DBInstanceAutomatedBackupsArn=arn)
    backup = found["DBInstanceAutomatedBackups"][0]
    if backup["Status"].lower() == "retained":
        raise GoneError(f"{arn} is retained: nothing is replicated to it")
    return backup


def _read_replication(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    if not state.get("region"):
        region = identity.split(":")[3]  # the ARN contains the region
    backup = _replicated(cloud.client("rds", region), identity)
    return {
        "id": identity,
        "region": region,
        "sourceDbInstanceArn": backup["DBInstanceArn"],
        "kmsKeyId": backup.get("KmsKeyId", ""),
        "retentionPeriod": backup["BackupRetentionPeriod"],
    }


def _stop_replication(cloud: Cloud, identity: str, state: Props) -> None:
    rds = client(cloud, "rds", state)
    backup = _replicated(rds, identity)
    try:
        with gone_at("DBInstanceNotFound"):
            rds.stop_db_instance_automated_backups_replication(SourceDBInstanceArn=backup["DBInstanceArn"])
    except ClientError as error:
        if code(error) == "InvalidDBInstanceState" and "not replicating to the current region" in str(error):
            raise GoneError(str(error)) from error
        raise


def _find_replication(cloud: Cloud, inputs: Props) -> str | None:
    pages = client(cloud, "rds", inputs).get_paginator("describe_db_instance_automated_backups").paginate()
    return next(
        (
            str(backup["DBInstanceAutomatedBackupsArn"])
            for page in pages
            for backup in page["DBInstanceAutomatedBackups"]
            if backup["DBInstanceArn"] == inputs["sourceDbInstanceArn"] and backup["Status"].lower() == "replicating"
        ),
        None,
    )


REPLICATION: Final = ResourceType(
    token="aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication",  # noqa: S106
    properties={
        "region": REGION,
        "sourceDbInstanceArn": Property(required=True, replaces=True),
        "kmsKeyId": Property(replaces=True),
        "retentionPeriod": Property(default=7, replaces=True),
        "preSignedUrl": Property(replaces=True, write_only=True),
    },
    computed=("kmsKeyId", "region"),
    create=_start_replication,
    settle=_settle_replication,
    read=_read_replication,
    delete=_stop_replication,
    delete_before_replace=True,
    find=_find_replication,
)
