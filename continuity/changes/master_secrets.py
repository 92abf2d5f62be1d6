"""Databases that an interrupted update left without their master secret.

The provider has RDS manage the password with a second call, once a restored instance is available. If the update ends
before (a time limit, expired credentials), no later update and no refresh repeats this call: the provider does not read
whether RDS manages the password. Without the secret, no host can connect.
"""

from __future__ import annotations

import time
from typing import Any, Final

from continuity.clouds.aws import Aws
from continuity.console import SAY
from continuity.engine.pulumi_cli import read_resources
from continuity.engine.stacks import Stack
from continuity.errors import StackError

_INSTANCE: Final = "aws:rds/instance:Instance"
_POLL_SECONDS: Final = 5.0
# RDS User Guide, "Viewing Amazon RDS DB instance status": an instance leaves these states by itself.
_PASSING: Final = ("backing-up", "configuring-", "creating", "modifying", "rebooting", "resetting-", "starting")
_READY: Final = ("available", "storage-optimization")


def complete_databases(stack: Stack) -> bool:
    """Have RDS create the missing master secrets. Return whether the stack's state needs a refresh.

    A refresh is also needed for any other resource whose creation was interrupted: the state has only its declaration.
    """
    resources = read_resources(stack)
    half_made = [one for one in resources if one["type"] == _INSTANCE and _lacks_secret(one)]
    if half_made:
        aws = Aws()
        for resource in half_made:
            _create_secret(aws, resource["inputs"]["identifier"], resource["inputs"]["masterUserSecretKmsKeyId"])
    return bool(half_made) or any(one.get("initErrors") for one in resources)


def _lacks_secret(resource: dict[str, Any]) -> bool:
    managed = (resource.get("inputs") or {}).get("manageMasterUserPassword")
    return bool(managed) and not (resource.get("outputs") or {}).get("masterUserSecrets")


def _create_secret(aws: Aws, identifier: str, key: str) -> None:
    region = key.split(":")[3]  # the key is in the region of the instance
    found = _wait(aws, region, identifier)
    if found is None or found.get("MasterUserSecret"):
        return
    SAY.print(f"{identifier} has no master secret, because an earlier update was interrupted: creating it")
    aws.call(
        "rds",
        region,
        "modify_db_instance",
        DBInstanceIdentifier=identifier,
        ManageMasterUserPassword=True,
        MasterUserSecretKmsKeyId=key,
        ApplyImmediately=True,
    )
    _wait(aws, region, identifier)


def _wait(aws: Aws, region: str, identifier: str) -> dict[str, Any] | None:
    """Wait until the instance is available, and return its description. `None` if it does not exist."""
    said = None
    while True:
        aws.clear_cache()
        found = aws.find(
            "rds", region, "describe_db_instances", {"DBInstanceNotFound"}, DBInstanceIdentifier=identifier
        )
        if found is None:
            return None
        instance: dict[str, Any] = found["DBInstances"][0]
        status = instance["DBInstanceStatus"]
        if status in _READY:
            return instance
        if not status.startswith(_PASSING):
            raise StackError(f"the database {identifier} is {status} in {region}; allowed is available")
        if status != said:
            SAY.print(f"waiting for the database {identifier}, which is {status}")
            said = status
        time.sleep(_POLL_SECONDS)
