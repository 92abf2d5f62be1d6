"""Policies on the repository: it is private, and every change needs an approval.

The names and defaults are those of the GitHub provider's version 6.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from policy_pack.rules.checks import WRITE_IT_OUT, at, at_least, listed, literally
from policy_pack.rules.policy import Finding, Policy, Resource, of_type
from policy_pack.rules.promises import code
from policy_pack.rules.resource_types import REPOSITORY, REPOSITORY_RULESET
from policy_pack.rules.values import UNKNOWN

if TYPE_CHECKING:
    from plan import Plan

DEFAULT_BRANCH: Final = "~DEFAULT_BRANCH"
_EVERY_BRANCH: Final = ("~ALL", DEFAULT_BRANCH)


def _private(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    visibility = resource.props.get("visibility")
    # The older property is read where the newer one is left out.
    if visibility is None and resource.props.get("private") is True:
        visibility = "private"
    if visibility not in ("private", "internal"):
        remedy = WRITE_IT_OUT if visibility is UNKNOWN else "Set it to private. Left out it is public."
        yield Finding("visibility", visibility, "private", remedy)
    remedy = "Set it to true: otherwise deleting the resource deletes the repository and the code in it."
    yield from literally(resource, "archiveOnDestroy", True, remedy)


def _protected(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    if resource.props.get("target") not in ("branch", UNKNOWN, None):
        return  # a ruleset of tags or of pushes
    yield from literally(
        resource, "enforcement", "active", "Set it to active: in any other mode the ruleset has no effect."
    )
    branches = at(resource.props, "conditions.refName.includes")
    if not any(branch in _EVERY_BRANCH for branch in listed(branches)):
        return  # not the default branch; `repository-protected` requires a ruleset for that
    for name in ("deletion", "nonFastForward"):
        remedy = "Set it to true, so that the history cannot be deleted or rewritten."
        yield from literally(resource, f"rules.{name}", True, remedy)
    remedy = "Require an approval by another person. Otherwise one stolen account is enough to change the code."
    yield from at_least(resource, "rules.pullRequest.requiredApprovingReviewCount", 1, "approval", remedy)
    for name in ("dismissStaleReviewsOnPush", "requireLastPushApproval"):
        remedy = "Set it to true: an approval does not cover commits that are pushed after it."
        yield from literally(resource, f"rules.pullRequest.{name}", True, remedy)
    for index, actor in enumerate(listed(resource.props.get("bypassActors"))):
        mode = at(actor, "bypassMode")
        if mode != "pull_request":
            remedy = (
                WRITE_IT_OUT if mode is UNKNOWN else "Allow a bypass in a pull request only, where GitHub records it."
            )
            yield Finding(f"bypassActors[{index}].bypassMode", mode, "pull_request", remedy)


PRIVATE: Final = Policy(
    id="repository-private",
    title="The repository is private, and is archived instead of deleted.",
    severity="high",
    control="A.5.30",
    promise=code,
    remedy="Set `visibility` to private and `archive_on_destroy` to true.",
    concerns=of_type(REPOSITORY),
    rule=_private,
    fixes={"archiveOnDestroy": lambda _plan: True},
)

PROTECTED: Final = Policy(
    id="branch-protected",
    title="A change of the default branch needs an approval, and its history cannot be rewritten.",
    severity="high",
    control="A.5.30",
    promise=code,
    remedy="Add an active ruleset on the default branch that requires an approval and forbids deletion and force push.",
    concerns=of_type(REPOSITORY_RULESET),
    rule=_protected,
)
