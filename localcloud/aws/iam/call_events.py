"""CloudTrail's events about calls, and their delivery: rules of EventBridge, topics of SNS, and mail.

If a trail of the account is logging, each call becomes an event in the region of the call. The rules of that region
match it. A rule matches calls that only read, such as assuming a role, only if its state includes them. Of a rule's
targets, topics are supported. Of a topic's subscribers, email is supported: each mail is one line of JSON in
`mail.jsonl`. The trail writes no log files: `requests.jsonl` records every call.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from moto.cloudtrail.models import cloudtrail_backends
from moto.events.models import events_backends
from moto.sns.models import sns_backends

from localcloud.aws.iam.principals import Principal
from localcloud.aws.iam.requests import ParsedRequest

_WITH_READING: Final = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
_READING: Final = ("AssumeRole", "Describe", "Get", "List", "Lookup", "Head")


class EventDelivery:
    """Delivers events as mail, to memory and, if there is one, to a file."""

    def __init__(self, mail: Path | None) -> None:
        self._mail = mail
        self.mails: list[dict[str, str]] = []

    def deliver(
        self, request: ParsedRequest, principal: Principal | None, subject: str | None, refused: str | None
    ) -> None:
        """Deliver the event of a call to the rules that match it. `refused` is the error's name, if any."""
        if not _is_logged(request):
            return
        event = _event(request, principal, subject, refused)
        for rule in list(events_backends[request.account][request.region].event_buses["default"].rules.values()):
            if _matches(rule, request) and rule.event_pattern.matches_event(event):
                for target in rule.targets:
                    self._notify(request, target, event)

    def _notify(self, request: ParsedRequest, target: Mapping[str, Any], event: dict[str, Any]) -> None:
        _, _, service, region, account, name = target["Arn"].split(":", 5)
        if service != "sns":
            raise NotImplementedError(f"the local cloud's rules support topics, not {service}:{name}")
        message = _message(target, event)
        for subscription in sns_backends[account][region].subscriptions.values():
            if subscription.topic.arn == target["Arn"] and subscription.protocol == "email":
                self._send({"at": event["time"], "to": subscription.endpoint, "topic": name, "text": message})

    def _send(self, mail: dict[str, str]) -> None:
        self.mails.append(mail)
        if self._mail is not None:
            with open(self._mail, "a", encoding="utf-8") as file:
                file.write(json.dumps(mail) + "\n")


def _is_logged(request: ParsedRequest) -> bool:
    regions: Mapping[str, Any] = cloudtrail_backends[request.account]
    return any(
        trail.status.is_logging and (trail.is_multi_region or region == request.region)
        for region, backend in list(regions.items())
        for trail in backend.trails.values()
    )


def _matches(rule: Any, request: ParsedRequest) -> bool:
    if request.operation.startswith(_READING):
        return bool(rule.state == _WITH_READING)
    return bool(rule.state != "DISABLED")


def _event(request: ParsedRequest, principal: Principal | None, subject: str | None, refused: str | None) -> Any:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "AWS API Call via CloudTrail",
        "source": f"aws.{request.service}",
        "account": request.account,
        "time": now,
        "region": request.region,
        "resources": [],
        "detail": {
            "eventVersion": "1.11",
            "eventTime": now,
            "eventSource": f"{request.service}.amazonaws.com",
            "eventName": request.operation,
            "awsRegion": request.region,
            "sourceIPAddress": "127.0.0.1",
            "readOnly": request.operation.startswith(_READING),
            "userIdentity": {"arn": principal.arn if principal else "", "userName": subject or ""},
            "requestParameters": {key[:1].lower() + key[1:]: value for key, value in request.parameters.items()},
            **({"errorCode": refused} if refused else {}),
        },
    }


def _message(target: Mapping[str, Any], event: dict[str, Any]) -> str:
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
    for step in _steps(path):
        found = found.get(step, "") if isinstance(found, Mapping) else ""
    return str(found)


def _steps(path: str) -> Iterator[str]:
    yield from path.removeprefix("$.").split(".")
