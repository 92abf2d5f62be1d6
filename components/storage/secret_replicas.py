"""Check that the replicas of a secret exist. Secrets Manager reports a failed replication in a status only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

import pulumi
import pulumi_aws as aws

_PATIENCE_SECONDS: Final = 20.0
_PAUSE_SECONDS: Final = 1.0
_IN_SYNC: Final = "InSync"


class ReplicaError(pulumi.RunError):
    """A secret has no usable replica. Pulumi shows the message without a traceback."""


def verify_replicas(secret: aws.secretsmanager.Secret, region: str) -> pulumi.Output[None]:
    """Raises `ReplicaError`, in an update, if the replication has failed. Warns if it is not complete.

    The state has the status of the moment at which the secret was created, so a status other than `InSync` is queried.

    Args:
        secret: the secret.
        region: its home region.
    """

    async def check(known: Sequence[Any]) -> None:
        name, statuses = known
        if pulumi.runtime.is_dry_run() or set(statuses) == {_IN_SYNC}:
            return
        for replica in await _settled(name, region):
            said = f"The replica of {name} in {replica['Region']} is {replica['Status']}: {replica['StatusMessage']}"
            if replica["Status"] == "Failed":
                raise ReplicaError(said + _advice(name, region, replica))
            if replica["Status"] != _IN_SYNC:
                pulumi.warn(f"{said}. Recovery needs it: look again with aws secretsmanager describe-secret")

    statuses = secret.replicas.apply(lambda replicas: [replica.status for replica in replicas or []])
    return pulumi.Output.all(secret.name, statuses).apply(check)


async def _settled(name: str, region: str) -> list[Any]:
    """The replicas, once none is pending, or after the patience has ended."""
    import botocore.session

    client = botocore.session.get_session().create_client("secretsmanager", region_name=region)
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        found: list[Any] = client.describe_secret(SecretId=name).get("ReplicationStatus", [])
        if time.monotonic() > end or not any(one["Status"] in ("InProgress", "Pending") for one in found):
            return found
        await asyncio.sleep(_PAUSE_SECONDS)


def _advice(name: str, region: str, replica: Any) -> str:
    command = f"  aws secretsmanager {{}} --region {region} --secret-id {name}"
    key = f",KmsKeyId={replica['KmsKeyId']}" if replica.get("KmsKeyId") else ""
    return (
        "\n\nRemove the cause, for example a secret of the same name in that region, then replicate again:\n\n"
        + command.format("remove-regions-from-replication")
        + f" --remove-replica-regions {replica['Region']}\n"
        + command.format("replicate-secret-to-regions")
        + f" --add-replica-regions Region={replica['Region']}{key}"
    )
