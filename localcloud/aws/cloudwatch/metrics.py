"""Metrics that services publish. They are computed when they are read, one value for a minute.

S3's replication publishes its metrics if the rule enables them: the delay and the pending operations in the region of
the destination bucket, the failed operations in that of the source bucket (S3 User Guide, "Using S3 Replication
metrics"). EventBridge publishes the failed invocations of each rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from moto.cloudwatch.models import CloudWatchBackend, MetricDatum, MetricDatumBase
from moto.events.models import events_backends
from moto.s3.models import s3_backends

from localcloud.aws.patching import wrap_property

_S3: Final = "AWS/S3"
_EVENTS: Final = "AWS/Events"


def patch() -> None:
    wrap_property(CloudWatchBackend, "aws_metric_data", _aws_metric_data)


def _aws_metric_data(original: Callable[[Any], list[MetricDatumBase]], backend: Any) -> list[MetricDatumBase]:
    return [*original(backend), *published(backend.account_id, backend.region_name)]


def published(account: str, region: str) -> Iterator[MetricDatumBase]:
    """The metrics of a region that moto does not publish."""
    yield from _replication(account, region)
    yield from _failed_invocations(account, region)


def _failed_invocations(account: str, region: str) -> Iterator[MetricDatumBase]:
    backends = events_backends[account]
    if region in list(backends):
        for rule in backends[region].event_buses["default"].rules.values():
            for moment in getattr(rule, "failed_invocations", []):
                yield _datum(_EVENTS, "FailedInvocations", 1, {"RuleName": rule.name}, moment)


def _replication(account: str, region: str) -> Iterator[MetricDatumBase]:
    now = datetime.now(UTC)
    buckets: Mapping[str, Any] = s3_backends[account]["aws"].buckets
    for bucket in buckets.values():
        for rule in (getattr(bucket, "replication", None) or {"Rule": []})["Rule"]:
            destination = buckets.get(str(rule["Destination"]["Bucket"]).rsplit(":::", 1)[-1])
            if rule["Destination"].get("Metrics", {}).get("Status") != "Enabled" or destination is None:
                continue
            dimensions = {
                "SourceBucket": bucket.name,
                "DestinationBucket": destination.name,
                "RuleId": rule.get("ID", ""),
            }
            if destination.region_name == region:
                waiting = [
                    each
                    for each in getattr(bucket, "replication_waiting", [])
                    if each[2].get("ID", "") == rule.get("ID", "")
                ]
                oldest = min(
                    (
                        version.last_modified.replace(tzinfo=UTC)
                        for name, version_id, _ in waiting
                        for version in bucket.keys.getlist(name, [])
                        if version.version_id == version_id
                    ),
                    default=now,
                )
                yield _datum(_S3, "OperationsPendingReplication", len(waiting), dimensions, now)
                yield _datum(_S3, "ReplicationLatency", (now - oldest).total_seconds(), dimensions, now)
            if bucket.region_name == region:
                for moment, rule_id in getattr(bucket, "replication_failed", []):
                    if rule_id == rule.get("ID", ""):
                        yield _datum(_S3, "OperationsFailedReplication", 1, dimensions, moment)


def _datum(namespace: str, name: str, value: float, dimensions: Mapping[str, str], moment: datetime) -> MetricDatum:
    minute = moment.replace(second=0, microsecond=0, tzinfo=None)  # like moto's times
    return MetricDatum(
        namespace, name, value, [{"Name": key, "Value": each} for key, each in dimensions.items()], minute
    )
