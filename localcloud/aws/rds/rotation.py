"""The rotation of the master passwords that RDS manages: on request, and every seven days.

RDS sets the new password in the database at once, and the database then refuses the old one. Sessions that are open
stay open. Source: "Password management with Amazon RDS and AWS Secrets Manager" in the RDS user guide.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from moto.rds.models import RDSBackend, rds_backends
from moto.secretsmanager.models import ReplicaSecret, SecretsManagerBackend

from localcloud.aws.patching import wrap_method
from localcloud.aws.rds.servers import Servers

_PERIOD_SECONDS: Final = 7 * 86400


def patch() -> None:
    wrap_method(SecretsManagerBackend, "rotate_secret", _rotate_secret)


def rotate_due(servers: Servers, backend: RDSBackend, database: Any) -> None:
    """Rotate the master password of an instance if it is seven days old."""
    if not database.manage_master_user_password:
        return
    managed = database.master_user_secret
    secret = managed.secretsmanager.describe_secret(managed.secret.arn)
    if time.time() - secret.versions[secret.default_version_id]["createdate"] >= _PERIOD_SECONDS:
        with servers.changing("rds", "secretsmanager"):
            _rotate(backend, database)


def _rotate_secret(original: Callable[..., str], backend: SecretsManagerBackend, secret_id: str, **asked: Any) -> str:
    """RDS rotates the secrets that it manages, without a function of the customer."""
    secret = backend.describe_secret(secret_id)
    if isinstance(secret, ReplicaSecret) or secret.owning_service != "rds":
        return original(backend, secret_id, **asked)
    rds = rds_backends[backend.account_id][backend.region_name]
    [database] = [
        one
        for one in rds.databases.values()
        if one.manage_master_user_password and one.master_user_secret.secret.arn == secret.arn
    ]
    if asked.get("rotate_immediately", True):
        _rotate(rds, database)
    return secret.to_short_dict()


def _rotate(backend: RDSBackend, database: Any) -> None:
    backend.modify_db_instance(
        database.db_instance_identifier, {"rotate_master_user_password": True, "apply_immediately": True}
    )
