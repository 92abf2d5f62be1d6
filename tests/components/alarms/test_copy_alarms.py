"""The event patterns of the alarms, against events in the form of AWS's documents."""

from __future__ import annotations

import json
from typing import Any

import pytest
from moto.events.models import EventPattern

from components.alarms.copies import CopyAlarms, CopyAlarmsArgs
from tests.components.recording import Deployment, deploy

TOPIC = "arn:aws:sns:eu-central-1:123456789012:alarms"


@pytest.fixture(scope="module")
def made() -> Deployment:
    def program() -> None:
        CopyAlarms("alarms", CopyAlarmsArgs(topic_arn=TOPIC, emails={}))

    return deploy(program)


def job(kind: str, state: str) -> dict[str, Any]:
    return {"source": "aws.backup", "detail-type": f"{kind} Job State Change", "detail": {"state": state}}


def database(event_id: str, category: str) -> dict[str, Any]:
    detail = {"EventCategories": [category], "SourceType": "DB_INSTANCE", "EventID": event_id}
    return {"source": "aws.rds", "detail-type": "RDS DB Instance Event", "detail": detail}


def call(service: str, name: str, kind: str = "AWS API Call via CloudTrail") -> dict[str, Any]:
    detail = {"eventSource": f"{service}.amazonaws.com", "eventName": name}
    return {"source": f"aws.{service}", "detail-type": kind, "detail": detail}


@pytest.mark.parametrize(
    ("event", "rules"),
    [
        (job("Copy", "FAILED"), {"jobs"}),
        (job("Backup", "EXPIRED"), {"jobs"}),
        (job("Backup", "COMPLETED"), set()),
        (job("Restore", "FAILED"), set()),
        (database("RDS-EVENT-0049", "failover"), {"database"}),
        (database("RDS-EVENT-0007", "low storage"), {"database"}),
        (database("RDS-EVENT-0221", "availability"), {"database"}),
        (database("RDS-EVENT-0028", "configuration change"), {"database"}),
        (database("RDS-EVENT-0002", "backup"), set()),
        (database("RDS-EVENT-0016", "configuration change"), set()),
        (call("kms", "DisableKey"), {"changes"}),
        (call("kms", "ScheduleKeyDeletion"), {"changes"}),
        (call("kms", "DescribeKey"), set()),
        (call("rds", "StopDBInstanceAutomatedBackupsReplication"), {"changes"}),
        (call("secretsmanager", "ReplicationFailed", "AWS Service Event via CloudTrail"), {"changes"}),
        (call("secretsmanager", "PutSecretValue"), set()),
    ],
    ids=str,
)
def test_events_that_end_a_copy_match_one_rule(made: Deployment, event: dict[str, Any], rules: set[str]) -> None:
    patterns = {it.name: it.inputs["eventPattern"] for it in made.all("aws:cloudwatch/eventRule:EventRule")}
    matching = {name for name, pattern in patterns.items() if EventPattern.load(pattern).matches_event(event)}  # type: ignore[arg-type]
    assert matching == {f"alarms-{rule}" for rule in rules}


def test_each_rule_has_an_alarm_about_failed_mail(made: Deployment) -> None:
    watched = {
        it.inputs["dimensions"]["RuleName"]: it.inputs["alarmActions"]
        for it in made.all("aws:cloudwatch/metricAlarm:MetricAlarm")
    }
    assert watched == {it.name: [TOPIC] for it in made.all("aws:cloudwatch/eventRule:EventRule")}


def test_texts_name_only_values_that_the_rule_extracts(made: Deployment) -> None:
    for target in made.all("aws:cloudwatch/eventTarget:EventTarget"):
        transformer = target.inputs["inputTransformer"]
        named = {part.partition(">")[0] for part in json.loads(transformer["inputTemplate"]).split("<")[1:]}
        assert named <= set(transformer["inputPaths"])
