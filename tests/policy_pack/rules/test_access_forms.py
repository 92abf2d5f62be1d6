"""The default branch and the trust of roles in every form: what is equivalent gets the same verdict."""

from __future__ import annotations

from typing import Any

import pytest

from policy_pack import UNKNOWN, judge_stack
from policy_pack.documentation.examples.data import policy_document
from policy_pack.documentation.examples.model import Declared, Family, Ref, declared_as
from policy_pack.documentation.examples.service import PERSON, repository, workflow
from policy_pack.rules.resource_types import (
    BRANCH_DEFAULT,
    BRANCH_PROTECTION,
    ORGANIZATION_RULESET,
    REPOSITORY_RULESET,
)
from tests.policy_pack.refusals import policies
from tests.policy_pack.resources import ACCOUNT, PLAN, names, resource


def refused(family: Family) -> set[str]:
    """The ids of the policies that refuse a family."""
    return policies(family, PLAN)


def rules(**changes: Any) -> Declared:
    """The ruleset of the example, with other properties."""
    return Declared(REPOSITORY_RULESET, {**repository(PLAN)["ruleset"].props, **changes})


ALL_RULES = repository(PLAN)["ruleset"].props["rules"]
REVIEW = {"pullRequest": ALL_RULES["pullRequest"]}
HISTORY = {"deletion": True, "nonFastForward": True}


def on(*includes: str, excludes: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"refName": {"includes": list(includes), "excludes": list(excludes)}}


BYPASS = [{"actorType": "Integration", "actorId": 1, "bypassMode": "always"}]


@pytest.mark.parametrize(
    ("rulesets", "expected"),
    [
        ([rules(rules=REVIEW), rules(rules=HISTORY)], set()),
        ([rules(rules=REVIEW), rules(rules={"deletion": True})], {"branch-protected"}),
        ([rules(), rules(rules={"requiredStatusChecks": {}}, bypassActors=BYPASS)], set()),
        ([rules(bypassActors=BYPASS)], {"branch-protected"}),
        ([rules(rules=HISTORY), rules(rules=REVIEW, bypassActors=BYPASS)], {"branch-protected"}),
        ([rules(), rules(conditions=on("refs/heads/try/*"), enforcement="evaluate", rules={})], set()),
        ([rules(), rules(target="tag", conditions=on("~ALL"), bypassActors=BYPASS, rules={})], set()),
        ([rules(), rules(enforcement="evaluate", rules={})], set()),
        ([rules(enforcement="evaluate")], {"repository-protected"}),
        ([rules(target="tag")], {"repository-protected"}),
        ([rules(conditions=on("~DEFAULT_BRANCH", excludes=("~DEFAULT_BRANCH",)))], {"repository-protected"}),
        ([rules(conditions=on("~ALL", excludes=("refs/heads/main",)))], {"repository-protected"}),
        ([rules(conditions=on("~ALL", excludes=("refs/heads/*",)))], {"repository-protected"}),
        ([rules(conditions=on("~ALL", excludes=("refs/heads/try/*",)))], set()),
        ([rules(conditions=UNKNOWN)], {"repository-protected"}),
        ([rules(conditions=on("refs/heads/main"))], {"repository-protected"}),
    ],
)
def test_the_default_branch_is_protected_by_all_rulesets_together(rulesets: list[Declared], expected: set[str]) -> None:
    family = {"repository": repository(PLAN)["repository"], **{f"rules-{n}": one for n, one in enumerate(rulesets)}}
    assert refused(family) == expected


@pytest.mark.parametrize(
    ("branch", "includes", "expected"),
    [
        ("main", "refs/heads/main", set()),
        ("trunk", "refs/heads/trunk", set()),
        ("trunk", "refs/heads/tr*", set()),
        ("trunk", "refs/heads/main", {"repository-protected"}),
        ("release/1", "refs/heads/**/*", set()),
        ("release/1", "refs/heads/*", {"repository-protected"}),
    ],
)
def test_a_branch_by_its_name_is_the_default_one_that_the_stack_sets(
    branch: str, includes: str, expected: set[str]
) -> None:
    family = {
        "repository": repository(PLAN)["repository"],
        "default": Declared(BRANCH_DEFAULT, {"repository": Ref("repository", "name"), "branch": branch}),
        "ruleset": rules(conditions=on(includes)),
    }
    assert refused(family) == expected


def test_a_ruleset_on_the_default_branch_by_name_is_told_what_to_write() -> None:
    family = {"repository": repository(PLAN)["repository"], "ruleset": rules(conditions=on("refs/heads/main"))}
    (violation,) = judge_stack(declared_as(family, PLAN), PLAN)
    assert "is 'only on refs/heads/main'" in violation.message
    assert "include ~DEFAULT_BRANCH" in violation.message


REVIEWS = {"requiredApprovingReviewCount": 1, "dismissStaleReviews": True, "requireLastPushApproval": True}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, set()),
        ({"pattern": "release/*"}, {"repository-protected"}),
        ({"pattern": "main"}, {"repository-protected"}),
        ({"pattern": "ma*"}, set()),
        ({"pattern": "*"}, set()),
        ({"enforceAdmins": False}, {"branch-protected"}),
        ({"allowsForcePushes": True}, {"branch-protected"}),
        ({"allowsDeletions": UNKNOWN}, {"branch-protected"}),
        ({"forcePushBypassers": ["/somebody"]}, {"branch-protected"}),
        ({"requiredPullRequestReviews": [{**REVIEWS, "requiredApprovingReviewCount": 0}]}, {"branch-protected"}),
    ],
)
def test_the_older_branch_protection_counts_as_a_ruleset_does(change: dict[str, Any], expected: set[str]) -> None:
    older = {"pattern": "*", "enforceAdmins": True, "requiredPullRequestReviews": [REVIEWS], **change}
    family = {
        "repository": repository(PLAN)["repository"],
        "guard": Declared(BRANCH_PROTECTION, {"repositoryId": Ref("repository", "nodeId"), **older}),
    }
    assert refused(family) == expected


