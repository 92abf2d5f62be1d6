"""What each role may do. Pure functions over the account and the plan's regions, so that all of it can be read here.

Reading is one policy for everybody who reads. A deployment may make and change what its own stack has, by name or by
tag, and may delete nothing that holds data. Every right that grows rights is left out of it, and denied once more by
the boundary, which stays when somebody adds a right by mistake.
"""

from __future__ import annotations

from typing import Final

from components.aws.iam_documents import Place, Statement, allow, deny
from plan.names import (
    APP,
    STATE_KEY_ALIAS,
    access_of,
    deploy_role,
    host_path,
    name_prefix,
    person_role,
    preview_role,
    secret_name,
    state_replica,
)

_EVERYTHING: Final = ("*",)
_STATE: Final = ".pulumi"

# What cannot be taken back, whoever asks for it. People do it under break-glass, where both are told.
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
    "secretsmanager:DeleteSecret",
)

# How the names of IAM's calls begin that change something.
_CHANGING: Final = (
    "Add", "Attach", "Change", "Create", "Deactivate", "Delete", "Detach", "Enable", "Put", "Remove", "Reset", "Set",
    "Tag", "Untag", "Update", "Upload",
)  # fmt: skip


def _access(place: Place, emergency_role: str) -> list[str]:
    """The roles, policies and people by whom it is decided who may do what."""
    return place.iam(
        f"role/{preview_role('*')}",
        f"role/{deploy_role('*')}",
        f"role/{person_role('*')}",
        f"role/{emergency_role}",
        f"policy/{APP}-*",
        "user/*",
        "oidc-provider/*",
        "saml-provider/*",
    )


def reading(place: Place, state_bucket: str) -> list[Statement]:
    """What a preview, a look for drift, and a person on an ordinary day need: what is there, and no content.

    No secret's value, no object of a customer, no row. Of what is encrypted, only Pulumi's state can be read.
    """
    return [
        allow(
            "LookAtResources",
            [
                "backup:Describe*",
                "backup:Get*",
                "backup:List*",
                "cloudtrail:DescribeTrails",
                "cloudtrail:GetEventSelectors",
                "cloudtrail:GetTrail",
                "cloudtrail:GetTrailStatus",
                "cloudtrail:ListTags",
                "cloudtrail:LookupEvents",
                "ec2:Describe*",
                "events:DescribeRule",
                "events:ListTagsForResource",
                "events:ListTargetsByRule",
                "kms:DescribeKey",
                "kms:GetKeyPolicy",
                "kms:GetKeyRotationStatus",
                "kms:ListAliases",
                "kms:ListResourceTags",
                "logs:DescribeLogGroups",
                "logs:ListTagsForResource",
                "rds:Describe*",
                "rds:ListTagsForResource",
                "s3:GetAccelerateConfiguration",
                "s3:GetBucket*",
                "s3:GetEncryptionConfiguration",
                "s3:GetLifecycleConfiguration",
                "s3:GetReplicationConfiguration",
                "s3:ListBucket",
                "s3:ListTagsForResource",
                "secretsmanager:DescribeSecret",
                "secretsmanager:GetResourcePolicy",
                "secretsmanager:ListSecretVersionIds",
                "sns:GetSubscriptionAttributes",
                "sns:GetTopicAttributes",
                "sns:ListSubscriptionsByTopic",
                "sns:ListTagsForResource",
                "sns:ListTopics",
                "ssm:DescribeActivations",
                "ssm:DescribeInstanceInformation",
                "ssm:DescribeParameters",
                "ssm:GetParameter",
                "ssm:GetParameters",
                "ssm:ListTagsForResource",
            ],
            _EVERYTHING,
            place.here,
        ),
        allow("LookAtAccess", ["iam:Get*", "iam:List*", "sts:GetCallerIdentity"], _EVERYTHING),
        allow(
            "ReadTheState",
            ["s3:GetObject", "s3:GetObjectVersion"],
            place.buckets(*(f"{bucket}/{_STATE}/*" for bucket in (state_bucket, state_replica(state_bucket)))),
        ),
        _use_state_key(place, "kms:Decrypt"),
    ]


