"""The application's own secrets, which have to be there when it is rebuilt in another region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.aws.encryption_key import EncryptionKey, EncryptionKeyArgs
from plan.names import secret_name
from plan.types import SecretName, Several
from plan.validation import check_value

# What Secrets Manager accepts as the waiting period before a secret is really gone (DeleteSecret,
# RecoveryWindowInDays).
_DELETION_WINDOW_DAYS = range(7, 31)


@dataclass(frozen=True, kw_only=True)
class ApplicationSecretsArgs:
    """Which secrets there are, and where they are copied to.

    Raises:
        ValueError: there are no names, or one of them is there twice or cannot be a secret's, or the deletion window is
            outside what Secrets Manager accepts.
    """

    stack: str
    names: Several[SecretName]
    """What they are called below `botbrains/STACK/`."""

    deletion_window_days: int
    """`retention.key_deletion_window_days` of the plan, for the secrets as for their key: 7 to 30."""

    replica_region: str
    replica_kms_key_arn: pulumi.Input[str]
    """The key, in the replica's region, that the copies are encrypted with."""

    def __post_init__(self) -> None:
        check_value("names", self.names, Several[SecretName])
        if self.deletion_window_days not in _DELETION_WINDOW_DAYS:
            allowed = f"{_DELETION_WINDOW_DAYS.start} to {_DELETION_WINDOW_DAYS.stop - 1}"
            raise ValueError(f"deletion_window_days is {self.deletion_window_days}; Secrets Manager accepts {allowed}")


class ApplicationSecrets(pulumi.ComponentResource):
    """A secret for each name in Secrets Manager, `botbrains/STACK/NAME`, copied to the recovery region.

    Only the secrets are declared. Their values are in no code, no configuration and no state: people put them in, each
    from a file that they then delete, so that a value is in no history of a shell either:

        aws secretsmanager put-secret-value --region REGION --secret-id botbrains/STACK/NAME --secret-string file://FILE

    Secrets Manager copies every new value to the replica within moments. There it can be read as it is; to change it
    while the home region is lost, it has to become a secret of its own first (stop-replication-to-replica).
    """

    arns: Mapping[str, pulumi.Output[str]]
    """The secrets' ARNs in their own region, by the names that were given."""

    key_arn: pulumi.Output[str]
    """The key that they are encrypted with there."""

    def __init__(self, name: str, args: ApplicationSecretsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:secrets:ApplicationSecrets", name, {}, opts)
        guarded = pulumi.ResourceOptions(parent=self, protect=True)

        key = EncryptionKey(
            name,
            EncryptionKeyArgs(
                description="The application's own secrets", deletion_window_days=args.deletion_window_days
            ),
            opts=guarded,
        )
        self.arns = {
            secret: aws.secretsmanager.Secret(
                f"{name}-{secret}",
                name=secret_name(args.stack, secret),
                description="Read by the application; people put its value in",
                kms_key_id=key.arn,
                recovery_window_in_days=args.deletion_window_days,
                replicas=[
                    aws.secretsmanager.SecretReplicaArgs(
                        region=args.replica_region, kms_key_id=args.replica_kms_key_arn
                    )
                ],
                # A secret of that name in the recovery region may be what is left of the lost one. It is not for this
                # to overwrite it.
                force_overwrite_replica_secret=False,
                tags={"Name": name},
                opts=guarded,
            ).arn
            for secret in args.names
        }
        self.key_arn = key.arn
        self.register_outputs({"arns": dict(self.arns), "keyArn": self.key_arn})
