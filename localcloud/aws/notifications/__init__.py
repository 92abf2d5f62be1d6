"""Events and their notifications: CloudTrail, EventBridge, SNS and mail.

    call_events.py   CloudTrail's event about a call
    delivery.py      EventBridge: matches events with rules, and invokes the rules' targets
    mail.py          SNS: email subscriptions and their confirmation, and the log of sent mail

Importing this package changes nothing.
"""

from __future__ import annotations

from localcloud.aws.notifications import mail


def patch() -> None:
    """Wrap the methods that moto's SNS gets wrong."""
    mail.patch()