def person(place: Place) -> list[Statement]:
    """What a person does on an ordinary day beside looking: put the values of secrets in."""
    return [
        allow(
            "PutValuesOfSecrets",
            ["secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"],
            place.arns("secretsmanager", f"secret:{APP}/*"),
        ),
        allow("ReportCredentials", ["iam:GenerateCredentialReport"], _EVERYTHING),
    ]


def signed_in_person(place: Place, emergency_role: str) -> list[Statement]:
    """What a person may do before any role is taken: look after their own second factor, and take a role with it.

    There is no right to make an access key: the command line signs in through the browser (`aws login`) and holds
    credentials of minutes.
    """
    own = place.iam("user/${aws:username}", "mfa/*")
    own_role = "role/" + person_role("${aws:username}")
    return [
        allow(
            "OwnPasswordAndSecondFactor",
            [
                "iam:ChangePassword",
                "iam:CreateVirtualMFADevice",
                "iam:EnableMFADevice",
                "iam:GetMFADevice",
                "iam:GetUser",
                "iam:ListMFADevices",
                "iam:ResyncMFADevice",
            ],
            own,
        ),
        allow("SignInOnTheCommandLine", ["signin:AuthorizeOAuth2Access", "signin:CreateOAuth2Token"], _EVERYTHING),
        allow(
            "TakeARole",
            ["sts:AssumeRole"],
            place.iam(own_role, f"role/{emergency_role}"),
            {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
        ),
    ]


def deploying_vault(place: Place, stack: str, state_bucket: str) -> list[Statement]:
    """What an update of the vault needs: its keys, its bucket, its backup vault. Who may do what is not among it."""
    return [
        *_state(place, stack, state_bucket),
        *_keys(place, stack),
        *_buckets(place, stack),
        *_backups(place, stack),
    ]


def deploying_service(
    place: Place, stack: str, vault: str, workload_boundary: str, state_bucket: str
) -> list[Statement]:
    """What an update of production or of its rebuild needs, with the copies that go to the vault."""
    own = name_prefix(stack)
    databases = [f"{kind}:{own}-*" for kind in ("db", "subgrp", "pg", "snapshot", "cluster-snapshot")]
    return [
        *_state(place, stack, state_bucket),
        *_keys(place, stack),
        allow(
            "UseTheVaultsKeys",
            ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
            _EVERYTHING,
            place.here,
            {"StringEquals": {"aws:ResourceTag/stack": vault}},
        ),
        *_buckets(place, stack),
        # Objects come back from the vault's bucket too: its order to copy belongs to whoever the service is.
        allow("CopyBack", ["s3:PutReplicationConfiguration"], place.buckets(f"{name_prefix(vault)}-*")),
        *_backups(place, stack),
        allow("CopyBackups", ["backup:CopyIntoBackupVault"], place.arns("backup", f"backup-vault:{APP}-*")),
        allow(
            "Network",
            [
                "ec2:AssociateRouteTable",
                "ec2:AuthorizeSecurityGroup*",
                "ec2:CreateNetworkAcl*",
                "ec2:CreateRoute*",
                "ec2:CreateInternetGateway",
                "ec2:AttachInternetGateway",
                "ec2:DetachInternetGateway",
                "ec2:DeleteInternetGateway",
                "ec2:CreateSecurityGroup",
                "ec2:CreateSubnet",
                "ec2:CreateTags",
                "ec2:CreateVpc",
                "ec2:DeleteRoute*",
                "ec2:DeleteSecurityGroup",
                "ec2:DeleteSubnet",
                "ec2:DeleteTags",
                "ec2:DeleteVpc",
                "ec2:DisassociateRouteTable",
                "ec2:ModifySecurityGroupRules",
                "ec2:ModifySubnetAttribute",
                "ec2:ModifyVpcAttribute",
                "ec2:RevokeSecurityGroup*",
                "ec2:UpdateSecurityGroupRuleDescriptions*",
            ],
            _EVERYTHING,
            place.here,
        ),
        allow(
            "Database",
            [
                "rds:AddTagsToResource",
                "rds:CreateDBInstance",
                "rds:CreateDBParameterGroup",
                "rds:CreateDBSnapshot",
                "rds:CreateDBSubnetGroup",
                "rds:DeleteDBParameterGroup",
                "rds:DeleteDBSubnetGroup",
                "rds:ModifyDBInstance",
                "rds:ModifyDBParameterGroup",
                "rds:ModifyDBSubnetGroup",
                "rds:RebootDBInstance",
                "rds:RemoveTagsFromResource",
                "rds:ResetDBParameterGroup",
                "rds:RestoreDBInstanceFromDBSnapshot",
                "rds:RestoreDBInstanceToPointInTime",
                "rds:StartDBInstanceAutomatedBackupsReplication",
                "rds:StopDBInstanceAutomatedBackupsReplication",
            ],
            place.arns("rds", *databases, "auto-backup:*", "og:default:*", "pg:default.*", "snapshot:awsbackup:*"),
        ),
        # A rebuild begins with what production's database left behind, whose name is production's.
        allow(
            "RecoverADatabase",
            ["rds:RestoreDBInstanceFromDBSnapshot", "rds:RestoreDBInstanceToPointInTime"],
            place.arns("rds", f"db:{APP}-*", "snapshot:*"),
        ),
        allow(
            "Secrets",
            [
                "secretsmanager:CreateSecret",
                "secretsmanager:PutResourcePolicy",
                "secretsmanager:RemoveRegionsFromReplication",
                "secretsmanager:ReplicateSecretToRegions",
                "secretsmanager:TagResource",
                "secretsmanager:UntagResource",
                "secretsmanager:UpdateSecret",
            ],
            place.arns("secretsmanager", f"secret:{secret_name(stack, '*')}"),
        ),
        # RDS makes the secret of a database's first user with the rights of whoever makes the database.
        allow(
            "SecretOfTheDatabase",
            ["secretsmanager:CreateSecret", "secretsmanager:RotateSecret", "secretsmanager:TagResource"],
            place.arns("secretsmanager", "secret:rds!*"),
        ),
        allow(
            "EnrolHosts",
            ["ssm:CreateActivation", "ssm:DeleteActivation", "ssm:DeregisterManagedInstance"],
            _EVERYTHING,
            place.here,
        ),
        allow(
            "SettingsOfHosts",
            ["ssm:AddTagsToResource", "ssm:DeleteParameter", "ssm:PutParameter", "ssm:RemoveTagsFromResource"],
            place.arns("ssm", f"parameter{host_path(stack)}/*", "activation/*"),
        ),
        allow(
            "LogsOfHosts",
            [
                "logs:CreateLogGroup",
                "logs:DeleteRetentionPolicy",
                "logs:PutRetentionPolicy",
                "logs:TagResource",
                "logs:UntagResource",
            ],
            place.arns("logs", f"log-group:{host_path(stack)}/*"),
        ),
        # A role that a deployment makes can never do more than its own boundary says, and keeps that boundary.
        allow(
            "RolesWithinTheirBoundary",
            [
                "iam:AttachRolePolicy",
                "iam:CreateRole",
                "iam:DeleteRolePolicy",
                "iam:DetachRolePolicy",
                "iam:PutRolePolicy",
            ],
            place.iam(f"role/{own}-*"),
            {"StringEquals": {"iam:PermissionsBoundary": workload_boundary}},
        ),
        allow(
            "Roles",
            [
                "iam:DeleteRole",
                "iam:TagRole",
                "iam:UntagRole",
                "iam:UpdateAssumeRolePolicy",
                "iam:UpdateRole",
            ],
            place.iam(f"role/{own}-*"),
        ),
        allow(
            "GiveRolesToServices",
            ["iam:PassRole"],
            place.iam(f"role/{own}-*"),
            {
                "StringEquals": {
                    "iam:PassedToService": [
                        "backup.amazonaws.com",
                        "monitoring.rds.amazonaws.com",
                        "s3.amazonaws.com",
                        "ssm.amazonaws.com",
                    ]
                }
            },
        ),
        allow(
            "RolesOfServices",
            ["iam:CreateServiceLinkedRole"],
            place.iam("role/aws-service-role/*"),
            {"StringEquals": {"iam:AWSServiceName": ["backup.amazonaws.com", "rds.amazonaws.com"]}},
        ),
    ]


def deploy_boundary(place: Place, emergency_role: str) -> list[Statement]:
    """What no deployment can do, whatever its role is given: this holds beside the role's policies, and against them.

    Its allowances grant nothing by themselves. The denials are what matters: no deployment changes who may do what, its
    own limits first of all, and none destroys data.
    """
    return [
        allow(
            "WhatDeploymentsAreMadeOf",
            [f"{service}:*" for service in ("backup", "backup-storage", "ec2", "kms", "logs", "rds", "s3")]
            + ["secretsmanager:*", "ssm:*"],
            _EVERYTHING,
            place.here,
        ),
        allow(
            "LookAtAlarms",
            [
                f"{service}:{verb}*"
                for service in ("cloudtrail", "events", "sns")
                for verb in ("Describe", "Get", "List")
            ],
            _EVERYTHING,
            place.here,
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
                "sts:GetCallerIdentity",
            ],
            _EVERYTHING,
        ),
        deny(
            "NoBoundaryIsLifted",
            ["iam:DeleteRolePermissionsBoundary", "iam:PutRolePermissionsBoundary"],
            _EVERYTHING,
        ),
        deny(
            "AccessIsNotChanged",
            [*(f"iam:{verb}*" for verb in _CHANGING), "iam:PassRole", "sts:AssumeRole"],
            _access(place, emergency_role),
        ),
        # What the alarm's trail has recorded, and the key that it is encrypted with.
        deny("NoRecordIsTouched", ["s3:Delete*", "s3:Put*"], place.buckets(f"{access_of('*')}-*")),
        deny(
            "NoKeyOfRecordsIsTouched",
            ["kms:CreateGrant", "kms:PutKeyPolicy", "kms:TagResource", "kms:UntagResource"],
            _EVERYTHING,
            {"StringLike": {"aws:ResourceTag/Name": f"{access_of('*')}-*"}},
        ),
        deny("NoValueOfASecret", ["secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue"], _EVERYTHING),
        deny("NoDataIsDestroyed", _DESTROYS_DATA, _EVERYTHING),
    ]


