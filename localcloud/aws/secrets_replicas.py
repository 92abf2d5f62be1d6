"""Secrets Manager: replicas in other regions, where moto does otherwise than AWS."""

from __future__ import annotations


def amend() -> None:
    pass
