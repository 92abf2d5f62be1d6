"""Comparison of a database with its declaration, by the settings that RDS returns.

A restore leaves many settings at a default, and the provider sets some of them only in a later update. A difference
that such an update corrects is a warning. A difference that it does not correct, or that exposes the data until then,
fails the update.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from plan.names import NEEDS_REFRESH


class VerificationError(pulumi.RunError):
    """The database exists and differs from its declaration. Pulumi shows the message, and no traceback."""


def _unchanged(value: Any) -> Any:
    return value


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _sorted(value: Any) -> Any:
    return sorted(value or [])


def _managed(secrets: Any) -> bool:
    return bool(secrets)


def _secret_key(secrets: Any) -> Any:
    return secrets[0].kms_key_id if secrets else None


@dataclass(frozen=True, kw_only=True)
class _Setting:
    """A setting of `aws.rds.Instance`, the output that shows it, and how both values become comparable.

    RDS does not return whether it manages the password, and the provider returns the declared value. So the secret that
    RDS creates shows it.
    """

    name: str
    shown_as: str | None = None
    shown: Callable[[Any], Any] = _unchanged
    compare: Callable[[Any], Any] = _unchanged
    fatal: bool = False
    """Whether a difference fails the update."""

    advice: str = ""


_SETTINGS: Final = (
    _Setting(name="multi_az"),
    _Setting(name="deletion_protection"),
    _Setting(name="iam_database_authentication_enabled"),
    _Setting(name="db_subnet_group_name", compare=_lower),
    _Setting(name="port"),
    _Setting(name="backup_retention_period"),
    _Setting(name="backup_window"),
    _Setting(name="maintenance_window", compare=_lower),
    _Setting(name="copy_tags_to_snapshot"),
    _Setting(name="auto_minor_version_upgrade"),
    _Setting(name="enabled_cloudwatch_logs_exports", compare=_sorted),
    _Setting(name="performance_insights_enabled"),
    _Setting(name="performance_insights_kms_key_id"),
    _Setting(name="performance_insights_retention_period"),
    _Setting(name="publicly_accessible", fatal=True),
    _Setting(name="vpc_security_group_ids", compare=_sorted, fatal=True),
    _Setting(name="parameter_group_name", compare=_lower, fatal=True, advice="It is what requires TLS."),
    _Setting(name="storage_encrypted", fatal=True, advice="RDS cannot change it: create the database again."),
    _Setting(name="kms_key_id", fatal=True, advice="RDS cannot change it: create the database again."),
    _Setting(
        name="manage_master_user_password",
        shown_as="master_user_secrets",
        shown=_managed,
        fatal=True,
        advice="Run `continuity up` for this stack, which has RDS create the secret. `pulumi up` does not.",
    ),
    _Setting(
        name="master_user_secret_kms_key_id",
        shown_as="master_user_secrets",
        shown=_secret_key,
        fatal=True,
        advice="RDS changes it only when the management of the password is turned off and on again.",
    ),
    _Setting(
        name="engine_lifecycle_support",
        fatal=True,
        advice="Set it with aws rds modify-db-instance --engine-lifecycle-support: Pulumi would replace the database.",
    ),
)


def verify(instance: aws.rds.Instance, declared: aws.rds.InstanceArgs) -> pulumi.Output[None]:
    """Warn of the differences that an update with a refresh corrects, and raise `VerificationError` for the others.

    A preview compares nothing, because its values come from the declaration or from the last update.
    """
    pairs = {
        setting.name: [
            getattr(declared, setting.name),
            getattr(instance, setting.shown_as or setting.name).apply(setting.shown),
        ]
        for setting in _SETTINGS
    }

    def compare(values: Mapping[str, Any]) -> None:
        if not pulumi.runtime.is_dry_run():
            _compare(instance, values["identifier"], values["pairs"])

    return pulumi.Output.all(identifier=instance.identifier, pairs=pairs).apply(compare)


def _compare(instance: aws.rds.Instance, identifier: str, pairs: Mapping[str, list[Any]]) -> None:
    differences: dict[bool, list[str]] = {True: [], False: []}
    for setting in _SETTINGS:
        wanted, found = pairs[setting.name]
        if setting.compare(found) != setting.compare(wanted):
            sentence = f"  {setting.name} is {found!r}; declared is {wanted!r}. {setting.advice}".rstrip()
            differences[setting.fatal].append(sentence)
    if differences[True]:
        raise VerificationError(
            f"The database {identifier!r} exists, but RDS returns settings that differ from the declaration:\n\n"
            + "\n".join([*differences[True], *differences[False]])
            + "\n\nAllowed are the declared settings. Where no advice is given, `pulumi up --refresh` sets the value."
        )
    if differences[False]:
        pulumi.log.warn(
            f"The database {identifier!r} is not yet as declared:\n\n" + "\n".join(differences[False]) + "\n\n"
            f"{NEEDS_REFRESH} RDS keeps some changes of an existing database for the maintenance window.",
            instance,
        )
