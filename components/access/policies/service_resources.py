"""Permissions on the resources of one service: network, database, secrets, hosts, and the roles that these have."""

from __future__ import annotations

from collections.abc import Sequence

from components.aws.iam_documents import ANY_RESOURCE, AccountScope, Statement, allow
from plan.names import APP, host_path, name_prefix, secret_name


def network(scope: AccountScope) -> list[Statement]:
    """Permissions to make, change and delete the database's network."""
    return [
        allow(
            "Network",
            [
                "ec2:AssociateRouteTable",
                "ec2:AuthorizeSecurityGroup*",
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
                "ec2:ReplaceRoute*",
                "ec2:RevokeSecurityGroup*",
                "ec2:UpdateSecurityGroupRuleDescriptions*",
            ],
            ANY_RESOURCE,
            scope.in_allowed_regions,
        ),
    ]


def alarms(scope: AccountScope, stacks: Sequence[str]) -> list[Statement]:
    """Permissions to make and change the alarms of stacks, but not to unsubscribe a recipient.

    IAM cannot limit `sns:Unsubscribe` to a topic: it would end the alarm for emergency access as well.
    """
    return [
        allow(
            "Alarms",
            [
                "cloudwatch:DeleteAlarms",
                "cloudwatch:PutMetricAlarm",
                "cloudwatch:TagResource",
                "cloudwatch:UntagResource",
                "events:DeleteRule",
                "events:PutRule",
                "events:PutTargets",
                "events:RemoveTargets",
                "events:TagResource",
                "events:UntagResource",
                "sns:CreateTopic",
                "sns:DeleteTopic",
                "sns:SetTopicAttributes",
                "sns:Subscribe",
                "sns:TagResource",
                "sns:UntagResource",
            ],
            alarm_arns(scope, stacks),
        ),
    ]


def alarm_arns(scope: AccountScope, stacks: Sequence[str]) -> list[str]:
    """The ARNs of the alarms, rules and topics of stacks."""
    return [
        arn
        for stack in stacks
        for service, kind in (("cloudwatch", "alarm:"), ("events", "rule/"), ("sns", ""))
        for arn in scope.arns(service, f"{kind}{name_prefix(stack)}-*")
    ]


def database(scope: AccountScope, stack: str) -> list[Statement]:
    """Permissions to make, change and restore a database, but not to delete one."""
    kinds = ("db", "subgrp", "pg", "snapshot")
    own = [f"{kind}:{name_prefix(stack)}-*" for kind in kinds]
    return [
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
            ],
            scope.arns("rds", *own, "auto-backup:*", "og:default:*", "pg:default.*", "snapshot:awsbackup:*"),
        ),
        # Recovery restores from the backups and snapshots of production's database, which have production's name.
        allow(
            "RecoverADatabase",
            ["rds:RestoreDBInstanceFromDBSnapshot", "rds:RestoreDBInstanceToPointInTime"],
            scope.arns("rds", f"db:{APP}-*", "snapshot:*"),
        ),
    ]


def secrets(scope: AccountScope, stack: str) -> list[Statement]:
    """Permissions to make and replicate the stack's secrets, and the secret of the database's master user."""
    return [
        allow(
            "Secrets",
            [
                "secretsmanager:CreateSecret",
                "secretsmanager:ReplicateSecretToRegions",
                "secretsmanager:TagResource",
                "secretsmanager:UntagResource",
                "secretsmanager:UpdateSecret",
            ],
            scope.arns("secretsmanager", f"secret:{secret_name(stack, '*')}"),
        ),
        # RDS makes the secret of the master user with the permissions of the role that makes the database.
        allow(
            "SecretOfTheDatabase",
            ["secretsmanager:CreateSecret", "secretsmanager:RotateSecret", "secretsmanager:TagResource"],
            scope.arns("secretsmanager", "secret:rds!*"),
        ),
    ]


def hosts(scope: AccountScope, stack: str) -> list[Statement]:
    """Permissions to register hosts with Systems Manager, and to make their parameters and log groups."""
    return [
        allow(
            "EnrolHosts",
            ["ssm:CreateActivation", "ssm:DeleteActivation", "ssm:DeregisterManagedInstance"],
            ANY_RESOURCE,
            scope.in_allowed_regions,
        ),
        # An activation has no ARN.
        allow(
            "TagActivations",
            ["ssm:AddTagsToResource"],
            ANY_RESOURCE,
            scope.in_allowed_regions,
            {"StringEquals": {"aws:RequestTag/stack": stack}},
        ),
        allow(
            "SettingsOfHosts",
            ["ssm:AddTagsToResource", "ssm:DeleteParameter", "ssm:PutParameter", "ssm:RemoveTagsFromResource"],
            scope.arns("ssm", f"parameter{host_path(stack)}/*"),
        ),
        allow(
            "LogsOfHosts",
            [
                "logs:AssociateKmsKey",
                "logs:CreateLogGroup",
                "logs:DeleteRetentionPolicy",
                "logs:PutRetentionPolicy",
                "logs:TagResource",
                "logs:UntagResource",
            ],
            scope.arns(
                "logs", f"log-group:{host_path(stack)}/*", f"log-group:/aws/rds/instance/{name_prefix(stack)}-*"
            ),
        ),
    ]


def roles(scope: AccountScope, stack: str, workload_boundary: str) -> list[Statement]:
    """Permissions to make the stack's roles within the boundary, and to pass them to the services that use them."""
    own = scope.iam(f"role/{name_prefix(stack)}-*")
    return [
        # A role that a deployment makes always carries the workload boundary, and can never do more than it allows.
        allow(
            "RolesWithinTheirBoundary",
            [
                "iam:AttachRolePolicy",
                "iam:CreateRole",
                "iam:DeleteRolePolicy",
                "iam:DetachRolePolicy",
                "iam:PutRolePolicy",
            ],
            own,
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
                "iam:UpdateRoleDescription",
            ],
            own,
        ),
        allow(
            "GiveRolesToServices",
            ["iam:PassRole"],
            own,
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
            scope.iam("role/aws-service-role/*"),
            {"StringEquals": {"iam:AWSServiceName": ["backup.amazonaws.com", "rds.amazonaws.com"]}},
        ),
    ]
