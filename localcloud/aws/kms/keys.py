"""Patches of KMS keys: settings that moto loses, and keys that AWS refuses to use."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn

from moto.core.exceptions import JsonRESTError
from moto.kms import models
from moto.kms.exceptions import ValidationException
from moto.kms.models import KmsBackend
from moto.kms.responses import KmsResponse
from moto.kms.utils import AbstractPrivateKey, KeySpec, decrypt, generate_private_key

from localcloud.aws.kms import replicas
from localcloud.aws.patching import wrap_method
from localcloud.aws.rds import replication


class _NoPrivateKey(AbstractPrivateKey):
    """The private key of a symmetric key, which has none.

    moto creates an RSA key that cannot be used. It takes most of the time of creating a key.
    """

    def sign(self, message: bytes, signing_algorithm: str) -> NoReturn:
        raise JsonRESTError("InvalidKeyUsageException", "A symmetric key cannot sign.")

    def verify(self, message: bytes, signature: bytes, signing_algorithm: str) -> NoReturn:
        raise JsonRESTError("InvalidKeyUsageException", "A symmetric key cannot verify.")

    def public_key(self) -> NoReturn:
        raise JsonRESTError("UnsupportedOperationException", "A symmetric key has no public key.")


def _private_key(key_spec: str) -> AbstractPrivateKey:
    asymmetric = key_spec in (*KeySpec.rsa_key_specs(), *KeySpec.ecc_key_specs())
    return generate_private_key(key_spec) if asymmetric else _NoPrivateKey()


def patch() -> None:
    vars(models)["generate_private_key"] = _private_key
    wrap_method(KmsBackend, "create_key", _create_key)
    wrap_method(KmsResponse, "enable_key_rotation", _enable_key_rotation)
    wrap_method(KmsResponse, "get_key_rotation_status", _get_key_rotation_status)
    wrap_method(KmsBackend, "encrypt", _encrypt)
    wrap_method(KmsBackend, "decrypt", _decrypt)
    wrap_method(KmsBackend, "enable_key", _by_any_name)
    wrap_method(KmsBackend, "cancel_key_deletion", _by_any_name)
    wrap_method(KmsBackend, "disable_key", _disable_key)
    wrap_method(KmsBackend, "schedule_key_deletion", _schedule_key_deletion)


def _create_key(original: Callable[..., Any], backend: KmsBackend, *args: Any, **kwargs: Any) -> Any:
    """A key that is created without these settings has and shows KMS's defaults."""
    key = original(backend, *args, **kwargs)
    key.key_usage = key.key_usage or "ENCRYPT_DECRYPT"
    key.multi_region = bool(key.multi_region)
    key.origin = key.origin or "AWS_KMS"
    return key


def _enable_key_rotation(original: Callable[..., str], response: KmsResponse) -> str:
    days = response._get_param("RotationPeriodInDays")
    if days is not None and not 90 <= days <= 2560:
        raise ValidationException(f"RotationPeriodInDays is {days}; it must be between 90 and 2560")
    answer = original(response)
    backend = response.kms_backend
    key: Any = backend.keys[backend.get_key_id(response._get_param("KeyId"))]
    for each in replicas.related(key):
        each.rotation_period = days or getattr(key, "rotation_period", 365)
    return answer


def _get_key_rotation_status(original: Callable[..., str], response: KmsResponse) -> str:
    answer = json.loads(original(response))
    backend = response.kms_backend
    key = backend.keys[backend.get_key_id(response._get_param("KeyId"))]
    answer["KeyId"] = key.id
    if answer["KeyRotationEnabled"]:
        answer["RotationPeriodInDays"] = getattr(key, "rotation_period", 365)
    return json.dumps(answer)


def _encrypt(original: Callable[..., Any], backend: KmsBackend, key_id: str, *args: Any, **kwargs: Any) -> Any:
    _must_be_enabled(backend, key_id)
    return original(backend, key_id, *args, **kwargs)


def _decrypt(
    original: Callable[..., Any],
    backend: KmsBackend,
    ciphertext_blob: bytes,
    encryption_context: dict[str, str],
    key_id: str | None = None,
) -> Any:
    _, used = decrypt(master_keys=backend.keys, ciphertext_blob=ciphertext_blob, encryption_context=encryption_context)
    _must_be_enabled(backend, used)
    return original(backend, ciphertext_blob, encryption_context, key_id)


def _must_be_enabled(backend: KmsBackend, key_id: str) -> None:
    key = backend.keys[backend.any_id_to_key_id(key_id)]
    if key.key_state == "Disabled":
        raise JsonRESTError("DisabledException", f"{key.arn} is disabled.")
    if key.key_state != "Enabled":
        raise JsonRESTError("KMSInvalidStateException", f"{key.arn} is pending deletion.")


def _by_any_name(original: Callable[..., None], backend: KmsBackend, key_id: str) -> None:
    """moto does not find the key by its ARN here."""
    original(backend, backend.get_key_id(key_id))


def _disable_key(original: Callable[..., None], backend: KmsBackend, key_id: str) -> None:
    if backend.keys[backend.get_key_id(key_id)].key_state == "PendingDeletion":
        raise JsonRESTError("KMSInvalidStateException", f"{backend.keys[key_id].arn} is pending deletion.")
    original(backend, backend.get_key_id(key_id))
    replication.key_was_lost(backend.account_id, backend.keys[backend.get_key_id(key_id)].arn)


def _schedule_key_deletion(
    original: Callable[..., float], backend: KmsBackend, key_id: str, pending_window_in_days: int
) -> float:
    key = backend.keys[backend.get_key_id(key_id)]
    if not 7 <= pending_window_in_days <= 30:
        raise ValidationException(f"PendingWindowInDays is {pending_window_in_days}; it must be between 7 and 30")
    if key.key_state == "PendingDeletion":
        raise JsonRESTError("KMSInvalidStateException", f"{key.arn} is pending deletion.")
    date = original(backend, key.id, pending_window_in_days)
    replication.key_was_lost(backend.account_id, key.arn)
    return date
