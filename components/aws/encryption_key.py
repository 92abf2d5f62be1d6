"""A customer-managed KMS key and its alias."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

# The waiting periods before the deletion of a key that KMS accepts (ScheduleKeyDeletion, PendingWindowInDays).
_DELETION_WINDOW_DAYS = range(7, 31)


@dataclass(frozen=True, kw_only=True)
class EncryptionKeyArgs:
    """The purpose of the key, and the time in which its deletion can be cancelled.

    Raises:
        ValueError: KMS does not accept the deletion window.
    """

    description: str
    """The data that the key encrypts, for a person who considers its deletion."""

    deletion_window_days: int
    """Days between the request to delete the key and its deletion, 7 to 30. The plan sets the number."""

    retain_on_delete: bool = False
    """Whether the key stays in AWS when it is removed from its stack."""

    existing_arn: str | None = None
    """The ARN of a key that AWS has already under this alias. Pulumi imports it instead of creating a key."""

    region: str | None = None
    """The key's region; None for the region of the provider."""

    policy: pulumi.Input[str] | None = None
    """The key policy. None for KMS's default policy: IAM decides who in the account may use the key."""

    def __post_init__(self) -> None:
        if self.deletion_window_days not in _DELETION_WINDOW_DAYS:
            allowed = f"{_DELETION_WINDOW_DAYS.start} to {_DELETION_WINDOW_DAYS.stop - 1}"
            raise ValueError(f"deletion_window_days is {self.deletion_window_days}; KMS accepts {allowed}")


class EncryptionKey(pulumi.ComponentResource):
    """A symmetric KMS key that rotates every year.

    The key is a single-Region key. RDS and S3 use a multi-Region key like a single-Region key anyway, and its material
    would be subject to the residency rules of two regions.

    Everything that a key encrypts is lost with it, so the key is protected: Pulumi refuses to delete or replace it.
    """

    arn: pulumi.Output[str]

    def __init__(self, name: str, args: EncryptionKeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:encryption:EncryptionKey", name, {}, opts)

        def guarded(existing: str | None) -> pulumi.ResourceOptions:
            return pulumi.ResourceOptions(
                parent=self, protect=True, retain_on_delete=args.retain_on_delete, import_=existing
            )

        key = aws.kms.Key(
            name,
            description=args.description,
            enable_key_rotation=True,
            deletion_window_in_days=args.deletion_window_days,
            region=args.region,
            policy=args.policy,
            tags={"Name": name},
            opts=guarded(args.existing_arn and args.existing_arn.rpartition("/")[2]),
        )
        alias = f"alias/{name}"
        aws.kms.Alias(
            name,
            name=alias,
            target_key_id=key.key_id,
            region=args.region,
            opts=guarded(args.existing_arn and alias),
        )

        self.arn = key.arn
        self.register_outputs({"arn": self.arn})
