"""SSM's managed nodes outside AWS: registration, credentials and listing. The node's side is ssm_agent.py.

`RegisterManagedInstance`, `RequestManagedInstanceRoleToken` and `UpdateInstanceInformation` are the agent's own: no
published model of the API has them. The codes of their errors are from agents' logs. Other functions of the
service (comparing the hardware, requesting a new key from time to time) are left out.

The credentials are a session of the role in STS, named after the node's id, like a session from `AssumeRole`. So
`GetCallerIdentity` returns the node. They expire after an hour. `LOCALCLOUD_SSM_TOKEN_SECONDS` shortens that, to show
their renewal without a long wait.
"""

from __future__ import annotations

import base64
import binascii
import calendar
import json
import os
import secrets
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from moto.core.responses import ActionResult, EmptyResult
from moto.moto_server import werkzeug_app
from moto.ssm.models import SimpleSystemManagerBackend
from moto.ssm.responses import SimpleSystemManagerResponse
from moto.sts.models import AssumedRole, sts_backends

from localcloud.aws.iam.sts import forget_ended, session_end
from localcloud.aws.patching import add_methods, wrap_method
from localcloud.aws.ssm.activations import Activation, activations, moment, page, role_named
from localcloud.aws.ssm.errors import refuse
from localcloud.hosts.machine import ssm_agent
from localcloud.instance.folder import LocalCloudError

TOKEN_VARIABLE: Final = "LOCALCLOUD_SSM_TOKEN_SECONDS"  # noqa: S105 - a variable of the environment
_TOKEN_SECONDS: Final = 3600
_ONLINE: Final = 600.0
"""Seconds since the last contact for which a node counts as online: two heartbeats of the agent."""
_CLOCK: Final = 900.0
"""Seconds by which the time of a signature may differ from the time here."""
_FILTERS: Final = {
    "InstanceIds": "InstanceId",
    "PingStatus": "PingStatus",
    "ActivationIds": "ActivationId",
    "IamRole": "IamRole",
    "ResourceType": "ResourceType",
    "PlatformTypes": "PlatformType",
    "AgentVersion": "AgentVersion",
}


@dataclass
class Node:
    activation_id: str
    iam_role: str
    name: str | None
    public_key: bytes
    """DER."""
    fingerprint: str
    address: str
    id: str = field(default_factory=lambda: f"mi-{secrets.token_hex(9)[:17]}")
    registered_at: float = field(default_factory=time.time)
    """Seconds since 1970, like the other time."""
    seen_at: float = field(default_factory=time.time)
    told: dict[str, str] = field(default_factory=dict)
    """The properties that the agent reports."""

    def shown(self) -> dict[str, Any]:
        return {
            "InstanceId": self.id,
            "PingStatus": "Online" if time.time() - self.seen_at < _ONLINE else "ConnectionLost",
            "LastPingDateTime": moment(self.seen_at),
            "AgentVersion": self.told.get("AgentVersion"),
            "PlatformType": self.told.get("PlatformType"),
            "ActivationId": self.activation_id,
            "IamRole": self.iam_role,
            "RegistrationDate": moment(self.registered_at),
            "ResourceType": "ManagedInstance",
            "Name": self.name,
            "IPAddress": self.address,
            "ComputerName": self.told.get("ComputerName"),
        }


def patch() -> None:
    # moto needs a region for unsigned requests. The real one is in the host name of the request.
    werkzeug_app.UNSIGNED_REQUESTS["AmazonSSM"] = ("ssm", "us-east-1")
    add_methods(
        SimpleSystemManagerResponse,
        register_managed_instance,
        request_managed_instance_role_token,
        update_instance_information,
        describe_instance_information,
        deregister_managed_instance,
    )
    wrap_method(SimpleSystemManagerBackend, "__init__", _writable)
    wrap_method(SimpleSystemManagerBackend, "_validate_resource_type_and_id", _taggable)


def nodes(backend: SimpleSystemManagerBackend) -> dict[str, Node]:
    """The nodes of this region, by id."""
    kept: dict[str, Node] = backend.__dict__.setdefault("managed_nodes", {})
    return kept


def _node(backend: SimpleSystemManagerBackend, name: str) -> Node:
    found = nodes(backend).get(name)
    if found is None:
        refuse("InvalidInstanceId", f"Not existing InstanceId {name}")
    return found


def _writable(original: Callable[..., None], backend: SimpleSystemManagerBackend, *args: Any, **kwargs: Any) -> None:
    """moto's table of tags creates its entries with a lambda, which cannot be pickled."""
    original(backend, *args, **kwargs)
    backend._resource_tags = defaultdict(partial(defaultdict, dict))


def _taggable(original: Callable[..., str], backend: SimpleSystemManagerBackend, kind: str, name: str) -> str:
    if kind == "ManagedInstance" and name in nodes(backend):
        return name
    return original(backend, kind, name)


# -- the agent's calls ------------------------------------------------------------------------------------------------


def register_managed_instance(self: SimpleSystemManagerResponse) -> str:
    backend = self.ssm_backend
    activation = _usable(backend, self._get_param("ActivationId") or "", self._get_param("ActivationCode") or "")
    role = role_named(backend, activation.iam_role)
    try:
        der = base64.b64decode(self._get_param("PublicKey") or "", validate=True)
        known = isinstance(load_der_public_key(der), rsa.RSAPublicKey)
    except (binascii.Error, ValueError):
        known = False
    if not known or self._get_param("PublicKeyType", "Rsa") != "Rsa":
        refuse("InvalidPublicKey", "The public key is not an RSA key in DER and base64")
    address = str(self.normalized_request.remote_addr or "")
    fingerprint = self._get_param("Fingerprint") or ""
    made = Node(activation.id, role.name, activation.name, der, fingerprint, address)
    nodes(backend)[made.id] = made
    activation.registrations += 1
    backend.add_tags_to_resource("ManagedInstance", made.id, {tag["Key"]: tag["Value"] for tag in activation.tags})
    return json.dumps({"InstanceId": made.id})


