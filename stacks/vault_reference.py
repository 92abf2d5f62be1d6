"""The outputs of the vault that production and recovery read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

import pulumi

from plan.names import APP, VAULT

# On a backend without organisations, such as an S3 bucket, Pulumi requires the word `organization` here.
VAULT_STACK: Final = f"organization/{APP}/{VAULT}"


class VaultReference:
    """The vault's outputs, by name and type.

    The vault is the only stack that other stacks may read. It is in the recovery region, so it exists when production
    is lost. A missing output stops an update: nothing is encrypted with a missing key. In a preview, a missing output
    is unknown. So a stack can be previewed, and checked by the policy pack, before the vault exists.
    """

    def __init__(self) -> None:
        self._vault = pulumi.StackReference(VAULT_STACK)

    @cached_property
    def database_key_arn(self) -> pulumi.Output[str]:
        return self._output("database_key_arn")

    @cached_property
    def objects_key_arn(self) -> pulumi.Output[str]:
        return self._output("objects_key_arn")

    @cached_property
    def secrets_key_arn(self) -> pulumi.Output[str]:
        return self._output("secrets_key_arn")

    @cached_property
    def copies_key_arn(self) -> pulumi.Output[str]:
        return self._output("copies_key_arn")

    @cached_property
    def replica_bucket_name(self) -> pulumi.Output[str]:
        return self._output("replica_bucket_name")

    @cached_property
    def replica_bucket_arn(self) -> pulumi.Output[str]:
        return self._output("replica_bucket_arn")

    @cached_property
    def backup_vault_name(self) -> pulumi.Output[str]:
        return self._output("backup_vault_name")

    @cached_property
    def backup_vault_arn(self) -> pulumi.Output[str]:
        return self._output("backup_vault_arn")

    @cached_property
    def workload_boundary_arn(self) -> pulumi.Output[str]:
        """The permissions boundary of every role that a deployment creates."""
        return self._output("workload_boundary_arn")

    @cached_property
    def zone_name(self) -> pulumi.Output[str]:
        """The DNS zone that contains the service's names."""
        return self._output("zone_name")

    @cached_property
    def bundle_bucket_name(self) -> pulumi.Output[str]:
        """The bucket with the repository's bundles."""
        return self._output("bundle_bucket_name")

    @cached_property
    def state_bucket_name(self) -> pulumi.Output[str]:
        """The bucket with Pulumi's state, which workflows use as their backend."""
        return self._output("state_bucket_name")

    def role_arn(self, name: str) -> pulumi.Output[str]:
        """Return the ARN of a role that workflows assume. The vault contains all of these roles.

        Raises:
            KeyError: (in an update, when the value is awaited) the vault has no role of that name.
        """
        roles: pulumi.Output[Any] = self._output("role_arns")
        return roles.apply(lambda arns: str(arns[name]))

    @cached_property
    def return_key_arn(self) -> pulumi.Output[str]:
        """The key in the home region. The vault has it only with `failback`, so read it only during failback.

        Raises:
            RunError: (in an update, when the value is awaited) the vault does not have the key.
        """
        return self._output(
            "return_key_arn",
            "The vault has no key in the home region yet. The backups that are copied there are encrypted with it. Set"
            " botbrains:failback to true in Pulumi.vault.yaml, update the vault, and then update this stack.",
        )

    def _output(self, name: str, missing: str | None = None) -> pulumi.Output[str]:
        """Read an output. `missing` is the error message in an update if the vault does not have the output."""
        if pulumi.runtime.is_dry_run():
            return self._vault.get_output(name).apply(_or_unknown)
        if missing is None:
            return self._vault.require_output(name)
        return self._vault.get_output(name).apply(_or_error(missing))


def _or_error(message: str) -> Callable[[str | None], str]:
    def required(value: str | None) -> str:
        if value is None:
            raise pulumi.RunError(message)
        return value

    return required


def _or_unknown(value: str | None) -> pulumi.Output[str]:
    return _unknown() if value is None else pulumi.Output.from_input(value)


def _unknown() -> pulumi.Output[str]:
    value: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    known: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    value.set_result("")
    known.set_result(False)
    return pulumi.Output(set(), value, known)
