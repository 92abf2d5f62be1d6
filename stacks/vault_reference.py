"""The outputs of the vault that the other stacks read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import pulumi

from plan.names import APP, VAULT

# On a backend without organisations, such as an S3 bucket, Pulumi requires the word `organization` here.
VAULT_STACK: Final = f"organization/{APP}/{VAULT}"


class _VaultOutput:
    """The output of the vault that has the attribute's name."""

    def __init__(self, missing: str | None = None) -> None:
        """`missing` is the error message of an update if the vault does not have the output."""
        self._missing = missing

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, reference: VaultReference, owner: type) -> pulumi.Output[str]:
        missing = self._missing or f"The vault has no output {self._name}. Update the vault, and then this stack."
        return reference.vault.get_output(self._name).apply(_required(missing))


class VaultReference:
    """The vault's outputs, by name and type.

    The vault is the only stack that other stacks may read. It is in the recovery region, so it exists when production
    is lost. A missing output stops an update: nothing is encrypted with a missing key. In a preview, a missing output
    is unknown. So a stack can be previewed, and checked by the policy pack, before the vault exists.
    """

    def __init__(self) -> None:
        self.vault = pulumi.StackReference(VAULT_STACK)

    database_key_arn = _VaultOutput()
    objects_key_arn = _VaultOutput()
    secrets_key_arn = _VaultOutput()
    copies_key_arn = _VaultOutput()
    replica_bucket_name = _VaultOutput()
    replica_bucket_arn = _VaultOutput()
    backup_vault_name = _VaultOutput()
    backup_vault_arn = _VaultOutput()
    alarm_topic_arn = _VaultOutput()
    """The topic in the vault's region that sends mail."""

    workload_boundary_arn = _VaultOutput()
    """The permissions boundary of every role that a deployment creates."""

    recovery_host_role_name = _VaultOutput()
    """The role of the recovery stack's hosts."""

    recovery_backup_role_arn = _VaultOutput()
    """The role with which AWS Backup backs up the recovery stack's database."""

    zone_name = _VaultOutput()
    """The DNS zone that contains the service's names."""

    bundle_bucket_name = _VaultOutput()
    """The bucket with the repository's bundles."""

    state_bucket_name = _VaultOutput()
    """The bucket with Pulumi's state, which workflows use as their backend."""

    return_key_arn = _VaultOutput(
        "The vault has no key in the home region yet. The backups that are copied there are encrypted with it. Set"
        " botbrains:failback to true in Pulumi.vault.yaml, update the vault, and then update this stack."
    )
    """The key in the home region. The vault has it only with `failback`, so read it only during failback."""

    def role_arn(self, name: str) -> pulumi.Output[str]:
        """Return the ARN of a role that workflows assume. The vault contains all of these roles."""
        required = _required(f"The vault has no role {name}. Update the vault, and then this stack.")
        roles: pulumi.Output[Any] = self.vault.get_output("role_arns")
        return roles.apply(lambda arns: required((arns or {}).get(name)))


def _required(missing: str) -> Callable[[str | None], pulumi.Input[str]]:
    """Accept a value. A missing value is unknown in a preview, and in an update raises `RunError` with the message."""

    def required(value: str | None) -> pulumi.Input[str]:
        if value is not None:
            return value
        if pulumi.runtime.is_dry_run():
            return _unknown()
        raise pulumi.RunError(missing)

    return required


def _unknown() -> pulumi.Output[str]:
    value: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    known: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    value.set_result("")
    known.set_result(False)
    return pulumi.Output(set(), value, known)
