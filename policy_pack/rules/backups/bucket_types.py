"""The types that buckets of S3 and their settings have. Each setting is a resource of its own, under two names."""

from __future__ import annotations

from typing import Final


def _named(*names: str) -> tuple[str, ...]:
    return tuple(f"aws:s3/{name[0].lower()}{name[1:]}:{name}" for name in names)


BUCKET: Final = _named("Bucket", "BucketV2")
VERSIONING: Final = _named("BucketVersioning", "BucketVersioningV2")
LOCK: Final = _named("BucketObjectLockConfiguration", "BucketObjectLockConfigurationV2")
LIFECYCLE: Final = _named("BucketLifecycleConfiguration", "BucketLifecycleConfigurationV2")
ENCRYPTION: Final = _named("BucketServerSideEncryptionConfiguration", "BucketServerSideEncryptionConfigurationV2")
REPLICATION: Final = _named("BucketReplicationConfig")
ACCESS_BLOCK: Final = _named("BucketPublicAccessBlock")
ACL: Final = _named("BucketAcl", "BucketAclV2")
POLICY: Final = _named("BucketPolicy")
