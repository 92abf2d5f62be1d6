"""Vaults of AWS Backup, their keys, locks and access policies.

A lock is enforced in both modes: a recovery point of a locked vault cannot be deleted, and its lifecycle cannot be
changed. A lock in governance mode can be removed (each caller of the local cloud has every permission). A lock in
compliance mode cannot be changed or removed from its lock date on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

from moto.backup import urls
from moto.backup.models import BackupBackend, Vault
from moto.backup.responses import BackupResponse
from moto.core.responses import ActionResult, EmptyResult, PaginatedResult
from moto.kms.models import KmsBackend, kms_backends
from moto.kms.utils import RESERVED_ALIASES

from localcloud.aws.backup import records
from localcloud.aws.backup.errors import invalid, missing, refuse
from localcloud.aws.backup.records import vault_named
from localcloud.aws.patching import add_methods, wrap_method

_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{2,50}")
_DEFAULT_KEY: Final = "alias/aws/backup"


def patch() -> None:
    # moto routes the paths that it knows. With this route, the other calls are refused by name.
    urls.url_paths.setdefault("{0}/(?P<route>.+)$", BackupResponse.dispatch)
    if _DEFAULT_KEY in RESERVED_ALIASES:
        raise TypeError(f"moto's KMS already has {_DEFAULT_KEY}")
    RESERVED_ALIASES.append(_DEFAULT_KEY)  # created at its first use, like the keys of other services
    wrap_method(BackupResponse, "__init__", _parse_parameters)
    wrap_method(BackupBackend, "create_backup_vault", _create)
    wrap_method(BackupBackend, "delete_backup_vault", _delete)
    wrap_method(BackupBackend, "put_backup_vault_lock_configuration", _lock)
    wrap_method(BackupResponse, "describe_backup_vault", _describe)
    wrap_method(BackupResponse, "list_backup_vaults", _list)
    wrap_method(BackupResponse, "tag_resource", _tag)
    add_methods(
        BackupResponse,
        put_backup_vault_access_policy,
        get_backup_vault_access_policy,
        delete_backup_vault_access_policy,
    )


def _parse_parameters(original: Callable[..., None], response: BackupResponse) -> None:
    original(response)
    response.automated_parameter_parsing = True


# -- vaults -----------------------------------------------------------------------------------------------------------


def _create(
    original: Callable[..., Vault],
    backend: BackupBackend,
    backup_vault_name: str,
    backup_vault_tags: dict[str, str],
    encryption_key_arn: str | None,
    creator_request_id: str,
) -> Vault:
    if not _NAME.fullmatch(backup_vault_name):
        invalid(f"Invalid backup vault name: {backup_vault_name}. It must match ^[a-zA-Z0-9\\-\\_]{{2,50}}$")
    key = _usable_key(backend, encryption_key_arn or _DEFAULT_KEY)
    return original(backend, backup_vault_name, backup_vault_tags, key, creator_request_id)


def _usable_key(backend: BackupBackend, key: str) -> str:
    """The ARN of an enabled key in the vault's region."""
    kms: KmsBackend = kms_backends[backend.account_id][backend.region_name]
    if key != _DEFAULT_KEY and key.split(":")[:4] != ["arn", backend.partition, "kms", backend.region_name]:
        invalid(f"Invalid EncryptionKeyArn: {key}. It must be the ARN of a KMS key in {backend.region_name}")
    try:
        found = kms.describe_key(key)
    except (KeyError, AttributeError, IndexError):
        invalid(f"Invalid EncryptionKeyArn: the key {key} does not exist")
    if found.key_state != "Enabled":
        invalid(f"Invalid EncryptionKeyArn: the key {found.arn} is {found.key_state}, not Enabled")
    return found.arn


def _delete(original: Callable[..., None], backend: BackupBackend, backup_vault_name: str) -> None:
    vault = vault_named(backend, backup_vault_name)
    if records.of_vault(backend, backup_vault_name):
        refuse("InvalidRequestException", "Backup vault cannot be deleted because it contains recovery points.")
    original(backend, backup_vault_name)
    backend.tagger.delete_all_tags_for_resource(vault.backup_vault_arn)
    _policies(backend).pop(backup_vault_name, None)


