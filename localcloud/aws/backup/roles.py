"""The roles that AWS Backup assumes. Their trust policy is checked; their permissions are not enforced here."""

from __future__ import annotations

import json
from typing import Any, Final

from moto.backup.models import BackupBackend
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends

from localcloud.aws.backup.errors import invalid

_SERVICE: Final = "backup.amazonaws.com"


def check(backend: BackupBackend, arn: str) -> None:
    """Refuse a role that does not exist, or that does not trust AWS Backup."""
    try:
        role = iam_backends[backend.account_id][backend.partition].get_role_by_arn(arn)
        trust = json.loads(role.assume_role_policy_document)
    except (NotFoundException, ValueError):
        trust = {}
    statements = trust.get("Statement", [])
    if not any(map(_trusts, statements if isinstance(statements, list) else [statements])):
        invalid(f"IAM Role {arn} cannot be assumed by AWS Backup")


def _trusts(statement: Any) -> bool:
    principal = statement.get("Principal", {})
    services = principal.get("Service", []) if isinstance(principal, dict) else []
    return statement.get("Effect") == "Allow" and _SERVICE in (services if isinstance(services, list) else [services])
