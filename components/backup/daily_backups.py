"""The second copy of a database: daily backups that do not depend on RDS's own, in vaults that are locked."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.aws.backup_vault import LONGEST_RETENTION_DAYS, BackupVault, BackupVaultArgs, VaultLockArgs
from components.aws.iam_documents import managed_policy, trust
from plan.geography import aws_partition

# A job of AWS Backup fails if it starts in the hour before RDS's own backup or maintenance window, or in the window
# itself (AWS Backup Developer Guide, "Plan options and configuration"). Those windows are 01:00-02:00 and, on Sundays,
# 03:00-04:00 UTC (`database/instance.py`), so a job can start from 04:00 to 24:00. An hour is left for maintenance that
# takes longer. From 05:00 on, AWS Backup tries every ten minutes until the job starts. It is then early morning in
# Germany: few customers are active, and the founders have the day to deal with a failure.
_EVERY_DAY_UTC = "cron(0 5 * * ? *)"
_START_WITHIN_MINUTES = 3 * 60
# The first backup is all of the database, and takes hours; AWS Backup gives up what takes longer than this.
_COMPLETE_WITHIN_MINUTES = 12 * 60

_MAY_BACK_UP = "service-role/AWSBackupServiceRolePolicyForBackup"


@dataclass(frozen=True, kw_only=True)
class OwnVaultArgs:
    """The backups go to this component's own vault, locked in governance mode."""

    kms_key_arn: pulumi.Input[str]
    """The database's own key: AWS Backup encrypts a backup that RDS makes in its region with that key anyway."""


@dataclass(frozen=True, kw_only=True)
class ExistingVaultArgs:
    """The backups go to a vault of a different stack, in the database's region."""

    name: pulumi.Input[str]
    """The vault's name. Its lock must accept the retention."""


@dataclass(frozen=True, kw_only=True)
class OwnRoleArgs:
    """AWS Backup gets this component's own role."""

    boundary_arn: pulumi.Input[str] | None = None
    """The permissions boundary of the role. A deployment may create only roles that have it."""


@dataclass(frozen=True, kw_only=True)
class ExistingRoleArgs:
    """AWS Backup uses a role that a different stack declares."""

    arn: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class DailyBackupsArgs:
    """The database, the vaults, the role and the retention.

    Raises:
        ValueError: the retention is not positive.
    """

    region: str
    """The region of the provider. Its partition has the policy that lets AWS Backup back up."""

    database_arn: pulumi.Input[str]
    retention_days: int
    """`retention.vault_copy_days` of the plan, for the backups and for their copies."""

    vault: OwnVaultArgs | ExistingVaultArgs
    onward_vault_arn: pulumi.Input[str] | None
    """The vault that each backup is copied to; None where the backups are where they have to be already.

    The copies are encrypted with that vault's key. So they open when the database's key is lost.
    """

    role: OwnRoleArgs | ExistingRoleArgs

    def __post_init__(self) -> None:
        if self.retention_days < 1:
            raise ValueError(
                f"retention_days is {self.retention_days}; at least 1 day is needed to bring anything back"
            )


class DailyBackups(pulumi.ComponentResource):
    """AWS Backup for one database: a backup each day, kept under a lock, and copied to another vault.

    RDS's automated backups and their replication lose minutes and not a day, and are what a recovery begins with. But
    they are of one kind, made and deleted by one service: a fault or a wrong order there reaches all of them. These
    are made by another service, in vaults that refuse to give up a recovery point before its time.
    """

    vault_name: pulumi.Output[str]
    """The vault that the backups are in."""

    plan_id: pulumi.Output[str]
    role_arn: pulumi.Output[str]
    """The role that backs up; a backup on demand can use it too."""

    def __init__(self, name: str, args: DailyBackupsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:backup:SecondCopy", name, {}, opts)
        guarded = pulumi.ResourceOptions(parent=self, protect=True)

        self.vault_name = self._vault_name(name, args)
        permissions: list[pulumi.Resource] = []
        if isinstance(args.role, OwnRoleArgs):
            role, permission = declare_backup_role(name, args.region, args.role.boundary_arn, guarded)
            self.role_arn = role.arn
            permissions.append(permission)
        else:
            self.role_arn = pulumi.Output.from_input(args.role.arn)
        plan = aws.backup.Plan(
            name,
            name=name,
            rules=[
                aws.backup.PlanRuleArgs(
                    rule_name="daily",
                    target_vault_name=self.vault_name,
                    schedule=_EVERY_DAY_UTC,
                    schedule_expression_timezone="Etc/UTC",
                    start_window=_START_WITHIN_MINUTES,
                    completion_window=_COMPLETE_WITHIN_MINUTES,
                    # Continuous backups would take the retention of the automated backups over from RDS, and could be
                    # copied to another region as a daily snapshot only, which is what this is.
                    enable_continuous_backup=False,
                    lifecycle=aws.backup.PlanRuleLifecycleArgs(delete_after=args.retention_days),
                    copy_actions=self._copies(args),
                )
            ],
            tags={"Name": name},
            opts=guarded,
        )
        aws.backup.Selection(
            name,
            name=name,
            plan_id=plan.id,
            iam_role_arn=self.role_arn,
            resources=[args.database_arn],
            # A job that starts before the role may do its work fails, and the next one starts a day later.
            opts=pulumi.ResourceOptions.merge(guarded, pulumi.ResourceOptions(depends_on=permissions)),
        )

        self.plan_id = plan.id
        self.register_outputs({"vaultName": self.vault_name, "planId": self.plan_id, "roleArn": self.role_arn})

    def _vault_name(self, name: str, args: DailyBackupsArgs) -> pulumi.Output[str]:
        if isinstance(args.vault, ExistingVaultArgs):
            return pulumi.Output.from_input(args.vault.name)
        vault = BackupVault(
            name,
            BackupVaultArgs(
                kms_key_arn=args.vault.kms_key_arn,
                # Governance: what may never be lifted is the lock of the vault that the copies go to.
                lock=VaultLockArgs(
                    min_retention_days=args.retention_days,
                    max_retention_days=LONGEST_RETENTION_DAYS,
                    cooling_off_days=None,
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
        return vault.vault_name

    @staticmethod
    def _copies(args: DailyBackupsArgs) -> list[aws.backup.PlanRuleCopyActionArgs]:
        if args.onward_vault_arn is None:
            return []
        return [
            aws.backup.PlanRuleCopyActionArgs(
                destination_vault_arn=args.onward_vault_arn,
                lifecycle=aws.backup.PlanRuleCopyActionLifecycleArgs(delete_after=args.retention_days),
            )
        ]


def declare_backup_role(
    name: str, region: str, boundary_arn: pulumi.Input[str] | None, opts: pulumi.ResourceOptions
) -> tuple[aws.iam.Role, aws.iam.RolePolicyAttachment]:
    """Declare the role of AWS Backup, with the permissions to back up. The partition of the region has the policy."""
    role = aws.iam.Role(
        name,
        name=name,
        description="AWS Backup backs up the application database",
        assume_role_policy=trust({"Service": "backup.amazonaws.com"}),
        permissions_boundary=boundary_arn,
        opts=opts,
    )
    permission = aws.iam.RolePolicyAttachment(
        name,
        role=role.name,
        policy_arn=managed_policy(aws_partition(region), _MAY_BACK_UP),
        opts=opts,
    )
    return role, permission