def _describe(original: Callable[..., ActionResult], response: BackupResponse) -> ActionResult:
    backend = response.backup_backend
    return ActionResult(_shown(backend, vault_named(backend, response.params["BackupVaultName"])))


def _list(original: Callable[..., str], response: BackupResponse) -> ActionResult:
    backend = response.backup_backend
    return PaginatedResult({"BackupVaultList": [_shown(backend, vault) for vault in backend.vaults.values()]})


def _shown(backend: BackupBackend, vault: Vault) -> dict[str, Any]:
    return {
        "BackupVaultName": vault.backup_vault_name,
        "BackupVaultArn": vault.backup_vault_arn,
        "VaultType": "BACKUP_VAULT",
        "VaultState": "AVAILABLE",
        "EncryptionKeyArn": vault.encryption_key_arn,
        "CreationDate": vault.creation_date,
        "CreatorRequestId": vault.creator_request_id,
        "NumberOfRecoveryPoints": len(records.of_vault(backend, vault.backup_vault_name)),
        "Locked": vault.locked,
        "MinRetentionDays": vault.min_retention_days,
        "MaxRetentionDays": vault.max_retention_days,
        "LockDate": vault.lock_date,
    }


def _tag(original: Callable[..., str], response: BackupResponse) -> str:
    backend, arn = response.backup_backend, response.params["ResourceArn"]
    vaults = {vault.backup_vault_arn for vault in backend.vaults.values()}
    if arn not in vaults | {plan.backup_plan_arn for plan in records.plans(backend)}:
        missing(f"There is no vault or plan {arn}")
    return original(response)


# -- locks ------------------------------------------------------------------------------------------------------------


def _lock(
    original: Callable[..., None],
    backend: BackupBackend,
    backup_vault_name: str,
    min_retention_days: int | None,
    max_retention_days: int | None,
    changeable_for_days: int | None,
) -> None:
    if max_retention_days is not None and max_retention_days < 1:
        invalid(f"MaxRetentionDays is {max_retention_days}; it must be at least 1 day")
    original(backend, backup_vault_name, min_retention_days, max_retention_days, changeable_for_days)
    if changeable_for_days is None:  # governance: moto keeps the lock date of an earlier call
        backend.vaults[backup_vault_name].lock_date = None


# -- access policies --------------------------------------------------------------------------------------------------


def _policies(backend: BackupBackend) -> dict[str, str]:
    """By the name of the vault."""
    kept: dict[str, str] = backend.__dict__.setdefault("access_policies", {})
    return kept


def put_backup_vault_access_policy(self: BackupResponse) -> EmptyResult:
    backend, policy = self.backup_backend, self.params.get("Policy")
    vault = vault_named(backend, self.params["BackupVaultName"])
    if not policy:
        refuse("MissingParameterValueException", "Policy is required")
    try:
        statements = json.loads(policy)["Statement"]
    except (ValueError, KeyError, TypeError):
        invalid("The specified policy is not valid JSON, or has no Statement.")
    for statement in statements if isinstance(statements, list) else [statements]:
        if not {"Effect", "Principal", "Action", "Resource"} <= set(statement):
            invalid("A statement of a vault's access policy needs Effect, Principal, Action and Resource.")
    _policies(backend)[vault.backup_vault_name] = policy
    return EmptyResult()


def get_backup_vault_access_policy(self: BackupResponse) -> ActionResult:
    backend = self.backup_backend
    vault = vault_named(backend, self.params["BackupVaultName"])
    policy = _policies(backend).get(vault.backup_vault_name)
    if policy is None:
        missing(f"Backup vault {vault.backup_vault_name} has no access policy")
    return ActionResult(
        {
            "BackupVaultName": vault.backup_vault_name,
            "BackupVaultArn": vault.backup_vault_arn,
            "Policy": policy,
        }
    )


def delete_backup_vault_access_policy(self: BackupResponse) -> EmptyResult:
    backend = self.backup_backend
    vault = vault_named(backend, self.params["BackupVaultName"])
    _policies(backend).pop(vault.backup_vault_name, None)
    return EmptyResult()
