"""Policies on the stack's buckets: their settings, and their copies in another region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from policy_pack.rules.policy import Finding, Stack, StackPolicy, leads
from policy_pack.rules.promises import recovery
from policy_pack.rules.resource_types import (
    BUCKET,
    BUCKET_ACCESS_BLOCK,
    BUCKET_ENCRYPTION,
    BUCKET_LIFECYCLE,
    BUCKET_LOCK,
    BUCKET_POLICY,
    BUCKET_REPLICATION,
    BUCKET_VERSIONING,
)
from policy_pack.rules.stack.common import StackFindings, is_the_copy, region_of

if TYPE_CHECKING:
    from plan import Plan


def _complete(stack: Stack, _plan: Plan) -> StackFindings:
    for bucket in stack.of(BUCKET):
        for types, what in _SETTINGS:
            if not stack.leading_to(bucket, types, "bucket"):
                remedy = f"Add `aws.s3.{types[0].rpartition(':')[2]}` for it: S3 has none by default."
                yield bucket, Finding(what, None, "one that names it", remedy)


_SETTINGS: Final = (
    (BUCKET_VERSIONING, "versioning"),
    (BUCKET_LOCK, "a lock on its versions"),
    (BUCKET_LIFECYCLE, "a lifecycle rule for its versions"),
    (BUCKET_ENCRYPTION, "encryption with a customer managed key"),
    (BUCKET_ACCESS_BLOCK, "a block on public access"),
    (BUCKET_POLICY, "a policy that requires TLS"),
)


def _replicated(stack: Stack, plan: Plan) -> StackFindings:
    for bucket in stack.of(BUCKET):
        if is_the_copy(bucket, plan):
            continue
        replications = stack.leading_to(bucket, BUCKET_REPLICATION, "bucket")
        if not replications:
            remedy = "Add `aws.s3.BucketReplicationConfig` for it: without it, a lost region takes the objects."
            yield bucket, Finding("a replication", None, "one that copies from it to another region", remedy)
            continue
        own = region_of(bucket)
        replicas = [
            region_of(other)
            for other in stack.of(BUCKET)
            if other is not bucket and any(leads(one, "rules", other) for one in replications)
        ]
        # A replica in the same region does no harm next to one in another region.
        if replicas and all(region == own for region in replicas):
            remedy = "Copy to a bucket in another region: a copy in the same region is lost too."
            yield bucket, Finding("the region of its replica", own, "another region", remedy)


BUCKET_COMPLETE: Final = StackPolicy(
    id="bucket-baseline",
    title="Each bucket has its versioning, lock, retention, encryption, access block and policy.",
    severity="critical",
    control="A.8.13",
    promise=recovery,
    remedy="Add the missing setting.",
    rule=_complete,
)

BUCKET_REPLICATED: Final = StackPolicy(
    id="bucket-replicated",
    title="Each bucket is copied to another region.",
    severity="critical",
    control="A.8.13",
    promise=recovery,
    remedy="Add a replication of it to a bucket in another region.",
    rule=_replicated,
)
