"""AWS Backup: plans and their selections."""

from __future__ import annotations

import json
from typing import Any, Final

from localcloud.plugins.aws.backup.common import change_tags_of, tags_of
from localcloud.plugins.aws.common import (
    REGION,
    TAGS,
    Keys,
    Member,
    all_tags,
    call_or_none,
    client,
    from_api,
    gone_at,
    locate,
    same_set,
    tags_found,
    to_api,
)
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import GoneError, Property, Props, ResourceType

_LIFECYCLE: Final[Keys] = {
    "coldStorageAfter": Member("MoveToColdStorageAfterDays"),
    "deleteAfter": Member("DeleteAfterDays"),
    "optInToArchiveForSupportedResources": Member("OptInToArchiveForSupportedResources"),
}
_RULE: Final[Keys] = {
    "ruleName": Member("RuleName"),
    "targetVaultName": Member("TargetBackupVaultName"),
    "schedule": Member("ScheduleExpression"),
    "scheduleExpressionTimezone": Member("ScheduleExpressionTimezone"),
    "startWindow": Member("StartWindowMinutes"),
    "completionWindow": Member("CompletionWindowMinutes"),
    "enableContinuousBackup": Member("EnableContinuousBackup"),
    "lifecycle": Member("Lifecycle", _LIFECYCLE),
    "copyActions": Member(
        "CopyActions",
        {"destinationVaultArn": Member("DestinationBackupVaultArn"), "lifecycle": Member("Lifecycle", _LIFECYCLE)},
        many=True,
    ),
    "recoveryPointTags": Member("RecoveryPointTags"),
}
# The provider sends these for values that a rule leaves out. AWS chooses the schedule if a rule has none.
_RULE_DEFAULTS: Final[Props] = {
    "scheduleExpressionTimezone": "Etc/UTC",
    "startWindow": 60,
    "completionWindow": 180,
    "enableContinuousBackup": False,
}
_RULE_AWS_DEFAULTS: Final[Props] = {"schedule": "cron(0 5 ? * * *)"}


def _plan_document(inputs: Props) -> dict[str, Any]:
    rules = [_complete(rule) for rule in inputs["rules"]]
    return {
        "BackupPlanName": inputs["name"],
        "Rules": [to_api(_RULE, rule, f"rules[{number}]") for number, rule in enumerate(rules)],
    }


def _complete(rule: Props) -> Props:
    """Return the rule with the provider's defaults, and without zeros and empty objects, which have no effect."""
    stated = {key: _without_nothing(value) for key, value in rule.items()}
    return {**_RULE_DEFAULTS, **{key: value for key, value in stated.items() if value not in (None, "", [], {})}}


def _without_nothing(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_nothing(item) for item in value]
    if isinstance(value, dict):
        stated = {key: _without_nothing(item) for key, item in value.items()}
        return {key: item for key, item in stated.items() if item or isinstance(item, str)}
    return value


def _same_rules(one: Any, other: Any) -> bool:
    """Whether two sets of rules mean the same, defaults included."""

    def meaning(rules: Any) -> list[str]:
        complete = [{**_RULE_AWS_DEFAULTS, **_complete(rule)} for rule in rules]
        for rule in complete:
            rule["copyActions"] = sorted(json.dumps(copy, sort_keys=True) for copy in rule.get("copyActions", []))
        return sorted(json.dumps(rule, sort_keys=True) for rule in complete)

    return meaning(one) == meaning(other)


def _create_plan(cloud: Cloud, inputs: Props) -> str:
    created = client(cloud, "backup", inputs).create_backup_plan(
        BackupPlan=_plan_document(inputs), BackupPlanTags=all_tags(cloud, inputs)
    )
    return str(created["BackupPlanId"])