def workload_boundary(place: Place) -> list[Statement]:
    """What no role that a deployment makes can do: nothing outside the regions, nothing about access, no deletion."""
    services = ("backup", "backup-storage", "cloudwatch", "ec2messages", "events", "kms", "logs", "rds", "s3")
    more = ("secretsmanager", "ssm", "ssmmessages", "tag")
    return [
        allow("WhatServicesAndHostsDo", [f"{service}:*" for service in (*services, *more)], _EVERYTHING, place.here),
        deny("NothingAboutAccess", ["iam:*", "sts:AssumeRole"], _EVERYTHING),
        # AWS Backup deletes its own copies in the vaults with its own role, so that much must stay possible.
        deny(
            "NoDataIsDestroyed",
            [
                action
                for action in _DESTROYS_DATA
                if action not in ("rds:DeleteDBSnapshot", "backup:DeleteRecoveryPoint")
            ],
            _EVERYTHING,
        ),
    ]


def _state(place: Place, stack: str, state_bucket: str) -> list[Statement]:
    """Pulumi's state of one stack, to write; of the others, only to read, which every role that looks may."""
    files = [
        f"{_STATE}/stacks/{APP}/{stack}.json*",
        f"{_STATE}/history/{APP}/{stack}/*",
        f"{_STATE}/backups/{APP}/{stack}/*",
        f"{_STATE}/locks/organization/{APP}/{stack}/*",
    ]
    return [
        # Taking a lock back is a deletion. It leaves a version, like every other one in that bucket.
        allow(
            "WriteTheState",
            ["s3:DeleteObject", "s3:PutObject"],
            # And the replica, from which one works while the recovery region is lost.
            place.buckets(
                *(f"{bucket}/{file}" for bucket in (state_bucket, state_replica(state_bucket)) for file in files)
            ),
        ),
        _use_state_key(place, "kms:Encrypt", "kms:GenerateDataKey"),
    ]


