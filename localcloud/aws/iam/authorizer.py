"""The local cloud's word on who may do what.

moto can check calls itself, but by actions alone: it reads no resource, hardly a condition, and no boundary. So what a
call is allowed is decided here, by `evaluation.py`, from moto's users, roles and policies. Signatures are not
recomputed; a session's token has to be the session's, and its time not over. Policies of resources (a bucket's, a
key's) are not part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

from moto.core.models import DEFAULT_ACCOUNT_ID

from localcloud.aws.iam import actions, sessions
from localcloud.aws.iam.evaluation import Decision
from localcloud.aws.iam.oidc_tokens import Issuers
from localcloud.aws.iam.principals import Principal, resolve_principal
from localcloud.aws.iam.requests import ParsedRequest, parse_request
from localcloud.aws.iam.sessions import RefusedError
from localcloud.aws.signatures import credential_of

# Calls that carry no signature, and whose own credentials the service checks itself.
_UNSIGNED: Final = frozenset({"AssumeRoleWithSAML", "RegisterManagedInstance", "RequestManagedInstanceRoleToken"})


@dataclass(frozen=True)
class IdentifiedRequest:
    """A request that may go on, and who makes it."""

    request: ParsedRequest | None
    principal: Principal | None
    subject: str | None = None
    """Whose token it is, where it is a token that lets in."""


class Authorizer:
    """`enforcing`: whether calls are held to policies. Tokens of other issuers are checked in any case."""

    def __init__(self, issuers: Issuers, enforcing: bool) -> None:
        self.issuers = issuers
        self.enforcing = enforcing

    def authorize(
        self, service: str, action: str, environ: Mapping[str, Any], body: bytes, region: str
    ) -> IdentifiedRequest:
        """Let a request pass, or raise `RefusedError`."""
        identified = self.identify(service, action, environ, body, region)
        request = identified.request
        if request is not None and request.operation == "AssumeRoleWithWebIdentity":
            return IdentifiedRequest(request, None, sessions.check_web_identity(request, self.issuers))
        if request is not None and request.operation in _UNSIGNED:
            return IdentifiedRequest(request, None)
        if self.enforcing:
            self._enforce(service, request, identified.principal)
        return identified

    def identify(
        self, service: str, action: str, environ: Mapping[str, Any], body: bytes, region: str
    ) -> IdentifiedRequest:
        """What a request asks and who makes it, whether it may pass or not."""
        try:
            request = parse_request(service, action, environ, body, region or "us-east-1", DEFAULT_ACCOUNT_ID)
        except (LookupError, ValueError):
            # The service itself says what is wrong with it.
            request = None
        return IdentifiedRequest(
            request, resolve_principal(DEFAULT_ACCOUNT_ID, credential_of(environ).access_key, _session_token(environ))
        )

    def _enforce(self, service: str, request: ParsedRequest | None, principal: Principal | None) -> None:
        if principal is None:
            raise RefusedError("InvalidClientTokenId", "The security token included in the request is invalid.")
        if request is not None and request.operation == "AssumeRole":
            sessions.check_assume_role(request, principal)
            return
        if principal.root:
            return
        if request is None:
            raise RefusedError("AccessDenied", f"{principal.arn} request {service} for what it does not have")
        if request.operation == "GetCallerIdentity":
            return
        for call in actions.calls(request):
            decision = principal.may(call)
            if decision is not Decision.ALLOWED:
                because = (
                    "with an explicit deny in an identity-based policy or a permissions boundary"
                    if decision is Decision.DENIED
                    else "because no identity-based policy allows the action, or a permissions boundary does not"
                )
                raise RefusedError(
                    "AccessDenied",
                    f"User: {principal.arn} is not authorized to perform: {call.action} on resource: "
                    f"{', '.join(call.resources)} {because}",
                )


def _session_token(environ: Mapping[str, Any]) -> str | None:
    token: str | None = environ.get("HTTP_X_AMZ_SECURITY_TOKEN")
    return token or parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Security-Token", [None])[0]
