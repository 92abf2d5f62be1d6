"""The key of Pulumi's secrets: a multi-region key in the recovery region, and its replica in the home region.

Both have the same material, so what was encrypted with one is read with the other: secrets survive the loss of either
region.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from continuity.errors import CannotLookError, ConflictError, NotThereError, UnfinishedError
from continuity.state_backend.config import Site
from continuity.state_backend.desired import EXISTENCE, Property, Thing
from plan.names import STATE, STATE_KEY_ALIAS

_MISSING: Final = frozenset({"NotFoundException"})
_TAGS: Final = [{"TagKey": "Name", "TagValue": STATE}]
_DESCRIPTION: Final = "Pulumi's state and its secrets"
_KIND: Final = {
    "KeyManager": "CUSTOMER", "MultiRegion": True, "KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT",
    "Origin": "AWS_KMS",
}  # fmt: skip
# KMS copies a key to another region in seconds; until then it is "Creating" and takes no other call.
_REPLICATION_PATIENCE: Final = 120.0  # seconds
_LOOK_AGAIN: Final = 1.0  # seconds


class Keys:
    """Both keys as KMS has them now."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def primary(self) -> Any | None:
        """What KMS says of the key: the alias leads to it, or, before it has that, its tag."""
        found = self._describe(self._site.recovery, STATE_KEY_ALIAS) or self._by_tag()
        if found is not None:
            self._must_be(found, "PRIMARY")
        return found

    def replica(self) -> Any | None:
        """What KMS says of the replica. It has the key's own id, so the alias need not be there."""
        try:
            primary = self._ours()
        except CannotLookError:  # the recovery region is lost: then the alias has to do
            found = self._describe(self._site.home, STATE_KEY_ALIAS)
            if found is not None:
                self._must_be(found, "REPLICA")
            return found
        aliased = self._describe(self._site.home, STATE_KEY_ALIAS)
        if aliased is not None and (primary is None or aliased["KeyId"] != primary["KeyId"]):
            raise _points_elsewhere(aliased, self._site.home, "a replica of the key that the alias names in "
                                    f"{self._site.recovery}")  # fmt: skip
        return None if primary is None else aliased or self._describe(self._site.home, primary["KeyId"])

    def arn(self, region: str) -> str:
        """The ARN that the key has, or will have, in a region: a replica's differs from its key's by the region."""
        try:
            key, place = self._ours(), self._site.recovery
        except CannotLookError:
            key, place = self.replica(), self._site.home
        if key is None:
            raise NotThereError
        return str(key["Arn"]).replace(f":{place}:", f":{region}:", 1)

    def create(self) -> None:
        self._call(
            self._site.recovery, "create_key", MultiRegion=True, Description=_DESCRIPTION, Tags=_TAGS
        )  # the tag comes with the key, so a run that ends here leaves one that the next run finds

    def replicate(self) -> None:
        self._call(
            self._site.recovery,
            "replicate_key",
            KeyId=self.arn(self._site.recovery),
            ReplicaRegion=self._site.home,
            Description=_DESCRIPTION,
            Tags=_TAGS,
        )
        deadline = time.monotonic() + _REPLICATION_PATIENCE
        while (made := self.replica()) is None or made["KeyState"] == "Creating":
            if time.monotonic() > deadline:
                raise UnfinishedError(
                    f"KMS is still making the replica key in {self._site.home} after {_REPLICATION_PATIENCE:.0f} s: "
                    "run `continuity bootstrap` again later, it goes on from here"
                )
            time.sleep(_LOOK_AGAIN)
            self._site.aws.forget()

    def enable(self, region: str) -> None:
        """Whatever was done to it: a deletion that is pending is cancelled first, which leaves the key disabled."""
        arn = self.arn(region)
        state = self.state(region)
        if state in ("PendingDeletion", "PendingReplicaDeletion"):
            self._call(region, "cancel_key_deletion", KeyId=arn)
        self._call(region, "enable_key", KeyId=arn)

    def state(self, region: str) -> str | None:
        found = self._describe(region, self.arn(region))
        return None if found is None else str(found["KeyState"])

    def rotates(self) -> bool:
        asked = self._call(self._site.recovery, "get_key_rotation_status", KeyId=self.arn(self._site.recovery))
        return bool(asked["KeyRotationEnabled"])

    def rotate(self) -> None:
        self._call(self._site.recovery, "enable_key_rotation", KeyId=self.arn(self._site.recovery))

    def aliased(self, region: str) -> str | None:
        """The ARN of the key that the alias names there."""
        found = self._describe(region, STATE_KEY_ALIAS)
        return None if found is None else str(found["Arn"])

    def name(self, region: str) -> None:
        self._call(region, "create_alias", AliasName=STATE_KEY_ALIAS, TargetKeyId=self.arn(region))

    def _ours(self) -> Any | None:
        """The key, for what depends on it: a conflict about the key is the key's own finding."""
        try:
            return self.primary()
        except ConflictError:
            raise NotThereError from None

    def _by_tag(self) -> Any | None:
        """The key of a run that ended before it gave the key its alias. Ids of multi-region keys begin with `mrk-`."""
        region = self._site.recovery
        marker: dict[str, str] = {}
        tagged: list[Any] = []
        while True:
            page = self._call(region, "list_keys", **marker)
            for key in page["Keys"]:
                if key["KeyId"].startswith("mrk-"):
                    tags = self._call(region, "list_resource_tags", KeyId=key["KeyId"])["Tags"]
                    described = self._describe(region, key["KeyId"]) if _TAGS[0] in tags else None
                    if (
                        described is not None
                        and described["MultiRegionConfiguration"]["MultiRegionKeyType"] == "PRIMARY"
                    ):
                        tagged.append(described)
            if not page.get("Truncated"):
                break
            marker = {"Marker": page["NextMarker"]}
        if len(tagged) > 1:
            arns = ", ".join(sorted(key["Arn"] for key in tagged))
            raise ConflictError(
                f"one of several keys with the tag Name={STATE} ({arns}) and none has the alias {STATE_KEY_ALIAS}",
                f"give the alias to the one that is used: aws kms create-alias --region {region} "
                f"--alias-name {STATE_KEY_ALIAS} --target-key-id KEY_ID",
            )
        return tagged[0] if tagged else None

    def _must_be(self, found: Any, kind: str) -> None:
        region = self._site.recovery if kind == "PRIMARY" else self._site.home
        got = found.get("MultiRegionConfiguration", {}).get("MultiRegionKeyType")
        if got != kind or any(found.get(name) != value for name, value in _KIND.items()):
            raise _points_elsewhere(found, region, f"a symmetric multi-region key of our own, {kind.lower()} there")

    def _describe(self, region: str, name: str) -> Any | None:
        found = self._site.aws.find("kms", region, "describe_key", _MISSING, KeyId=name)
        return None if found is None else found["KeyMetadata"]

    def _call(self, region: str, operation: str, **asked: Any) -> Any:
        return self._site.aws.call("kms", region, operation, **asked)


