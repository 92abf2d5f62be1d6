"""A customer-managed KMS key and its alias."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

# What KMS accepts as the waiting period before a key is really gone (ScheduleKeyDeletion, PendingWindowInDays).
_DELETION_WINDOW_DAYS = range(7, 31)


@dataclass(frozen=True, kw_only=True)
class EncryptionKeyArgs:
    """What the key is for, and how long a wrong deletion can be noticed and undone.

    Raises:
        ValueError: the deletion window is outside what KMS accepts.
    """

    description: str
    """What is encrypted with the key, for the person who is about to delete it."""

    deletion_window_days: int
    """Days between the order to delete the key and its end, 7 to 30. The plan says which."""

    retain_on_delete: bool = False
    """Whether the key stays in AWS when its stack forgets it."""

    region: str | None = None
    """The key's region; None for the region of the provider that it is given."""

    policy: pulumi.Input[str] | None = None
    """Who may use it, as a document. None for KMS's default: whoever IAM lets, in the key's account."""

    def __post_init__(self) -> None:
        if self.deletion_window_days not in _DELETION_WINDOW_DAYS:
            allowed = f"{_DELETION_WINDOW_DAYS.start} to {_DELETION_WINDOW_DAYS.stop - 1}"
            raise ValueError(f"deletion_window_days is {self.deletion_window_days}; KMS accepts {allowed}")


class EncryptionKey(pulumi.ComponentResource):
    """A symmetric KMS key that rotates every year.

    The key is a single-region key. RDS and S3 treat a multi-region key as a single-region one anyway, and a key whose
    material leaves its region would have to be judged by two regions' residency instead of one.

    Everything encrypted with a key is lost with it, so the key is protected: Pulumi refuses to delete or replace it.
    """

    arn: pulumi.Output[str]

    def __init__(self, name: str, args: EncryptionKeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:encryption:EncryptionKey", name, {}, opts)
        guarded = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=args.retain_on_delete)

        key = aws.kms.Key(
            name,
            description=args.description,
            enable_key_rotation=True,
            deletion_window_in_days=args.deletion_window_days,
            region=args.region,
            policy=args.policy,
            tags={"Name": name},
            opts=guarded,
        )
        aws.kms.Alias(name, name=f"alias/{name}", target_key_id=key.key_id, region=args.region, opts=guarded)

        self.arn = key.arn
        self.register_outputs({"arn": self.arn})
