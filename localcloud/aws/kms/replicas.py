"""Multi-Region KMS keys. moto copies a key once, and the copies share objects that must be separate.

A key and its replicas share their id, their material and their rotation; state, policy, aliases, tags and description
are separate ("How multi-Region keys work" in the KMS developer guide).
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from copy import copy
from typing import Any, Final

from moto.core.exceptions import JsonRESTError
from moto.kms import models
from moto.kms.exceptions import ValidationException
from moto.kms.models import Key, KmsBackend, kms_backends
from moto.kms.responses import KmsResponse

from localcloud.aws.patching import wrap_method

_MULTI_REGION_ID: Final = re.compile(r"mrk-[0-9a-f]{32}")


def patch() -> None:
    original = vars(models)["generate_key_id"]
    vars(models)["generate_key_id"] = lambda multi_region=False: (
        f"mrk-{uuid.uuid4().hex}" if multi_region else original()
    )
    wrap_method(KmsResponse, "_validate_cmk_id", _validate_key_id)
    wrap_method(KmsResponse, "replicate_key", _replicate_key)
    wrap_method(KmsBackend, "replicate_key", _replicate)
    wrap_method(KmsBackend, "enable_key_rotation", _rotate)
    wrap_method(KmsBackend, "disable_key_rotation", _rotate)


def related(key: Any) -> Iterator[Any]:
    """The key itself, and every other region's key of the same id."""
    yield key
    if key.multi_region:
        configuration = key.multi_region_configuration
        for place in (configuration["PrimaryKey"], *configuration["ReplicaKeys"]):
            other = kms_backends[key.account_id][place["Region"]].keys.get(key.id)
            if other is not None and other is not key:
                yield other


def _validate_key_id(original: Callable[..., None], response: KmsResponse, key_id: str) -> None:
    """moto expects ids of multi-Region keys in a form that AWS does not use."""
    if _MULTI_REGION_ID.fullmatch(key_id):
        key_id = f"arn:aws:kms:{response.region}:{response.current_account}:key/{key_id}"
    original(response, key_id)


def _replicate_key(original: Callable[..., str], response: KmsResponse) -> str:
    original(response)
    backend: Any = response.kms_backend
    backends = kms_backends[backend.account_id]
    region = response._get_param("ReplicaRegion")
    replica: Any = backends[region].keys[backend.get_key_id(response._get_param("KeyId"))]
    replica.policy = response._get_param("Policy") or replica.policy
    replica.description = response._get_param("Description") or ""
    tags = {tag["TagKey"]: tag["TagValue"] for tag in response._get_param("Tags") or []}
    if tags:
        backends[region].tag_resource(replica.id, tags)
    return json.dumps(
        {
            "ReplicaKeyMetadata": replica.to_dict()["KeyMetadata"],
            "ReplicaPolicy": replica.policy,
            "ReplicaTags": [{"TagKey": key, "TagValue": value} for key, value in tags.items()],
        }
    )


def _replicate(original: Callable[..., Any], backend: KmsBackend, key_id: str, replica_region: str) -> Any:
    key: Any = backend.keys[backend.get_key_id(key_id)]
    if not key.multi_region:
        raise JsonRESTError("UnsupportedOperationException", f"{key.arn} is not a multi-Region key.")
    if key.multi_region_configuration["PrimaryKey"]["Arn"] != key.arn:
        raise JsonRESTError("UnsupportedOperationException", f"{key.arn} is not a multi-Region primary key.")
    if key.key_state == "Disabled":
        raise JsonRESTError("DisabledException", f"{key.arn} is disabled.")
    if key.key_state != "Enabled":
        raise JsonRESTError("KMSInvalidStateException", f"{key.arn} is pending deletion.")
    backends = kms_backends[backend.account_id]
    if replica_region == key.region or replica_region not in backends.regions:
        raise ValidationException(f"ReplicaRegion is {replica_region}; it must be another Region of KMS")
    there = backends[replica_region]
    if key.id in there.keys:
        raise JsonRESTError("AlreadyExistsException", f"{there.keys[key.id].arn} already exists.")
    replica = _apart(key, replica_region)
    there.keys[key.id] = replica
    place = {"Arn": replica.arn, "Region": replica_region}
    for other in related(key):
        if place not in other.multi_region_configuration["ReplicaKeys"]:
            other.multi_region_configuration["ReplicaKeys"].append(dict(place))
    return replica


def _apart(key: Any, region: str) -> Any:
    """A copy that shares no mutable object with its primary."""
    replica: Any = copy(key)
    replica.region, replica.arn = region, key.arn.replace(f":{key.region}:", f":{region}:")
    replica.policy, replica.description = Key.generate_default_policy(replica), ""
    replica.aliases, replica.grants, replica.rotations = {}, {}, list(key.rotations)
    configuration = key.multi_region_configuration
    replica.multi_region_configuration = {
        "MultiRegionKeyType": "REPLICA",
        "PrimaryKey": dict(configuration["PrimaryKey"]),
        "ReplicaKeys": [
            *(dict(place) for place in configuration["ReplicaKeys"]),
            {"Arn": replica.arn, "Region": region},
        ],
    }
    return replica


def _rotate(original: Callable[..., None], backend: KmsBackend, key_id: str) -> None:
    """Rotation is set on the primary key, and applies to all replicas."""
    key: Any = backend.keys[backend.get_key_id(key_id)]
    if key.multi_region and key.multi_region_configuration["PrimaryKey"]["Arn"] != key.arn:
        raise JsonRESTError("UnsupportedOperationException", f"{key.arn} is a replica: change its primary key.")
    original(backend, key_id)
    for other in related(key):
        other.key_rotation_status = key.key_rotation_status
