"""The key for Pulumi's secrets: a multi-region key in the recovery region, with a replica in the home region.

Both have the same key material, so either decrypts what the other encrypted. Secrets survive the loss of either region.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from continuity.errors import CannotLookError, ConflictError, NotThereError, UnfinishedError
from continuity.state_backend.config import StateBackendConfig
from continuity.state_backend.desired import EXISTENCE, Property, Resource
from plan.names import STATE, STATE_KEY_ALIAS

_MISSING: Final = frozenset({"NotFoundException"})
_TAGS: Final = [{"TagKey": "Name", "TagValue": STATE}]
_DESCRIPTION: Final = "Pulumi's state and its secrets"
_KIND: Final = {
    "KeyManager": "CUSTOMER", "MultiRegion": True, "KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT",
    "Origin": "AWS_KMS",
}  # fmt: skip
# KMS copies a key to a region in seconds. Until then its state is "Creating", and it accepts no other call.
_REPLICATION_PATIENCE_SECONDS: Final = 120.0
_RETRY_SECONDS: Final = 1.0


class Keys:
    """The current state of both keys."""

    def __init__(self, config: StateBackendConfig) -> None:
        self._config = config
        self._call = partial(config.aws.call, "kms")

    def primary(self) -> Any | None:
        """The description of the primary key that KMS returns. The key is found by its alias, otherwise by its tag."""
        found = self._describe(self._config.recovery, STATE_KEY_ALIAS) or self._by_tag()
        if found is not None:
            self._check_kind(found, "PRIMARY")
        return found

    def replica(self) -> Any | None:
        """The description of the replica that KMS returns. It has the primary's id, so it needs no alias."""
        try:
            primary = self._primary_or_missing()
        except CannotLookError:  # during an outage of the recovery region, only the alias is available
            found = self._describe(self._config.home, STATE_KEY_ALIAS)
            if found is not None:
                self._check_kind(found, "REPLICA")
            return found
        aliased = self._describe(self._config.home, STATE_KEY_ALIAS)
        if aliased is not None and (primary is None or aliased["KeyId"] != primary["KeyId"]):
            raise _points_elsewhere(aliased, self._config.home, "a replica of the key that the alias names in "
                                    f"{self._config.recovery}")  # fmt: skip
        return None if primary is None else aliased or self._describe(self._config.home, primary["KeyId"])

    def arn(self, region: str) -> str:
        """The ARN that the key has, or will have, in a region. Only the region differs for the replica."""
        try:
            key, place = self._primary_or_missing(), self._config.recovery
        except CannotLookError:
            key, place = self.replica(), self._config.home
        if key is None:
            raise NotThereError
        return str(key["Arn"]).replace(f":{place}:", f":{region}:", 1)

    def create(self) -> None:
        self._call(
            self._config.recovery, "create_key", MultiRegion=True, Description=_DESCRIPTION, Tags=_TAGS
        )  # the tag is set by the same call, so the next run finds the key if this run ends here

    def replicate(self) -> None:
        self._call(
            self._config.recovery,
            "replicate_key",
            KeyId=self.arn(self._config.recovery),
            ReplicaRegion=self._config.home,
            Description=_DESCRIPTION,
            Tags=_TAGS,
        )
        deadline = time.monotonic() + _REPLICATION_PATIENCE_SECONDS
        while (replica := self.replica()) is None or replica["KeyState"] == "Creating":
            if time.monotonic() > deadline:
                raise UnfinishedError(
                    f"KMS is still creating the replica key in {self._config.home} "
                    f"after {_REPLICATION_PATIENCE_SECONDS:.0f} s: run `continuity bootstrap` again, "
                    "which continues from here"
                )
            time.sleep(_RETRY_SECONDS)
            self._config.aws.clear_cache()

    def enable(self, region: str) -> None:
        """Enable the key. A pending deletion is cancelled first, which leaves the key disabled."""
        arn = self.arn(region)
        state = self.state(region)
        if state in ("PendingDeletion", "PendingReplicaDeletion"):
            self._call(region, "cancel_key_deletion", KeyId=arn)
        self._call(region, "enable_key", KeyId=arn)

    def state(self, region: str) -> str | None:
        found = self._describe(region, self.arn(region))
        return None if found is None else str(found["KeyState"])

    def rotates(self) -> bool:
        status = self._call(self._config.recovery, "get_key_rotation_status", KeyId=self.arn(self._config.recovery))
        return bool(status["KeyRotationEnabled"])

    def rotate(self) -> None:
        self._call(self._config.recovery, "enable_key_rotation", KeyId=self.arn(self._config.recovery))

    def aliased(self, region: str) -> str | None:
        """The ARN of the key that the alias points to in the region."""
        found = self._describe(region, STATE_KEY_ALIAS)
        return None if found is None else str(found["Arn"])

    def name(self, region: str) -> None:
        self._call(region, "create_alias", AliasName=STATE_KEY_ALIAS, TargetKeyId=self.arn(region))

    def _primary_or_missing(self) -> Any | None:
        """The primary key, for its dependents. A conflict of the key counts as missing: the key has its own finding."""
        try:
            return self.primary()
        except ConflictError:
            raise NotThereError from None

    def _by_tag(self) -> Any | None:
        """Find a key without alias, from an interrupted run. Ids of multi-region keys begin with `mrk-`."""
        region = self._config.recovery
        tagged: list[Any] = []
        for key in self._call(region, "list_keys")["Keys"]:
            if key["KeyId"].startswith("mrk-"):
                tags = self._call(region, "list_resource_tags", KeyId=key["KeyId"])["Tags"]
                described = self._describe(region, key["KeyId"]) if _TAGS[0] in tags else None
                if described is not None and described["MultiRegionConfiguration"]["MultiRegionKeyType"] == "PRIMARY":
                    tagged.append(described)
        if len(tagged) > 1:
            arns = ", ".join(sorted(key["Arn"] for key in tagged))
            raise ConflictError(
                f"one of several keys with the tag Name={STATE} ({arns}) and none has the alias {STATE_KEY_ALIAS}",
                f"give the alias to the key that is in use: aws kms create-alias --region {region} "
                f"--alias-name {STATE_KEY_ALIAS} --target-key-id KEY_ID",
            )
        return tagged[0] if tagged else None

    def _check_kind(self, found: Any, kind: str) -> None:
        region = self._config.recovery if kind == "PRIMARY" else self._config.home
        actual = found.get("MultiRegionConfiguration", {}).get("MultiRegionKeyType")
        if actual != kind or any(found.get(name) != value for name, value in _KIND.items()):
            raise _points_elsewhere(
                found, region, f"a symmetric, customer-managed multi-region key, {kind.lower()} in {region}"
            )

    def _describe(self, region: str, name: str) -> Any | None:
        found = self._config.aws.find("kms", region, "describe_key", _MISSING, KeyId=name)
        return None if found is None else found["KeyMetadata"]


