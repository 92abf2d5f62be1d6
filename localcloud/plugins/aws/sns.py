"""SNS: topics, their policies, and subscriptions by email."""

from __future__ import annotations

from typing import Any, Final

from localcloud.plugins.aws.common import (
    REGION,
    TAGS,
    all_tags,
    call_or_none,
    change_tags,
    client,
    document,
    from_tag_list,
    given,
    gone_at,
    locate,
    region_of,
    same_policy,
    tag_list,
    tags_found,
)
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import Property, Props, ResourceType

_NO_TOPIC: Final = ("NotFound", "NotFoundException")


def _create_topic(cloud: Cloud, inputs: Props) -> str:
    attributes = given(inputs, {"displayName": "DisplayName", "kmsMasterKeyId": "KmsMasterKeyId"})
    made = client(cloud, "sns", inputs).create_topic(
        Name=inputs["name"], Attributes=attributes, Tags=tag_list(all_tags(cloud, inputs))
    )
    return str(made["TopicArn"])


def _read_topic(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, _ = locate(cloud, identity, state)
    region = region_of(identity)
    sns = cloud.client("sns", region)
    with gone_at(*_NO_TOPIC):
        found = sns.get_topic_attributes(TopicArn=identity)["Attributes"]
    return {
        "id": identity,
        "arn": identity,
        "region": region,
        "name": identity.rpartition(":")[2],
        "displayName": found.get("DisplayName", ""),
        "kmsMasterKeyId": found.get("KmsMasterKeyId", ""),
        "owner": identity.split(":")[4],
        **tags_found(cloud, _topic_tags(sns, identity), state),
    }


def _update_topic(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    sns = cloud.client("sns", region_of(identity))
    for key, name in (("displayName", "DisplayName"), ("kmsMasterKeyId", "KmsMasterKeyId")):
        if key in changed:
            sns.set_topic_attributes(TopicArn=identity, AttributeName=name, AttributeValue=new.get(key) or "")
    change_tags(
        cloud,
        _topic_tags(sns, identity),
        new,
        lambda tags: sns.tag_resource(ResourceArn=identity, Tags=tag_list(tags)),
        lambda keys: sns.untag_resource(ResourceArn=identity, TagKeys=keys),
    )


def _delete_topic(cloud: Cloud, identity: str, state: Props) -> None:
    cloud.client("sns", region_of(identity)).delete_topic(TopicArn=identity)


def _find_topic(cloud: Cloud, inputs: Props) -> str | None:
    region = inputs.get("region") or cloud.region
    arn = f"arn:aws:sns:{region}:{cloud.account}:{inputs['name']}"
    found = call_or_none(_NO_TOPIC, cloud.client("sns", region).get_topic_attributes, TopicArn=arn)
    return None if found is None else arn


def _topic_tags(sns: Any, arn: str) -> dict[str, str]:
    return from_tag_list(sns.list_tags_for_resource(ResourceArn=arn)["Tags"])


def _put_topic_policy(cloud: Cloud, inputs: Props) -> str:
    arn = str(inputs["arn"])
    cloud.client("sns", region_of(arn)).set_topic_attributes(
        TopicArn=arn, AttributeName="Policy", AttributeValue=document(inputs["policy"])
    )
    return arn


def _read_topic_policy(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, _ = locate(cloud, identity, state)
    region = region_of(identity)
    with gone_at(*_NO_TOPIC):
        found = cloud.client("sns", region).get_topic_attributes(TopicArn=identity)["Attributes"]
    return {
        "id": identity,
        "arn": identity,
        "region": region,
        "policy": found["Policy"],
        "owner": identity.split(":")[4],
    }


def _update_topic_policy(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    _put_topic_policy(cloud, new)


def _delete_topic_policy(cloud: Cloud, identity: str, state: Props) -> None:
    """Restore the policy of a new topic, which allows only its own account."""
    account = identity.split(":")[4]
    default = {
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [
            {
                "Sid": "__default_statement_ID",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": ["SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:Publish", "SNS:Subscribe"],
                "Resource": identity,
                "Condition": {"StringEquals": {"AWS:SourceOwner": account}},
            }
        ],
    }
    with gone_at(*_NO_TOPIC):
        _put_topic_policy(cloud, {"arn": identity, "policy": default})


def _subscribe(cloud: Cloud, inputs: Props) -> str:
    """Subscribe, or return the existing subscription. SNS sends the mail of a pending one again."""
    made = cloud.client("sns", region_of(inputs["topic"])).subscribe(
        TopicArn=inputs["topic"], Protocol=inputs["protocol"], Endpoint=inputs["endpoint"], ReturnSubscriptionArn=True
    )
    return str(made["SubscriptionArn"])


def _read_subscription(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, _ = locate(cloud, identity, state)
    region = region_of(identity)
    with gone_at(*_NO_TOPIC):
        found = cloud.client("sns", region).get_subscription_attributes(SubscriptionArn=identity)["Attributes"]
    return {
        "id": identity,
        "arn": identity,
        "region": region,
        "topic": found["TopicArn"],
        "protocol": found["Protocol"],
        "endpoint": found["Endpoint"],
        "ownerId": found["Owner"],
        "pendingConfirmation": str(found.get("PendingConfirmation", "false")).lower() == "true",
        "confirmationWasAuthenticated": str(found.get("ConfirmationWasAuthenticated", "false")).lower() == "true",
        "filterPolicyScope": "",
    }


def _unsubscribe(cloud: Cloud, identity: str, state: Props) -> None:
    cloud.client("sns", region_of(identity)).unsubscribe(SubscriptionArn=identity)


def _find_subscription(cloud: Cloud, inputs: Props) -> str | None:
    pages = cloud.client("sns", region_of(inputs["topic"])).get_paginator("list_subscriptions_by_topic")
    for page in pages.paginate(TopicArn=inputs["topic"]):
        for found in page["Subscriptions"]:
            if (found["Protocol"], found["Endpoint"]) == (inputs["protocol"], inputs["endpoint"]):
                # A list does not show the ARN of a pending subscription.
                return _subscribe(cloud, inputs)
    return None


RESOURCES: Final = (
    ResourceType(
        token="aws:sns/topic:Topic",  # noqa: S106 - a type's name
        properties={
            "region": REGION,
            "name": Property(generated_name=True, replaces=True),
            "displayName": Property(default=""),
            "kmsMasterKeyId": Property(default=""),
            "tags": TAGS,
        },
        computed=("arn", "owner", "region", "tagsAll"),
        create=_create_topic,
        read=_read_topic,
        update=_update_topic,
        delete=_delete_topic,
        find=_find_topic,
    ),
    ResourceType(
        token="aws:sns/topicPolicy:TopicPolicy",  # noqa: S106
        properties={
            "region": REGION,
            "arn": Property(required=True, replaces=True),
            "policy": Property(required=True, same=same_policy),
        },
        computed=("owner", "region"),
        create=_put_topic_policy,
        read=_read_topic_policy,
        update=_update_topic_policy,
        delete=_delete_topic_policy,
    ),
    ResourceType(
        token="aws:sns/topicSubscription:TopicSubscription",  # noqa: S106
        properties={
            "region": REGION,
            "topic": Property(required=True, replaces=True),
            "protocol": Property(required=True, replaces=True, choices=("email",)),
            "endpoint": Property(required=True, replaces=True),
        },
        computed=(
            "arn",
            "confirmationWasAuthenticated",
            "filterPolicyScope",
            "ownerId",
            "pendingConfirmation",
            "region",
        ),
        create=_subscribe,
        read=_read_subscription,
        delete=_unsubscribe,
        find=_find_subscription,
    ),
)
