"""The policy on roles that trust another system's tokens: the tokens of a named subject, not those of all its users.

GitHub, GitLab and similar systems sign tokens for everyone who has an account there. The subject (`sub`) of a token
names its owner. The audience does not: everyone can ask for any audience.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from policy_pack.rules.documents import conditions, statements, strings
from policy_pack.rules.policy import Finding, Policy, Resource, of_type
from policy_pack.rules.promises import access
from policy_pack.rules.resource_types import IAM_ROLE
from policy_pack.rules.values import UNKNOWN

if TYPE_CHECKING:
    from plan import Plan

_WEB_IDENTITY: Final = "sts:AssumeRoleWithWebIdentity"
_SUBJECTS: Final = ("sub", "job_workflow_ref")
_AUDIENCE_IS_OURS: Final = (
    "accounts.google.com",
    "cognito-identity.amazonaws.com",
    "graph.facebook.com",
    "www.amazon.com",
)
"""Issuers whose audience is an application or a pool of ours, so that the audience narrows the tokens."""

_GITHUB: Final = "token.actions.githubusercontent.com"
_GITHUB_SUBJECT: Final = re.compile(r"repo:[^*?/:]+/[^*?/:]+:[^*?].*|[^*?/:]+/[^*?/:]+/\.github/workflows/[^*?]+@.+")
"""A subject of GitHub Actions that names a repository and a part of it, or a workflow of it."""
_NAMED: Final = re.compile(r"[^*?]*:[^*?]+.*|[^*?]+")
"""A subject of another issuer: something is named before the first wildcard."""


def _subject(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    document = resource.props.get("assumeRolePolicy")
    if document is UNKNOWN:
        return  # it may name another resource, and is judged again before it is deployed
    for statement in statements(document):
        if statement.get("Effect") != "Allow":
            continue
        for issuer in _issuers(statement):
            wide = _too_wide(issuer, statement)
            if wide is not None:
                remedy = (
                    f"Add `StringEquals` on `{issuer}:sub` with the repository and its environment or branch, such as"
                    " repo:owner/name:environment:prod. A wildcard also trusts workflows that are not approved yet."
                    if issuer == _GITHUB
                    else f"Add `StringEquals` on `{issuer}:sub` with the subject that the role is for."
                )
                found = f"a statement that trusts tokens of {issuer} for {wide}"
                yield Finding("assumeRolePolicy", found, "statements that name the subject of a token", remedy)


def _issuers(statement: Mapping[str, Any]) -> Iterator[str]:
    principal = statement.get("Principal")
    federated = strings(principal.get("Federated")) if isinstance(principal, Mapping) else []
    for name in federated:
        if ":saml-provider/" not in name:
            yield name.partition(":oidc-provider/")[2] or name
    actions = {action.lower() for action in strings(statement.get("Action"))}
    if not federated and principal is not None and actions & {_WEB_IDENTITY.lower()}:
        yield "*"


def _too_wide(issuer: str, statement: Mapping[str, Any]) -> str | None:
    """Whose tokens a statement trusts, if these are too many; None if the subject is named."""
    found = "any subject"
    for operator, key, values in conditions(statement):
        host, _, claim = key.rpartition(":")
        if operator.removeprefix("ForAnyValue:") not in ("StringEquals", "StringEqualsIgnoreCase", "StringLike"):
            continue
        if issuer not in ("*", host) and issuer.lower() != host:
            continue
        if claim == "aud" and issuer in _AUDIENCE_IS_OURS and values and not any("*" in value for value in values):
            return None
        if claim in _SUBJECTS and values:
            form = _GITHUB_SUBJECT if host == _GITHUB else _NAMED
            wide = [value for value in values if not form.fullmatch(value)]
            if not wide:
                return None
            found = f"the subject {wide[0]}"
    return found


SUBJECT: Final = Policy(
    id="federation-subject-named",
    title="A role trusts the tokens of another system for a named subject only.",
    severity="critical",
    control="A.5.29",
    promise=access,
    remedy="Add a condition on the subject (`sub`) of the tokens, without a wildcard in the repository.",
    concerns=of_type(IAM_ROLE),
    rule=_subject,
    asks_again=frozenset({"assumeRolePolicy"}),
)
