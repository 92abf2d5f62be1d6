"""Policies on AWS Backup: locked vaults, daily backups, and copies in another region."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from policy_pack.rules.backups.aws_keys import key_of_ours, region_of_arn
from policy_pack.rules.backups.selections import runs_daily
from policy_pack.rules.checks import WRITE_IT_OUT, at, at_least, best, is_number, listed, unless_left_out
from policy_pack.rules.policy import Finding, Policy, Resource, of_type
from policy_pack.rules.promises import recovery
from policy_pack.rules.residency.aws_region import effective_region
from policy_pack.rules.resource_types import BACKUP_PLAN, BACKUP_VAULT, BACKUP_VAULT_LOCK
from policy_pack.rules.thresholds import Threshold
from policy_pack.rules.values import UNKNOWN, present

if TYPE_CHECKING:
    from plan import Plan


def _vault(resource: Resource, plan: Plan) -> Iterator[Finding]:
    if resource.type == BACKUP_VAULT:
        remedy = "Give it a customer managed key in its region: the recovery points are encrypted with that key."
        yield from key_of_ours(resource, "kmsKeyArn", remedy)
        remedy = "Leave it out: with it, deleting the vault deletes its recovery points."
        yield from unless_left_out(resource, "forceDestroy", False, remedy)
        return
    least = plan.retention.vault_copy_days
    remedy = "Set it: recovery points cannot be deleted before that age. Left out, they can be deleted at any time."
    yield from at_least(resource, "minRetentionDays", least, "days", remedy)
    most = resource.props.get("maxRetentionDays")
    if most is not None and not (is_number(most) and most >= least):
        remedy = (
            WRITE_IT_OUT if most is UNKNOWN else "Raise it: the vault must accept the retention that the plan promises."
        )
        yield Finding("maxRetentionDays", most, f"{least} days or more, or left out", remedy)
    if resource.props.get("changeableForDays") is not None:
        cooling_off = plan.retention.vault_lock_cooling_off_days
        remedy = "Leave time to correct the lock: after that, neither you nor AWS can change it."
        yield from at_least(resource, "changeableForDays", cooling_off, "days", remedy)


def _plan(resource: Resource, plan: Plan) -> Iterator[Finding]:
    rules = resource.props.get("rules")
    if not listed(rules):
        remedy = WRITE_IT_OUT if rules is UNKNOWN else "Add a rule that backs up daily."
        yield Finding("rules", rules, "a rule that backs up daily", remedy)
    # One rule that keeps the promise is enough. The others add to it.
    yield from best(_keeps(resource, rule, f"rules[{index}]", plan) for index, rule in enumerate(listed(rules)))
    for index, rule in enumerate(listed(rules)):
        continuous = at(rule, "enableContinuousBackup")
        if continuous not in (None, False):
            remedy = "Leave it out: with it, AWS Backup replaces and shortens the retention of RDS."
            yield Finding(f"rules[{index}].enableContinuousBackup", continuous, "false", remedy)


def _keeps(resource: Resource, rule: object, where: str, plan: Plan) -> Iterator[Finding]:
    least = plan.retention.vault_copy_days
    schedule = at(rule, "schedule")
    if not runs_daily(schedule):
        remedy = WRITE_IT_OUT if schedule is UNKNOWN else "Back up every day."
        yield Finding(f"{where}.schedule", schedule, "every day, such as cron(0 5 * * ? *)", remedy)
    yield from _kept(rule, f"{where}.lifecycle.deleteAfter", "lifecycle.deleteAfter", least)
    copies = listed(at(rule, "copyActions"))
    yield from best(
        _copied(resource, copy, f"{where}.copyActions[{number}]", least) for number, copy in enumerate(copies)
    )
    if not copies and effective_region(resource)[1] != plan.residency.aws.recovery_region:
        found = at(rule, "copyActions")
        remedy = "Copy to the vault in the recovery region: a backup in the same region is lost with the database."
        yield Finding(f"{where}.copyActions", found, "a copy to a vault in another region", remedy)


def _copied(resource: Resource, copy: object, where: str, least: int) -> Iterator[Finding]:
    yield from _kept(copy, f"{where}.lifecycle.deleteAfter", "lifecycle.deleteAfter", least)
    yield from _elsewhere(resource, copy, f"{where}.destinationVaultArn")


def _kept(part: object, name: str, path: str, least: int) -> Iterator[Finding]:
    days = at(part, path)
    if days is None:
        return  # it is kept for ever
    if not is_number(days) or not days >= least:
        remedy = WRITE_IT_OUT if days is UNKNOWN else "Keep it for at least as long as the plan promises."
        yield Finding(name, days, f"{least} days or more", remedy)


def _elsewhere(resource: Resource, copy: object, name: str) -> Iterator[Finding]:
    vault = at(copy, "destinationVaultArn")
    region, (_, own) = region_of_arn(vault), effective_region(resource)
    if not present(vault):
        yield Finding(name, vault, "the ARN of a vault", "Set the vault to copy to.")
    elif region is not None and region == own:
        remedy = "Copy to another region: a copy in the same region is lost together with the original."
        yield Finding(name, vault, f"a vault in another region than {own}", remedy)


_COPY_DAYS: Final = Threshold("days", "retention.vault_copy_days", "at least")

VAULT_LOCKED: Final = Policy(
    id="backup-vault-retention",
    title="Recovery points cannot be deleted before the promised age, and the vault has a customer managed key.",
    severity="critical",
    control="A.8.13",
    promise=recovery,
    remedy="Lock the vault for the plan's `retention.vault_copy_days`, and encrypt it with a customer managed key.",
    concerns=of_type(BACKUP_VAULT, BACKUP_VAULT_LOCK),
    rule=_vault,
    asks_again=frozenset({"kmsKeyArn"}),
    thresholds=(_COPY_DAYS, Threshold("cooling_off_days", "retention.vault_lock_cooling_off_days", "at least")),
    fixes={"forceDestroy": lambda _plan: False},
)

PLAN_DAILY: Final = Policy(
    id="backup-plan-daily",
    title="A backup plan runs every day, keeps backups as long as promised, and copies each one to another region.",
    severity="critical",
    control="A.8.13",
    promise=recovery,
    remedy="Back up daily, keep it for the plan's `retention.vault_copy_days`, and copy it to the recovery region.",
    concerns=of_type(BACKUP_PLAN),
    rule=_plan,
    asks_again=frozenset({"rules"}),
    thresholds=(_COPY_DAYS,),
)
