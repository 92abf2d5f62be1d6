"""Patches of Secrets Manager: replicas in other regions, and the keys that secrets can be encrypted with.

AWS replicates after it has answered: a new replica is `InProgress` for a moment, then `InSync` or `Failed`. A replica
is read-only. It has its primary's value and settings, and an ARN and a key of its region. It stores what it
has received: while one of the two regions does not answer, it receives nothing, and its contents stay readable.
Its primary is found by name and not as an object, so that each region's state can be written and read back alone.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.kms.models import kms_backends
from moto.secretsmanager.exceptions import (
    InvalidParameterException,
    InvalidRequestException,
    OperationNotPermittedOnReplica,
    SecretNotFoundException,
)
from moto.secretsmanager.models import FakeSecret, ReplicaSecret, SecretsManagerBackend, secretsmanager_backends
from moto.secretsmanager.responses import SecretsManagerResponse

from localcloud.aws import routing
from localcloud.aws.notifications.delivery import put
from localcloud.aws.notifications.service_events import replication_failed
from localcloud.aws.patching import add_methods, add_property, wrap_method

_SETTLE_SECONDS = 0.5
_DEFAULT_KEY = SecretsManagerBackend.DEFAULT_KMS_KEY_ALIAS


def patch() -> None:
    wrap_method(FakeSecret, "create_replicas", _create_replicas)
    wrap_method(ReplicaSecret, "__init__", _replica)
    wrap_method(ReplicaSecret, "to_dict", _show_replica)
    add_property(ReplicaSecret, _source)
    add_property(ReplicaSecret, _config)
    wrap_method(SecretsManagerBackend, "create_secret", _create_secret)
    wrap_method(SecretsManagerBackend, "update_secret", _update_secret)
    wrap_method(SecretsManagerBackend, "put_secret_value", _put_secret_value)
    wrap_method(SecretsManagerBackend, "get_secret_value", _get_secret_value)
    wrap_method(SecretsManagerBackend, "update_secret_version_stage", _update_secret_version_stage)
    wrap_method(SecretsManagerBackend, "replicate_secret_to_regions", _replicate_secret_to_regions)
    wrap_method(SecretsManagerBackend, "remove_regions_from_replication", _remove_regions_from_replication)
    add_methods(SecretsManagerResponse, _stop_replication_to_replica)


# -- the replica ------------------------------------------------------------------------------------------------------


def _replica(
    original: Callable[..., None],
    replica: Any,
    source: FakeSecret,
    region: str,
    *settings: str | None,
) -> None:
    """moto stores the primary itself, and replaces the primary's region everywhere in the ARN, even in the name.

    `settings`: status, message, KMS key. A status is given only for a replica that failed. Such a replica is an entry
    of its primary and does not exist in its region.
    """
    status, message, kms_key_id = settings
    replica.primary = (source.account_id, source.region, source.name)
    replica.arn = _arn_in(source, region)
    replica.region = region
    replica.kms_key_id = kms_key_id or _DEFAULT_KEY
    replica.status = status or "InSync"
    replica.message = message or "Replication succeeded"
    replica.settled_at = time.time() + _SETTLE_SECONDS
    replica.has_replica = status is None
    replica.received = {}
    if status is None:
        _receive(replica, source)


def _arn_in(secret: FakeSecret, region: str) -> str:
    parts = secret.arn.split(":", 4)
    return ":".join((*parts[:3], region, parts[4]))


def _source(replica: Any) -> FakeSecret:
    """The primary, as far as this region has received it."""
    primary = _primary(replica)
    if _answer(replica):
        if primary is None:
            raise SecretNotFoundException()
        _receive(replica, primary)
    known = object.__new__(FakeSecret)
    known.__dict__.update(replica.received)
    known.replicas = primary.replicas if primary is not None and _answer(replica) else [replica]
    return known


def _primary(replica: Any) -> FakeSecret | None:
    account, region, name = replica.primary
    primary = secretsmanager_backends[account][region].secrets.get(name)
    return primary if isinstance(primary, FakeSecret) else None


def _answer(replica: Any) -> bool:
    """Whether both regions answer."""
    return not routing.is_dead(replica.primary[1]) and not routing.is_dead(replica.region)


def _receive(replica: Any, primary: FakeSecret) -> None:
    replica.received = copy.deepcopy({key: value for key, value in vars(primary).items() if key != "replicas"})


def catch_up() -> None:
    """Update every replica whose regions answer, after a change or when a region answers again."""
    for _, _, backend in list(secretsmanager_backends.iter_backends()):
        for replica in list(backend.__dict__["secrets"].values()):
            if isinstance(replica, ReplicaSecret) and _answer(replica):
                primary = _primary(replica)
                if primary is not None:
                    _receive(replica, primary)


def _config(replica: Any) -> dict[str, str]:
    """The replica in the description of its primary. The state in a region that does not answer is not known."""
    settling = time.time() < replica.__dict__.get("settled_at", 0)  # a state from before has none
    waits = settling or (replica.has_replica and routing.is_dead(replica.region))
    return {
        "Region": replica.region,
        "KmsKeyId": replica.kms_key_id,
        "Status": "InProgress" if waits else replica.status,
        "StatusMessage": "Replication in progress" if waits else replica.message,
    }


def _show_replica(original: Callable[..., dict[str, Any]], replica: Any) -> dict[str, Any]:
    shown = original(replica)
    shown.pop("KmsKeyId", None)
    if replica.kms_key_id != _DEFAULT_KEY:
        shown["KmsKeyId"] = replica.kms_key_id
    return shown


def _create_replicas(
    original: Callable[..., Any], secret: FakeSecret, replica_regions: list[dict[str, str]], force_overwrite: bool
) -> list[ReplicaSecret]:
    known: list[str] = secretsmanager_backends[secret.account_id].regions
    for wanted in replica_regions:
        if wanted["Region"] == secret.region or wanted["Region"] not in known:
            raise InvalidParameterException("Invalid replica region.")
    return [
        _create_replica(secret, wanted["Region"], wanted.get("KmsKeyId"), force_overwrite) for wanted in replica_regions
    ]


def _create_replica(secret: FakeSecret, region: str, key: str | None, force_overwrite: bool) -> ReplicaSecret:
    """AWS accepts the call, and reports a failure in the replica's status."""
    secrets, make = secretsmanager_backends[secret.account_id][region].secrets, _maker(secret, region, key)
    flaw = _flaw_of_key(secret.account_id, region, key)
    if flaw:
        return make("Failed", f"Replication failed: {flaw}")
    there = secrets.get(secret.name)
    if there is not None:
        if not force_overwrite:
            return make("Failed", f"Replication failed: Secret name {secret.name} already exists in region {region}.")
        if isinstance(there, ReplicaSecret):
            _disconnect(there)
        elif there.replicas:
            return make("Failed", f"Replication failed: Secret {secret.name} in region {region} has replicas itself.")
        dict.pop(secrets, next(key for key, one in secrets.items() if one is there))
    made = make(None, None)
    secrets[made.arn] = made
    return made


