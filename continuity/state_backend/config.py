"""Names and regions of the backend for Pulumi's state, derived from the plan, the account and the bucket's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import plan
from continuity.clouds.aws import Aws
from continuity.errors import UsageError
from plan.names import APP, STATE_BUCKET_ALLOWED, is_state_bucket, state_bucket, state_replica

_KEY: Final = f"{APP}:stateBucket"
SETTING: Final = f"{_KEY} in Pulumi.vault.yaml"
"""The setting with the bucket's name. The stacks' roles and workflows read it too."""


@dataclass(frozen=True, kw_only=True)
class StateBackendConfig:
    """The parameters of all resources of the state backend."""

    aws: Aws
    account: str
    partition: str
    bucket: str
    home: str
    """The region of the replica."""

    recovery: str
    """The region of the state."""

    version_days: int
    """`retention.object_version_days` of the plan: an overwritten state can be restored for this number of days."""

    @property
    def replica_bucket(self) -> str:
        return state_replica(self.bucket)

    @property
    def role(self) -> str:
        """The replication role of S3. Each bucket has a separate role, so a second bucket keeps the first role."""
        return self.replica_bucket

    @property
    def role_arn(self) -> str:
        return f"arn:{self.partition}:iam::{self.account}:role/{self.role}"

    def bucket_arn(self, name: str) -> str:
        return f"arn:{self.partition}:s3:::{name}"


def resolve_config(promised: plan.Plan, vault: Mapping[str, Any]) -> StateBackendConfig:
    """Resolve the configuration for the account that the environment selects.

    Args:
        promised: the plan.
        vault: the configuration of the vault's stack, which may set the bucket's name.

    Raises:
        UsageError: the name is not allowed.
        CredentialsError: AWS does not accept the credentials.
        CannotLookError: neither region answers.
    """
    configured = vault.get(_KEY)
    if configured is not None and not is_state_bucket(configured):
        raise UsageError(f"{SETTING} is {configured!r}; allowed is {STATE_BUCKET_ALLOWED}")
    places, aws = promised.residency.aws, Aws()
    account = aws.account((places.recovery_region, places.home_region))
    return StateBackendConfig(
        aws=aws,
        account=account,
        partition=aws.partition(places.recovery_region),
        bucket=state_bucket(account, configured),
        home=places.home_region,
        recovery=places.recovery_region,
        version_days=promised.retention.object_version_days,
    )
