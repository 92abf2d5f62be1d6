"""How GitHub's workflows get into AWS: by what they are, for an hour, and with no key that anybody could keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from components.access.policies import deploying_service, deploying_vault
from components.aws.iam_documents import INLINE_POLICY_LIMIT, Place, document, trust
from plan.names import deploy_role, preview_role

ISSUER: Final = "token.actions.githubusercontent.com"
AUDIENCE: Final = "sts.amazonaws.com"
_SESSION_SECONDS: Final = 3600


@dataclass(frozen=True, kw_only=True)
class RepositoryIdentity:
    """A repository as GitHub's tokens name it: by names, and by the numbers that it keeps when these change.

    Raises:
        ValueError: a number is none of GitHub's.
    """

    owner: str
    owner_id: int
    name: str
    repository_id: int
    branch: str = "main"
    """The one that deployments come from."""

    def __post_init__(self) -> None:
        for field in ("owner_id", "repository_id"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} is {getattr(self, field)}; GitHub's numbers begin with 1")

    def subject(self, context: str) -> str:
        """The `sub` of a token, in the form of repositories that were made since July 2026.

        Whoever takes over the name of an organisation or a repository does not take over its number.
        """
        return f"repo:{self.owner}@{self.owner_id}/{self.name}@{self.repository_id}:{context}"

    @property
    def looking(self) -> list[str]:
        """Who may look: any pull request, and what runs on the branch, such as the look for drift.

        GitHub gives no token to a fork's pull request.
        """
        return [self.subject("pull_request"), self.subject(f"ref:refs/heads/{self.branch}")]

    def deploying(self, stack: str) -> list[str]:
        """Who may deploy a stack: what runs in the environment of its name, which the branch alone may use."""
        return [self.subject(f"environment:{stack}")]


@dataclass(frozen=True, kw_only=True)
class GitHubAccessArgs:
    """Which repository, which stacks, and what they are told apart by."""

    issuer_arn: pulumi.Input[str]
    """GitHub's issuer of tokens, as the account knows it."""

    repository: RepositoryIdentity
    vault: str
    """The name of the vault's stack."""

    services: Sequence[str]
    """The names of the other stacks."""

    place: pulumi.Input[Place]
    """The account, and the regions where the stacks may be."""

    state_bucket: pulumi.Input[str]
    """The bucket of Pulumi's state."""

    reading_policy_arn: pulumi.Input[str]
    deploy_boundary_arn: pulumi.Input[str]
    workload_boundary_arn: pulumi.Input[str]


class GitHubAccess(pulumi.ComponentResource):
    """For each stack a role that looks and a role that deploys, each for tokens of one subject alone.

    A token says in `sub` which repository, and which environment or branch, a job belongs to. GitHub lets a job into an
    environment only from the branch that it is for, and only after its reviewers have agreed, so that subject cannot be
    had without both. Conditions are on `sub` and `aud`: AWS reads these two of every issuer.
    """

    role_arns: dict[str, pulumi.Output[str]]
    """By the roles' names."""

    def __init__(self, name: str, args: GitHubAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:access:GitHubAccess", name, {}, opts)
        guarded = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True)

        issuer_arn = pulumi.Output.from_input(args.issuer_arn)
        self.role_arns = {}

        def role(role_name: str, description: str, subjects: Sequence[str]) -> aws.iam.Role:
            made = aws.iam.Role(
                f"{name}-{role_name}",
                name=role_name,
                description=description,
                assume_role_policy=issuer_arn.apply(lambda arn: workflow_trust(arn, subjects)),
                permissions_boundary=args.deploy_boundary_arn,
                max_session_duration=_SESSION_SECONDS,
                tags={"Name": role_name},
                opts=guarded,
            )
            aws.iam.RolePolicyAttachment(
                f"{name}-{role_name}-reading", role=made.name, policy_arn=args.reading_policy_arn, opts=guarded
            )
            self.role_arns[role_name] = made.arn
            return made

        for stack in (args.vault, *args.services):
            role(preview_role(stack), f"Pull requests look at {stack}, and change nothing", args.repository.looking)
            deploying = role(deploy_role(stack), f"Approved deployments of {stack}", args.repository.deploying(stack))
            aws.iam.RolePolicy(
                f"{name}-{deploy_role(stack)}",
                name="deploying",
                role=deploying.name,
                policy=pulumi.Output.all(args.place, args.workload_boundary_arn, args.state_bucket).apply(
                    _deploying(args, stack)
                ),
                opts=guarded,
            )
        self.register_outputs({"roleArns": self.role_arns})


def _deploying(args: GitHubAccessArgs, stack: str) -> Callable[[list[Any]], str]:
    """The policy that deploys a stack, when the account, the workloads' boundary and the state's bucket are known."""

    def policy(known: list[Any]) -> str:
        place, workload_boundary_arn, state_bucket = known
        if stack == args.vault:
            return document(deploying_vault(place, stack, state_bucket), INLINE_POLICY_LIMIT)
        statements = deploying_service(place, stack, args.vault, workload_boundary_arn, state_bucket)
        return document(statements, INLINE_POLICY_LIMIT)

    return policy


def workflow_trust(issuer_arn: str, subjects: Sequence[str]) -> str:
    """The document by which a role trusts workflows' tokens of these subjects, and no others."""
    return trust(
        {"Federated": issuer_arn},
        # To the letter: a pattern would let in what nobody has thought of.
        {"StringEquals": {f"{ISSUER}:aud": AUDIENCE, f"{ISSUER}:sub": list(subjects)}},
        sid="Workflows",
        action="sts:AssumeRoleWithWebIdentity",
    )
