"""The copying of the state to the home region: the role that S3 copies with, and the order to copy everything."""

from __future__ import annotations

import json
from typing import Any, Final

from continuity.errors import ConflictError, NotThereError
from continuity.state_backend.buckets import Bucket
from continuity.state_backend.config import Site
from continuity.state_backend.desired import EXISTENCE, Property, Thing
from continuity.state_backend.iam import document, same, same_policy, statements
from continuity.state_backend.keys import Keys

# The one time that S3 offers for replication with a promise (S3 Replication Time Control).
_REPLICATION_TIME: Final = {"Status": "Enabled", "Time": {"Minutes": 15}}
_METRICS: Final = {"Status": "Enabled", "EventThreshold": {"Minutes": 15}}
_RULE: Final = "everything"
_POLICY: Final = "replicate"
_NO_ROLE: Final = frozenset({"NoSuchEntity"})


class Role:
    """What S3 may do in our name: read the state, and write its copies."""

    def __init__(self, site: Site, keys: Keys) -> None:
        self._site = site
        self._keys = keys

    def properties(self) -> list[Property]:
        thing = Thing("replication role", self._site.role, "all regions")
        return [
            Property(
                thing=thing,
                name=EXISTENCE,
                found=lambda: self._find("get_role") and "there",
                wanted=lambda: "there",
                make=self._create,
            ),
            Property(
                thing=thing,
                name="trust",
                found=self._trust,
                wanted=_trusted,
                make=lambda: self._call("update_assume_role_policy", PolicyDocument=json.dumps(_trusted())),
                enough=same_policy,
            ),
            Property(
                thing=thing,
                name="permissions",
                found=self._granted,
                wanted=lambda: sorted(each["Sid"] for each in self._permitted()["Statement"]),
                make=lambda: self._call(
                    "put_role_policy", PolicyName=_POLICY, PolicyDocument=json.dumps(self._permitted())
                ),
            ),
            Property(thing=thing, name="further permissions", found=self._further, wanted=lambda: "none"),
        ]

    def _create(self) -> None:
        self._call(
            "create_role",
            AssumeRolePolicyDocument=json.dumps(_trusted()),
            Description=f"S3 copies Pulumi's state from {self._site.recovery} to {self._site.home}",
        )

    def _trust(self) -> Any | None:
        found = self._find("get_role")
        return None if found is None else found["Role"]["AssumeRolePolicyDocument"]

    def _granted(self) -> list[str]:
        """The ids of the statements that are there and say what they must, and the words of those that do not."""
        found = self._find("get_role_policy", PolicyName=_POLICY)
        wanted = self._permitted()["Statement"]
        return sorted(
            each["Sid"] if any(same(each, one) for one in wanted) else json.dumps(each)
            for each in statements(found and found["PolicyDocument"])
        )

    def _further(self) -> str:
        inline = self._find("list_role_policies") or {"PolicyNames": []}
        attached = self._find("list_attached_role_policies") or {"AttachedPolicies": []}
        further = [name for name in inline["PolicyNames"] if name != _POLICY]
        further += [policy["PolicyArn"] for policy in attached["AttachedPolicies"]]
        if further:
            raise ConflictError(
                f"given by {', '.join(further)}",
                f"take them from the role by hand: S3 needs {_POLICY} alone",
            )
        return "none"

    def _permitted(self) -> dict[str, Any]:
        """What S3 needs to copy from one bucket to the other, and nothing else.

        After "Setting up permissions for live replication" and "Replicating encrypted objects" in the S3 user guide.
        Each key may be used through S3 in its own region only, so the role opens no secret that Pulumi encrypted.
        """
        site = self._site
        source, destination = site.bucket_arn(site.bucket), site.bucket_arn(site.replica_bucket)
        return document(
            {
                "Sid": "ReadTheOrder",
                "Effect": "Allow",
                "Action": ["s3:GetReplicationConfiguration", "s3:ListBucket"],
                "Resource": source,
            },
            {
                "Sid": "ReadObjects",
                "Effect": "Allow",
                "Action": [
                    "s3:GetObjectVersionForReplication",
                    "s3:GetObjectVersionAcl",
                    "s3:GetObjectVersionTagging",
                ],
                "Resource": f"{source}/*",
            },
            {
                "Sid": "WriteCopies",
                "Effect": "Allow",
                "Action": ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"],
                "Resource": f"{destination}/*",
            },
            {
                "Sid": "DecryptObjects",
                "Effect": "Allow",
                "Action": "kms:Decrypt",
                "Resource": self._keys.arn(site.recovery),
                "Condition": {"StringEquals": {"kms:ViaService": f"s3.{site.recovery}.amazonaws.com"}},
            },
            {
                "Sid": "EncryptCopies",
                "Effect": "Allow",
                "Action": ["kms:Encrypt", "kms:GenerateDataKey"],
                "Resource": self._keys.arn(site.home),
                "Condition": {"StringEquals": {"kms:ViaService": f"s3.{site.home}.amazonaws.com"}},
            },
        )

    def _call(self, operation: str, **asked: Any) -> Any:
        return self._site.aws.call("iam", self._site.recovery, operation, RoleName=self._site.role, **asked)

    def _find(self, operation: str, **asked: Any) -> Any | None:
        return self._site.aws.find("iam", self._site.recovery, operation, _NO_ROLE, RoleName=self._site.role, **asked)


