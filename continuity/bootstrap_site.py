"""Where Pulumi's state is kept: names and places, all of them from the plan, the account and the bucket's name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import plan
from continuity.bootstrap_aws import Aws
from continuity.errors import UsageError

NAME: Final = "botbrains-state"
ALIAS: Final = f"alias/{NAME}"
_REPLICA: Final = "-replica"
# S3 takes 3 to 63 characters. Dots are left out: with one in its name, a bucket's own TLS certificate does not fit.
_BUCKET_NAME: Final = re.compile(rf"[a-z0-9][a-z0-9-]{{1,{62 - len(_REPLICA)}}}")


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
        return self.bucket + _REPLICA

    @property
    def role(self) -> str:
        """The role that S3 copies with. It is the bucket's own, so that a second bucket takes nothing from a first."""
        return self.replica_bucket

    @property
    def role_arn(self) -> str:
        return f"arn:{self.partition}:iam::{self.account}:role/{self.role}"

    def bucket_arn(self, name: str) -> str:
        return f"arn:{self.partition}:s3:::{name}"


def site(promised: plan.Plan, bucket: str | None) -> Site:
    """In the account that the environment leads to; `bucket` is None for the usual name.

    Raises:
        UsageError: S3 would not take the name.
        CredentialsError: AWS does not accept the credentials.
        CannotLookError: neither region answers.
    """
    if bucket is not None and not _BUCKET_NAME.fullmatch(bucket):
        allowed = f"3 to {63 - len(_REPLICA)} small letters, digits and hyphens, a letter or digit first"
        raise UsageError(f"--bucket is {bucket!r}; allowed is {allowed} (the replica's name adds {_REPLICA!r})")
    places, aws = promised.residency.aws, Aws()
    account = aws.account((places.recovery_region, places.home_region))
    return Site(
        aws=aws,
        account=account,
        partition=aws.partition(places.recovery_region),
        bucket=bucket or f"{NAME}-{account}",
        home=places.home_region,
        recovery=places.recovery_region,
        version_days=promised.retention.object_version_days,
    )
