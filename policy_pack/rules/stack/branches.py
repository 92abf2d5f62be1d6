"""Policies on the default branch of the stack's repositories, whichever resources protect it.

GitHub adds up all protections of a branch: several rulesets of the repository and of the organization, and the older
branch protection. So each demand has to be satisfied by one of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from policy_pack.rules.checks import WRITE_IT_OUT, at, is_number, listed
from policy_pack.rules.documents import strings
from policy_pack.rules.policy import Finding, Resource, Stack, StackPolicy
from policy_pack.rules.promises import code
from policy_pack.rules.resource_types import (
    BRANCH_DEFAULT,
    BRANCH_PROTECTION,
    BRANCH_PROTECTION_V3,
    ORGANIZATION_RULESET,
    REPOSITORY,
    REPOSITORY_RULESET,
)
from policy_pack.rules.stack.common import StackFindings
from policy_pack.rules.values import UNKNOWN

if TYPE_CHECKING:
    from plan import Plan

DEFAULT_BRANCH: Final = "~DEFAULT_BRANCH"
_USUAL: Final = ("main", "master")
"""The names that a default branch has, where the stack does not set one."""

_RULES: Final = (
    "deletion",
    "nonFastForward",
    "pullRequest.dismissStaleReviewsOnPush",
    "pullRequest.requireLastPushApproval",
)
_APPROVALS: Final = "pullRequest.requiredApprovingReviewCount"


@dataclass(frozen=True)
class _Protection:
    """A resource that protects the default branch, and its values by the names that a ruleset has for them."""

    resource: Resource
    path: str
    """The path of the rules in the resource, with a dot at its end."""
    values: Mapping[str, object]


def _of_ruleset(ruleset: Resource) -> _Protection:
    rules = at(ruleset.props, "rules")
    return _Protection(ruleset, "rules.", {name: at(rules, name) for name in (*_RULES, _APPROVALS)})


def _of_branch_protection(protection: Resource) -> _Protection:
    props = protection.props
    reviews = at(props, "requiredPullRequestReviews")
    older = protection.type == BRANCH_PROTECTION_V3
    values: dict[str, object] = {
        # Without these permissions the branch cannot be deleted or rewritten.
        "deletion": True if older else _denied(props.get("allowsDeletions")),
        "nonFastForward": True if older else _denied(props.get("allowsForcePushes")),
        _APPROVALS: at(reviews, "requiredApprovingReviewCount"),
        "pullRequest.dismissStaleReviewsOnPush": at(reviews, "dismissStaleReviews"),
        "pullRequest.requireLastPushApproval": at(reviews, "requireLastPushApproval"),
    }
    if props.get("enforceAdmins") is not True:
        values = {}  # administrators are free of all of it
    return _Protection(protection, "", values)


def _denied(allows: object) -> object:
    return True if allows in (None, False) else allows if allows is UNKNOWN else False


_OLDER: Final = ((BRANCH_PROTECTION, "repositoryId", "pattern"), (BRANCH_PROTECTION_V3, "repository", "branch"))
"""The types of the older protection, with the properties that name the repository and the branch."""


def _protections(stack: Stack, repository: Resource) -> list[_Protection]:
    """The active protections of a repository's default branch."""
    names = _default_names(stack, repository)
    rulesets = [
        ruleset
        for ruleset in [
            *stack.leading_to(repository, [REPOSITORY_RULESET], "repository"),
            *(one for one in stack.of([ORGANIZATION_RULESET]) if _includes_repository(one, repository)),
        ]
        if ruleset.props.get("target") in ("branch", None)
        and ruleset.props.get("enforcement") == "active"
        and _covers(ruleset, names)
    ]
    older = [
        one
        for types, name, branch in _OLDER
        for one in stack.leading_to(repository, [types], name)
        if isinstance(pattern := one.props.get(branch), str) and all(_matches(pattern, name) for name in names)
    ]
    return [*map(_of_ruleset, rulesets), *map(_of_branch_protection, older)]


def _default_names(stack: Stack, repository: Resource) -> tuple[str, ...]:
    """The names that the default branch can have: the one that the stack sets, or else the usual ones."""
    given = [one.props.get("branch") for one in stack.leading_to(repository, [BRANCH_DEFAULT], "repository")]
    given.append(repository.declared.get("defaultBranch"))
    name = next((one for one in given if isinstance(one, str) and one), None)
    return _USUAL if name is None else (name,)


def _includes_repository(ruleset: Resource, repository: Resource) -> bool:
    conditions = at(ruleset.props, "conditions")
    name = repository.props.get("name")
    included = at(conditions, "repositoryName.includes")
    excluded = listed(at(conditions, "repositoryName.excludes"))
    named = any(one == "~ALL" or _matches(one, name) for one in listed(included))
    return named and not any(_matches(one, name) for one in excluded)


def _covers(ruleset: Resource, names: tuple[str, ...]) -> bool:
    """Whether a ruleset is about the default branch, whichever of these names it has."""
    included = listed(at(ruleset.props, "conditions.refName.includes"))
    excluded = at(ruleset.props, "conditions.refName.excludes")
    if excluded is UNKNOWN or any(one is UNKNOWN for one in listed(excluded)):
        return False
    if any(_is_about(one, name) for one in listed(excluded) for name in names):
        return False
    return all(any(_is_about(one, name) for one in included) for name in names)


def _is_about(pattern: object, name: str) -> bool:
    return pattern in ("~ALL", DEFAULT_BRANCH) or _matches(pattern, f"refs/heads/{name}")


