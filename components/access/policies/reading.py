"""The read-only policy: previews, drift detection, and people on an ordinary day.

It shows which resources exist and how they are configured, but not their content: no value of a secret, no object of
a customer, no row. The state of Pulumi can be read, but not the secrets in it.
"""

from __future__ import annotations

from components.access.policies.pulumi_state import read_state
from components.aws.iam_documents import ANY_RESOURCE, AccountScope, Statement, allow


def read_only(scope: AccountScope, state_bucket: str) -> list[Statement]:
    """Permissions to describe every resource, to read who has access, and to read the state of Pulumi."""
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
                "cloudwatch:DescribeAlarms",
                "cloudwatch:GetMetricStatistics",
                "cloudwatch:ListTagsForResource",
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
                "servicequotas:GetAWSDefaultServiceQuota",
                "servicequotas:GetServiceQuota",
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
            ANY_RESOURCE,
            scope.in_allowed_regions,
        ),
        allow("LookAtAccess", ["iam:Get*", "iam:List*", "sts:GetCallerIdentity"], ANY_RESOURCE),
        *read_state(scope, state_bucket),
    ]
