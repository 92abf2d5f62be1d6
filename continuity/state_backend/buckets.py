"""The properties of a bucket for Pulumi's state: private, encrypted, versioned, and protected from deletion.

It has the settings of `DurableBucket` in `components`. In addition, its policy denies every principal the deletion of
the bucket and of its versions. Old versions still expire after the plan's days, because S3's lifecycle ignores bucket
policies.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from continuity.errors import ConflictError, NotThereError, RefusedError
from continuity.state_backend.config import SETTING, StateBackendConfig
from continuity.state_backend.desired import EXISTENCE, Property, Resource
from continuity.state_backend.iam import document, same, statements

# Parts of an unfinished upload cost money, and listings do not show them. No upload takes a week.
_UNFINISHED_UPLOAD_DAYS: Final = 7
_RULE: Final = "forget-old-versions"
_OWNERSHIP: Final = "BucketOwnerEnforced"
_BLOCKS: Final = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
_EVERYTHING: Final[tuple[dict[str, str], ...]] = ({"Prefix": ""}, {})


class Bucket:
    """The current state of one bucket."""

    def __init__(self, config: StateBackendConfig, resource: Resource, key_arn: Callable[[], str]) -> None:
        self._config = config
        self.resource = resource
        self._key_arn = key_arn
        self._aws = partial(config.aws.call, "s3", resource.region, Bucket=resource.name)
        # Anyone may take a free name: a call must not reach a bucket that a different account has created since.
        self._call = partial(self._aws, ExpectedBucketOwner=config.account)

    def properties(self) -> list[Property]:
        """The properties in the order in which they are applied: public access is blocked while the bucket is empty."""
        wanted = partial(Property, self.resource)
        return [
            wanted(EXISTENCE, self.region, lambda: self.resource.region, self._create),
            wanted(
                "public access",
                self._public,
                lambda: "blocked",
                partial(
                    self._call, "put_public_access_block", PublicAccessBlockConfiguration=dict.fromkeys(_BLOCKS, True)
                ),
            ),
            wanted(
                "ownership",
                self._ownership,
                lambda: _OWNERSHIP,
                partial(
                    self._call,
                    "put_bucket_ownership_controls",
                    OwnershipControls={"Rules": [{"ObjectOwnership": _OWNERSHIP}]},
                ),
            ),
            wanted(
                "versioning",
                lambda: self._call("get_bucket_versioning").get("Status", "never enabled"),
                lambda: "Enabled",
                partial(self._call, "put_bucket_versioning", VersioningConfiguration={"Status": "Enabled"}),
            ),
            wanted("encryption", self._encryption, self._desired_encryption, self._encrypt),
            wanted("policy", self._in_force, lambda: sorted(self._statements()), self._put_policy),
            wanted("access for others", self._others, lambda: "none"),
            wanted(
                "days that noncurrent versions are kept",
                lambda: self._rule().get("NoncurrentVersionExpiration", {}).get("NoncurrentDays"),
                lambda: self._config.version_days,
                self._put_lifecycle,
                lambda actual, desired: actual is not None and actual >= desired,
            ),
            wanted(
                "days that unfinished uploads are kept",
                lambda: self._rule().get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation"),
                lambda: _UNFINISHED_UPLOAD_DAYS,
                self._put_lifecycle,
                lambda actual, desired: actual is not None and actual <= desired,
            ),
            wanted(
                "expiry of delete markers that hide nothing",
                lambda: bool(self._rule().get("Expiration", {}).get("ExpiredObjectDeleteMarker")),
                lambda: True,
                self._put_lifecycle,
            ),
            wanted("other lifecycle rules", self._other_rules, lambda: "none"),
        ]

    def region(self) -> str | None:
        """The region of the bucket. None if it does not exist.

        Raises:
            ConflictError: it belongs to a different account, or is in a different region.
        """
        name = self.resource.name
        try:
            found = self._call("head_bucket")
        except RefusedError as error:
            if error.answer in ("404", "NoSuchBucket"):
                return None
            if error.answer in ("403", "AccessDenied"):
                raise ConflictError(
                    f"a bucket of a different account, or one that these credentials of account {self._config.account} "
                    "may not read",
                    f"set {SETTING} to a different name, or use credentials that may administer it",
                ) from None
            raise
        region = str(found.get("BucketRegion") or "")
        if region != self.resource.region:
            raise ConflictError(
                f"in {region or 'an unknown region'}",
                f"a bucket cannot move: set {SETTING} to a different name ({name} is left as it is)",
            )
        return region

    def rules(self) -> list[dict[str, Any]]:
        found = self._find("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration")
        return [] if found is None else list(found["Rules"])

    # -- reading and applying each setting -----------------------------------------------------------------------------

    def _create(self) -> None:
        self._aws(
            "create_bucket",
            CreateBucketConfiguration={"LocationConstraint": self.resource.region},
            ObjectOwnership=_OWNERSHIP,
        )

    def _public(self) -> str:
        found = self._find("get_public_access_block", "NoSuchPublicAccessBlockConfiguration")
        settings = {} if found is None else found["PublicAccessBlockConfiguration"]
        off = [name for name in _BLOCKS if not settings.get(name)]
        return f"open to {', '.join(off)}" if off else "blocked"

    def _ownership(self) -> str | None:
        found = self._find("get_bucket_ownership_controls", "OwnershipControlsNotFoundError")
        return None if found is None else str(found["OwnershipControls"]["Rules"][0]["ObjectOwnership"])

    def _encryption(self) -> dict[str, Any] | None:
        found = self._find("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError")
        if found is None:
            return None
        rule = found["ServerSideEncryptionConfiguration"]["Rules"][0]
        by_default = rule["ApplyServerSideEncryptionByDefault"]
        return {
            "algorithm": by_default["SSEAlgorithm"],
            "key": by_default.get("KMSMasterKeyID"),
            "bucket key": bool(rule.get("BucketKeyEnabled")),
        }

    def _desired_encryption(self) -> dict[str, Any]:
        return {"algorithm": "aws:kms", "key": self._key_arn(), "bucket key": True}

    def _encrypt(self) -> None:
        desired = self._desired_encryption()
        rule = {
            "ApplyServerSideEncryptionByDefault": {
                "SSEAlgorithm": desired["algorithm"],
                "KMSMasterKeyID": desired["key"],
            },
            "BucketKeyEnabled": desired["bucket key"],
        }
        self._call("put_bucket_encryption", ServerSideEncryptionConfiguration={"Rules": [rule]})

    def _statements(self) -> dict[str, dict[str, Any]]:
        """The statements that the policy must have, by their ids."""
        arn = self._config.bucket_arn(self.resource.name)
        every_principal = {"Effect": "Deny", "Principal": "*"}
        return {
            "OnlyOverTls": {
                **every_principal,
                "Action": "s3:*",
                "Resource": [arn, f"{arn}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
            "NobodyDeletesTheBucket": {**every_principal, "Action": "s3:DeleteBucket", "Resource": arn},
            "NobodyDeletesAVersion": {**every_principal, "Action": "s3:DeleteObjectVersion", "Resource": f"{arn}/*"},
        }

    def _found_statements(self) -> list[dict[str, Any]]:
        found = self._find("get_bucket_policy", "NoSuchBucketPolicy")
        return [] if found is None else statements(json.loads(found["Policy"]))

    def _in_force(self) -> list[str]:
        """The ids of the desired statements that the policy contains unchanged."""
        found = {statement.get("Sid"): statement for statement in self._found_statements()}
        wanted = self._statements().items()
        return sorted(sid for sid, words in wanted if sid in found and same({"Sid": sid, **words}, found[sid]))

    def _put_policy(self) -> None:
        """Set our statements, and keep the statements of others."""
        ours = self._statements()
        others = [statement for statement in self._found_statements() if statement.get("Sid") not in ours]
        policy = document(*others, *({"Sid": sid, **words} for sid, words in ours.items()))
        self._call("put_bucket_policy", Policy=json.dumps(policy))

    def _others(self) -> str:
        allowing = [each for each in self._found_statements() if each.get("Effect") != "Deny"]
        allowing = [each for each in allowing if each.get("Sid") not in self._statements()]
        if allowing:
            raise ConflictError(
                f"given by the bucket's policy: {json.dumps(allowing)}",
                "give people and roles access with IAM policies, and remove these statements from the policy by hand",
            )
        return "none"

    def _rule(self) -> dict[str, Any]:
        """Our lifecycle rule if it is enabled for every object, otherwise an empty one."""
        for rule in self.rules():
            if rule.get("ID") == _RULE and rule["Status"] == "Enabled" and rule.get("Filter") in _EVERYTHING:
                return rule
        return {}

    def _put_lifecycle(self) -> None:
        kept = self._rule().get("NoncurrentVersionExpiration", {}).get("NoncurrentDays", 0)
        ours = {
            "ID": _RULE,
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "NoncurrentVersionExpiration": {"NoncurrentDays": max(kept, self._config.version_days)},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _UNFINISHED_UPLOAD_DAYS},
        }
        others = [rule for rule in self.rules() if rule.get("ID") != _RULE]
        self._call("put_bucket_lifecycle_configuration", LifecycleConfiguration={"Rules": [*others, ours]})

    def _other_rules(self) -> str:
        """Accept rules of others that abort uploads. A rule that expires or moves objects would lose the state."""
        harmless = {"ID", "Status", "Filter", "Prefix", "AbortIncompleteMultipartUpload"}
        harmful = [
            str(rule.get("ID"))
            for rule in self.rules()
            if rule.get("ID") != _RULE and rule["Status"] == "Enabled" and not set(rule) <= harmless
        ]
        if harmful:
            raise ConflictError(
                f"in force and expire or move objects: {', '.join(harmful)}",
                "disable these rules by hand: they would delete or move the state",
            )
        return "none"

    def _find(self, operation: str, missing: str) -> Any | None:
        try:
            return self._call(operation)
        except RefusedError as error:
            if error.answer == missing:
                return None
            if error.answer == "NoSuchBucket":
                raise NotThereError from None
            raise
