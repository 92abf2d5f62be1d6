"""The policy on the stack's backup vaults: each has a lock, and the backups that go into it fit the lock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from policy_pack.rules.checks import at, is_number, listed
from policy_pack.rules.policy import Finding, Resource, Stack, StackPolicy
from policy_pack.rules.promises import recovery
from policy_pack.rules.resource_types import BACKUP_PLAN, BACKUP_VAULT, BACKUP_VAULT_LOCK
from policy_pack.rules.stack.common import StackFindings
from policy_pack.rules.values import UNKNOWN

if TYPE_CHECKING:
    from plan import Plan


def _locked(stack: Stack, _plan: Plan) -> StackFindings:
    for vault in stack.of([BACKUP_VAULT]):
        if not stack.leading_to(vault, [BACKUP_VAULT_LOCK], "backupVaultName"):
            remedy = "Add `aws.backup.VaultLockConfiguration` for it: without one, an attacker can delete the backups."
            yield vault, Finding("a lock", None, "one that names it", remedy)
    for backup_plan in stack.of([BACKUP_PLAN]):
        for path, days, vaults in _retentions(backup_plan, stack):
            locks = [
                lock for vault in vaults for lock in stack.leading_to(vault, [BACKUP_VAULT_LOCK], "backupVaultName")
            ]
            # Where it is not known which vault it is, the backup fits if it fits one of them.
            if locks and not any(_fits(days, lock) for lock in locks):
                remedy = "Change the lock or the rule: AWS Backup makes no backup whose retention the lock refuses."
                yield backup_plan, Finding(path, "for ever" if days is None else days, _allowed(locks[0]), remedy)


def _retentions(backup_plan: Resource, stack: Stack) -> Iterator[tuple[str, object, list[Resource]]]:
    """Each retention in a backup plan: its path, its days, and the vaults that it may be of."""
    for index, rule in enumerate(listed(backup_plan.props.get("rules"))):
        where = f"rules[{index}]"
        vaults = _vaults(at(rule, "targetVaultName"), backup_plan, stack)
        yield f"{where}.lifecycle.deleteAfter", at(rule, "lifecycle.deleteAfter"), vaults
        for number, copy in enumerate(listed(at(rule, "copyActions"))):
            vaults = _vaults(at(copy, "destinationVaultArn"), backup_plan, stack)
            path = f"{where}.copyActions[{number}].lifecycle.deleteAfter"
            yield path, at(copy, "lifecycle.deleteAfter"), vaults


def _vaults(named: object, backup_plan: Resource, stack: Stack) -> list[Resource]:
    vaults = stack.of([BACKUP_VAULT])
    if named is UNKNOWN:
        return [vault for vault in vaults if vault.urn in backup_plan.links.get("rules", ())]
    if not isinstance(named, str):
        return []
    return [vault for vault in vaults if named in (vault.props.get("arn"), vault.props.get("name"))]


def _fits(days: object, lock: Resource) -> bool:
    least, most = lock.props.get("minRetentionDays"), lock.props.get("maxRetentionDays")
    if days is None:
        return not is_number(most)
    if not is_number(days):
        return True  # not known yet, or not a number: `backup-plan-daily` refuses that
    return not (is_number(least) and days < least) and not (is_number(most) and days > most)


def _allowed(lock: Resource) -> str:
    least, most = lock.props.get("minRetentionDays"), lock.props.get("maxRetentionDays")
    at_least = f"{least} days or more" if is_number(least) else "any number of days"
    return (
        f"{at_least} and {most} days or fewer, as its vault's lock says"
        if is_number(most)
        else (f"{at_least}, as its vault's lock says")
    )


VAULT_LOCKED: Final = StackPolicy(
    id="backup-vault-locked",
    title="Each vault of AWS Backup has a lock, and the backups that go into the vault fit the lock.",
    severity="critical",
    control="A.8.13",
    promise=recovery,
    remedy="Add a lock for it that allows the retention of the backup plan.",
    rule=_locked,
)
