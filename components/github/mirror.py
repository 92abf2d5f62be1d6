"""The copy of the repository in Ireland, which an attacker with access to GitHub cannot change."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.access.github_oidc import RepositoryIdentity, workflow_trust
from components.aws.durable_bucket import DurableBucket, DurableBucketArgs
from components.aws.encryption_key import EncryptionKey, EncryptionKeyArgs
from components.aws.iam_documents import INLINE_POLICY_LIMIT, allow, document

_SESSION_SECONDS = 3600


@dataclass(frozen=True, kw_only=True)
class RepositoryMirrorArgs:
    """The repository, the retention of its copies, and the boundary of the role that writes them."""

    repository: RepositoryIdentity
    issuer_arn: pulumi.Input[str]
    """The account's OIDC provider for GitHub's tokens."""

    role_boundary_arn: pulumi.Input[str]
    """The permissions boundary of the roles here. A deployment cannot create a role without it."""

    version_days: int
    """`retention.object_version_days` of the plan."""

    lock_days: int
    """`retention.object_lock_days` of the plan."""

    key_deletion_window_days: int
    """`retention.key_deletion_window_days` of the plan."""


class RepositoryMirror(pulumi.ComponentResource):
    """A bucket for bundles of the repository, and the role that adds them.

    A bundle is a clone in one file, with the whole history, and rebuilds everything. The bucket keeps and locks
    versions, so a push by an attacker adds a version and removes none.

    Workflows on the main branch assume the role. It adds bundles, and can neither read nor delete one.
    """

    bucket_name: pulumi.Output[str]
    role_arn: pulumi.Output[str]

    def __init__(self, name: str, args: RepositoryMirrorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:code:RepositoryMirror", name, {}, opts)
        guarded = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True)

        key = EncryptionKey(
            name,
            EncryptionKeyArgs(
                description="Bundles of the repository that everything is rebuilt from",
                deletion_window_days=args.key_deletion_window_days,
                retain_on_delete=True,
            ),
            opts=guarded,
        )
        bucket = DurableBucket(
            name,
            DurableBucketArgs(
                kms_key_arn=key.arn,
                version_days=args.version_days,
                lock_days=args.lock_days,
                retain_on_delete=True,
            ),
            opts=guarded,
        )
        role = aws.iam.Role(
            name,
            name=name,
            description="What is on the main branch is kept in Ireland too",
            assume_role_policy=pulumi.Output.from_input(args.issuer_arn).apply(
                lambda arn: workflow_trust(arn, [args.repository.subject(f"ref:refs/heads/{args.repository.branch}")])
            ),
            permissions_boundary=args.role_boundary_arn,
            max_session_duration=_SESSION_SECONDS,
            tags={"Name": name},
            opts=guarded,
        )
        aws.iam.RolePolicy(
            name,
            name="adding-bundles",
            role=role.name,
            policy=pulumi.Output.all(bucket.bucket_arn, key.arn).apply(
                lambda arns: document(
                    [
                        allow("AddBundles", ["s3:PutObject"], [f"{arns[0]}/*"]),
                        # A large file is sent in parts, which S3 decrypts to join them.
                        allow("Encrypt", ["kms:Decrypt", "kms:GenerateDataKey"], [arns[1]]),
                    ],
                    INLINE_POLICY_LIMIT,
                )
            ),
            opts=guarded,
        )

        self.bucket_name = bucket.bucket_name
        self.role_arn = role.arn
        self.register_outputs({"bucketName": self.bucket_name, "roleArn": self.role_arn})