def _read_plan(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    backup = cloud.client("backup", region)
    with gone_at("ResourceNotFoundException"):
        found = backup.get_backup_plan(BackupPlanId=identity)
    return {
        "id": found["BackupPlanId"],
        "region": region,
        "arn": found["BackupPlanArn"],
        "version": found["VersionId"],
        "name": found["BackupPlan"]["BackupPlanName"],
        "rules": [from_api(_RULE, rule) for rule in found["BackupPlan"]["Rules"]],
        **tags_found(cloud, tags_of(backup, found["BackupPlanArn"]), state),
    }


def _update_plan(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    backup = client(cloud, "backup", new)
    if "rules" in changed:
        backup.update_backup_plan(BackupPlanId=identity, BackupPlan=_plan_document(new))
    change_tags_of(cloud, backup, backup.get_backup_plan(BackupPlanId=identity)["BackupPlanArn"], new)


def _delete_plan(cloud: Cloud, identity: str, state: Props) -> None:
    with gone_at("ResourceNotFoundException"):
        client(cloud, "backup", state).delete_backup_plan(BackupPlanId=identity)


def _find_plan(cloud: Cloud, inputs: Props) -> str | None:
    """Find a plan by its document: AWS refuses a second plan with the same document."""
    backup = client(cloud, "backup", inputs)
    for page in backup.get_paginator("list_backup_plans").paginate():
        for plan in page["BackupPlansList"]:
            if plan["BackupPlanName"] == inputs["name"]:
                found = backup.get_backup_plan(BackupPlanId=plan["BackupPlanId"])["BackupPlan"]["Rules"]
                if _same_rules([from_api(_RULE, rule) for rule in found], inputs["rules"]):
                    return str(plan["BackupPlanId"])
    return None


# -- selections -------------------------------------------------------------------------------------------------------

_SELECTION: Final[Keys] = {
    "name": Member("SelectionName"),
    "iamRoleArn": Member("IamRoleArn"),
    "resources": Member("Resources"),
    "notResources": Member("NotResources"),
    "selectionTags": Member(
        "ListOfTags",
        {"type": Member("ConditionType"), "key": Member("ConditionKey"), "value": Member("ConditionValue")},
        many=True,
    ),
}


def _create_selection(cloud: Cloud, inputs: Props) -> str:
    created = client(cloud, "backup", inputs).create_backup_selection(
        BackupPlanId=inputs["planId"], BackupSelection=_selection_document(inputs)
    )
    return str(created["SelectionId"])


def _selection_document(inputs: Props) -> dict[str, Any]:
    return to_api(_SELECTION, {key: inputs[key] for key in _SELECTION if inputs.get(key)}, "selection")


def _read_selection(cloud: Cloud, identity: str, state: Props) -> Props:
    """Read a selection. An import gives `PLAN|SELECTION`; an id alone is searched in every plan of the region."""
    identity, region = locate(cloud, identity, state)
    backup = cloud.client("backup", region)
    plan, _, selection = identity.rpartition("|")
    plan = plan or state.get("planId") or _plan_of(backup, selection)
    with gone_at("ResourceNotFoundException", "InvalidParameterValueException"):
        found = backup.get_backup_selection(BackupPlanId=plan, SelectionId=selection)
    return {
        "id": found["SelectionId"],
        "region": region,
        "planId": found["BackupPlanId"],
        "resources": [],
        "notResources": [],
        "selectionTags": [],
        **from_api(_SELECTION, found["BackupSelection"]),
    }


def _plan_of(backup: Any, selection: str) -> str:
    for page in backup.get_paginator("list_backup_plans").paginate():
        for plan in page["BackupPlansList"]:
            if any(each["SelectionId"] == selection for each in _selections(backup, plan["BackupPlanId"])):
                return str(plan["BackupPlanId"])
    raise GoneError(f"no plan has the selection {selection}")


def _selections(backup: Any, plan: str) -> list[Any]:
    pages = backup.get_paginator("list_backup_selections").paginate(BackupPlanId=plan)
    return [selection for page in pages for selection in page["BackupSelectionsList"]]


def _delete_selection(cloud: Cloud, identity: str, state: Props) -> None:
    with gone_at("ResourceNotFoundException", "InvalidParameterValueException"):
        client(cloud, "backup", state).delete_backup_selection(
            BackupPlanId=state["planId"], SelectionId=identity.rpartition("|")[2]
        )


def _find_selection(cloud: Cloud, inputs: Props) -> str | None:
    backup, plan = client(cloud, "backup", inputs), inputs["planId"]
    if call_or_none(("ResourceNotFoundException",), backup.get_backup_plan, BackupPlanId=plan) is None:
        return None
    for selection in _selections(backup, plan):
        found = backup.get_backup_selection(BackupPlanId=plan, SelectionId=selection["SelectionId"])
        if found["BackupSelection"] == _selection_document(inputs):
            return str(selection["SelectionId"])
    return None


RESOURCES: Final[tuple[ResourceType, ...]] = (
    ResourceType(
        token="aws:backup/plan:Plan",  # noqa: S106
        properties={
            "region": REGION,
            "name": Property(generated_name=True, replaces=True),
            "rules": Property(required=True, same=_same_rules),
            "tags": TAGS,
        },
        computed=("arn", "version", "tagsAll", "region"),
        create=_create_plan,
        read=_read_plan,
        update=_update_plan,
        delete=_delete_plan,
        delete_before_replace=True,
        find=_find_plan,
    ),
    ResourceType(
        token="aws:backup/selection:Selection",  # noqa: S106
        properties={
            "region": REGION,
            "planId": Property(required=True, replaces=True),
            "name": Property(generated_name=True, replaces=True),
            "iamRoleArn": Property(required=True, replaces=True),
            "resources": Property(default=[], replaces=True, same=same_set),
            "notResources": Property(default=[], replaces=True, same=same_set),
            "selectionTags": Property(default=[], replaces=True, same=same_set),
        },
        computed=("region",),
        create=_create_selection,
        read=_read_selection,
        delete=_delete_selection,
        delete_before_replace=True,
        find=_find_selection,
    ),
)
