"""The permissions boundaries: upper limits that hold regardless of the policies that are attached to a role."""

from __future__ import annotations

from typing import Final

from components.access.policies.service_resources import alarm_arns
from components.aws.iam_documents import ANY_RESOURCE, AccountScope, Statement, allow, deny
from plan.names import APP, PRODUCTION, RECOVERY, access_of, deploy_role, person_role, preview_role

# These calls are irreversible. They need the emergency role, and its use notifies every person.
_DESTROYS_DATA: Final = (
    "rds:DeleteDBInstance",
    "rds:DeleteDBInstanceAutomatedBackup",
    "rds:DeleteDBSnapshot",
    "s3:BypassGovernanceRetention",
    "s3:DeleteBucket",
    "s3:DeleteObjectVersion",
    "kms:DisableKey",
    "kms:ScheduleKeyDeletion",
    "backup:DeleteBackupVault",
    "backup:DeleteBackupVaultLockConfiguration",
    "backup:DeleteRecoveryPoint",
    "logs:DeleteLogGroup",
    "rds:StopDBInstanceAutomatedBackupsReplication",
    "secretsmanager:DeleteSecret",
    # Both end the replica of a secret, the first one by deleting it at once.
    "secretsmanager:RemoveRegionsFromReplication",
    "secretsmanager:StopReplicationToReplica",
)

# These calls end a backup or open data to others. No deployment needs them: it creates these resources once, and
# afterwards changes them in place.
_WEAKENS_PROTECTION: Final = (
    "backup:DeleteBackupPlan",
    "backup:DeleteBackupSelection",
    "backup:UpdateRecoveryPointLifecycle",
    "kms:RevokeGrant",
    "secretsmanager:PutResourcePolicy",
)

# The verbs that the names of IAM's modifying calls begin with.
_CHANGING: Final = (
    "Add", "Attach", "Change", "Create", "Deactivate", "Delete", "Detach", "Enable", "Put", "Remove", "Reset", "Set",
    "Tag", "Untag", "Update", "Upload",
)  # fmt: skip


def deploy_boundary(scope: AccountScope, emergency_role: str) -> list[Statement]:
    """The boundary of every role that deploys.

    Its allow statements grant nothing by themselves. The deny statements matter: a deployment cannot change access,
    least of all its own limits, and cannot destroy data.
    """
    return [
        allow(
            "WhatDeploymentsAreMadeOf",
            [f"{service}:*" for service in ("backup", "backup-storage", "ec2", "kms", "logs", "rds", "s3")]
            + ["secretsmanager:*", "ssm:*"],
            ANY_RESOURCE,
            scope.in_allowed_regions,
        ),
        allow(
            "LookAtAlarms",
            [
                f"{service}:{verb}*"
                for service in ("cloudtrail", "cloudwatch", "events", "sns")
                for verb in ("Describe", "Get", "List")
            ],
            ANY_RESOURCE,
            scope.in_allowed_regions,
        ),
        # The vault's alarms also tell of emergency access, so they are not among these.
        allow(
            "AlarmsOfServices",
            ["cloudwatch:*", "events:*", "sns:*"],
            alarm_arns(scope, (PRODUCTION, RECOVERY)),
        ),
        allow(
            "Roles",
            [
                "iam:AttachRolePolicy",
                "iam:CreateRole",
                "iam:CreateServiceLinkedRole",
                "iam:DeleteRole",
                "iam:DeleteRolePolicy",
                "iam:DetachRolePolicy",
                "iam:Get*",
                "iam:List*",
                "iam:PassRole",
                "iam:PutRolePolicy",
                "iam:TagRole",
                "iam:UntagRole",
                "iam:UpdateAssumeRolePolicy",
                "iam:UpdateRole",
                "iam:UpdateRoleDescription",
                "sts:GetCallerIdentity",
            ],
            ANY_RESOURCE,
        ),
        deny(
            "NoBoundaryIsLifted",
            ["iam:DeleteRolePermissionsBoundary", "iam:PutRolePermissionsBoundary"],
            ANY_RESOURCE,
        ),
        deny(
            "AccessIsNotChanged",
            [*(f"iam:{verb}*" for verb in _CHANGING), "iam:PassRole"],
            _access(scope, emergency_role),
        ),
        # A role that trusts the session of a deployment could be assumed without an allow statement.
        deny("NoRoleIsAssumed", ["sts:AssumeRole"], ANY_RESOURCE),
        # The records of the alarm's trail, and the key that they are encrypted with.
        deny("NoRecordIsTouched", ["s3:Delete*", "s3:Put*"], scope.buckets(f"{access_of('*')}-*")),
        deny(
            "NoKeyOfRecordsIsTouched",
            ["kms:CreateGrant", "kms:PutKeyPolicy", "kms:TagResource", "kms:UntagResource"],
            ANY_RESOURCE,
            {"StringLike": {"aws:ResourceTag/Name": f"{access_of('*')}-*"}},
        ),
        deny("NoValueOfASecret", ["secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue"], ANY_RESOURCE),
        deny("NoDataIsDestroyed", [*_DESTROYS_DATA, *_WEAKENS_PROTECTION], ANY_RESOURCE),
    ]


def workload_boundary(scope: AccountScope) -> list[Statement]:
    """The boundary of every role that a deployment makes: the allowed regions only, no access, no deletion of data."""
    services = ("backup", "backup-storage", "cloudwatch", "ec2messages", "events", "kms", "logs", "rds", "s3")
    more = ("secretsmanager", "ssm", "ssmmessages", "tag")
    return [
        allow(
            "WhatServicesAndHostsDo",
            [f"{service}:*" for service in (*services, *more)],
            ANY_RESOURCE,
            scope.in_allowed_regions,
        ),
        deny("NothingAboutAccess", ["iam:*", "sts:AssumeRole"], ANY_RESOURCE),
        # AWS Backup uses its role to delete expired copies in the vaults, so two calls stay allowed.
        deny(
            "NoDataIsDestroyed",
            [
                action
                for action in _DESTROYS_DATA
                if action not in ("rds:DeleteDBSnapshot", "backup:DeleteRecoveryPoint")
            ],
            ANY_RESOURCE,
        ),
    ]


def _access(scope: AccountScope, emergency_role: str) -> list[str]:
    """The roles, policies and people that determine access."""
    return scope.iam(
        f"role/{preview_role('*')}",
        f"role/{deploy_role('*')}",
        f"role/{person_role('*')}",
        f"role/{emergency_role}",
        f"policy/{APP}-*",
        "user/*",
        "oidc-provider/*",
        "saml-provider/*",
    )
