"""Secrets Manager: secrets and their replicas in other regions. Importing this package changes nothing."""

from __future__ import annotations

from localcloud.aws.secretsmanager.replicas import patch

__all__ = ["patch"]
