"""SNS: subscriptions by email, and a log of the mails that the clouds send.

A subscription is pending until its holder confirms it with the token from the mail that SNS sends (SNS Developer Guide,
"Confirm an email subscription"). Until then it gets no message, and lists show `PendingConfirmation` instead of its
ARN. Each mail is one line of JSON in `mail.jsonl`, in the local cloud's folder.
"""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from moto.core.responses import ActionResult
from moto.sns.exceptions import SNSInvalidParameter
from moto.sns.models import SNSBackend, Subscription
from moto.sns.responses import SNSResponse

from localcloud.aws.patching import wrap_method

FILE: Final = "mail.jsonl"
_PENDING: Final = "PendingConfirmation"

_mailbox: Mailbox | None = None


class Mailbox:
    """The mails that were sent, in memory and, if there is one, in a file."""

    def __init__(self, file: Path | None) -> None:
        global _mailbox
        self._file = file
        self.mails: list[dict[str, str]] = []
        _mailbox = self

    def deliver(self, subscription: Subscription, text: str) -> None:
        """Send a message of the topic."""
        self._send(subscription, "AWS Notification Message", text)

    def ask_to_confirm(self, subscription: Subscription) -> None:
        """Send the mail with the token. At AWS its link contains the token; here the mail names it."""
        self._send(
            subscription,
            "AWS Notification - Subscription Confirmation",
            f"You have chosen to subscribe to the topic {subscription.topic.arn}. To confirm this, run `localcloud"
            " mails --confirm`. Without a confirmation you receive no message of this topic.",
            token=_token(subscription),
        )

    def _send(self, subscription: Subscription, subject: str, text: str, **also: str) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        topic = str(subscription.topic.arn)
        mail = {"at": now, "to": subscription.endpoint, "topic": topic, "subject": subject, "text": text, **also}
        self.mails.append(mail)
        if self._file is not None:
            with open(self._file, "a", encoding="utf-8") as file:
                file.write(json.dumps(mail) + "\n")


def patch() -> None:
    """Let subscriptions by email be pending until they are confirmed."""
    wrap_method(SNSBackend, "subscribe", _subscribe)
    for name in ("list_subscriptions", "list_subscriptions_by_topic"):
        wrap_method(SNSBackend, name, _list)
    wrap_method(Subscription, "publish", _publish)
    wrap_method(SNSResponse, "confirm_subscription", _confirm)


def _subscribe(original: Callable[..., Any], self: SNSBackend, topic_arn: str, endpoint: str, protocol: str) -> Any:
    subscription = original(self, topic_arn, endpoint, protocol)
    if protocol == "email" and "token" not in vars(subscription):
        vars(subscription)["token"] = uuid.uuid4().hex
        subscription.attributes |= {"PendingConfirmation": True, "ConfirmationWasAuthenticated": False}
    if _token(subscription) and _mailbox is not None:
        _mailbox.ask_to_confirm(subscription)
    return subscription


def _list(original: Callable[..., Any], self: SNSBackend, *args: Any, **kwargs: Any) -> Any:
    found, token = original(self, *args, **kwargs)
    return [_pending(each) if _token(each) else each for each in found], token


def _publish(original: Callable[..., Any], self: Subscription, message: str, *args: Any, **kwargs: Any) -> None:
    if self.protocol != "email":
        original(self, message, *args, **kwargs)
    elif not _token(self) and _mailbox is not None:
        _mailbox.deliver(self, message)


def _confirm(original: Callable[..., Any], self: SNSResponse) -> ActionResult:
    topic, token = self._get_param("TopicArn"), self._get_param("Token")
    for subscription in self.backend.subscriptions.values():
        if subscription.topic.arn == topic and token and _token(subscription) == token:
            vars(subscription)["token"] = ""
            subscription.attributes["PendingConfirmation"] = False
            return ActionResult({"SubscriptionArn": subscription.arn})
    raise SNSInvalidParameter("Invalid parameter: Token")


def _pending(subscription: Subscription) -> Subscription:
    """A pending subscription in a list."""
    shown = copy.copy(subscription)
    shown.arn = _PENDING
    return shown


def _token(subscription: Any) -> str:
    """The token of a pending subscription; empty if it is confirmed, or from before confirmations."""
    return str(vars(subscription).get("token", ""))
