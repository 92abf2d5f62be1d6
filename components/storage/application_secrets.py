"""The application's own secrets. They exist in two regions, so that the application can be rebuilt in either."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components.aws.encryption_key import EncryptionKey, EncryptionKeyArgs
from components.storage.secret_replicas import verify_replicas
from plan.names import secret_name
from plan.types import SecretName, Several
from plan.validation import check_value

# The waiting periods that Secrets Manager accepts before it deletes a secret (DeleteSecret, RecoveryWindowInDays).
_DELETION_WINDOW_DAYS = range(7, 31)


@dataclass(frozen=True, kw_only=True)
class ApplicationSecretsArgs:
    """The names of the secrets, and the region of their replicas.

    Raises:
        ValueError: there are no names, or one of them is there twice or cannot be a secret's, or the deletion window is
            outside the range that Secrets Manager accepts.
    """

    stack: str
    names: Several[SecretName]
    """Their names below `botbrains/STACK/`."""

    deletion_window_days: int
    """`retention.key_deletion_window_days` of the plan, for the secrets and for their key: 7 to 30."""

    region: str
    """The home region."""

    replica_region: str
    replica_kms_key_arn: pulumi.Input[str]
    """The key, in the replica's region, that encrypts the replicas."""

    existing_key_arn: str | None = None
    existing_arns: Mapping[str, str | None] = field(default_factory=dict)
    """The ARNs, by name, of the secrets that AWS has already. Pulumi imports these and the key."""

    def __post_init__(self) -> None:
        check_value("names", self.names, Several[SecretName])
        if self.deletion_window_days not in _DELETION_WINDOW_DAYS:
            allowed = f"{_DELETION_WINDOW_DAYS.start} to {_DELETION_WINDOW_DAYS.stop - 1}"
            raise ValueError(f"deletion_window_days is {self.deletion_window_days}; Secrets Manager accepts {allowed}")


class ApplicationSecrets(pulumi.ComponentResource):
    """A secret in Secrets Manager for each name, `botbrains/STACK/NAME`, with a replica in the recovery region.

    Only the secrets are declared. Their values are in no code, no configuration and no state. A person sets each value
    from a file, and deletes the file afterwards, so that no shell's history has the value:

        aws secretsmanager put-secret-value --region REGION --secret-id botbrains/STACK/NAME --secret-string file://FILE

    Secrets Manager copies each new value to the replica. The replica can only be read. To change its value while the
    home region is lost, make it an independent secret first (stop-replication-to-replica).

    Destroying the stack leaves the secrets, their replicas and their key in AWS: recovery reads the replicas, and
    Secrets Manager deletes a replica at once, without a deletion window. The next update imports them again.
    """

    arns: Mapping[str, pulumi.Output[str]]
    """The ARNs of the secrets in the home region, by name."""

    key_arn: pulumi.Output[str]
    """The key that encrypts the secrets in the home region."""

    def __init__(self, name: str, args: ApplicationSecretsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:secrets:ApplicationSecrets", name, {}, opts)

        key = EncryptionKey(
            name,
            EncryptionKeyArgs(
                description="The application's own secrets",
                deletion_window_days=args.deletion_window_days,
                retain_on_delete=True,
                existing_arn=args.existing_key_arn,
            ),
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
        secrets = {secret: self._secret(name, secret, key, args) for secret in args.names}
        for declared in secrets.values():
            verify_replicas(declared, args.region)

        self.arns = {secret: declared.arn for secret, declared in secrets.items()}
        self.key_arn = key.arn
        self.register_outputs({"arns": dict(self.arns), "keyArn": self.key_arn})

    def _secret(
        self, name: str, secret: str, key: EncryptionKey, args: ApplicationSecretsArgs
    ) -> aws.secretsmanager.Secret:
        return aws.secretsmanager.Secret(
            f"{name}-{secret}",
            name=secret_name(args.stack, secret),
            description="Read by the application and its hosts",
            kms_key_id=key.arn,
            recovery_window_in_days=args.deletion_window_days,
            replicas=[
                aws.secretsmanager.SecretReplicaArgs(region=args.replica_region, kms_key_id=args.replica_kms_key_arn)
            ],
            # A secret of that name in the recovery region can be the only copy of a lost one. Do not overwrite it.
            force_overwrite_replica_secret=False,
            tags={"Name": name},
            opts=pulumi.ResourceOptions(
                parent=self, protect=True, retain_on_delete=True, import_=args.existing_arns.get(secret)
            ),
        )