def _maker(secret: FakeSecret, region: str, key: str | None) -> Callable[[str | None, str | None], ReplicaSecret]:
    kind: Any = ReplicaSecret

    def make(status: str | None, message: str | None) -> ReplicaSecret:
        if status == "Failed":
            put(secret.region, replication_failed(secret.arn, region))
        made: ReplicaSecret = kind(secret, region, status, message, key)
        return made

    return make


def _disconnect(replica: ReplicaSecret) -> None:
    """Remove a replica from its primary's list. After a restart these are two objects, so it is found by its region."""
    primary = _primary(replica)
    if primary is not None:
        primary.replicas = [one for one in primary.replicas if one.region != replica.region]


def _replicate_secret_to_regions(
    original: Callable[..., Any],
    backend: SecretsManagerBackend,
    secret_id: str,
    replica_regions: list[dict[str, str]],
    force_overwrite: bool,
) -> Any:
    secret = _own(backend, secret_id)
    _must_not_be_deleted(secret, "ReplicateSecretToRegions")
    again = {wanted["Region"] for wanted in replica_regions}
    for replica in secret.replicas:
        if replica.region in again and replica.has_replica:
            raise InvalidParameterException(f"The secret is already replicated to region {replica.region}.")
    tried = [replica for replica in secret.replicas if replica.region in again]
    _, statuses = original(backend, secret_id, replica_regions, force_overwrite)
    secret.replicas = [replica for replica in secret.replicas if replica not in tried]
    return secret.arn, [status for status in statuses if status in [replica.config for replica in secret.replicas]]


def _remove_regions_from_replication(
    original: Callable[..., Any], backend: SecretsManagerBackend, secret_id: str, replica_regions: list[str]
) -> Any:
    secret = _own(backend, secret_id)
    unknown = sorted(set(replica_regions) - {replica.region for replica in secret.replicas})
    if unknown:
        raise InvalidParameterException(f"The secret is not replicated to {', '.join(unknown)}.")
    _, statuses = original(backend, secret_id, replica_regions)
    return secret.arn, statuses


