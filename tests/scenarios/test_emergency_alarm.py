"""The mail about emergency access, from a call to AWS to the recipients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from localcloud.engine.provide import Engine
from tests.conftest import LocalCloud
from tests.scenarios.harness import PLAN, RECOVERY
from tests.scenarios.harness.access import (
    ACCOUNT,
    PEOPLE,
    assert_denied,
    clients,
    cloud_with_iam,
    deploy,
    encryption_key,
)
from tests.scenarios.harness.people import confirm_mail, mails, signed_in, take


@pytest.fixture(scope="module")
def cloud(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """The vault, and people who have confirmed their addresses."""
    with cloud_with_iam(engine, tmp_path_factory.mktemp("alarm")) as made:
        deploy(made, "vault")
        confirm_mail(made)
        yield made


def test_both_people_are_told_of_emergency_access(cloud: LocalCloud) -> None:
    person, alarm, everyone = PEOPLE[1], "botbrains-vault-access-alarm", {role.email for role in PLAN.roles}

    def assert_told(subject: str, of_what: str) -> None:
        """Both people received one mail each since the last call, and it names what happened."""
        new = mails(cloud)[len(seen) :]
        seen.extend(new)
        # A disabled key is reported as a danger for the copies as well.
        sent = [mail for mail in new if not mail["text"].startswith("COPIES CHANGED")]
        assert sorted(mail["to"] for mail in sent) == sorted(everyone), sent
        for mail in sent:
            assert mail["text"].startswith(f"{subject}: "), mail
            assert of_what in mail["text"], mail

    seen = mails(cloud)
    with signed_in(cloud, person) as (own, factor):
        assert_denied(lambda: take(own, "botbrains-break-glass"))
        assert_told("EMERGENCY ACCESS", f"arn:aws:iam::{ACCOUNT}:user/{person} assumed, or tried to")
        of = clients(cloud, take(own, "botbrains-break-glass", **factor))
        assert_told("EMERGENCY ACCESS", f"arn:aws:iam::{ACCOUNT}:user/{person} assumed")
        everyday = clients(cloud, take(own, f"botbrains-person-{person}", **factor))
    events, sns, s3, kms = (of(service, RECOVERY) for service in ("events", "sns", "s3", "kms"))
    rule, topic = f"{alarm}-taken", f"arn:aws:sns:{RECOVERY}:{ACCOUNT}:{alarm}"
    records = f"{alarm}-records-{ACCOUNT}"
    key = encryption_key(of, records, RECOVERY)
    lifecycle = s3.get_bucket_lifecycle_configuration(Bucket=records)
    policy = sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    found = events.describe_rule(Name=rule)
    changes: dict[str, Callable[[], Any]] = {
        "DisableRule": lambda: events.disable_rule(Name=rule),
        "PutRule": lambda: events.put_rule(
            Name=rule, State=found["State"], EventPattern=found["EventPattern"], Description=found["Description"]
        ),
        "TagResource": lambda: events.tag_resource(
            ResourceARN=found["Arn"], Tags=[{"Key": "Name", "Value": f"{alarm}-taken"}]
        ),
        "SetTopicAttributes": lambda: sns.set_topic_attributes(
            TopicArn=topic, AttributeName="Policy", AttributeValue=policy
        ),
        "PutBucketLifecycle": lambda: s3.put_bucket_lifecycle_configuration(
            Bucket=records, LifecycleConfiguration={"Rules": lifecycle["Rules"]}
        ),
        "DisableKey": lambda: kms.disable_key(KeyId=key),
    }
    for name, change in changes.items():
        change()
        assert_told("ALARM CHANGED", f"called {name}")
    kms.enable_key(KeyId=key)
    assert_denied(lambda: everyday("kms", RECOVERY).schedule_key_deletion(KeyId=key))
    assert_told("ALARM CHANGED", "called ScheduleKeyDeletion")
