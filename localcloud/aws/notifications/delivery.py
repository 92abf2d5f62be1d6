"""EventBridge: the default bus of each region matches events with rules, and invokes the targets of the rules.

A rule matches CloudTrail's events about calls that only read, such as AssumeRole, only if its state includes them. A
target is a topic. It is invoked with the rights of the target's role or, without a role, of the topic's policy. There,
EventBridge supports no conditions ("You can't use Condition blocks in Amazon SNS topic policies for EventBridge",
EventBridge User Guide, "Using resource-based policies"): a statement with one does not allow it. An invocation without
rights sends nothing, and counts in CloudWatch's metric `FailedInvocations`.
"""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.events.models import events_backends
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.sns.models import sns_backends

from localcloud.aws.iam.evaluation import Call, Decision, decide, document, like, trusts

log = logging.getLogger(__name__)

_WITH_READING: Final = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
_SERVICE: Final = "events.amazonaws.com"


def put(region: str, about: Mapping[str, Any], account: str = DEFAULT_ACCOUNT_ID) -> None:
    """Deliver an event to the rules of its region. It has `source`, `detail-type` and `detail` at least."""
    event: Any = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "account": account,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [],
        **about,
    }
    for rule in list(events_backends[account][region].event_buses["default"].rules.values()):
        if _takes(rule, event) and rule.event_pattern.matches_event(event):
            for target in rule.targets:
                _invoke(rule, target, event)


def _invoke(rule: Any, target: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    _, _, service, region, account, name = target["Arn"].split(":", 5)
    if service != "sns":
        raise NotImplementedError(f"the local cloud's rules support topics, not {service}:{name}")
    topic = sns_backends[account][region].topics.get(target["Arn"])
    if topic is None or not _may_publish(target, topic):
        rule.failed_invocations = [*getattr(rule, "failed_invocations", []), datetime.now(UTC)]
        log.warning("the rule %s may not publish to %s", rule.name, target["Arn"])
        return
    topic.publish(_message(target, event))


def _takes(rule: Any, event: Mapping[str, Any]) -> bool:
    if event["detail"].get("readOnly"):
        return bool(rule.state == _WITH_READING)
    return bool(rule.state != "DISABLED")


def _may_publish(target: Mapping[str, Any], topic: Any) -> bool:
    call = Call("sns:Publish", (topic.arn,))
    if "RoleArn" in target:
        return _role_may(target["RoleArn"], call, topic.account_id)
    # Allowing statements with a condition do not count.
    statements = [
        each
        for each in json.loads(topic.policy)["Statement"]
        if like(topic.arn, each.get("Resource", "*")) and (each["Effect"] == "Deny" or "Condition" not in each)
    ]
    return trusts(call, {"Statement": statements}, "Service", [_SERVICE])


def _role_may(arn: str, call: Call, account: str) -> bool:
    try:
        role = iam_backends[account]["aws"].get_role_by_arn(arn)
    except NotFoundException:
        return False
    policies = [document(text) for text in role.policies.values()]
    policies += [
        document(next(version.document for version in policy.versions if version.is_default))
        for policy in role.managed_policies.values()
    ]
    trusted = trusts(Call("sts:AssumeRole", (arn,)), document(role.assume_role_policy_document), "Service", [_SERVICE])
    return trusted and decide(call, policies) is Decision.ALLOWED


def _message(target: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """The event, or the target's template, in which <name> is replaced by the value at a path of the event."""
    transformer = target.get("InputTransformer")
    if not transformer:
        return json.dumps(event)
    values = {name: _at(path, event) for name, path in (transformer.get("InputPathsMap") or {}).items()}
    text = re.sub(r"<([^<>]+)>", lambda it: values.get(it[1], it[0]), transformer["InputTemplate"])
    try:
        return str(json.loads(text))
    except ValueError:
        return text


def _at(path: str, event: Any) -> str:
    found = event
    for step in path.removeprefix("$.").split("."):
        found = found.get(step, "") if isinstance(found, Mapping) else ""
    return str(found)