def _trusted() -> dict[str, Any]:
    return document({"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"})


class Replication:
    """The order to S3. A bucket has one at most, which is replaced as a whole; that of somebody else never is."""

    def __init__(self, site: Site, keys: Keys, source: Bucket) -> None:
        self._site = site
        self._keys = keys
        self._source = source

    def properties(self) -> list[Property]:
        thing = Thing("replication", f"{self._site.bucket} -> {self._site.replica_bucket}", self._site.recovery)

        def rule(name: str, *path: str) -> Property:
            """A part of the rule, at a path of it."""
            return Property(
                thing=thing,
                name=name,
                found=lambda: _at(self._rule(), path),
                wanted=lambda: _at(self._wanted(), path),
                make=self._put,
            )

        return [
            Property(
                thing=thing,
                name=EXISTENCE,
                found=lambda: self._order() and "ordered",
                wanted=lambda: "ordered",
                make=self._put,
            ),
            Property(
                thing=thing,
                name="role",
                found=lambda: (self._order() or {}).get("Role"),
                wanted=lambda: self._site.role_arn,
                make=self._put,
            ),
            rule("status", "Status"),
            rule("selection", "Filter"),
            rule("copying of delete markers", "DeleteMarkerReplication"),
            rule("copying of what is encrypted", "SourceSelectionCriteria"),
            rule("destination", "Destination", "Bucket"),
            rule("owner of the copies", "Destination", "AccessControlTranslation"),
            rule("storage class of the copies", "Destination", "StorageClass"),
            rule("key of the copies", "Destination", "EncryptionConfiguration"),
            rule("time control", "Destination", "ReplicationTime"),
            rule("metrics", "Destination", "Metrics"),
        ]

    def _order(self) -> dict[str, Any] | None:
        site = self._site
        try:
            self._source.region()
        except ConflictError:  # which is the bucket's own finding
            raise NotThereError from None
        found = site.aws.find(
            "s3",
            site.recovery,
            "get_bucket_replication",
            frozenset({"ReplicationConfigurationNotFoundError", "NoSuchBucket"}),
            Bucket=site.bucket,
            ExpectedBucketOwner=site.account,
        )
        if found is None:
            return None
        order: dict[str, Any] = found["ReplicationConfiguration"]
        others = [str(rule.get("ID")) for rule in order["Rules"] if rule.get("ID") != _RULE]
        if others:
            raise ConflictError(
                f"ordered by somebody else (rules {', '.join(others)})",
                "see what these rules are for, and take them away by hand: S3 keeps one order for a bucket",
            )
        return order

    def _rule(self) -> dict[str, Any]:
        order = self._order()
        if order is None:
            raise NotThereError
        found: dict[str, Any] = order["Rules"][0]
        if found.get("Filter") == {}:  # S3 may write every object so
            found = {**found, "Filter": {"Prefix": ""}}
        return found

    def _wanted(self) -> dict[str, Any]:
        return {
            "ID": _RULE,
            "Status": "Enabled",
            "Priority": 1,
            # An empty filter is every object. Without a filter S3 takes the rule for one of its first version, in
            # which deletions cannot be configured.
            "Filter": {"Prefix": ""},
            "DeleteMarkerReplication": {"Status": "Enabled"},
            # Without this, S3 leaves out every object that is encrypted with a KMS key, which here is all.
            "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
            "Destination": {
                "Bucket": self._site.bucket_arn(self._site.replica_bucket),
                "StorageClass": "STANDARD",
                "EncryptionConfiguration": {"ReplicaKmsKeyID": self._keys.arn(self._site.home)},
                # Without time control, S3 promises no time at all, and reports no delay either.
                "ReplicationTime": _REPLICATION_TIME,
                "Metrics": _METRICS,
            },
        }

    def _put(self) -> None:
        site = self._site
        site.aws.call(
            "s3",
            site.recovery,
            "put_bucket_replication",
            Bucket=site.bucket,
            ExpectedBucketOwner=site.account,
            ReplicationConfiguration={"Role": site.role_arn, "Rules": [self._wanted()]},
        )


def _at(whole: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        whole = (whole or {}).get(name)
    return whole
