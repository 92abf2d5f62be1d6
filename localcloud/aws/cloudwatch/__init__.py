"""CloudWatch: the metrics that other services publish.

    metrics.py   the metrics of S3's replication

Importing this package changes nothing.
"""

from __future__ import annotations

from localcloud.aws.cloudwatch import metrics


def patch() -> None:
    """Add the metrics that moto does not publish."""
    metrics.patch()
