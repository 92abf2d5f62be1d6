"""Replication of S3 buckets. moto stores the rules, returns them changed, and copies nothing.

Here the rules are checked and returned unchanged. The selected objects are copied before the answer leaves; S3 itself
takes seconds to minutes. Like in S3, three things are not replicated: objects that are older than the rule, deletions
of versions, and replicas themselves (of objects and of delete markers). Delete markers, and objects under KMS keys, are
replicated only if the rule includes them. An object that cannot be copied because a region is dead stays `PENDING`, and
is copied when both regions answer.

Changes of an object's tags, retention and legal hold are replicated too. Those of a replica are replicated only by a
rule of the replica's bucket with `ReplicaModifications`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.kms.models import kms_backends
from moto.s3.exceptions import ReplicationConfigurationNotFoundError, S3ClientError
from moto.s3.models import FakeBucket, FakeDeleteMarker, FakeKey, S3Backend, s3_backends
from moto.s3.responses import S3Response

from localcloud.aws import routing
from localcloud.aws.patching import wrap_method, wrap_property
from localcloud.aws.s3.documents import parsed


def patch() -> None:
    wrap_method(S3Backend, "put_bucket_replication", _put_rules)
    wrap_method(S3Response, "get_bucket_replication", _get_rules)
    wrap_method(S3Response, "put_object", _put_object)
    wrap_method(S3Response, "copy_object", _put_object)
    wrap_method(S3Response, "_key_response_post", _post_object)
    wrap_method(S3Backend, "_set_delete_marker", _set_delete_marker)
    wrap_method(S3Backend, "put_object_tagging", _put_tags)
    wrap_method(S3Backend, "put_object_retention", _put_lock)
    wrap_method(S3Backend, "put_object_legal_hold", _put_lock)
    wrap_property(FakeKey, "response_dict", _headers)


# -- the rules --------------------------------------------------------------------------------------------------------


def _put_rules(original: Callable[..., None], backend: S3Backend, bucket_name: str, raw: dict[str, Any]) -> None:
    raw["Rule"] = parsed("GetBucketReplication", "ReplicationConfiguration", raw).get("Rules", [])
    if not raw.get("Role") or not raw["Rule"]:
        raise S3ClientError("MalformedXML", "The XML you provided was not well-formed or did not validate.")
    priorities = [rule.get("Priority", 0) for rule in raw["Rule"]]
    if len(set(priorities)) != len(priorities) and any("Filter" in rule for rule in raw["Rule"]):
        raise _invalid("Priority must be unique for each rule")
    for rule in raw["Rule"]:
        _check(backend, bucket_name, rule)
    original(backend, bucket_name, raw)


def _check(backend: S3Backend, bucket_name: str, rule: dict[str, Any]) -> None:
    destination = backend.buckets.get(_bucket_of(rule))
    if destination is None:
        raise _invalid("Destination bucket must exist.")
    if destination.name == bucket_name:
        raise _invalid("Destination bucket cannot be the same as the source bucket.")
    if not destination.is_versioned:
        raise _invalid("Destination bucket must have versioning enabled.")
    if "Filter" in rule and "DeleteMarkerReplication" not in rule:
        raise _invalid(
            "DeleteMarkerReplication must be specified for this version of Cross Region Replication configuration "
            "schema."
        )
    key = rule["Destination"].get("EncryptionConfiguration", {}).get("ReplicaKmsKeyID")
    if _selects_kms(rule) and not key:
        raise _invalid("ReplicaKmsKeyID must be specified if SseKmsEncryptedObjects is enabled.")
    if key and "SourceSelectionCriteria" not in rule:
        raise _invalid("SseKmsEncryptedObjects must be specified if EncryptionConfiguration is present.")
    if "ReplicationTime" in rule["Destination"] and "Metrics" not in rule["Destination"]:
        raise _invalid("Metrics must be specified when ReplicationTime is specified.")


def _invalid(message: str) -> S3ClientError:
    return S3ClientError("InvalidRequest", message)


def _get_rules(original: Callable[..., Any], response: S3Response) -> Any:
    response.data["Action"] = "GetBucketReplication"
    rules = response.backend.get_bucket_replication(response.bucket_name)
    if not rules:
        raise ReplicationConfigurationNotFoundError(bucket_name=response.bucket_name)
    shown = {"Role": rules["Role"], "Rules": rules["Rule"]}
    return response.serialized(ActionResult({"ReplicationConfiguration": shown}))


# -- copying ----------------------------------------------------------------------------------------------------------


def _put_object(original: Callable[..., Any], response: S3Response) -> Any:
    answer = original(response)
    _replicate(response.backend, response.bucket_name, response.parse_key_name())
    return answer


def _post_object(original: Callable[..., Any], response: S3Response, request: Any, body: bytes, *place: Any) -> Any:
    bucket, query, key = place
    answer = original(response, request, body, *place)
    if query.get("uploadId"):  # the end of an upload in parts
        _replicate(response.backend, bucket, key)
    return answer


def _replicate(backend: S3Backend, bucket_name: str, key_name: str) -> None:
    bucket = backend.get_bucket(bucket_name)
    key: Any = backend.get_object(bucket_name, key_name)
    if not isinstance(key, FakeKey) or hasattr(key, "replication_status"):
        return
    tags, under_kms = backend.tagger.get_tag_dict_for_resource(key.arn), _under_kms(key)
    rules = [rule for rule in _rules(bucket, key_name, tags) if _selects_kms(rule) or not under_kms]
    _note(key, [_send(backend, bucket, key, rule) for rule in rules])


def _send(backend: S3Backend, bucket: FakeBucket, version: FakeKey | FakeDeleteMarker, rule: dict[str, Any]) -> str:
    """Copy a version to the destination of a rule, or queue it. Return its replication status."""
    destination = backend.buckets.get(_bucket_of(rule))
    if destination is None or not destination.is_versioned or _unusable_key(backend, rule):
        failing: Any = bucket
        failing.replication_failed = [
            *getattr(bucket, "replication_failed", []),
            (datetime.now(UTC), rule.get("ID", "")),
        ]
        return "FAILED"
    if routing.is_dead(bucket.region_name) or routing.is_dead(destination.region_name):
        source: Any = bucket
        source.replication_waiting = [*_waiting(bucket), (version.name, version.version_id, rule)]
        return "PENDING"
    if isinstance(version, FakeKey):
        _copy(backend, version, rule["Destination"], destination)
    elif version.name in destination.keys:
        marker = FakeDeleteMarker(destination.keys[version.name])
        marker._version_id, marker.last_modified = version.version_id, version.last_modified
        _add(destination, marker)
    return "COMPLETED"


def _unusable_key(backend: S3Backend, rule: dict[str, Any]) -> bool:
    """Whether the key of the copies is disabled or being deleted."""
    key = rule["Destination"].get("EncryptionConfiguration", {}).get("ReplicaKmsKeyID", "")
    if not key.startswith("arn:"):
        return False
    found = kms_backends[backend.account_id][key.split(":")[3]].keys.get(key.rpartition("/")[2])
    return found is not None and found.key_state != "Enabled"


def _note(key: FakeKey, statuses: list[str]) -> None:
    """Set the status. Of several destinations, a failed one has priority over a waiting one."""
    if statuses:
        status: Any = key
        status.replication_status = next(one for one in ("FAILED", "PENDING", "COMPLETED") if one in statuses)


def catch_up() -> None:
    """Copy the versions that waited for a region, in the order in which they were written."""
    every: list[Any] = [backend for _, _, backend in s3_backends.iter_backends()]
    for backend in every:
        for bucket in backend.buckets.values():
            waiting = _waiting(bucket)
            if not waiting:
                continue
            bucket.replication_waiting = []
            statuses: dict[FakeKey, list[str]] = {}
            for name, version_id, rule in waiting:
                versions = [one for one in bucket.keys.getlist(name, []) if one.version_id == version_id]
                for version in versions:  # none if it was deleted meanwhile
                    status = _send(backend, bucket, version, rule)
                    if isinstance(version, FakeKey):
                        failed = version.replication_status == "FAILED"  # type: ignore[attr-defined]
                        statuses.setdefault(version, ["FAILED"] if failed else []).append(status)
            for key, reached in statuses.items():
                _note(key, reached)


def _waiting(bucket: FakeBucket) -> list[tuple[str, str, dict[str, Any]]]:
    """The queue of a bucket, the oldest first: the object's name, its version, and the rule that selects it."""
    return getattr(bucket, "replication_waiting", [])