def _usable(backend: SimpleSystemManagerBackend, name: str, code: str) -> Activation:
    found = activations(backend).get(name)
    if found is None or not secrets.compare_digest(found.code.encode(), code.encode()):
        refuse("InvalidActivation", "The activation does not exist, or the code is not its code")
    if found.expired:
        refuse("ActivationExpired", f"The activation {name} expired at {moment(found.expires_at):%FT%TZ}")
    if found.registrations >= found.limit:
        refuse("RegistrationLimitExceeded", f"The activation {name} was used {found.registrations} times of its limit")
    return found


def request_managed_instance_role_token(self: SimpleSystemManagerResponse) -> str:
    backend = self.ssm_backend
    node = _signing_node(self)
    if self._get_param("Fingerprint") != node.fingerprint:
        refuse("MachineFingerprintDoesNotMatch", "Fingerprint does not match")
    role = role_named(backend, node.iam_role)
    forget_ended(backend.account_id, backend.partition)
    session: AssumedRole = sts_backends[backend.account_id][backend.partition].assume_role(
        region_name=backend.region_name,
        role_session_name=node.id,
        role_arn=role.arn,
        policy="",
        duration=_token_seconds(),
        external_id="",
    )
    node.seen_at = time.time()
    return json.dumps(
        {
            "AccessKeyId": session.access_key_id,
            "SecretAccessKey": session.secret_access_key,
            "SessionToken": session.session_token,
            "TokenExpirationDate": session_end(session),
            "UpdateKeyPair": False,
        }
    )


def _token_seconds() -> int:
    said = os.environ.get(TOKEN_VARIABLE) or str(_TOKEN_SECONDS)
    if not said.isdecimal() or not 1 <= int(said) <= _TOKEN_SECONDS:
        raise LocalCloudError(f"{TOKEN_VARIABLE} is {said!r}; allowed: whole seconds from 1 to {_TOKEN_SECONDS}")
    return int(said)


def _signing_node(response: SimpleSystemManagerResponse) -> Node:
    """The node whose key has signed the request."""
    asked: Any = response.headers
    parts = dict(
        part.strip().partition("=")[::2]
        for part in asked.get("Authorization", "").removeprefix(ssm_agent.ALGORITHM).split(",")
    )
    name, _, scope = parts.get("Credential", "").partition("/")
    if not name.startswith("mi-"):
        refuse("UnrecognizedClientException", "Only a managed node can request its token, with its registered key")
    node = _node(response.ssm_backend, name)
    key: Any = load_der_public_key(node.public_key)
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.AUTO)
    try:
        signed_at = calendar.timegm(time.strptime(asked["X-Amz-Date"], "%Y%m%dT%H%M%SZ"))
        headers = parts["SignedHeaders"].split(";")
        string = ssm_agent.string_to_sign(scope, dict(asked.items()), response.raw_body, headers)
        key.verify(base64.b64decode(parts["Signature"]), string.encode(), pss, hashes.SHA256())
    except (InvalidSignature, KeyError, ValueError):
        refuse("InvalidSignatureException", f"The request is not signed with the key that {name} registered")
    if abs(time.time() - signed_at) > _CLOCK or not {"host", "x-amz-date"} <= set(headers):
        refuse("InvalidSignatureException", "The signature is too old, or does not cover the required headers")
    return node


def update_instance_information(self: SimpleSystemManagerResponse) -> str:
    backend = self.ssm_backend
    node = _node(backend, self._get_param("InstanceId") or "")
    sts = sts_backends[backend.account_id][backend.partition]
    session = sts.get_assumed_role_from_access_key(self.get_access_key())
    if session is None or session.session_name != node.id:
        refuse("AccessDeniedException", f"Only {node.id} itself can report its state")
    node.seen_at = time.time()
    told = {key: self._get_param(key) for key in ("AgentVersion", "PlatformType", "ComputerName")}
    node.told = {key: value for key, value in told.items() if value}
    return "{}"


# -- the account's calls ----------------------------------------------------------------------------------------------


def describe_instance_information(self: SimpleSystemManagerResponse) -> ActionResult:
    shown = [node.shown() for node in nodes(self.ssm_backend).values()]
    older = [(each["key"], each["valueSet"]) for each in self._get_param("InstanceInformationFilterList", [])]
    newer = [(each.get("Key"), each.get("Values", [])) for each in self._get_param("Filters", [])]
    for key, values in (*older, *newer):
        if key not in _FILTERS:
            refuse("InvalidFilterKey", f"The filter key {key} is not valid here")
        shown = [each for each in shown if each[_FILTERS[key]] in values]
    answer = page("InstanceInformationList", shown, self._get_param("MaxResults"), self._get_param("NextToken"))
    return ActionResult(answer)


def deregister_managed_instance(self: SimpleSystemManagerResponse) -> EmptyResult:
    """The node gets no more credentials. Those that it has stay valid until they expire, like at AWS."""
    backend = self.ssm_backend
    node = _node(backend, self._get_param("InstanceId") or "")
    del nodes(backend)[node.id]
    backend._resource_tags["ManagedInstance"].pop(node.id, None)
    return EmptyResult()
