"""Policies on buckets: versions, locks, encryption, lifecycle and replication.

The names and defaults are those of the AWS provider's version 7, in which each setting is a separate resource.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from policy_pack.rules.backups.aws_keys import own_key_in_region, region_of_arn
from policy_pack.rules.checks import WRITE_IT_OUT, at, at_least, best, is_number, listed, literally, unless_left_out
from policy_pack.rules.policy import Finding, Policy, Resource, of_type
from policy_pack.rules.promises import recovery
from policy_pack.rules.residency.aws_region import effective_region
from policy_pack.rules.resource_types import (
    BUCKET,
    BUCKET_ENCRYPTION,
    BUCKET_LIFECYCLE,
    BUCKET_LOCK,
    BUCKET_REPLICATION,
    BUCKET_VERSIONING,
)
from policy_pack.rules.thresholds import Threshold
from policy_pack.rules.values import UNKNOWN, has_unknown, present, texts

if TYPE_CHECKING:
    from plan import Plan

_RETENTION: Final = "rule.defaultRetention"


def _force_destroy_off(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    remedy = "Set it to false, or leave it out: with it, deleting the bucket deletes its objects."
    yield from unless_left_out(resource, "forceDestroy", False, remedy)
    # Left out, the lock's own resource switches it on, and `bucket-baseline` demands that resource.
    remedy = "Set it to true, or leave it out: it contradicts the lock of the bucket."
    yield from unless_left_out(resource, "objectLockEnabled", True, remedy)


def _versioned(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    remedy = "Set it to Enabled. Without versions, an overwritten object is lost, and replication is not possible."
    yield from literally(resource, "versioningConfiguration.status", "Enabled", remedy)


def _locked(resource: Resource, plan: Plan) -> Iterator[Finding]:
    days = plan.retention.object_lock_days
    years = at(resource.props, f"{_RETENTION}.years")
    if not (is_number(years) and years * 365 >= days):
        remedy = "Lock every version for as long as the plan says, so that not even a stolen credential can delete it."
        yield from at_least(resource, f"{_RETENTION}.days", days, "days", remedy)
    mode = at(resource.props, f"{_RETENTION}.mode")
    if mode not in ("GOVERNANCE", "COMPLIANCE"):
        remedy = WRITE_IT_OUT if mode is UNKNOWN else "Set it: S3 has no default mode."
        yield Finding(f"{_RETENTION}.mode", mode, "GOVERNANCE or COMPLIANCE", remedy)


def _encrypted(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    path = "rules.applyServerSideEncryptionByDefault"
    algorithm = at(resource.props, f"{path}.sseAlgorithm")
    if algorithm not in ("aws:kms", "aws:kms:dsse"):
        remedy = (
            WRITE_IT_OUT
            if algorithm is UNKNOWN
            else "Encrypt with a customer managed key: access to it is controlled by its own policy."
        )
        yield Finding(f"{path}.sseAlgorithm", algorithm, "aws:kms or aws:kms:dsse", remedy)
    key = at(resource.props, f"{path}.kmsMasterKeyId")
    if not present(key):
        remedy = "Give it a customer managed key. Left out it is AWS managed, and no other account can use it."
        yield Finding(f"{path}.kmsMasterKeyId", key, "the ARN of a KMS key", remedy)
    yield from own_key_in_region(resource, f"{path}.kmsMasterKeyId")


def _versions_kept(resource: Resource, plan: Plan) -> Iterator[Finding]:
    wanted = plan.retention.object_version_days
    rules = resource.props.get("rules")
    if rules is UNKNOWN:
        yield Finding("rules", rules, f"rules that keep versions for {wanted} days", WRITE_IT_OUT)
    for index, rule in enumerate(listed(rules)):
        where = f"rules[{index}]"
        if not isinstance(rule, Mapping):
            yield Finding(where, rule, f"a rule that keeps versions for {wanted} days", WRITE_IT_OUT)
            continue
        if rule.get("status") == "Disabled" or rule.get("noncurrentVersionExpiration") is None:
            continue  # it deletes no version
        days = at(rule, "noncurrentVersionExpiration.noncurrentDays")
        if not is_number(days) or not days >= wanted:
            remedy = WRITE_IT_OUT if days is UNKNOWN else "Keep noncurrent versions for as long as the plan promises."
            name = f"{where}.noncurrentVersionExpiration.noncurrentDays"
            yield Finding(name, days, f"{wanted} days or more", remedy)


def _replicates(resource: Resource, plan: Plan) -> Iterator[Finding]:
    rules = resource.props.get("rules")
    if not listed(rules):
        remedy = WRITE_IT_OUT if rules is UNKNOWN else "Add a rule that copies everything."
        yield Finding("rules", rules, "a rule that copies everything", remedy)
    # One rule that copies everything is enough. The others copy parts of it to further places.
    yield from best(
        _copies_everything(resource, rule, f"rules[{index}]", plan) for index, rule in enumerate(listed(rules))
    )


def _copies_everything(resource: Resource, rule: object, where: str, plan: Plan) -> Iterator[Finding]:
    for name, wanted, remedy in _REPLICATES:
        value = at(rule, name)
        if value != wanted:
            yield Finding(f"{where}.{name}", value, wanted, WRITE_IT_OUT if value is UNKNOWN else remedy)
    for name in ("prefix", "filter"):
        value = at(rule, name)
        if value is UNKNOWN or any(not leaf.is_key and leaf.text for leaf in texts(value)):
            remedy = WRITE_IT_OUT if value is UNKNOWN else "Remove it: objects that it excludes have no copy."
            yield Finding(f"{where}.{name}", value, "left out, or an empty prefix", remedy)
        elif has_unknown(value):
            yield Finding(f"{where}.{name}", UNKNOWN, "left out, or an empty prefix", WRITE_IT_OUT)
    name = "destination.encryptionConfiguration.replicaKmsKeyId"
    key = at(rule, name)
    _, own = effective_region(resource)
    region = region_of_arn(key)
    if not present(key):
        remedy = "Give it a key in the destination's region, or S3 does not copy encrypted objects."
        yield Finding(f"{where}.{name}", key, "the ARN of a KMS key", remedy)
    elif region is not None and region == own:
        elsewhere = " or ".join(one for one in plan.residency.aws.allowed_regions if one != own)
        remedy = "Copy to a bucket in another region, with a key there: a copy in the same region is lost too."
        yield Finding(f"{where}.{name}", key, f"a key in another region: {elsewhere}", remedy)


_REPLICATES: Final = (
    ("status", "Enabled", "Set it to Enabled."),
    (
        "sourceSelectionCriteria.sseKmsEncryptedObjects.status",
        "Enabled",
        "Set it to Enabled. Otherwise S3 silently skips every object that is encrypted with a KMS key.",
    ),
    (
        "destination.replicationTime.status",
        "Enabled",
        "Set it to Enabled. Without Replication Time Control S3 promises no time, and the copy can be hours behind.",
    ),
    (
        "destination.metrics.status",
        "Enabled",
        "Set it to Enabled. Without metrics, no alarm can report that the copies are behind.",
    ),
)

FORCE_DESTROY_OFF: Final = Policy(
    id="bucket-force-destroy-off",
    title="Deleting a bucket never deletes its objects, and its versions can be locked.",
    severity="critical",
    control="A.8.13",
    promise=recovery,
    remedy="Leave `force_destroy` out, and set `object_lock_enabled` to true or leave it out.",
    concerns=of_type(*BUCKET),
    rule=_force_destroy_off,
    fixes={"forceDestroy": lambda _plan: False},
)

VERSIONED: Final = Policy(
    id="bucket-versioned",
    title="A bucket keeps the versions of deleted and overwritten objects.",
    severity="critical",
    control="A.8.13",
    promise=recovery,
    remedy="Set the status of `versioning_configuration` to Enabled.",
    concerns=of_type(*BUCKET_VERSIONING),
    rule=_versioned,
)

LOCKED: Final = Policy(
    id="bucket-locked",
    title="No version in a bucket can be deleted for as long as the plan says.",
    severity="high",
    control="A.8.13",
    promise=recovery,
    remedy="Give the lock a default retention of the plan's `retention.object_lock_days`.",
    concerns=of_type(*BUCKET_LOCK),
    rule=_locked,
    thresholds=(Threshold("days", "retention.object_lock_days", "at least"),),
)

ENCRYPTED: Final = Policy(
    id="bucket-encrypted",
    title="A bucket encrypts its objects with a customer managed key.",
    severity="high",
    control="A.5.29",
    promise=recovery,
    remedy="Encrypt with `aws:kms` and the ARN of a key in the bucket's region.",
    concerns=of_type(*BUCKET_ENCRYPTION),
    rule=_encrypted,
    asks_again=frozenset({"rules"}),
)

VERSIONS_KEPT: Final = Policy(
    id="bucket-versions-kept",
    title="A deleted or overwritten object can be restored for as long as the plan says.",
    severity="critical",
    control="A.8.13",
    promise=recovery,
    remedy="Let no rule expire noncurrent versions before the plan's `retention.object_version_days`.",
    concerns=of_type(*BUCKET_LIFECYCLE),
    rule=_versions_kept,
    thresholds=(Threshold("days", "retention.object_version_days", "at least"),),
)

REPLICATES: Final = Policy(
    id="bucket-replication-complete",
    title="A bucket's replication copies everything, encrypted objects included, to another region, and in time.",
    severity="critical",
    control="A.8.13",
    promise=recovery,
    remedy="Copy everything with S3 Replication Time Control, under a key in the destination's region.",
    concerns=of_type(*BUCKET_REPLICATION),
    rule=_replicates,
    asks_again=frozenset({"rules"}),
)