def _copy(backend: S3Backend, key: FakeKey, wanted: dict[str, Any], destination: FakeBucket) -> None:
    under_kms = _under_kms(key)
    copy: Any = backend.put_object(
        destination.name,
        key.name,
        key.value,
        storage=wanted.get("StorageClass") or key.storage_class,
        etag=key.etag.strip('"'),
        encryption=key.encryption if under_kms else None,
        kms_key_id=wanted["EncryptionConfiguration"]["ReplicaKmsKeyID"] if under_kms else None,
        checksum_value=key.checksum_value,
        disable_notification=True,
    )
    copy._version_id = key._version_id
    copy.last_modified = key.last_modified
    copy.checksum_algorithm, copy.checksum_type = key.checksum_algorithm, key.checksum_type
    copy.set_metadata(dict(key.metadata))
    copy.replication_status = "REPLICA"
    tags = backend.tagger.get_tag_dict_for_resource(key.arn)
    if tags:
        backend.put_object_tagging(copy, tags)
    _add(destination, copy)


def _add(bucket: FakeBucket, copy: FakeKey | FakeDeleteMarker) -> None:
    """Sort a copy among the versions by the time of its original, so that a late copy does not hide a newer version."""
    versions = [version for version in bucket.keys.getlist(copy.name) if version is not copy]
    bucket.keys.setlist(copy.name, sorted([*versions, copy], key=lambda version: version.last_modified))


