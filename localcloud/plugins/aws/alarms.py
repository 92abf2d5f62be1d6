"""What tells people: topics that send mail (SNS), rules over events (EventBridge), and trails of calls (CloudTrail)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import ClientError

from localcloud.plugins.aws.common import (
    REGION,
    TAGS,
    all_tags,
    change_tags,
    client,
    code,
    document,
    from_tag_list,
    given,
    gone_at,
    locate,
    same_policy,
    tag_list,
    tags_found,
)
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import Gone, Property, Props, Refused, ResourceType

_BUS: Final = "default"
_STATES: Final = ("ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")

# -- topics -----------------------------------------------------------------------------------------------------------


def _region_of(arn: str) -> str:
    return arn.split(":")[3]


def _create_topic(cloud: Cloud, inputs: Props) -> str:
    attributes = given(inputs, {"displayName": "DisplayName", "kmsMasterKeyId": "KmsMasterKeyId"})
    made = client(cloud, "sns", inputs).create_topic(
        Name=inputs["name"], Attributes=attributes, Tags=tag_list(all_tags(cloud, inputs))
    )
    return str(made["TopicArn"])


def _read_topic(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, _ = locate(cloud, identity, state)
    region = _region_of(identity)
    sns = cloud.client("sns", region)
    with gone_at("NotFound", "NotFoundException"):
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
    sns = cloud.client("sns", _region_of(identity))
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
    cloud.client("sns", _region_of(identity)).delete_topic(TopicArn=identity)


def _find_topic(cloud: Cloud, inputs: Props) -> str | None:
    region = inputs.get("region") or cloud.region
    arn = f"arn:aws:sns:{region}:{cloud.account}:{inputs['name']}"
    return arn if _is_there(lambda: cloud.client("sns", region).get_topic_attributes(TopicArn=arn)) else None


def _topic_tags(sns: Any, arn: str) -> dict[str, str]:
    return from_tag_list(sns.list_tags_for_resource(ResourceArn=arn)["Tags"])


def _put_topic_policy(cloud: Cloud, inputs: Props) -> str:
    arn = str(inputs["arn"])
    cloud.client("sns", _region_of(arn)).set_topic_attributes(
        TopicArn=arn, AttributeName="Policy", AttributeValue=document(inputs["policy"])
    )
    return arn


def _read_topic_policy(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, _ = locate(cloud, identity, state)
    region = _region_of(identity)
    with gone_at("NotFound", "NotFoundException"):
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
    """Back to what a topic has from the beginning: its own account alone."""
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
    with gone_at("NotFound", "NotFoundException"):
        _put_topic_policy(cloud, {"arn": identity, "policy": default})


def _subscribe(cloud: Cloud, inputs: Props) -> str:
    made = cloud.client("sns", _region_of(inputs["topic"])).subscribe(
        TopicArn=inputs["topic"], Protocol=inputs["protocol"], Endpoint=inputs["endpoint"], ReturnSubscriptionArn=True
    )
    return str(made["SubscriptionArn"])


def _read_subscription(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, _ = locate(cloud, identity, state)
    region = _region_of(identity)
    with gone_at("NotFound", "NotFoundException"):
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
    cloud.client("sns", _region_of(identity)).unsubscribe(SubscriptionArn=identity)


def _find_subscription(cloud: Cloud, inputs: Props) -> str | None:
    pages = cloud.client("sns", _region_of(inputs["topic"])).get_paginator("list_subscriptions_by_topic")
    for page in pages.paginate(TopicArn=inputs["topic"]):
        for found in page["Subscriptions"]:
            if (found["Protocol"], found["Endpoint"]) == (inputs["protocol"], inputs["endpoint"]):
                return str(found["SubscriptionArn"])
    return None


# -- rules over events ------------------------------------------------------------------------------------------------


def _put_rule(cloud: Cloud, inputs: Props) -> None:
    client(cloud, "events", inputs).put_rule(
        Name=inputs["name"],
        EventBusName=_BUS,
        State=inputs.get("state") or "ENABLED",
        Description=inputs.get("description") or "",
        EventPattern=document(inputs["eventPattern"]),
    )


def _create_rule(cloud: Cloud, inputs: Props) -> str:
    _put_rule(cloud, inputs)
    return str(inputs["name"])


def _settle_rule(cloud: Cloud, identity: str, inputs: Props) -> None:
    events = client(cloud, "events", inputs)
    arn = events.describe_rule(Name=identity)["Arn"]
    events.tag_resource(ResourceARN=arn, Tags=tag_list(all_tags(cloud, inputs)))


def _read_rule(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    events = cloud.client("events", region)
    with gone_at("ResourceNotFoundException"):
        found = events.describe_rule(Name=identity, EventBusName=_BUS)
    return {
        "id": identity,
        "region": region,
        "name": identity,
        "namePrefix": "",
        "arn": found["Arn"],
        "description": found.get("Description", ""),
        "eventBusName": _BUS,
        "eventPattern": found["EventPattern"],
        "state": found["State"],
        **tags_found(cloud, _rule_tags(events, found["Arn"]), state),
    }


def _update_rule(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    _put_rule(cloud, new)
    events = client(cloud, "events", new)
    arn = events.describe_rule(Name=identity, EventBusName=_BUS)["Arn"]
    change_tags(
        cloud,
        _rule_tags(events, arn),
        new,
        lambda tags: events.tag_resource(ResourceARN=arn, Tags=tag_list(tags)),
        lambda keys: events.untag_resource(ResourceARN=arn, TagKeys=keys),
    )


def _delete_rule(cloud: Cloud, identity: str, state: Props) -> None:
    with gone_at("ResourceNotFoundException"):
        client(cloud, "events", state).delete_rule(Name=identity, EventBusName=_BUS)


def _find_rule(cloud: Cloud, inputs: Props) -> str | None:
    events = client(cloud, "events", inputs)
    found = _is_there(lambda: events.describe_rule(Name=inputs["name"], EventBusName=_BUS))
    return str(inputs["name"]) if found else None


def _rule_tags(events: Any, arn: str) -> dict[str, str]:
    return from_tag_list(events.list_tags_for_resource(ResourceARN=arn)["Tags"])


def _put_target(cloud: Cloud, inputs: Props) -> str:
    target: dict[str, Any] = {"Id": inputs["targetId"], "Arn": inputs["arn"]}
    transformer = inputs.get("inputTransformer")
    if transformer:
        target["InputTransformer"] = {
            "InputPathsMap": transformer.get("inputPaths") or {},
            "InputTemplate": transformer["inputTemplate"],
        }
    answer = client(cloud, "events", inputs).put_targets(Rule=inputs["rule"], EventBusName=_BUS, Targets=[target])
    if answer["FailedEntryCount"]:
        raise Refused(f"EventBridge refuses the target: {answer['FailedEntries'][0].get('ErrorMessage')}")
    return f"{inputs['rule']}-{inputs['targetId']}"


def _read_target(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    # An import may say RULE/TARGET. Of RULE-TARGET the last hyphen divides, unless it is known better.
    rule, found, target_id = identity.partition("/")
    if not found:
        rule, _, target_id = identity.rpartition("-")
        rule, target_id = state.get("rule", rule), state.get("targetId", target_id)
    with gone_at("ResourceNotFoundException"):
        targets = cloud.client("events", region).list_targets_by_rule(Rule=rule, EventBusName=_BUS)["Targets"]
    for target in targets:
        if target["Id"] == target_id:
            transformer = target.get("InputTransformer")
            return {
                "id": f"{rule}-{target_id}",
                "region": region,
                "rule": rule,
                "targetId": target_id,
                "arn": target["Arn"],
                "eventBusName": _BUS,
                "inputTransformer": transformer
                and {"inputPaths": transformer["InputPathsMap"], "inputTemplate": transformer["InputTemplate"]},
            }
    raise Gone(f"the rule {rule} has no target {target_id}")


def _update_target(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    _put_target(cloud, new)


def _delete_target(cloud: Cloud, identity: str, state: Props) -> None:
    with gone_at("ResourceNotFoundException"):
        client(cloud, "events", state).remove_targets(Rule=state["rule"], EventBusName=_BUS, Ids=[state["targetId"]])


# -- trails -----------------------------------------------------------------------------------------------------------


def _trail_settings(inputs: Props) -> dict[str, Any]:
    return {
        "S3BucketName": inputs["s3BucketName"],
        "IncludeGlobalServiceEvents": bool(inputs.get("includeGlobalServiceEvents", True)),
        "IsMultiRegionTrail": bool(inputs.get("isMultiRegionTrail")),
        "EnableLogFileValidation": bool(inputs.get("enableLogFileValidation")),
        **given(inputs, {"kmsKeyId": "KmsKeyId", "s3KeyPrefix": "S3KeyPrefix"}),
    }


def _create_trail(cloud: Cloud, inputs: Props) -> str:
    made = client(cloud, "cloudtrail", inputs).create_trail(
        Name=inputs["name"], **_trail_settings(inputs), TagsList=tag_list(all_tags(cloud, inputs))
    )
    return str(made["TrailARN"])


def _settle_trail(cloud: Cloud, identity: str, inputs: Props) -> None:
    trails = cloud.client("cloudtrail", _region_of(identity))
    if inputs.get("enableLogging", True):
        trails.start_logging(Name=identity)
    else:
        trails.stop_logging(Name=identity)


def _read_trail(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, _ = locate(cloud, identity, state)
    region = _region_of(identity)
    trails = cloud.client("cloudtrail", region)
    with gone_at("TrailNotFoundException"):
        found = trails.get_trail(Name=identity)["Trail"]
        logging = trails.get_trail_status(Name=identity)["IsLogging"]
    return {
        "id": identity,
        "arn": identity,
        "region": region,
        "homeRegion": found.get("HomeRegion", region),
        "name": found["Name"],
        "s3BucketName": found["S3BucketName"],
        "s3KeyPrefix": found.get("S3KeyPrefix") or "",
        "includeGlobalServiceEvents": found["IncludeGlobalServiceEvents"],
        "isMultiRegionTrail": found["IsMultiRegionTrail"],
        "enableLogFileValidation": found["LogFileValidationEnabled"],
        "enableLogging": logging,
        "kmsKeyId": found.get("KmsKeyId") or "",
        "snsTopicArn": found.get("SnsTopicARN") or "",
        **tags_found(cloud, _trail_tags(trails, identity), state),
    }


def _update_trail(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    trails = cloud.client("cloudtrail", _region_of(identity))
    trails.update_trail(Name=identity, **_trail_settings(new))
    _settle_trail(cloud, identity, new)
    change_tags(
        cloud,
        _trail_tags(trails, identity),
        new,
        lambda tags: trails.add_tags(ResourceId=identity, TagsList=tag_list(tags)),
        lambda keys: trails.remove_tags(ResourceId=identity, TagsList=[{"Key": key} for key in keys]),
    )


def _delete_trail(cloud: Cloud, identity: str, state: Props) -> None:
    with gone_at("TrailNotFoundException"):
        cloud.client("cloudtrail", _region_of(identity)).delete_trail(Name=identity.rpartition("/")[2])


def _find_trail(cloud: Cloud, inputs: Props) -> str | None:
    region = inputs.get("region") or cloud.region
    arn = f"arn:aws:cloudtrail:{region}:{cloud.account}:trail/{inputs['name']}"
    return arn if _is_there(lambda: cloud.client("cloudtrail", region).get_trail(Name=arn)) else None


def _trail_tags(trails: Any, arn: str) -> dict[str, str]:
    listed = trails.list_tags(ResourceIdList=[arn])["ResourceTagList"]
    return from_tag_list(listed[0]["TagsList"]) if listed else {}


def _is_there(look: Callable[[], Any]) -> bool:
    try:
        look()
    except ClientError as error:
        if code(error) in ("NotFound", "NotFoundException", "ResourceNotFoundException", "TrailNotFoundException"):
            return False
        raise
    return True


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
    ResourceType(
        token="aws:cloudwatch/eventRule:EventRule",  # noqa: S106
        properties={
            "region": REGION,
            "name": Property(generated_name=True, replaces=True),
            "description": Property(default=""),
            "eventPattern": Property(required=True, same=same_policy),
            "state": Property(default="ENABLED", choices=_STATES),
            "tags": TAGS,
        },
        computed=("arn", "namePrefix", "region", "tagsAll"),
        create=_create_rule,
        settle=_settle_rule,
        read=_read_rule,
        update=_update_rule,
        delete=_delete_rule,
        find=_find_rule,
    ),
    ResourceType(
        token="aws:cloudwatch/eventTarget:EventTarget",  # noqa: S106
        properties={
            "region": REGION,
            "rule": Property(required=True, replaces=True),
            "targetId": Property(required=True, replaces=True),
            "arn": Property(required=True),
            "inputTransformer": Property(),
        },
        computed=("region",),
        create=_put_target,
        read=_read_target,
        update=_update_target,
        delete=_delete_target,
    ),
    ResourceType(
        token="aws:cloudtrail/trail:Trail",  # noqa: S106
        properties={
            "region": REGION,
            "name": Property(generated_name=True, replaces=True),
            "s3BucketName": Property(required=True),
            "s3KeyPrefix": Property(default=""),
            "includeGlobalServiceEvents": Property(default=True),
            "isMultiRegionTrail": Property(default=False),
            "enableLogFileValidation": Property(default=False),
            "enableLogging": Property(default=True),
            "kmsKeyId": Property(default=""),
            "tags": TAGS,
        },
        computed=("arn", "homeRegion", "region", "snsTopicArn", "tagsAll"),
        create=_create_trail,
        settle=_settle_trail,
        read=_read_trail,
        update=_update_trail,
        delete=_delete_trail,
        delete_before_replace=True,
        find=_find_trail,
    ),
)
