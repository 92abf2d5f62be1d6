"""The replication of a bucket's objects to other buckets."""

from __future__ import annotations

from typing import Any, Final

from localcloud.plugins.aws.common import (
    Keys,
    Member,
    from_api,
    to_api,
)
from localcloud.plugins.aws.s3.setting import setting
from localcloud.plugins.table import Property, Props

_TAG: Final[Keys] = {"key": Member("Key"), "value": Member("Value")}
_STATUS: Final[Keys] = {"status": Member("Status")}
_REPLICATION: Final[Keys] = {
    "id": Member("ID"),
    "priority": Member("Priority"),
    "status": Member("Status"),
    "prefix": Member("Prefix"),
    "filter": Member(
        "Filter",
        {
            "prefix": Member("Prefix"),
            "tag": Member("Tag", _TAG),
            "and": Member("And", {"prefix": Member("Prefix"), "tags": Member("Tags", tags=True)}),
        },
    ),
    "deleteMarkerReplication": Member("DeleteMarkerReplication", _STATUS),
    "sourceSelectionCriteria": Member(
        "SourceSelectionCriteria",
        {
            "replicaModifications": Member("ReplicaModifications", _STATUS),
            "sseKmsEncryptedObjects": Member("SseKmsEncryptedObjects", _STATUS),
        },
    ),
    "destination": Member(
        "Destination",
        {
            "bucket": Member("Bucket"),
            "account": Member("Account"),
            "storageClass": Member("StorageClass"),
            "encryptionConfiguration": Member(
                "EncryptionConfiguration", {"replicaKmsKeyId": Member("ReplicaKmsKeyID")}
            ),
            "metrics": Member(
                "Metrics",
                {
                    "status": Member("Status"),
                    "eventThreshold": Member("EventThreshold", {"minutes": Member("Minutes")}),
                },
            ),
            "replicationTime": Member(
                "ReplicationTime",
                {"status": Member("Status"), "time": Member("Time", {"minutes": Member("Minutes")})},
            ),
        },
    ),
}


def _put_replication(s3: Any, bucket: str, inputs: Props) -> None:
    rules = [to_api(_REPLICATION, rule, f"rules[{n}]") for n, rule in enumerate(inputs["rules"])]
    s3.put_bucket_replication(Bucket=bucket, ReplicationConfiguration={"Role": inputs["role"], "Rules": rules})


def _get_replication(s3: Any, bucket: str) -> Props:
    found = s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]
    return {"role": found["Role"], "rules": [from_api(_REPLICATION, rule) for rule in found["Rules"]]}


RESOURCES: Final = (
    setting(
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
        {"role": Property(required=True), "rules": Property(required=True)},
        _put_replication,
        _get_replication,
        lambda s3, bucket, state: s3.delete_bucket_replication(Bucket=bucket),
        ("ReplicationConfigurationNotFoundError",),
    ),
)