def _stop_replication_to_replica(response: SecretsManagerResponse) -> str:
    """Make the replica an independent secret, with its present value and settings."""
    backend = response.backend
    replica = backend.describe_secret(response._get_param("SecretId"))
    if not isinstance(replica, ReplicaSecret):
        raise InvalidRequestException("You can't stop replication: the secret is not a replica.")
    alone = object.__new__(FakeSecret)
    state = {key: value for key, value in vars(replica.source).items() if key != "replicas"}
    alone.__dict__.update(copy.deepcopy(state))
    alone.arn, alone.region, alone.replicas = replica.arn, replica.region, []
    alone.kms_key_id = vars(replica)["kms_key_id"]
    _disconnect(replica)
    dict.pop(backend.secrets, replica.arn)
    backend.secrets[alone.name] = alone
    return json.dumps({"ARN": alone.arn})


# -- secrets ----------------------------------------------------------------------------------------------------------


def _create_secret(
    original: Callable[..., str], backend: SecretsManagerBackend, name: str, *args: Any, **kwargs: Any
) -> str:
    there = backend.secrets.get(name)
    if isinstance(there, ReplicaSecret):
        raise JsonRESTError(
            "ResourceExistsException", f"The operation failed because the secret {name} already exists."
        )
    if there is not None and there.is_deleted():
        raise InvalidRequestException(
            "You can't create this secret because a secret with this name is already scheduled for deletion."
        )
    _must_encrypt(backend, kwargs.get("kms_key_id"))
    return original(backend, name, *args, **kwargs)


def _update_secret(
    original: Callable[..., str], backend: SecretsManagerBackend, secret_id: str, *args: Any, **kwargs: Any
) -> str:
    secret = _own(backend, secret_id)
    _must_encrypt(backend, kwargs.get("kms_key_id") or secret.kms_key_id)
    answer = original(backend, secret_id, *args, **kwargs)
    if kwargs.get("description") == "":  # moto ignores an empty description
        secret.description = ""
    catch_up()
    return answer


def _put_secret_value(
    original: Callable[..., str], backend: SecretsManagerBackend, secret_id: str, *args: Any, **kwargs: Any
) -> str:
    secret = _own(backend, secret_id)
    _must_not_be_deleted(secret, "PutSecretValue")
    if secret.owning_service is None:
        _must_encrypt(backend, secret.kms_key_id)
    answer = original(backend, secret_id, *args, **kwargs)
    catch_up()
    return answer


def _get_secret_value(
    original: Callable[..., dict[str, Any]], backend: SecretsManagerBackend, secret_id: str, *args: Any, **kwargs: Any
) -> dict[str, Any]:
    answer = original(backend, secret_id, *args, **kwargs)
    secret: Any = backend.secrets[secret_id]
    # RDS itself reads the secrets that it manages, even if the key is unusable.
    flaw = None if secret.owning_service else _flaw_of_key(backend.account_id, backend.region_name, secret.kms_key_id)
    if flaw:
        raise JsonRESTError(
            "DecryptionFailure",
            f"Secrets Manager can't decrypt the protected secret text using the provided KMS key: {flaw}",
        )
    return answer


def _update_secret_version_stage(
    original: Callable[..., Any], backend: SecretsManagerBackend, secret_id: str, *args: Any, **kwargs: Any
) -> Any:
    _own(backend, secret_id)
    answer = original(backend, secret_id, *args, **kwargs)
    catch_up()
    return answer


def _own(backend: SecretsManagerBackend, secret_id: str) -> FakeSecret:
    """A primary secret of this region, which can be changed here."""
    secret = backend.describe_secret(secret_id)
    if isinstance(secret, ReplicaSecret):
        raise OperationNotPermittedOnReplica()
    return secret


def _must_not_be_deleted(secret: FakeSecret, action: str) -> None:
    if secret.is_deleted():
        raise InvalidRequestException(
            f"An error occurred (InvalidRequestException) when calling the {action} operation: You can't perform this "
            "operation on the secret because it was marked for deletion."
        )


# -- keys -------------------------------------------------------------------------------------------------------------


def _must_encrypt(backend: SecretsManagerBackend, key: str | None) -> None:
    flaw = _flaw_of_key(backend.account_id, backend.region_name, key)
    if flaw:
        raise JsonRESTError(
            "EncryptionFailure",
            f"Secrets Manager can't encrypt the protected secret text using the provided KMS key: {flaw}",
        )


def _flaw_of_key(account: str, region: str, key: str | None) -> str | None:
    """Return why a key cannot be used in a region, or `None`. Without its own key, a secret uses that of AWS."""
    if key is None or key.endswith(_DEFAULT_KEY):
        return None
    if key.startswith("arn:") and key.split(":")[3] != region:
        return f"Key {key} is not in region {region}."
    try:
        found = kms_backends[account][region].describe_key(key)
    except (KeyError, AttributeError, IndexError):
        return f"Key {key} does not exist in region {region}."
    if found.key_state != "Enabled" or found.key_spec != "SYMMETRIC_DEFAULT":
        return f"Key {key} is {found.key_state}, of type {found.key_spec}; it must be an enabled symmetric key."
    return None
