"""A private S3 bucket that keeps deleted and overwritten objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.aws.iam_documents import Arn, deny, document
from plan.names import bucket_name

# The parts of an unfinished upload cost money and are invisible in a listing. No upload takes a week.
_UNFINISHED_UPLOAD_DAYS = 7


@dataclass(frozen=True, kw_only=True)
class DurableBucketArgs:
    """The key of the bucket, and the retention of versions that are no longer current.

    Raises:
        ValueError: no version would be kept or locked, or a version would be locked for longer than it is kept.
    """

    kms_key_arn: pulumi.Input[str]
    """The key, in the bucket's region and account, that encrypts every object."""

    version_days: int
    """Days for which a deleted or overwritten object can be restored. The plan sets the number."""

    lock_days: int
    """Days, from its creation, for which a version cannot be deleted. The plan sets the number.

    Between the end of the lock and `version_days`, a role with `s3:DeleteObjectVersion` can delete a version. Only the
    emergency role has that permission.
    """

    retain_on_delete: bool = False
    """Whether the bucket and its settings stay in AWS when they are removed from their stack."""

    existing_name: str | None = None
    """The name of the bucket, if AWS has it already. Then Pulumi imports it instead of creating it."""

    statements: pulumi.Input[Sequence[Mapping[str, Any]]] = ()
    """Further statements of the bucket's policy, for example for a service that writes to it."""

    def __post_init__(self) -> None:
        if self.version_days < 1:
            raise ValueError(f"version_days is {self.version_days}; at least 1 day is needed to restore an object")
        if not 1 <= self.lock_days <= self.version_days:
            allowed = f"1 to {self.version_days}, which is version_days: S3 cannot expire a locked version"
            raise ValueError(f"lock_days is {self.lock_days}; allowed is {allowed}")


class DurableBucket(pulumi.ComponentResource):
    """A bucket whose objects cannot be lost and are not public.

    The bucket is named `name` with the number of the account. The settings are protected like the bucket: for example,
    deleting the versioning would suspend it, and objects that are overwritten from then on would be lost.

    Versions help against a mistake, but not against an intruder who deletes them one by one. So each version is locked
    for its first days. The lock is S3's governance mode: only a role with `s3:BypassGovernanceRetention` can remove it,
    which the emergency role is. The law can require that a person's data is erased at once, and compliance mode would
    prevent that.
    """

    bucket_name: pulumi.Output[str]
    bucket_arn: pulumi.Output[str]
    versioning: aws.s3.BucketVersioning
    """A replication from or to this bucket has to wait for this: S3 refuses to replicate without versions."""

    def __init__(self, name: str, args: DurableBucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:storage:DurableBucket", name, {}, opts)
        guarded = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=args.retain_on_delete)

        bucket = aws.s3.Bucket(
            name,
            # The key is in the same account.
            bucket=pulumi.Output.from_input(args.kms_key_arn).apply(
                lambda arn: bucket_name(name, Arn.parse(arn).account)
            ),
            object_lock_enabled=True,
            force_destroy=False,
            tags={"Name": name},
            opts=pulumi.ResourceOptions.merge(guarded, pulumi.ResourceOptions(import_=args.existing_name)),
        )

        self.versioning = self._keep_versions(name, bucket, args, guarded)
        aws.s3.BucketServerSideEncryptionConfiguration(
            name,
            bucket=bucket.id,
            rules=[
                aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
                    apply_server_side_encryption_by_default=(
                        aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
                            sse_algorithm="aws:kms",
                            kms_master_key_id=args.kms_key_arn,
                        )
                    ),
                    # One data key for many objects, instead of one KMS request for each object.
                    bucket_key_enabled=True,
                    # An object that is encrypted with its uploader's own key cannot be read, or restored, without it.
                    blocked_encryption_types=["SSE-C"],
                )
            ],
            opts=guarded,
        )
        aws.s3.BucketOwnershipControls(
            name,
            bucket=bucket.id,
            rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            opts=guarded,
        )
        no_public_access = aws.s3.BucketPublicAccessBlock(
            name,
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=guarded,
        )
        aws.s3.BucketPolicy(
            name,
            bucket=bucket.id,
            policy=_policy(bucket.arn, args.statements),
            # S3 answers 409 when a bucket's policy and its public access block are written at the same time.
            opts=pulumi.ResourceOptions.merge(guarded, pulumi.ResourceOptions(depends_on=[no_public_access])),
        )

        self.bucket_name = bucket.bucket
        self.bucket_arn = bucket.arn
        self.register_outputs({"bucketName": self.bucket_name, "bucketArn": self.bucket_arn})

    @staticmethod
    def _keep_versions(
        name: str, bucket: aws.s3.Bucket, args: DurableBucketArgs, guarded: pulumi.ResourceOptions
    ) -> aws.s3.BucketVersioning:
        """Keep each version, lock it, and expire it after its time."""
        versioning = aws.s3.BucketVersioning(
            name,
            bucket=bucket.id,
            versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=guarded,
        )
        versions_exist = pulumi.ResourceOptions.merge(guarded, pulumi.ResourceOptions(depends_on=[versioning]))
        aws.s3.BucketObjectLockConfiguration(
            name,
            bucket=bucket.id,
            rule=aws.s3.BucketObjectLockConfigurationRuleArgs(
                default_retention=aws.s3.BucketObjectLockConfigurationRuleDefaultRetentionArgs(
                    mode="GOVERNANCE", days=args.lock_days
                )
            ),
            # It locks versions, so S3 refuses it for a bucket without versions.
            opts=versions_exist,
        )
        aws.s3.BucketLifecycleConfiguration(
            name,
            bucket=bucket.id,
            rules=[
                aws.s3.BucketLifecycleConfigurationRuleArgs(
                    id="forget-old-versions",
                    status="Enabled",
                    filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
                    noncurrent_version_expiration=(
                        aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
                            noncurrent_days=args.version_days
                        )
                    ),
                    # After the last version of a deleted object has expired, its delete marker has no use.
                    expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(expired_object_delete_marker=True),
                    abort_incomplete_multipart_upload=(
                        aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                            days_after_initiation=_UNFINISHED_UPLOAD_DAYS
                        )
                    ),
                )
            ],
            # S3 refuses to expire noncurrent versions of a bucket without versions.
            opts=versions_exist,
        )
        return versioning


def _policy(bucket_arn: pulumi.Output[str], more: pulumi.Input[Sequence[Mapping[str, Any]]]) -> pulumi.Output[str]:
    """Return a bucket policy that refuses every request without TLS, with further statements."""

    def written(known: Sequence[Any]) -> str:
        arn, further = known
        only_over_tls = deny(
            "OnlyOverTls", "s3:*", [arn, f"{arn}/*"], {"Bool": {"aws:SecureTransport": "false"}}, principal="*"
        )
        return document([only_over_tls, *further])

    return pulumi.Output.all(bucket_arn, more).apply(written)
