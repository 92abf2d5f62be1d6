"""EventBridge: rules of the default bus, and their targets."""

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
    gone_at,
    locate,
    same_policy,
    tag_list,
    tags_found,
)
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import GoneError, Property, Props, RefusedError, ResourceType

_BUS: Final = "default"
_STATES: Final = ("ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
_NO_RULE: Final = "ResourceNotFoundException"


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
    with gone_at(_NO_RULE):
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
    with gone_at(_NO_RULE):
        client(cloud, "events", state).delete_rule(Name=identity, EventBusName=_BUS)


def _find_rule(cloud: Cloud, inputs: Props) -> str | None:
    events = client(cloud, "events", inputs)
    found = call_or_none((_NO_RULE,), events.describe_rule, Name=inputs["name"], EventBusName=_BUS)
    return None if found is None else str(inputs["name"])


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
        raise RefusedError(f"EventBridge refuses the target: {answer['FailedEntries'][0].get('ErrorMessage')}")
    return f"{inputs['rule']}-{inputs['targetId']}"


def _read_target(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    # An import may give RULE/TARGET. RULE-TARGET is split at the last hyphen if the state does not have the names.
    rule, found, target_id = identity.partition("/")
    if not found:
        rule, _, target_id = identity.rpartition("-")
        rule, target_id = state.get("rule", rule), state.get("targetId", target_id)
    with gone_at(_NO_RULE):
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
    raise GoneError(f"the rule {rule} has no target {target_id}")


def _update_target(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    _put_target(cloud, new)


def _delete_target(cloud: Cloud, identity: str, state: Props) -> None:
    with gone_at(_NO_RULE):
        client(cloud, "events", state).remove_targets(Rule=state["rule"], EventBusName=_BUS, Ids=[state["targetId"]])


RESOURCES: Final = (
    ResourceType(
        token="aws:cloudwatch/eventRule:EventRule",  # noqa: S106 - a type's name
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
)
