"""CloudWatch: the metrics that other services publish, and alarms about them.

    metrics.py   the metrics of S3's replication and of EventBridge's rules
    alarms.py    the state of alarms, and their messages

Importing this package changes nothing.
"""

from __future__ import annotations

from localcloud.aws.cloudwatch import alarms, metrics


def patch() -> None:
    """Add the metrics that moto does not publish, and refuse alarms that are not evaluated."""
    metrics.patch()
    alarms.patch()
