"""What production and recovery read from the vault's stack."""

from __future__ import annotations

from typing import Final

import pulumi

# On a backend without an organisation of its own, such as an S3 bucket, Pulumi wants this word in its place.
VAULT_STACK: Final = "organization/botbrains/vault"


class VaultReference:
    """The vault's outputs, by name and type.

    This is the only stack that another one may read. It lives in the recovery region, so it is there when production is
    not. An output that the vault does not have stops the program: nothing is encrypted with a key that is missing.
    """

    database_key_arn: pulumi.Output[str]
    objects_key_arn: pulumi.Output[str]
    replica_bucket_name: pulumi.Output[str]
    replica_bucket_arn: pulumi.Output[str]

    def __init__(self) -> None:
        vault = pulumi.StackReference(VAULT_STACK)
        self.database_key_arn = vault.require_output("database_key_arn")
        self.objects_key_arn = vault.require_output("objects_key_arn")
        self.replica_bucket_name = vault.require_output("replica_bucket_name")
        self.replica_bucket_arn = vault.require_output("replica_bucket_arn")
