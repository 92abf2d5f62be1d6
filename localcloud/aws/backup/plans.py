"""Plans of AWS Backup: checked by the rules of AWS, updated and deleted. Old versions of a plan are not kept."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any, Final

from moto.backup.models import BackupBackend, Plan
from moto.backup.responses import BackupResponse
from moto.core.responses import ActionResult, PaginatedResult
from moto.core.utils import unix_time

from localcloud.aws.backup import lifecycles, records, schedules
from localcloud.aws.backup.errors import invalid, missing, refuse
from localcloud.aws.patching import add_methods, wrap_method

_NAME: Final = re.compile(r"[a-zA-Z0-9_.-]{1,50}")
_VAULT_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:backup:(?P<region>[a-z]{2,4}(-[a-z]+)+-\d):(?P<account>\d{12}):backup-vault:[a-zA-Z0-9_-]{2,50}"
)
_NOT_DONE: Final = ("TargetLogicallyAirGappedBackupVaultArn", "IndexActions", "ScanActions")
# Minutes. The window's defaults are those that moto fills in, as AWS does.
_SHORTEST_WINDOW: Final = 60
_DEFAULT_START, _DEFAULT_COMPLETION = 480, 10080


def patch() -> None:
    wrap_method(BackupBackend, "create_backup_plan", _create)
    wrap_method(BackupBackend, "get_backup_plan", _get)
    wrap_method(BackupBackend, "delete_backup_plan", _delete)
    wrap_method(BackupResponse, "get_backup_plan", _asked_for)
    wrap_method(BackupResponse, "list_backup_plans", _list)
    add_methods(BackupResponse, update_backup_plan)


def _create(
    original: Callable[..., Plan],
    backend: BackupBackend,
    backup_plan: dict[str, Any],
    backup_plan_tags: dict[str, str],
    creator_request_id: str,
) -> Plan:
    _check(backend, backup_plan)
    made = Plan(copy.deepcopy(backup_plan), creator_request_id, backend)
    if any(_says(plan) == _says(made) for plan in records.plans(backend)):
        refuse("AlreadyExistsException", "Backup plan with the same plan document already exists")
    if backup_plan_tags:
        backend.tag_resource(made.backup_plan_arn, backup_plan_tags)
    backend.plans[made.backup_plan_id] = made
    return made


def _says(plan: Plan) -> dict[str, Any]:
    """The document without the ids that AWS gave its rules."""
    rules = [{key: value for key, value in rule.items() if key != "RuleId"} for rule in plan.backup_plan["Rules"]]
    return {**plan.backup_plan, "Rules": rules}


def update_backup_plan(self: BackupResponse) -> ActionResult:
    backend, document = self.backup_backend, self.params["BackupPlan"]
    plan = backend.get_backup_plan(self.params["BackupPlanId"], None)
    _check(backend, document)
    renewed = Plan(copy.deepcopy(document), plan.creator_request_id, backend)
    plan.backup_plan, plan.version_id = renewed.backup_plan, renewed.version_id
    return ActionResult(plan.to_dict())


def _get(original: Callable[..., Plan], backend: BackupBackend, backup_plan_id: str, version_id: str | None) -> Plan:
    plan = original(backend, backup_plan_id, version_id)
    if plan.deletion_date is not None:
        missing(f"Backup plan {backup_plan_id} was deleted")
    return plan


def _asked_for(original: Callable[..., str], response: BackupResponse) -> ActionResult:
    asked = response.params
    plan = response.backup_backend.get_backup_plan(asked["BackupPlanId"], asked.get("VersionId"))
    return ActionResult(plan.to_get_dict())


def _delete(
    original: Callable[..., tuple[str, str, float, str]], backend: BackupBackend, backup_plan_id: str
) -> tuple[str, str, float, str]:
    plan = backend.get_backup_plan(backup_plan_id, None)
    if records.of_plan(backend, backup_plan_id):
        refuse(
            "InvalidRequestException",
            "Related backup plan selections must be deleted prior to backup plan deletion.",
        )
    plan.deletion_date = unix_time()
    backend.tagger.delete_all_tags_for_resource(plan.backup_plan_arn)
    return plan.backup_plan_id, plan.backup_plan_arn, plan.deletion_date, plan.version_id


def _list(original: Callable[..., str], response: BackupResponse) -> ActionResult:
    backend = response.backup_backend
    shown = backend.plans.values() if response.params.get("IncludeDeleted") else records.plans(backend)
    return PaginatedResult({"BackupPlansList": [plan.to_list_dict() for plan in shown]})


# -- the rules of a plan -----------------------------------------------------------------------------------------------


def _check(backend: BackupBackend, document: dict[str, Any]) -> None:
    if not _NAME.fullmatch(document.get("BackupPlanName") or ""):
        invalid("Invalid BackupPlanName: it must have 1 to 50 letters, digits, '-', '_' or '.'")
    for setting in ("AdvancedBackupSettings", "ScanSettings"):
        if document.get(setting):
            raise NotImplementedError(f"{setting} of a plan: it backs up RDS instances only")
    if not document.get("Rules"):
        invalid("A backup plan needs at least one rule")
    for rule in document["Rules"]:
        wrong = _wrong(backend, rule)
        if wrong is not None:
            invalid(f"Error in rule {rule.get('RuleName')} : {wrong}")


def _wrong(backend: BackupBackend, rule: dict[str, Any]) -> str | None:
    """Return the reason for which AWS refuses a rule, or `None`."""
    for member in _NOT_DONE:
        if rule.get(member):
            raise NotImplementedError(f"{member} of a plan's rule")
    if not _NAME.fullmatch(rule.get("RuleName") or ""):
        return "Invalid RuleName. It must have 1 to 50 letters, digits, '-', '_' or '.'"
    if rule.get("TargetBackupVaultName") not in backend.vaults:
        return f"Backup vault {rule.get('TargetBackupVaultName')} does not exist in {backend.region_name}"
    start = rule.get("StartWindowMinutes") or _DEFAULT_START
    completion = rule.get("CompletionWindowMinutes") or _DEFAULT_COMPLETION
    if start < _SHORTEST_WINDOW:
        return f"Invalid StartWindowMinutes. {start} is less than {_SHORTEST_WINDOW} minutes"
    if completion < start + _SHORTEST_WINDOW:
        return (
            f"Invalid CompletionWindowMinutes. {completion} is not at least {_SHORTEST_WINDOW} minutes more than "
            f"StartWindowMinutes ({start})"
        )
    return (
        schedules.wrong(rule.get("ScheduleExpression"), rule.get("ScheduleExpressionTimezone"))
        or lifecycles.wrong(rule.get("Lifecycle"), continuous=bool(rule.get("EnableContinuousBackup")))
        or next(filter(None, (_wrong_copy(backend, action) for action in rule.get("CopyActions") or [])), None)
    )


def _wrong_copy(backend: BackupBackend, action: dict[str, Any]) -> str | None:
    arn = action.get("DestinationBackupVaultArn") or ""
    match = _VAULT_ARN.fullmatch(arn)
    if match is None:
        return f"Invalid DestinationBackupVaultArn. {arn} is not the ARN of a backup vault"
    if match["account"] == backend.account_id and match["region"] == backend.region_name:
        name = arn.rsplit(":", 1)[1]
        if name not in backend.vaults:
            return f"Destination backup vault {name} does not exist in {backend.region_name}"
    return lifecycles.wrong(action.get("Lifecycle"))