def test_a_ruleset_of_the_organization_counts_for_the_repositories_that_it_includes() -> None:
    family = dict(repository(PLAN))
    family["repository"] = Declared(family["repository"].type, {**family["repository"].props, "name": "infra"})
    for include, expected in (("~ALL", set()), ("infra", set()), ("other", {"repository-protected"})):
        conditions = {**on("~DEFAULT_BRANCH"), "repositoryName": {"includes": [include], "excludes": []}}
        props = {**family["ruleset"].props, "conditions": conditions}
        del props["repository"]
        assert refused({**family, "ruleset": Declared(ORGANIZATION_RULESET, props)}) == expected


ISSUER = "token.actions.githubusercontent.com"
ROLE = "aws:iam/role:Role"


def trust(policy: str, **change: Any) -> list[str]:
    statement = {**workflow("repo:shop/infra:environment:prod"), **change}
    return names(resource(ROLE, {"assumeRolePolicy": policy_document(statement)}), policy)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"StringEquals": {f"{ISSUER}:sub": "repo:shop/infra:ref:refs/heads/main"}}, False),
        ({"StringLike": {f"{ISSUER}:sub": ["repo:shop/infra:ref:refs/tags/v*", "repo:shop/a:pull_request"]}}, False),
        ({"StringEquals": {f"{ISSUER.title()}:SUB": "repo:shop@1/infra@2:environment:prod"}}, False),
        ({"StringEquals": {f"{ISSUER}:job_workflow_ref": "shop/infra/.github/workflows/a.yml@refs/heads/m"}}, False),
        ({}, True),
        ({"StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com"}}, True),
        ({"StringLike": {f"{ISSUER}:sub": "repo:*"}}, True),
        ({"StringLike": {f"{ISSUER}:sub": "repo:shop/*"}}, True),
        ({"StringLike": {f"{ISSUER}:sub": "repo:shop/infra*"}}, True),
        ({"StringLike": {f"{ISSUER}:sub": "repo:shop/infra:*"}}, True),
        ({"StringLike": {f"{ISSUER}:sub": ["repo:shop/infra:environment:prod", "*"]}}, True),
        ({"StringEqualsIfExists": {f"{ISSUER}:sub": "repo:shop/infra:environment:prod"}}, True),
        ({"ForAllValues:StringEquals": {f"{ISSUER}:sub": "repo:shop/infra:environment:prod"}}, True),
        ({"StringNotEquals": {f"{ISSUER}:sub": "repo:shop/infra:environment:prod"}}, True),
        ({"StringEquals": {"gitlab.com:sub": "repo:shop/infra:environment:prod"}}, True),
        ({"StringEquals": [f"{ISSUER}:sub"]}, True),
    ],
)
def test_githubs_tokens_are_trusted_for_a_named_part_of_a_repository(condition: Any, expected: bool) -> None:
    assert bool(trust("federation-subject-named", Condition=condition)) is expected


@pytest.mark.parametrize(
    ("principal", "condition", "expected"),
    [
        ("gitlab.com", {"StringLike": {"gitlab.com:sub": "project_path:shop/infra:ref_type:branch:ref:main"}}, False),
        ("gitlab.com", {"StringLike": {"gitlab.com:sub": "*"}}, True),
        ("gitlab.com", {}, True),
        ("accounts.google.com", {"StringEquals": {"accounts.google.com:aud": "1234.apps"}}, False),
        (f"arn:aws:iam::{ACCOUNT}:saml-provider/office", {}, False),
    ],
)
def test_other_issuers_are_trusted_for_a_named_subject_too(principal: str, condition: Any, expected: bool) -> None:
    named = principal if principal.startswith("arn:") else f"arn:aws:iam::{ACCOUNT}:oidc-provider/{principal}"
    of = {"Principal": {"Federated": named}, "Condition": condition}
    assert bool(trust("federation-subject-named", **of)) is expected


@pytest.mark.parametrize(
    ("principal", "condition", "machine"),
    [
        (f"arn:aws:iam::{ACCOUNT}:root", {"StringEquals": {"sts:ExternalId": "b5f0"}}, True),
        (ACCOUNT, {"StringEquals": {"sts:ExternalId": "b5f0"}}, True),
        (f"arn:aws:iam::{ACCOUNT}:root", {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/x"}}, True),
        (f"arn:aws:iam::{ACCOUNT}:root", {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:user/x"}}, False),
        (f"arn:aws:iam::{ACCOUNT}:user/x", {"StringEquals": {"sts:ExternalId": "b5f0"}}, False),
        ("*", {"StringEquals": {"sts:ExternalId": "b5f0"}}, False),
        (f"arn:aws:iam::{ACCOUNT}:root", {"StringLike": {"sts:ExternalId": "*"}}, False),
    ],
)
def test_a_machine_is_not_asked_for_mfa(principal: str, condition: Any, machine: bool) -> None:
    statement = {**PERSON, "Principal": {"AWS": principal}, "Condition": condition}
    found = names(resource(ROLE, {"assumeRolePolicy": policy_document(statement)}), "mfa-required")
    assert (found == []) is machine
