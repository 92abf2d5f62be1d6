"""KMS: keys, and multi-Region keys with their replicas. Importing this package changes nothing."""

from __future__ import annotations

from localcloud.aws.kms import keys, replicas, tags


def patch() -> None:
    """Wrap the methods that moto's KMS gets wrong."""
    for subject in (replicas, keys, tags):
        subject.patch()
