"""Alarms for the copies of the data in one region."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi

from components.alarms.mail import MailRuleArgs, mail_rule, mail_topic

# Categories and ids of RDS's events about an instance (RDS User Guide, "Amazon RDS event categories and event
# messages"). The ids are in other categories: automated backups disabled, storage full, key not accessible.
_DATABASE_CATEGORIES: Final = ("deletion", "failover", "failure", "low storage")
_DATABASE_EVENTS: Final = ("RDS-EVENT-0028", "RDS-EVENT-0221", "RDS-EVENT-0419")

# Calls that end a copy, and failures that AWS records as events of CloudTrail. KMS disables a key at once, and RDS then
# ends the replication of backups for good.
_ENDS_A_COPY: Final = (
    "DeleteBackupPlan",
    "DeleteBackupSelection",
    "DeleteBucketReplication",
    "DeleteDBInstanceAutomatedBackup",
    "DeleteRecoveryPoint",
    "DeleteSecret",
    "DisableKey",
    "RemoveRegionsFromReplication",
    "ReplicationFailed",
    "RotationFailed",
    "ScheduleKeyDeletion",
    "StopDBInstanceAutomatedBackupsReplication",
    "StopReplicationToReplica",
)

_JOB_MAIL: Final = (
    "COPY FAILED: a job of AWS Backup for <resource> is <state>, at <when>, in <region>. Run `continuity copies`, which"
    " shows the message of the job and what to do."
)
_DATABASE_MAIL: Final = (
    "DATABASE: RDS reports <event> about <instance>, at <when>, in <region>. The RDS User Guide explains it under"
    " 'Amazon RDS event categories and event messages'."
)
_CHANGE_MAIL: Final = (
    "COPIES CHANGED: <what> in <region>, at <when>, by <who>. This can end a copy of the data. If you know of no such"
    " work, run `continuity copies` and read docs/recovery.md now."
)


@dataclass(frozen=True, kw_only=True)
class CopyAlarmsArgs:
    """The recipients of the alarms: a topic that exists, or people."""

    topic_arn: pulumi.Input[str] | None = None
    """A topic in the region that sends mail. `None` creates one."""

    emails: Mapping[str, str]
    """The recipients of a new topic: the email address by the name of the user."""

    protect: bool = False
    """Whether the rules are protected, and stay when they leave the program."""


class CopyAlarms(pulumi.ComponentResource):
    """Rules that send a mail when something ends a copy of the data, or the original fails.

    EventBridge delivers events in their own region, so each region has these rules. They match every resource of the
    account there: also a database that was restored in an emergency.
    """

    topic_arn: pulumi.Output[str]
    """The topic. Alarms about metrics of the region can publish to it."""

    def __init__(self, name: str, args: CopyAlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:alarms:CopyAlarms", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self, protect=args.protect, retain_on_delete=args.protect)
        topic_arn = args.topic_arn or mail_topic(name, args.emails, child).arn

        def rule(purpose: str, description: str, pattern: Mapping[str, Any], text: str, **paths: str) -> None:
            mail_rule(
                f"{name}-{purpose}",
                MailRuleArgs(
                    description=description, pattern=json.dumps(pattern), text=text, paths=paths, topic_arn=topic_arn
                ),
                child,
            )

        rule(
            "jobs",
            "A job of AWS Backup did not complete",
            {
                "source": ["aws.backup"],
                "detail-type": ["Backup Job State Change", "Copy Job State Change"],
                "detail": {"state": ["ABORTED", "EXPIRED", "FAILED", "PARTIAL"]},
            },
            _JOB_MAIL,
            resource="$.detail.resourceArn",
            state="$.detail.state",
        )
        rule(
            "database",
            "RDS reports a failure, a failover or a deletion",
            {
                "source": ["aws.rds"],
                "detail-type": ["RDS DB Instance Event"],
                "detail": {"$or": [{"EventCategories": _DATABASE_CATEGORIES}, {"EventID": _DATABASE_EVENTS}]},
            },
            _DATABASE_MAIL,
            event="$.detail.EventID",
            instance="$.detail.SourceIdentifier",
        )
        rule(
            "changes",
            "A call or a failure that can end a copy of the data",
            {
                "source": ["aws.backup", "aws.kms", "aws.rds", "aws.s3", "aws.secretsmanager"],
                "detail": {"eventName": _ENDS_A_COPY},
            },
            _CHANGE_MAIL,
            what="$.detail.eventName",
            who="$.detail.userIdentity.arn",
        )
        self.topic_arn = pulumi.Output.from_input(topic_arn)
        self.register_outputs({"topicArn": self.topic_arn})
