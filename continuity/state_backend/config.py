"""Where Pulumi's state is kept: names and places, all of them from the plan, the account and the bucket's name."""

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
"""Where the name of the bucket is set. The stacks' roles and workflows take it from there too."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """Everything that the properties are made of."""

    aws: Aws
    account: str
    partition: str
    bucket: str
    home: str
    """The region of the replica."""

    recovery: str
    """The region of the state."""

    version_days: int
    """`retention.object_version_days` of the plan: for so long an overwritten state can be brought back."""

    @property
    def replica_bucket(self) -> str:
        return state_replica(self.bucket)

    @property
    def role(self) -> str:
        """The role that S3 copies with. It is the bucket's own, so that a second bucket takes nothing from a first."""
        return self.replica_bucket

    @property
    def role_arn(self) -> str:
        return f"arn:{self.partition}:iam::{self.account}:role/{self.role}"

    def bucket_arn(self, name: str) -> str:
        return f"arn:{self.partition}:s3:::{name}"


def site(promised: plan.Plan, vault: Mapping[str, Any]) -> Site:
    """The site in the account that the environment leads to.

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
    return Site(
        aws=aws,
        account=account,
        partition=aws.partition(places.recovery_region),
        bucket=state_bucket(account, configured),
        home=places.home_region,
        recovery=places.recovery_region,
        version_days=promised.retention.object_version_days,
    )
