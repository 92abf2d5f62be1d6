"""Compares what RDS says of a database with what was declared of it.

A restore leaves much of what an instance is at a default, and which of it the provider then puts right differs from
version to version. So nobody's word is taken for it: a database that is not what was declared fails the update.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws


class VerificationError(pulumi.RunError):
    """The database is there, and not as declared. Pulumi shows the message, and no traceback."""


def _as_it_is(value: Any) -> Any:
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
    """A setting of `aws.rds.Instance`: where RDS's word for it is, and how both words become comparable.

    The provider hands back the declared value of what RDS does not show, such as whether it manages the password; so
    that is told by what RDS has made because of it.
    """

    name: str
    shown_as: str | None = None
    shown: Callable[[Any], Any] = _as_it_is
    compare: Callable[[Any], Any] = _as_it_is
    advice: str = ""


_SETTINGS: Final = (
    _Setting(name="multi_az"),
    _Setting(name="deletion_protection"),
    _Setting(name="iam_database_authentication_enabled"),
    _Setting(name="publicly_accessible"),
    _Setting(name="parameter_group_name", compare=_lower),
    _Setting(name="db_subnet_group_name", compare=_lower),
    _Setting(name="vpc_security_group_ids", compare=_sorted),
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
    _Setting(name="storage_encrypted"),
    _Setting(name="kms_key_id", advice="RDS cannot change it: the database has to be made again."),
    _Setting(name="manage_master_user_password", shown_as="master_user_secrets", shown=_managed),
    _Setting(
        name="master_user_secret_kms_key_id",
        shown_as="master_user_secrets",
        shown=_secret_key,
        advice="RDS changes it only together with the password's management: turn that off, and on again.",
    ),
    _Setting(
        name="engine_lifecycle_support",
        advice="Set it with aws rds modify-db-instance --engine-lifecycle-support: Pulumi would replace the database.",
    ),
)


def verify(instance: aws.rds.Instance, declared: aws.rds.InstanceArgs) -> pulumi.Output[None]:
    """Raises `VerificationError`, in an update, with everything in which the instance is not as declared.

    A preview has only what was declared or what was true before, so it compares nothing.
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
            _compare(values["identifier"], values["pairs"])

    return pulumi.Output.all(identifier=instance.identifier, pairs=pairs).apply(compare)


def _compare(identifier: str, pairs: Mapping[str, list[Any]]) -> None:
    differing = []
    for setting in _SETTINGS:
        wanted, found = pairs[setting.name]
        if setting.compare(found) != setting.compare(wanted):
            differing.append(f"  {setting.name} is {found!r}; declared is {wanted!r}. {setting.advice}".rstrip())
    if differing:
        raise VerificationError(
            f"The database {identifier!r} is there, but RDS says that it is not as declared:\n\n"
            + "\n".join(differing)
            + "\n\nAllowed is what is declared. Run `pulumi up --refresh` again, which has the provider change what can"
            " be changed; a change that RDS keeps for the maintenance window is there after it."
        )
