"""The replication of the state to the home region: S3's role, and the replication configuration."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from continuity.errors import ConflictError, NotThereError
from continuity.state_backend.buckets import Bucket
from continuity.state_backend.config import StateBackendConfig
from continuity.state_backend.desired import EXISTENCE, Property, Resource
from continuity.state_backend.iam import document, same, same_policy, statements
from continuity.state_backend.keys import Keys

# The only replication time that S3 guarantees (S3 Replication Time Control).
_REPLICATION_TIME: Final = {"Status": "Enabled", "Time": {"Minutes": 15}}
_METRICS: Final = {"Status": "Enabled", "EventThreshold": {"Minutes": 15}}
_RULE: Final = "everything"
_POLICY: Final = "replicate"
_NO_ROLE: Final = frozenset({"NoSuchEntity"})


class Role:
    """The role that S3 assumes for replication: it reads the state, and writes its copies."""

    def __init__(self, config: StateBackendConfig, keys: Keys) -> None:
        self._config = config
        self._keys = keys
        self._call = partial(config.aws.call, "iam", config.recovery, RoleName=config.role)
        self._find = partial(config.aws.find, "iam", config.recovery, missing=_NO_ROLE, RoleName=config.role)

    def properties(self) -> list[Property]:
        wanted = partial(Property, Resource("replication role", self._config.role, "all regions"))
        return [
            wanted(EXISTENCE, lambda: self._find("get_role") and "there", lambda: "there", self._create),
            wanted(
                "trust",
                self._trust,
                _trusted,
                lambda: self._call("update_assume_role_policy", PolicyDocument=json.dumps(_trusted())),
                same_policy,
            ),
            wanted(
                "permissions",
                self._granted,
                lambda: sorted(each["Sid"] for each in self._permitted()["Statement"]),
                lambda: self._call("put_role_policy", PolicyName=_POLICY, PolicyDocument=json.dumps(self._permitted())),
            ),
            wanted("further permissions", self._further, lambda: "none"),
        ]

    def _create(self) -> None:
        self._call(
            "create_role",
            AssumeRolePolicyDocument=json.dumps(_trusted()),
            Description=f"S3 copies Pulumi's state from {self._config.recovery} to {self._config.home}",
        )

    def _trust(self) -> Any | None:
        found = self._find("get_role")
        return None if found is None else found["Role"]["AssumeRolePolicyDocument"]

    def _granted(self) -> list[str]:
        """The ids of the statements that are as desired, and the text of those that are not."""
        found = self._find("get_role_policy", PolicyName=_POLICY)
        desired = self._permitted()["Statement"]
        return sorted(
            each["Sid"] if any(same(each, one) for one in desired) else json.dumps(each)
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
                f"remove them from the role by hand: S3 needs only {_POLICY}",
            )
        return "none"

    def _permitted(self) -> dict[str, Any]:
        """The permissions that S3 needs to copy from one bucket to the other, and no others.

        Source: "Setting up permissions for live replication" and "Replicating encrypted objects" in the S3 user guide.
        The role may use each key only through S3 in the key's region, so it cannot decrypt Pulumi's secrets.
        """
        config = self._config
        source, destination = config.bucket_arn(config.bucket), config.bucket_arn(config.replica_bucket)
        return document(
            _allow("ReadTheOrder", source, "s3:GetReplicationConfiguration", "s3:ListBucket"),
            _allow(
                "ReadObjects",
                f"{source}/*",
                *("s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"),
            ),
            _allow(
                "WriteCopies", f"{destination}/*", *("s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags")
            ),
            self._allow_key("DecryptObjects", config.recovery, "kms:Decrypt"),
            self._allow_key("EncryptCopies", config.home, "kms:Encrypt", "kms:GenerateDataKey"),
        )

    def _allow_key(self, sid: str, region: str, *actions: str) -> dict[str, Any]:
        through_s3 = {"StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"}}
        return {**_allow(sid, self._keys.arn(region), *actions), "Condition": through_s3}


def _allow(sid: str, resource: str, *actions: str) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resource}


def _trusted() -> dict[str, Any]:
    return document({"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"})


class Replication:
    """The replication configuration. A bucket has at most one. It is replaced unless it has other rules."""

    def __init__(self, config: StateBackendConfig, keys: Keys, source: Bucket) -> None:
        self._config = config
        self._keys = keys
        self._source = source

    def properties(self) -> list[Property]:
        config = self._config
        resource = Resource("replication", f"{config.bucket} -> {config.replica_bucket}", config.recovery)

        def wanted(name: str, actual: Callable[[], Any], desired: Callable[[], Any]) -> Property:
            return Property(resource, name, actual, desired, self._put)

        def rule(name: str, *path: str) -> Property:
            """A property for the part of the rule at a path."""
            return wanted(name, lambda: _at(self._rule(), path), lambda: _at(self._desired_rule(), path))

        return [
            wanted(EXISTENCE, lambda: self._configuration() and "configured", lambda: "configured"),
            wanted("role", lambda: (self._configuration() or {}).get("Role"), lambda: config.role_arn),
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

    def _configuration(self) -> dict[str, Any] | None:
        config = self._config
        try:
            self._source.region()
        except ConflictError:  # the bucket has its own finding
            raise NotThereError from None
        found = config.aws.find(
            "s3",
            config.recovery,
            "get_bucket_replication",
            {"ReplicationConfigurationNotFoundError", "NoSuchBucket"},
            Bucket=config.bucket,
            ExpectedBucketOwner=config.account,
        )
        if found is None:
            return None
        replication: dict[str, Any] = found["ReplicationConfiguration"]
        others = [str(rule.get("ID")) for rule in replication["Rules"] if rule.get("ID") != _RULE]
        if others:
            raise ConflictError(
                f"configured by others (rules {', '.join(others)})",
                "check the purpose of these rules, and remove them by hand: a bucket has one replication only",
            )
        return replication

    def _rule(self) -> dict[str, Any]:
        replication = self._configuration()
        if replication is None:
            raise NotThereError
        found: dict[str, Any] = replication["Rules"][0]
        if found.get("Filter") == {}:  # S3 may return the filter for every object in this form
            found = {**found, "Filter": {"Prefix": ""}}
        return found

    def _desired_rule(self) -> dict[str, Any]:
        return {
            "ID": _RULE,
            "Status": "Enabled",
            "Priority": 1,
            # An empty filter selects every object. Without a filter, S3 reads the rule as version 1 of its schema, in
            # which deletions cannot be configured.
            "Filter": {"Prefix": ""},
            "DeleteMarkerReplication": {"Status": "Enabled"},
            # Without this, S3 skips every object that is encrypted with a KMS key. All objects here are.
            "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
            "Destination": {
                "Bucket": self._config.bucket_arn(self._config.replica_bucket),
                "StorageClass": "STANDARD",
                "EncryptionConfiguration": {"ReplicaKmsKeyID": self._keys.arn(self._config.home)},
                # Without time control, S3 guarantees no replication time and reports no delay.
                "ReplicationTime": _REPLICATION_TIME,
                "Metrics": _METRICS,
            },
        }

    def _put(self) -> None:
        config = self._config
        config.aws.call(
            "s3",
            config.recovery,
            "put_bucket_replication",
            Bucket=config.bucket,
            ExpectedBucketOwner=config.account,
            ReplicationConfiguration={"Role": config.role_arn, "Rules": [self._desired_rule()]},
        )


def _at(whole: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        whole = (whole or {}).get(name)
    return whole