def _matches(pattern: object, name: object) -> bool:
    if not isinstance(pattern, str) or not isinstance(name, str):
        return False
    return re.fullmatch("".join(map(_as_regex, _WILDCARD.split(pattern))), name) is not None


_WILDCARD: Final = re.compile(r"(\*\*/|\*+|\?)")


def _as_regex(part: str) -> str:
    """A part of one of GitHub's patterns: one asterisk stays between two slashes, and `**/` does not."""
    if part == "**/":
        return "(?:.*/)?"
    return "[^/]*" if part.startswith("*") else "[^/]" if part == "?" else re.escape(part)


def _living(stack: Stack) -> Iterator[Resource]:
    return (one for one in stack.of([REPOSITORY]) if one.props.get("archived") is not True)


def _protected_repositories(stack: Stack, _plan: Plan) -> StackFindings:
    for repository in _living(stack):
        if _protections(stack, repository):
            continue
        rulesets = stack.leading_to(repository, [REPOSITORY_RULESET], "repository")
        unknown = any(at(one.props, "conditions") is UNKNOWN for one in rulesets)
        names = [branch for one in rulesets for branch in strings(at(one.props, "conditions.refName.includes"))]
        for types, name, branch in _OLDER:
            for one in stack.leading_to(repository, [types], name):
                names += strings(one.props.get(branch))
        remedy = (
            "Let a ruleset that is active include ~DEFAULT_BRANCH, or set the default branch by `github.BranchDefault`,"
            " and exclude nothing that is the default branch."
            if names or rulesets
            else "Add `github.RepositoryRuleset` for it, on ~DEFAULT_BRANCH."
        )
        found = UNKNOWN if unknown else f"only on {', '.join(names) or 'no branch'}" if names or rulesets else None
        yield repository, Finding("a ruleset on its default branch", found, "one that is active", remedy)


def _protected_branches(stack: Stack, _plan: Plan) -> StackFindings:
    for repository in _living(stack):
        protections = _protections(stack, repository)
        if not protections:
            continue  # `repository-protected` demands one
        yield from _missing(protections)
        # A bypass does no harm where the other protections demand all of it.
        if any(_missing([one for one in protections if not any(_bypasses(one.resource))])):
            for protection in protections:
                for place, found, allowed in _bypasses(protection.resource):
                    remedy = "Allow a bypass in a pull request only, where GitHub records it."
                    finding = Finding(place, found, allowed, WRITE_IT_OUT if found is UNKNOWN else remedy)
                    yield protection.resource, finding


def _missing(protections: list[_Protection]) -> list[tuple[Resource, Finding]]:
    """The demands that none of the protections satisfies, each as a finding on the first of them."""
    findings = []
    for name, complies, allowed, remedy in _DEMANDS:
        values = [protection.values.get(name) for protection in protections]
        if not any(complies(value) for value in values):
            found = UNKNOWN if UNKNOWN in values else next(iter(values), None)
            resource, path = (protections[0].resource, protections[0].path) if protections else (_NONE, "")
            finding = Finding(f"{path}{name}", found, allowed, WRITE_IT_OUT if found is UNKNOWN else remedy)
            findings.append((resource, finding))
    return findings


_NONE: Final = Resource("", "", {})


def _bypasses(resource: Resource) -> Iterator[tuple[str, object, str]]:
    """The actors that a protection does not bind: the property, its value, and the allowed one."""
    for index, actor in enumerate(listed(resource.props.get("bypassActors"))):
        mode = at(actor, "bypassMode")
        if mode != "pull_request":
            yield f"bypassActors[{index}].bypassMode", mode, "pull_request"
    for name in ("forcePushBypassers", "requiredPullRequestReviews.pullRequestBypassers"):
        if at(resource.props, name) not in (None, []):
            yield name, at(resource.props, name), "no actor"


_HISTORY: Final = "Set it to true, so that the history cannot be deleted or rewritten."
_LATER: Final = "Set it to true: an approval does not cover commits that are pushed after it."
_DEMANDS: Final[tuple[tuple[str, Callable[[object], bool], str, str], ...]] = (
    ("deletion", lambda value: value is True, "true", _HISTORY),
    ("nonFastForward", lambda value: value is True, "true", _HISTORY),
    (
        _APPROVALS,
        lambda value: is_number(value) and value >= 1,
        "1 approval or more",
        "Require an approval by another person. Otherwise one stolen account is enough to change the code.",
    ),
    ("pullRequest.dismissStaleReviewsOnPush", lambda value: value is True, "true", _LATER),
    ("pullRequest.requireLastPushApproval", lambda value: value is True, "true", _LATER),
)
"""The demands, of which each is satisfied by one of the protections: the rule, its value, in words, and the remedy."""

REPOSITORY_PROTECTED: Final = StackPolicy(
    id="repository-protected",
    title="Each repository has a ruleset, or a branch protection, on its default branch.",
    severity="high",
    control="A.5.30",
    promise=code,
    remedy="Add a ruleset on ~DEFAULT_BRANCH.",
    rule=_protected_repositories,
)

PROTECTED: Final = StackPolicy(
    id="branch-protected",
    title="A change of the default branch needs an approval, and its history cannot be rewritten.",
    severity="high",
    control="A.5.30",
    promise=code,
    remedy="Add an active ruleset on the default branch that requires an approval and forbids deletion and force push.",
    rule=_protected_branches,
)