def _use_state_key(place: Place, *actions: str) -> Statement:
    return allow(
        "UseTheStatesKey" + "".join(action.partition(":")[2] for action in actions),
        actions,
        place.arns("kms", "key/*"),
        {"ForAnyValue:StringEquals": {"kms:ResourceAliases": STATE_KEY_ALIAS}},
    )


def _keys(place: Place, stack: str) -> list[Statement]:
    """Keys have no names of their own, so a stack's keys are told by their tag, which they have from the beginning."""
    return [
        allow(
            "MakeKeys",
            ["kms:CreateKey", "kms:TagResource"],
            _EVERYTHING,
            place.here,
            {"StringEquals": {"aws:RequestTag/stack": stack}},
        ),
        allow(
            "OwnKeys",
            [
                "kms:CancelKeyDeletion",
                "kms:CreateAlias",
                "kms:CreateGrant",
                "kms:Decrypt",
                "kms:DeleteAlias",
                "kms:EnableKey",
                "kms:EnableKeyRotation",
                "kms:GenerateDataKey*",
                "kms:PutKeyPolicy",
                "kms:TagResource",
                "kms:UntagResource",
                "kms:UpdateAlias",
                "kms:UpdateKeyDescription",
            ],
            place.arns("kms", "key/*"),
            {"StringEquals": {"aws:ResourceTag/stack": stack}},
        ),
        allow(
            "OwnAliases",
            ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"],
            place.arns("kms", f"alias/{name_prefix(stack)}-*"),
        ),
    ]


