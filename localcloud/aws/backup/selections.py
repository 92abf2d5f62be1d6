"""Selections: the resources that a plan is applied to. They are stored and checked; no schedule runs here."""

from __future__ import annotations

import copy
import re
import uuid
from typing import Any, Final

from moto.backup.responses import BackupResponse
from moto.core.responses import ActionResult, EmptyResult, PaginatedResult
from moto.core.utils import utcnow

from localcloud.aws.backup import records, roles
from localcloud.aws.backup.errors import invalid, missing, refuse
from localcloud.aws.backup.records import Selection, of_plan
from localcloud.aws.patching import add_methods

_NAME: Final = re.compile(r"[a-zA-Z0-9_.-]{1,50}")
_RESOURCE: Final = re.compile(r"\*|arn:[a-z*-]+:[a-z0-9*-]+:[^:]*:[^:]*:.+")
_MOST: Final = 500
"""Resources and exclusions of one selection (API reference, BackupSelection)."""


def patch() -> None:
    add_methods(
        BackupResponse,
        create_backup_selection,
        get_backup_selection,
        list_backup_selections,
        delete_backup_selection,
    )


def create_backup_selection(self: BackupResponse) -> ActionResult:
    backend, document = self.backup_backend, self.params["BackupSelection"]
    plan_id = _plan_asked_for(self)
    if not _NAME.fullmatch(document.get("SelectionName") or ""):
        invalid("Invalid SelectionName: it must have 1 to 50 letters, digits, '-', '_' or '.'")
    roles.check(backend, document["IamRoleArn"])
    resources = [*(document.get("Resources") or []), *(document.get("NotResources") or [])]
    for resource in resources:
        if not _RESOURCE.fullmatch(resource):
            invalid(f"Invalid ARN: {resource}")
    if len(resources) > _MOST:
        invalid(f"A selection takes at most {_MOST} resources")
    if not document.get("Resources") and not document.get("ListOfTags"):
        invalid("A selection needs Resources or ListOfTags")
    for condition in document.get("ListOfTags") or []:
        if condition["ConditionType"] != "STRINGEQUALS":
            invalid(f"Invalid ConditionType: {condition['ConditionType']}. It must be STRINGEQUALS")
    if any(selection.document == document for selection in of_plan(backend, plan_id)):
        refuse("AlreadyExistsException", f"Backup plan {plan_id} has the selection {document['SelectionName']} already")
    made = Selection(str(uuid.uuid4()), plan_id, copy.deepcopy(document), self.params.get("CreatorRequestId"), utcnow())
    records.selections(backend)[made.id] = made
    return ActionResult({"SelectionId": made.id, "BackupPlanId": plan_id, "CreationDate": made.created})


def get_backup_selection(self: BackupResponse) -> ActionResult:
    found = records.selections(self.backup_backend).get(self.params["SelectionId"])
    if found is None or found.plan_id != _plan_asked_for(self):
        missing(f"Backup plan {self.params['BackupPlanId']} has no selection {self.params['SelectionId']}")
    return ActionResult(_shown(found))


def list_backup_selections(self: BackupResponse) -> ActionResult:
    found = of_plan(self.backup_backend, _plan_asked_for(self))
    names = ("SelectionName", "IamRoleArn")
    return PaginatedResult(
        {
            "BackupSelectionsList": [
                {**_shown(selection), **{name: selection.document[name] for name in names}} for selection in found
            ]
        }
    )


def delete_backup_selection(self: BackupResponse) -> EmptyResult:
    kept = records.selections(self.backup_backend)
    found = kept.get(self.params["SelectionId"])
    if found is None or found.plan_id != _plan_asked_for(self):
        invalid(f"Backup plan {self.params['BackupPlanId']} has no selection {self.params['SelectionId']}")
    del kept[found.id]
    return EmptyResult()


def _shown(selection: Selection) -> dict[str, Any]:
    return {
        "BackupSelection": selection.document,
        "SelectionId": selection.id,
        "BackupPlanId": selection.plan_id,
        "CreationDate": selection.created,
        "CreatorRequestId": selection.creator_request_id,
    }


def _plan_asked_for(response: BackupResponse) -> str:
    plan_id = str(response.params["BackupPlanId"])
    if plan_id not in {plan.backup_plan_id for plan in records.plans(response.backup_backend)}:
        invalid(f"Cannot find Backup plan with ID {plan_id}")
    return plan_id
