"""The policies of a deployment: one for the vault, one for production and recovery.

A deployment can make and change the resources of its stack, which it identifies by name or tag. It cannot delete
anything that holds data, and cannot change access. The boundary in `boundaries.py` denies both a second time, so that
a permission that is added here by mistake has no effect.
"""

from __future__ import annotations

from components.access.policies.pulumi_state import write_state
from components.access.policies.service_resources import database, hosts, network, roles, secrets
from components.aws.iam_documents import ANY_RESOURCE, AccountScope, Statement, allow
from plan.names import APP, bucket_name, name_prefix


def deploy_vault(scope: AccountScope, stack: str, state_bucket: str) -> list[Statement]:
    """Permissions to update the vault's keys, bucket and backup vault, but not the access that it also declares."""
    return [
        *write_state(scope, stack, state_bucket),
        *_keys(scope, stack),
        *_buckets(scope, stack),
        *_backups(scope, stack),
    ]


def deploy_service(
    scope: AccountScope, stack: str, vault: str, workload_boundary: str, state_bucket: str
) -> list[Statement]:
    """Permissions to update production or recovery, including the copies that go to the vault."""
    return [
        *write_state(scope, stack, state_bucket),
        *_keys(scope, stack, vault),
        *_buckets(scope, stack),
        # Objects are also copied back from the vault's bucket. The stack of the service owns that replication.
        allow(
            "CopyBack",
            ["s3:PutReplicationConfiguration"],
            scope.buckets(bucket_name(f"{name_prefix(vault)}-replica", scope.account)),
        ),
        *_backups(scope, stack),
        allow("CopyBackups", ["backup:CopyIntoBackupVault"], scope.arns("backup", f"backup-vault:{APP}-*")),
        *network(scope),
        *database(scope, stack),
        *secrets(scope, stack),
        *hosts(scope, stack),
        *roles(scope, stack, workload_boundary),
    ]


def _keys(scope: AccountScope, stack: str, *used: str) -> list[Statement]:
    """Permissions on the keys of a stack, and the use of the keys of other stacks.

    The ARN of a key contains no name, so keys are identified by the tag that they are created with. A tag takes effect
    up to five minutes after it was added (AWS KMS Developer Guide, "ABAC for AWS KMS"). A deployment uses its keys at
    once, so the calls for that are also allowed on keys without the tag. The key of Pulumi's state, which has no such
    tag, is excluded because it is a multi-Region key.
    """
    no_other_stacks = {"StringEqualsIfExists": {"aws:ResourceTag/stack": stack}}
    single_region = {"Bool": {"kms:MultiRegion": "false"}}
    return [
        allow(
            "MakeKeys",
            ["kms:CreateKey", "kms:TagResource"],
            ANY_RESOURCE,
            scope.in_allowed_regions,
            {"StringEquals": {"aws:RequestTag/stack": stack}},
            # Otherwise a deployment could tag the key of another stack, and then own it.
            no_other_stacks,
        ),
        allow(
            "NewKeys",
            ["kms:CreateAlias", "kms:EnableKeyRotation"],
            scope.arns("kms", "key/*"),
            no_other_stacks,
            single_region,
        ),
        # Services use the keys with the permissions of the deployment that creates a database, a secret or a vault.
        allow(
            "UseKeys",
            [
                "kms:CreateGrant",
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:Encrypt",
                "kms:GenerateDataKey*",
                "kms:ReEncrypt*",
                "kms:RetireGrant",
            ],
            scope.arns("kms", "key/*"),
            {"StringEqualsIfExists": {"aws:ResourceTag/stack": [stack, *used]}},
            single_region,
        ),
        allow(
            "OwnKeys",
            [
                "kms:CancelKeyDeletion",
                "kms:DeleteAlias",
                "kms:EnableKey",
                "kms:PutKeyPolicy",
                "kms:TagResource",
                "kms:UntagResource",
                "kms:UpdateAlias",
                "kms:UpdateKeyDescription",
            ],
            scope.arns("kms", "key/*"),
            {"StringEquals": {"aws:ResourceTag/stack": stack}},
        ),
        allow(
            "OwnAliases",
            ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"],
            scope.arns("kms", f"alias/{name_prefix(stack)}-*"),
        ),
    ]


def _buckets(scope: AccountScope, stack: str) -> list[Statement]:
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
            scope.buckets(f"{name_prefix(stack)}-*"),
        )
    ]


def _backups(scope: AccountScope, stack: str) -> list[Statement]:
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
            scope.arns("backup", f"backup-vault:{name_prefix(stack)}-*"),
        ),
        # Neither the ARN of a backup plan nor that of a vault's storage contains a name.
        allow(
            "BackupPlans",
            [
                "backup-storage:MountCapsule",
                "backup:CreateBackupPlan",
                "backup:CreateBackupSelection",
                "backup:StartRestoreJob",
                "backup:TagResource",
                "backup:UntagResource",
                "backup:UpdateBackupPlan",
            ],
            ANY_RESOURCE,
            scope.in_allowed_regions,
        ),
    ]