def _set_delete_marker(
    original: Callable[..., FakeDeleteMarker], backend: S3Backend, bucket_name: str, key_name: str
) -> FakeDeleteMarker:
    marker, bucket = original(backend, bucket_name, key_name), backend.get_bucket(bucket_name)
    for rule in _rules(bucket, key_name, {}):
        if rule.get("DeleteMarkerReplication", {}).get("Status") == "Enabled":
            _send(backend, bucket, marker, rule)
    return marker


def _put_tags(original: Callable[..., FakeKey], backend: S3Backend, key: FakeKey, tags: dict[str, str]) -> FakeKey:
    answer = original(backend, key, tags)
    for other in _counterparts(backend, key):
        original(backend, other, tags)
    return answer


def _put_lock(
    original: Callable[..., None],
    backend: S3Backend,
    bucket_name: str,
    key_name: str,
    version_id: Any,
    *value: Any,
    **named: Any,
) -> None:
    # moto passes a legal hold by position, and a retention by name.
    original(backend, bucket_name, key_name, version_id, *value, **named)
    key = backend.get_object(bucket_name, key_name, version_id=version_id)
    for other in _counterparts(backend, key) if isinstance(key, FakeKey) else []:
        original(backend, other.bucket_name, key_name, other.version_id, *value, **named)


def _counterparts(backend: S3Backend, key: FakeKey) -> list[FakeKey]:
    """The same version in the buckets that receive its changes. A change while a region is dead is lost here."""
    status = getattr(key, "replication_status", None)
    if status is None or key.bucket_name is None:
        return []
    found = []
    for rule in _rules(backend.get_bucket(key.bucket_name), key.name, {}):
        modifications = rule.get("SourceSelectionCriteria", {}).get("ReplicaModifications", {})
        destination = backend.buckets.get(_bucket_of(rule))
        if destination is None or routing.is_dead(destination.region_name):
            continue
        if status != "REPLICA" or modifications.get("Status") == "Enabled":
            found += [one for one in destination.keys.getlist(key.name, []) if one.version_id == key.version_id]
    return [one for one in found if isinstance(one, FakeKey)]


def _rules(bucket: FakeBucket, key_name: str, tags: dict[str, str]) -> list[dict[str, Any]]:
    """The rules that select an object: for each destination the one with the highest priority."""
    chosen: dict[str, dict[str, Any]] = {}
    configured: Any = getattr(bucket, "replication", None) or {"Rule": []}
    for rule in sorted(configured["Rule"], key=lambda rule: int(rule.get("Priority", 0))):
        if rule["Status"] == "Enabled" and _selects(rule, key_name, tags):
            chosen[_bucket_of(rule)] = rule
    return list(chosen.values())


def _selects(rule: dict[str, Any], key_name: str, tags: dict[str, str]) -> bool:
    condition = rule.get("Filter", {})
    both = condition.get("And", {})
    prefix = rule.get("Prefix") or condition.get("Prefix") or both.get("Prefix") or ""
    wanted = both.get("Tags", []) + ([condition["Tag"]] if "Tag" in condition else [])
    return key_name.startswith(prefix) and all(tags.get(tag["Key"]) == tag["Value"] for tag in wanted)


def _under_kms(key: FakeKey) -> bool:
    return key.encryption in ("aws:kms", "aws:kms:dsse")


def _selects_kms(rule: dict[str, Any]) -> bool:
    criteria = rule.get("SourceSelectionCriteria", {})
    return bool(criteria.get("SseKmsEncryptedObjects", {}).get("Status") == "Enabled")


def _bucket_of(rule: dict[str, Any]) -> str:
    return str(rule["Destination"]["Bucket"]).rsplit(":::", 1)[-1]


def _headers(original: Callable[[FakeKey], dict[str, Any]], key: FakeKey) -> dict[str, Any]:
    headers = original(key)
    status = getattr(key, "replication_status", None)
    return {**headers, "x-amz-replication-status": status} if status else headers
