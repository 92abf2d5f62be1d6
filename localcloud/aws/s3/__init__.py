"""S3: encryption, lifecycle rules, denials, locks, policies and replication. Importing this package changes nothing."""

from __future__ import annotations

from localcloud.aws.s3 import denials, encryption, lifecycle, object_lock, policies, replication


def patch() -> None:
    """Add to moto's S3 the calls that it lacks, and wrap those that it gets wrong."""
    for subject in (encryption, lifecycle, denials, object_lock, policies, replication):
        subject.patch()
