"""The log groups of a database. RDS would create them itself, without retention and without a key of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi

# From its own file, like in `components/hosts/identity.py`.
from pulumi_aws.cloudwatch.log_group import LogGroup

from components.aws.encryption_key import EncryptionKey, EncryptionKeyArgs
from components.aws.iam_documents import AccountScope
from components.aws.log_key import log_key_policy

EXPORTED_LOGS: Final = ("postgresql", "upgrade")
"""The logs that PostgreSQL has on RDS: its own, and those of upgrades. A statement in an error can be personal data."""


@dataclass(frozen=True, kw_only=True)
class DatabaseLogsArgs:
    """The instance, and the retention of its logs."""

    identifier: str
    region: str
    account_id: pulumi.Input[str]
    retention_days: int
    key_deletion_window_days: int


class DatabaseLogs(pulumi.ComponentResource):
    """A log group for each exported log, with a retention and a key. It must exist before the instance.

    The groups are not protected: nothing is restored from a log.
    """

    def __init__(self, name: str, args: DatabaseLogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:database:DatabaseLogs", name, {}, opts)
        groups = {log: f"/aws/rds/instance/{args.identifier}/{log}" for log in EXPORTED_LOGS}
        key = EncryptionKey(
            name,
            EncryptionKeyArgs(
                description="The logs of the database",
                deletion_window_days=args.key_deletion_window_days,
                policy=pulumi.Output.from_input(args.account_id).apply(
                    lambda account: log_key_policy(args.region, AccountScope.at(args.region, account), *groups.values())
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        for log, group in groups.items():
            LogGroup(
                f"{args.identifier}-{log}",
                name=group,
                retention_in_days=args.retention_days,
                kms_key_id=key.arn,
                tags={"Name": name},
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})
