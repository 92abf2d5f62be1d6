"""CloudWatch: alarms about one metric."""

from __future__ import annotations

from typing import Any, Final

from localcloud.plugins.aws.common import (
    REGION,
    TAGS,
    all_tags,
    change_tags,
    client,
    from_tag_list,
    locate,
    tag_list,
    tags_found,
)
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import GoneError, Property, Props, ResourceType

_TEXTS: Final = {
    "alarmDescription": "AlarmDescription",
    "comparisonOperator": "ComparisonOperator",
    "metricName": "MetricName",
    "namespace": "Namespace",
    "statistic": "Statistic",
    "treatMissingData": "TreatMissingData",
}


def _put(cloud: Cloud, inputs: Props) -> str:
    client(cloud, "cloudwatch", inputs).put_metric_alarm(
        AlarmName=inputs["name"],
        **{name: inputs[key] for key, name in _TEXTS.items() if inputs.get(key)},
        ActionsEnabled=True,
        AlarmActions=inputs.get("alarmActions") or [],
        Dimensions=[{"Name": key, "Value": value} for key, value in (inputs.get("dimensions") or {}).items()],
        EvaluationPeriods=int(inputs["evaluationPeriods"]),
        Period=int(inputs["period"]),
        Threshold=float(inputs["threshold"]),
        # PutMetricAlarm sets tags when it creates an alarm, and ignores them when it changes one.
        Tags=tag_list(all_tags(cloud, inputs)),
    )
    return str(inputs["name"])


def _read(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    cloudwatch = cloud.client("cloudwatch", region)
    found = cloudwatch.describe_alarms(AlarmNames=[identity])["MetricAlarms"]
    if not found:
        raise GoneError(f"the alarm {identity} does not exist")
    (alarm,) = found
    return {
        "id": identity,
        "region": region,
        "name": identity,
        "arn": alarm["AlarmArn"],
        **{key: alarm.get(name, "") for key, name in _TEXTS.items()},
        "treatMissingData": alarm.get("TreatMissingData", "missing"),
        "alarmActions": alarm.get("AlarmActions", []),
        "dimensions": {each["Name"]: each["Value"] for each in alarm.get("Dimensions", [])},
        "evaluationPeriods": alarm["EvaluationPeriods"],
        "period": alarm["Period"],
        "threshold": alarm["Threshold"],
        **tags_found(cloud, _tags(cloudwatch, alarm["AlarmArn"]), state),
    }


def _update(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    _put(cloud, new)
    cloudwatch = client(cloud, "cloudwatch", new)
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[identity])["MetricAlarms"]
    arn = alarm["AlarmArn"]
    change_tags(
        cloud,
        _tags(cloudwatch, arn),
        new,
        lambda tags: cloudwatch.tag_resource(ResourceARN=arn, Tags=tag_list(tags)),
        lambda keys: cloudwatch.untag_resource(ResourceARN=arn, TagKeys=keys),
    )


def _delete(cloud: Cloud, identity: str, state: Props) -> None:
    client(cloud, "cloudwatch", state).delete_alarms(AlarmNames=[identity])


def _find(cloud: Cloud, inputs: Props) -> str | None:
    found = client(cloud, "cloudwatch", inputs).describe_alarms(AlarmNames=[inputs["name"]])["MetricAlarms"]
    return str(inputs["name"]) if found else None


def _tags(cloudwatch: Any, arn: str) -> dict[str, str]:
    return from_tag_list(cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"])


RESOURCES: Final = (
    ResourceType(
        token="aws:cloudwatch/metricAlarm:MetricAlarm",  # noqa: S106 - a type's name
        properties={
            "region": REGION,
            "name": Property(generated_name=True, replaces=True),
            "alarmActions": Property(),
            "alarmDescription": Property(),
            "comparisonOperator": Property(required=True),
            "dimensions": Property(),
            "evaluationPeriods": Property(required=True),
            "metricName": Property(required=True),
            "namespace": Property(required=True),
            "period": Property(required=True),
            "statistic": Property(required=True),
            "threshold": Property(required=True),
            "treatMissingData": Property(default="missing"),
            "tags": TAGS,
        },
        computed=("arn", "region", "tagsAll"),
        create=_put,
        read=_read,
        update=_update,
        delete=_delete,
        find=_find,
    ),
)
