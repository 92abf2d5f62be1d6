"""Where the repository is kept a second time: in Ireland, out of reach of GitHub and of whoever took it over."""

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
    """Whose repository, for how long, and the limit of the one role that writes there."""

    repository: RepositoryIdentity
    issuer_arn: pulumi.Input[str]
    """GitHub's issuer of tokens, as the account knows it."""

    role_boundary_arn: pulumi.Input[str]
    """The permissions boundary of every role that is made here: a deployment may make no role without one."""

    version_days: int
    """`retention.object_version_days` of the plan."""

    lock_days: int
    """`retention.object_lock_days` of the plan."""

    key_deletion_window_days: int
    """`retention.key_deletion_window_days` of the plan."""


class RepositoryMirror(pulumi.ComponentResource):
    """A bucket for bundles of the repository, each of which rebuilds everything, and the role that puts them there.

    A bundle is a clone in one file, with all history. The bucket keeps and locks versions like any other here, so what
    is pushed by somebody who took over GitHub stands beside what was there before, and not in its place.

    Workflows on the main branch take the role. It adds bundles and does nothing else: it neither reads nor deletes one.
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
                        # A large file is sent in parts, and S3 opens each with the key to put them together.
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
