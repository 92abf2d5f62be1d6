"""Allow or refuse requests by IAM's policies.

moto can check calls itself, but only by their actions: it ignores resources, boundaries and most conditions. So this
module decides, with `evaluation.py`, from moto's users, roles and policies. Signatures are not recomputed. A session's
token must belong to the session, and the session must not have ended. Policies of resources (of a bucket or a key) are
not evaluated.
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

# Calls without a signature. The service checks the credentials in the call.
_UNSIGNED: Final = frozenset({"AssumeRoleWithSAML", "RegisterManagedInstance", "RequestManagedInstanceRoleToken"})


@dataclass(frozen=True)
class IdentifiedRequest:
    """A request and the principal that makes it."""

    request: ParsedRequest | None
    principal: Principal | None
    subject: str | None = None
    """The subject of the token, if the request carries an identity token."""


class Authorizer:
    """Decides about requests. `enforcing`: whether policies apply. Tokens of other issuers are checked in any case."""

    def __init__(self, issuers: Issuers, enforcing: bool) -> None:
        self.issuers = issuers
        self.enforcing = enforcing

    def authorize(
        self, service: str, action: str, environ: Mapping[str, Any], body: bytes, region: str
    ) -> IdentifiedRequest:
        """Identify a request that is allowed, or raise `RefusedError`."""
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
        """Parse a request and resolve its principal, without a decision."""
        try:
            request = parse_request(service, action, environ, body, region or "us-east-1", DEFAULT_ACCOUNT_ID)
        except (LookupError, ValueError):
            # The service itself answers with an error.
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
            raise RefusedError("AccessDenied", f"{principal.arn} called an operation that {service} does not have")
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
