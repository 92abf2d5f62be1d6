"""What production and recovery read from the vault's stack."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

import pulumi

from plan.names import APP, VAULT

# On a backend without an organisation of its own, such as an S3 bucket, Pulumi wants this word in its place.
VAULT_STACK: Final = f"organization/{APP}/{VAULT}"


class VaultReference:
    """The vault's outputs, by name and type.

    This is the only stack that another one may read. It lives in the recovery region, so it is there when production is
    not. An output that is asked for and that the vault does not have stops an update: nothing is encrypted with a key
    that is missing. A preview takes it as not known yet, so that what stands on the vault can be seen, and judged by
    the policy pack, before the vault itself is there.
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
        """What limits every role that a deployment makes."""
        return self._output("workload_boundary_arn")

    @cached_property
    def zone_name(self) -> pulumi.Output[str]:
        """The DNS zone that the service has its names in."""
        return self._output("zone_name")

    @cached_property
    def bundle_bucket_name(self) -> pulumi.Output[str]:
        """The bucket that the repository's bundles are in."""
        return self._output("bundle_bucket_name")

    @cached_property
    def state_bucket_name(self) -> pulumi.Output[str]:
        """The bucket of Pulumi's state, which workflows log in to."""
        return self._output("state_bucket_name")

    def role_arn(self, name: str) -> pulumi.Output[str]:
        """The role of that name among those that workflows take. All of them are the vault's.

        Raises:
            RunError: (in an update, when the value is awaited) the vault has no role of that name.
        """
        roles: pulumi.Output[Any] = self._output("role_arns")
        return roles.apply(lambda arns: str(arns[name]))

    @cached_property
    def return_key_arn(self) -> pulumi.Output[str]:
        """The key in the home region, which the vault has only once it was asked for: ask for it only on the way back.

        Raises:
            RunError: (in an update, when the value is awaited) the vault does not have it.
        """
        return self._output(
            "return_key_arn",
            "The vault has no key in the home region yet, and what goes back there is encrypted with it. Let the"
            " vault's configuration ask for it (Pulumi.vault.yaml), update the vault, and then this stack.",
        )

    def _output(self, name: str, missing: str | None = None) -> pulumi.Output[str]:
        """An output, and what to say, in an update, when the vault does not have it."""
        if pulumi.runtime.is_dry_run():
            return self._vault.get_output(name).apply(_known)
        if missing is None:
            return self._vault.require_output(name)
        return self._vault.get_output(name).apply(_or_stop(missing))


def _or_stop(message: str) -> Callable[[str | None], str]:
    def there(value: str | None) -> str:
        if value is None:
            raise pulumi.RunError(message)
        return value

    return there


def _known(value: str | None) -> pulumi.Output[str]:
    return _not_known_yet() if value is None else pulumi.Output.from_input(value)


def _not_known_yet() -> pulumi.Output[str]:
    value: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    known: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    value.set_result("")
    known.set_result(False)
    return pulumi.Output(set(), value, known)