def _points_elsewhere(found: Any, region: str, needed: str) -> ConflictError:
    return ConflictError(
        f"{found['Arn']}, to which {STATE_KEY_ALIAS} points",
        f"the alias must point to {needed}. If that key is not in use, delete the alias (aws kms "
        f"delete-alias --region {region} --alias-name {STATE_KEY_ALIAS}) and run `continuity bootstrap`",
    )


def properties(config: StateBackendConfig, keys: Keys) -> list[Property]:
    """The properties of both keys, in the order in which they are applied."""
    key = Resource("state key", STATE_KEY_ALIAS, config.recovery)
    replica = Resource("replica key", STATE_KEY_ALIAS, config.home)
    primary_kind, replica_kind = "a multi-region primary key", "a replica of the state key"
    return [
        Property(key, EXISTENCE, lambda: keys.primary() and primary_kind, lambda: primary_kind, keys.create),
        *_usable(key, keys),
        Property(key, "rotation", keys.rotates, lambda: True, keys.rotate),
        Property(replica, EXISTENCE, lambda: keys.replica() and replica_kind, lambda: replica_kind, keys.replicate),
        *_usable(replica, keys),
    ]


def _usable(resource: Resource, keys: Keys) -> list[Property]:
    def bound(act: Callable[[str], Any]) -> Callable[[], Any]:
        return lambda: act(resource.region)

    return [
        Property(resource, "state", bound(keys.state), lambda: "Enabled", bound(keys.enable)),
        Property(resource, "alias", bound(keys.aliased), bound(keys.arn), bound(keys.name)),
    ]
