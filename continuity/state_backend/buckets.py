"""A bucket that holds Pulumi's state: nobody loses it, and nobody reads it who should not.

It is what `components` makes of a durable bucket, in one respect more: its own policy refuses to delete it and its
versions, to everybody. Expiry after the plan's days goes on, since S3's lifecycle asks no policy.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from typing import Any, Final

from continuity.errors import ConflictError, NotThereError, RefusedError
from continuity.state_backend.config import SETTING, Site
from continuity.state_backend.desired import EXISTENCE, Property, Thing, by_hand
from continuity.state_backend.iam import document, same, statements

# Parts of an upload that was never finished cost money and are invisible in a listing. No upload takes a week.
_UNFINISHED_UPLOAD_DAYS: Final = 7
_RULE: Final = "forget-old-versions"
_BLOCKS: Final = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
_EVERYTHING: Final[tuple[dict[str, str], ...]] = ({"Prefix": ""}, {})


class Bucket:
    """One bucket, as S3 has it now."""

    def __init__(self, site: Site, thing: Thing, key_arn: Callable[[], str]) -> None:
        self._site = site
        self.thing = thing
        self._key_arn = key_arn

    def properties(self) -> list[Property]:
        """In the order in which they are made: closed to the public before anything can be in it."""
        return [
            self._property(EXISTENCE, self.region, lambda: self.thing.region, self._create),
            self._property("public access", self._public, lambda: "blocked", self._block_public),
            self._property("ownership", self._ownership, lambda: "BucketOwnerEnforced", self._enforce_ownership),
            self._property("versioning", self._versioning, lambda: "Enabled", self._keep_versions),
            self._property("encryption", self._encryption, self._wanted_encryption, self._encrypt),
            self._property("policy", self._in_force, lambda: sorted(self._statements()), self._put_policy),
            self._property("access for others", self._others, lambda: "none"),
            self._property(
                "days that noncurrent versions are kept",
                lambda: self._rule().get("NoncurrentVersionExpiration", {}).get("NoncurrentDays"),
                lambda: self._site.version_days,
                self._put_lifecycle,
                lambda found, wanted: found is not None and found >= wanted,
            ),
            self._property(
                "days that unfinished uploads are kept",
                lambda: self._rule().get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation"),
                lambda: _UNFINISHED_UPLOAD_DAYS,
                self._put_lifecycle,
                lambda found, wanted: found is not None and found <= wanted,
            ),
            self._property(
                "expiry of delete markers that hide nothing",
                lambda: bool(self._rule().get("Expiration", {}).get("ExpiredObjectDeleteMarker")),
                lambda: True,
                self._put_lifecycle,
            ),
            self._property("other lifecycle rules", self._other_rules, lambda: "none"),
        ]

    def region(self) -> str | None:
        """Where the bucket is; None when there is none.

        Raises:
            ConflictError: it is another account's, or in another region.
        """
        name = self.thing.name
        try:
            found = self._call("head_bucket")
        except RefusedError as error:
            if error.answer in ("404", "NoSuchBucket"):
                return None
            if error.answer in ("403", "AccessDenied"):
                raise ConflictError(
                    f"a bucket of another account, or one that account {self._site.account} may not look at with these "
                    "credentials",
                    f"set {SETTING} to a different name, or use credentials that may administer it",
                ) from None
            raise
        region = str(found.get("BucketRegion") or "")
        if region != self.thing.region:
            raise ConflictError(
                f"in {region or 'an unknown region'}",
                f"a bucket cannot move: set {SETTING} to a different name ({name} is left as it is)",
            )
        return region

    def rules(self) -> list[dict[str, Any]]:
        found = self._find("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration")
        return [] if found is None else list(found["Rules"])

    # -- looking and making, setting by setting -----------------------------------------------------------------------

    def _create(self) -> None:
        self._site.aws.call(
            "s3",
            self.thing.region,
            "create_bucket",
            Bucket=self.thing.name,
            CreateBucketConfiguration={"LocationConstraint": self.thing.region},
            ObjectOwnership="BucketOwnerEnforced",
        )

    def _public(self) -> str:
        found = self._find("get_public_access_block", "NoSuchPublicAccessBlockConfiguration")
        settings = {} if found is None else found["PublicAccessBlockConfiguration"]
        off = [name for name in _BLOCKS if not settings.get(name)]
        return f"open to {', '.join(off)}" if off else "blocked"

    def _block_public(self) -> None:
        self._call("put_public_access_block", PublicAccessBlockConfiguration=dict.fromkeys(_BLOCKS, True))

    def _ownership(self) -> str | None:
        found = self._find("get_bucket_ownership_controls", "OwnershipControlsNotFoundError")
        return None if found is None else str(found["OwnershipControls"]["Rules"][0]["ObjectOwnership"])

    def _enforce_ownership(self) -> None:
        self._call(
            "put_bucket_ownership_controls", OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        )

    def _versioning(self) -> str:
        return str(self._call("get_bucket_versioning").get("Status", "never enabled"))

    def _keep_versions(self) -> None:
        self._call("put_bucket_versioning", VersioningConfiguration={"Status": "Enabled"})

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

    def _wanted_encryption(self) -> dict[str, Any]:
        return {"algorithm": "aws:kms", "key": self._key_arn(), "bucket key": True}

    def _encrypt(self) -> None:
        wanted = self._wanted_encryption()
        rule = {
            "ApplyServerSideEncryptionByDefault": {
                "SSEAlgorithm": wanted["algorithm"],
                "KMSMasterKeyID": wanted["key"],
            },
            "BucketKeyEnabled": wanted["bucket key"],
        }
        self._call("put_bucket_encryption", ServerSideEncryptionConfiguration={"Rules": [rule]})

    def _statements(self) -> dict[str, dict[str, Any]]:
        """What the policy must say, by the ids of the statements."""
        arn = self._site.bucket_arn(self.thing.name)
        everybody = {"Effect": "Deny", "Principal": "*"}
        return {
            "OnlyOverTls": {
                **everybody,
                "Action": "s3:*",
                "Resource": [arn, f"{arn}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
            "NobodyDeletesTheBucket": {**everybody, "Action": "s3:DeleteBucket", "Resource": arn},
            "NobodyDeletesAVersion": {**everybody, "Action": "s3:DeleteObjectVersion", "Resource": f"{arn}/*"},
        }

    def _found_statements(self) -> list[dict[str, Any]]:
        found = self._find("get_bucket_policy", "NoSuchBucketPolicy")
        return [] if found is None else statements(json.loads(found["Policy"]))

    def _in_force(self) -> list[str]:
        """The ids of the statements that are there and say what they must."""
        found = {statement.get("Sid"): statement for statement in self._found_statements()}
        wanted = self._statements().items()
        return sorted(sid for sid, words in wanted if sid in found and same({"Sid": sid, **words}, found[sid]))

    def _put_policy(self) -> None:
        """Ours are set; what others have added stays."""
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
                "give people and roles their access by IAM, and take these statements out of the policy by hand",
            )
        return "none"

    def _rule(self) -> dict[str, Any]:
        """Our lifecycle rule, if it is in force for every object; else nothing."""
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
            "NoncurrentVersionExpiration": {"NoncurrentDays": max(kept, self._site.version_days)},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _UNFINISHED_UPLOAD_DAYS},
        }
        others = [rule for rule in self.rules() if rule.get("ID") != _RULE]
        self._call("put_bucket_lifecycle_configuration", LifecycleConfiguration={"Rules": [*others, ours]})

    def _other_rules(self) -> str:
        """Somebody's own rule may tidy up uploads. One that expires or moves objects takes the state away."""
        harmless = {"ID", "Status", "Filter", "Prefix", "AbortIncompleteMultipartUpload"}
        harmful = [
            str(rule.get("ID"))
            for rule in self.rules()
            if rule.get("ID") != _RULE and rule["Status"] == "Enabled" and not set(rule) <= harmless
        ]
        if harmful:
            raise ConflictError(
                f"in force and expire or move objects: {', '.join(harmful)}",
                "disable these rules by hand: what expires the state loses it",
            )
        return "none"

    # -- S3 -----------------------------------------------------------------------------------------------------------

    def _call(self, operation: str, **asked: Any) -> Any:
        # Names are free to everybody: a call must not land in a bucket that has become somebody else's.
        return self._site.aws.call(
            "s3",
            self.thing.region,
            operation,
            Bucket=self.thing.name,
            ExpectedBucketOwner=self._site.account,
            **asked,
        )

    def _find(self, operation: str, missing: str) -> Any | None:
        try:
            return self._call(operation)
        except RefusedError as error:
            if error.answer == missing:
                return None
            if error.answer == "NoSuchBucket":
                raise NotThereError from None
            raise

    def _property(
        self,
        name: str,
        found: Callable[[], Any],
        wanted: Callable[[], Any],
        make: Callable[[], object] = by_hand,
        enough: Callable[[Any, Any], bool] = operator.eq,
    ) -> Property:
        return Property(
            thing=self.thing,
            name=name,
            found=found,
            wanted=wanted,
            make=make,
            enough=enough,
        )
