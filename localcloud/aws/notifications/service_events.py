"""Events that services emit themselves: RDS about its instances, AWS Backup about its jobs, Secrets Manager.

After the "Events reference" of EventBridge, "Amazon RDS event categories and event messages" (RDS User Guide), and
"CloudTrail entries for Secrets Manager" (Secrets Manager User Guide).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from localcloud.aws.iam.requests import ParsedRequest

# By the call that causes it: the id, the category, the message, and the parameter's value without which there is none.
_RDS_EVENTS: Final[dict[str, tuple[tuple[str, str, str, tuple[str, str] | None], ...]]] = {
    "DeleteDBInstance": (("RDS-EVENT-0003", "deletion", "DB instance deleted.", None),),
    "ModifyDBInstance": (
        (
            "RDS-EVENT-0028",
            "configuration change",
            "Disabled automated backups.",
            ("BackupRetentionPeriod", "0"),
        ),
    ),
    "RebootDBInstance": (
        ("RDS-EVENT-0013", "failover", "Multi-AZ instance failover started.", ("ForceFailover", "true")),
        ("RDS-EVENT-0049", "failover", "Multi-AZ instance failover completed.", ("ForceFailover", "true")),
    ),
}


def events_of(request: ParsedRequest) -> Iterator[dict[str, Any]]:
    """The events of RDS that a call causes, if it succeeds."""
    for event_id, category, message, needed in (
        _RDS_EVENTS.get(request.operation, ()) if request.service == "rds" else ()
    ):
        if needed is not None and str(request.parameters.get(needed[0], "")).lower() != needed[1]:
            continue
        identifier = str(request.parameters["DBInstanceIdentifier"])
        arn = request.arn("rds", f"db:{identifier}")
        yield {
            "source": "aws.rds",
            "detail-type": "RDS DB Instance Event",
            "resources": [arn],
            "detail": {
                "EventCategories": [category],
                "SourceType": "DB_INSTANCE",
                "SourceArn": arn,
                "SourceIdentifier": identifier,
                "Message": message,
                "EventID": event_id,
            },
        }


def job_event(kind: str, job_id: str, state: str, resource_arn: str, vault_arn: str) -> dict[str, Any]:
    """The event about a new state of a job of AWS Backup. `kind` is `backup` or `copy`."""
    ids = {"copyJobId": job_id} if kind == "copy" else {"backupJobId": job_id}
    return {
        "source": "aws.backup",
        "detail-type": f"{kind.capitalize()} Job State Change",
        "resources": [vault_arn],
        "detail": {**ids, "state": state, "resourceArn": resource_arn, "resourceType": "RDS"},
    }


def replication_failed(secret_arn: str, replica_region: str) -> dict[str, Any]:
    """The event about a replica of a secret that could not be created or updated."""
    return {
        "source": "aws.secretsmanager",
        "detail-type": "AWS Service Event via CloudTrail",
        "detail": {
            "eventSource": "secretsmanager.amazonaws.com",
            "eventName": "ReplicationFailed",
            "eventType": "AwsServiceEvent",
            "userIdentity": {"invokedBy": "secretsmanager.amazonaws.com"},
            "additionalEventData": {"SecretId": secret_arn, "replicaRegion": replica_region},
        },
    }
