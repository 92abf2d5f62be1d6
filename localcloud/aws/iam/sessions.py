"""Checks of requests for a role's session. moto grants each of them, for any role.

An identity token (AssumeRoleWithWebIdentity) is always checked: its signature, its validity period, and the role's
trust policy. AssumeRole by a principal of the account is checked if the local cloud enforces IAM.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import time
from typing import Any, Final

from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends

from localcloud.aws.iam.evaluation import Call, Decision, Document, document, trusts
from localcloud.aws.iam.oidc_tokens import BadTokenError, ExpiredError, Issuers
from localcloud.aws.iam.principals import Principal
from localcloud.aws.iam.requests import ParsedRequest

_STEP_SECONDS: Final = 30


class RefusedError(Exception):
    """A refused request. `code` is the API's name for the reason."""

    def __init__(self, code: str, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def check_web_identity(request: ParsedRequest, issuers: Issuers) -> str:
    """Check an identity token and return its subject, or raise `RefusedError`."""
    try:
        claims = issuers.check(str(request.parameters.get("WebIdentityToken", "")))
    except ExpiredError as expired:
        raise RefusedError("ExpiredTokenException", str(expired), 400) from None
    except BadTokenError as bad:
        raise RefusedError("InvalidIdentityToken", str(bad), 400) from None
    host = str(claims["iss"]).removeprefix("https://")
    provider_arn = request.arn("iam", f"oidc-provider/{host}", "")
    iam = iam_backends[request.account][request.partition]
    provider: Any = iam.open_id_providers.get(provider_arn)
    if provider is None:
        raise RefusedError("InvalidIdentityToken", f"No OpenIDConnect provider found in your account for {host}", 400)
    audiences = claims.get("aud", [])
    audiences = audiences if isinstance(audiences, list) else [audiences]
    if not set(audiences) & set(provider.client_id_list):
        raise RefusedError("InvalidIdentityToken", "Incorrect token audience", 400)
    # The claims of a token that conditions can compare at AWS.
    context = {
        f"{host}:{name}".lower(): tuple(map(str, audiences if name == "aud" else [claims[name]]))
        for name in ("aud", "sub")
        if name in claims
    }
    context["aws:requestedregion"] = (request.region,)
    call = Call("sts:AssumeRoleWithWebIdentity", (request.parameters["RoleArn"],), context)
    if not trusts(call, _trust_policy(request), "Federated", [provider_arn]):
        raise RefusedError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
    _check_duration(request)
    return str(claims.get("sub", ""))


def check_assume_role(request: ParsedRequest, principal: Principal) -> None:
    """Check that a principal of the account may assume a role, or raise `RefusedError`.

    A trust policy that names the principal is sufficient. If it names the account, the principal's own policies must
    allow the call as well.
    """
    context: dict[str, tuple[str, ...]] = {
        **principal.context,
        "aws:requestedregion": (request.region,),
        "aws:principalarn": (principal.arn,),
        "sts:rolesessionname": (str(request.parameters.get("RoleSessionName", "")),),
        "aws:multifactorauthpresent": ("false",),
    }
    if "TokenCode" in request.parameters:
        _check_second_factor(request, principal)
        context |= {"aws:multifactorauthpresent": ("true",), "aws:multifactorauthage": ("0",)}
    call = Call("sts:AssumeRole", (str(request.parameters["RoleArn"]),), context)
    denied = RefusedError(
        "AccessDenied",
        f"User: {principal.arn} is not authorized to perform: sts:AssumeRole "
        f"on resource: {request.parameters['RoleArn']}",
    )
    trust = _trust_policy(request, denied)
    own = principal.may(call)
    by_name = trusts(call, trust, "AWS", [principal.arn])
    by_account = trusts(call, trust, "AWS", [request.arn("iam", "root", ""), request.account])
    if own is Decision.DENIED or not (by_name or (by_account and own is Decision.ALLOWED)):
        raise denied
    _check_duration(request)


def totp(seed: str, at: float | None = None) -> str:
    """The six digits that a virtual MFA device shows (RFC 6238), from the seed that IAM created."""
    counter = struct.pack(">Q", int((time.time() if at is None else at) // _STEP_SECONDS))
    digest = hmac.new(base64.b32decode(seed), counter, hashlib.sha1).digest()
    offset = digest[-1] & 15
    number: int = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def _check_second_factor(request: ParsedRequest, principal: Principal) -> None:
    iam = iam_backends[request.account][request.partition]
    serial = str(request.parameters.get("SerialNumber", ""))
    user = iam.users.get(principal.user or "")
    device: Any = iam.virtual_mfa_devices.get(serial)
    if user is None or serial not in user.mfa_devices or device is None:
        raise RefusedError(
            "AccessDenied", f"MultiFactorAuthentication failed: {serial} is not a device of {principal.arn}"
        )
    now = time.time()
    if str(request.parameters["TokenCode"]) not in {totp(device.base32_string_seed, now - late) for late in (0, 30)}:
        raise RefusedError("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code.")


def _role(request: ParsedRequest) -> Any:
    return iam_backends[request.account][request.partition].get_role_by_arn(str(request.parameters["RoleArn"]))


def _trust_policy(request: ParsedRequest, denied: RefusedError | None = None) -> Document:
    try:
        return document(_role(request).assume_role_policy_document)
    except NotFoundException:
        # The answer does not reveal whether a role exists.
        raise denied or RefusedError(
            "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"
        ) from None


def _check_duration(request: ParsedRequest) -> None:
    longest = int(_role(request).max_session_duration or 3600)
    if int(request.parameters.get("DurationSeconds", 900)) > longest:
        raise RefusedError(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            400,
        )
