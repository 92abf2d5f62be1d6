"""The roles that the recovery stack uses."""

from __future__ import annotations

import pulumi

from components.backup.daily_backups import declare_backup_role
from components.hosts.role import HostRoleArgs, declare_host_role
from plan.names import name_prefix


class RecoveryRoles(pulumi.ComponentResource):
    """The roles of the recovery stack's hosts and backups, which exist before they are needed.

    IAM has one control plane, in us-east-1. A recovery that creates roles fails if that region is impaired too. AWS
    Security Token Service and existing roles work in every region ("AWS Fault Isolation Boundaries", appendix A). So
    the vault declares these roles. Without the recovery stack, no host and no backup uses them.
    """

    host_role_name: pulumi.Output[str]
    backup_role_arn: pulumi.Output[str]

    def __init__(self, name: str, args: HostRoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:access:RecoveryRoles", name, {}, opts)
        guarded = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True)
        prefix = name_prefix(args.stack)
        hosts, _ = declare_host_role(f"{prefix}-hosts", args, guarded)
        backups, _ = declare_backup_role(f"{prefix}-second-copy", args.region, args.boundary_arn, guarded)

        self.host_role_name = hosts.name
        self.backup_role_arn = backups.arn
        self.register_outputs({"hostRoleName": self.host_role_name, "backupRoleArn": self.backup_role_arn})