def _buckets(place: Place, stack: str) -> list[Statement]:
    return [
        allow(
            "Buckets",
            [
                "s3:CreateBucket",
                "s3:PutBucket*",
                "s3:PutEncryptionConfiguration",
                "s3:PutLifecycleConfiguration",
                "s3:PutReplicationConfiguration",
                "s3:TagResource",
                "s3:UntagResource",
            ],
            place.buckets(f"{name_prefix(stack)}-*"),
        )
    ]


def _backups(place: Place, stack: str) -> list[Statement]:
    return [
        allow(
            "BackupVaults",
            [
                "backup:CreateBackupVault",
                "backup:PutBackupVaultAccessPolicy",
                "backup:PutBackupVaultLockConfiguration",
                "backup:TagResource",
                "backup:UntagResource",
            ],
            place.arns("backup", f"backup-vault:{name_prefix(stack)}-*"),
        ),
        # A plan has no name in its ARN, and a vault's storage none of its own.
        allow(
            "BackupPlans",
            [
                "backup-storage:MountCapsule",
                "backup:CreateBackupPlan",
                "backup:CreateBackupSelection",
                "backup:DeleteBackupPlan",
                "backup:DeleteBackupSelection",
                "backup:StartRestoreJob",
                "backup:TagResource",
                "backup:UntagResource",
                "backup:UpdateBackupPlan",
            ],
            _EVERYTHING,
            place.here,
        ),
    ]
