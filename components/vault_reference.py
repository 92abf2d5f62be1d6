"""What production and recovery read from the vault's stack."""

from __future__ import annotations

import asyncio
from typing import Final

import pulumi

# On a backend without an organisation of its own, such as an S3 bucket, Pulumi wants this word in its place.
VAULT_STACK: Final = "organization/botbrains/vault"


class VaultReference:
    """The vault's outputs, by name and type.

    This is the only stack that another one may read. It lives in the recovery region, so it is there when production is
    not. An output that the vault does not have stops an update: nothing is encrypted with a key that is missing. A
    preview takes it as not known yet, so that what stands on the vault can be seen, and judged by the policy pack,
    before the vault itself is there.
    """

    database_key_arn: pulumi.Output[str]
    objects_key_arn: pulumi.Output[str]
    replica_bucket_name: pulumi.Output[str]
    replica_bucket_arn: pulumi.Output[str]

    def __init__(self) -> None:
        vault = pulumi.StackReference(VAULT_STACK)
        self.database_key_arn = _output(vault, "database_key_arn")
        self.objects_key_arn = _output(vault, "objects_key_arn")
        self.replica_bucket_name = _output(vault, "replica_bucket_name")
        self.replica_bucket_arn = _output(vault, "replica_bucket_arn")


def _output(vault: pulumi.StackReference, name: str) -> pulumi.Output[str]:
    if not pulumi.runtime.is_dry_run():
        return vault.require_output(name)

    def known(value: str | None) -> pulumi.Output[str]:
        return _not_known_yet() if value is None else pulumi.Output.from_input(value)

    return vault.get_output(name).apply(known)


def _not_known_yet() -> pulumi.Output[str]:
    value: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    known: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    value.set_result("")
    known.set_result(False)
    return pulumi.Output(set(), value, known)
