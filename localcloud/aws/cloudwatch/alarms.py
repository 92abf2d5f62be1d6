"""Alarms: their state follows their metric, and a change to ALARM is published to topics.

The state is evaluated after each request. An alarm has one period, and without data it keeps its state or, with
`notBreaching`, is OK.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from moto.cloudwatch.models import CloudWatchBackend, cloudwatch_backends
from moto.sns.models import sns_backends

from localcloud.aws.cloudwatch.metrics import published
from localcloud.aws.iam.evaluation import Call, like, trusts
from localcloud.aws.patching import wrap_method

_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
}
_AGGREGATE: Final[dict[str, Callable[[list[float]], float]]] = {"Sum": sum, "Maximum": max}
_SERVICE: Final = "cloudwatch.amazonaws.com"


def patch() -> None:
    wrap_method(CloudWatchBackend, "put_metric_alarm", _put_metric_alarm)


def _put_metric_alarm(original: Callable[..., Any], backend: CloudWatchBackend, **asked: Any) -> Any:
    for name, supported in (
        ("comparison_operator", _COMPARE),
        ("statistic", _AGGREGATE),
        ("evaluation_periods", (1,)),
    ):
        if asked[name] not in supported:
            raise NotImplementedError(
                f"PutMetricAlarm with {name} {asked[name]}: it has {', '.join(map(str, supported))}"
            )
    known = backend.alarms.get(asked["name"])
    alarm = original(backend, **asked)
    if known is not None:
        alarm.state_value = known.state_value
    return alarm


def evaluate() -> bool:
    """Evaluate all alarms, and publish those that begin. Return whether a state changed."""
    changed = False
    found: list[tuple[str, str, Any]] = list(cloudwatch_backends.iter_backends())
    for account, region, backend in found:
        if backend.alarms:
            data = list(published(account, region))
            for alarm in list(backend.alarms.values()):
                changed |= _evaluate(alarm, data, account)
    return changed


def _evaluate(alarm: Any, data: list[Any], account: str) -> bool:
    since = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=alarm.period + 60)
    values = [
        each.value
        for each in data
        if (each.namespace, each.name) == (alarm.namespace, alarm.metric_name)
        and {(one.name, one.value) for one in each.dimensions} == {(one.name, one.value) for one in alarm.dimensions}
        and each.timestamp >= since
    ]
    if not values and alarm.treat_missing_data != "notBreaching":
        return False
    breaching = bool(values) and _COMPARE[alarm.comparison_operator](
        _AGGREGATE[alarm.statistic](values), float(alarm.threshold)
    )
    state = "ALARM" if breaching else "OK"
    if alarm.state_value == state:
        return False
    alarm.update_state("Threshold Crossed", "{}", state)
    for arn in (alarm.alarm_actions if breaching else alarm.ok_actions) if alarm.actions_enabled else []:
        topic = sns_backends[account][arn.split(":")[3]].topics.get(arn)
        if topic is not None and arn.split(":")[3] == alarm.region_name and _may_publish(topic, alarm, account):
            topic.publish(f'{state}: "{alarm.name}" in {alarm.region_name}: {alarm.description}')
    return True


def _may_publish(topic: Any, alarm: Any, account: str) -> bool:
    """Whether the topic's policy admits the alarm. Unlike EventBridge, CloudWatch supports conditions in it."""
    context = {"aws:sourceaccount": (account,), "aws:sourcearn": (alarm.alarm_arn,)}
    call = Call("sns:Publish", (topic.arn,), context)
    statements = [each for each in json.loads(topic.policy)["Statement"] if like(topic.arn, each.get("Resource", "*"))]
    return trusts(call, {"Statement": statements}, "Service", [_SERVICE])