def _points_elsewhere(found: Any, region: str, needed: str) -> ConflictError:
    return ConflictError(
        f"{found['Arn']}, to which {STATE_KEY_ALIAS} points",
        f"the alias must lead to {needed}. See what uses that key; if nothing does, take the alias away (aws kms "
        f"delete-alias --region {region} --alias-name {STATE_KEY_ALIAS}) and run `continuity bootstrap`",
    )


def properties(site: Site, keys: Keys) -> list[Property]:
    """Of both keys, in the order in which they are made."""
    key, replica = Thing("state key", STATE_KEY_ALIAS, site.recovery), Thing("replica key", STATE_KEY_ALIAS, site.home)
    return [
        Property(
            thing=key,
            name=EXISTENCE,
            found=lambda: keys.primary() and "a multi-region primary key",
            wanted=lambda: "a multi-region primary key",
            make=keys.create,
        ),
        *_usable(key, keys),
        Property(thing=key, name="rotation", found=keys.rotates, wanted=lambda: True, make=keys.rotate),
        Property(
            thing=replica,
            name=EXISTENCE,
            found=lambda: keys.replica() and "a replica of the state key",
            wanted=lambda: "a replica of the state key",
            make=keys.replicate,
        ),
        *_usable(replica, keys),
    ]


def _usable(thing: Thing, keys: Keys) -> list[Property]:
    def bound(act: Callable[[str], Any]) -> Callable[[], Any]:
        return lambda: act(thing.region)

    return [
        Property(thing=thing, name="state", found=bound(keys.state), wanted=lambda: "Enabled", make=bound(keys.enable)),
        Property(thing=thing, name="alias", found=bound(keys.aliased), wanted=bound(keys.arn), make=bound(keys.name)),
    ]
