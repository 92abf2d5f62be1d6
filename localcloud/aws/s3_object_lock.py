"""S3's object lock, where moto lets pass what AWS refuses."""

from __future__ import annotations


def amend() -> None:
    pass
