"""AWS roles for GitHub's workflows: they assume one by an OIDC token, for an hour, without an access key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from components.access.policies.deployment import deploy_service, deploy_vault
from components.access.policies.pulumi_state import write_state
from components.access.policies.service_resources import alarms
from components.aws.iam_documents import INLINE_POLICY_LIMIT, MANAGED_POLICY_LIMIT, AccountScope, document, trust
from plan.names import deploy_role, preview_role

ISSUER: Final = "token.actions.githubusercontent.com"
AUDIENCE: Final = "sts.amazonaws.com"
_PREVIEW_SECONDS: Final = 3600
# A deployment waits for the restore of a database (`components/database/instance.py`) and for what follows. A job of
# GitHub can take 6 hours (GitHub Docs, "Actions limits").
DEPLOY_SECONDS: Final = 6 * 3600


@dataclass(frozen=True, kw_only=True)
class RepositoryIdentity:
    """The names of a repository and its owner in GitHub's tokens, with the numbers that stay when a name changes.

    Raises:
        ValueError: a number is not positive.
    """

    owner: str
    owner_id: int
    name: str
    repository_id: int
    branch: str = "main"
    """The only branch that is deployed."""

    def __post_init__(self) -> None:
        for field in ("owner_id", "repository_id"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} is {getattr(self, field)}; GitHub's numbers start at 1")

    def subject(self, context: str) -> str:
        """Return the `sub` claim of a token, in the format of repositories that were created since July 2026.

        The numbers prevent impersonation: the next owner of a name gets a different number.
        """
        return f"repo:{self.owner}@{self.owner_id}/{self.name}@{self.repository_id}:{context}"

    @property
    def preview_subjects(self) -> list[str]:
        """The subjects that may preview: pull requests, and workflows on the branch, such as drift detection.

        GitHub does not issue a token for a pull request from a fork.
        """
        return [self.subject("pull_request"), self.subject(f"ref:refs/heads/{self.branch}")]

    def deploy_subjects(self, stack: str) -> list[str]:
        """Return the subjects that may deploy a stack: jobs in its environment, which admits only the branch."""
        return [self.subject(f"environment:{stack}")]


@dataclass(frozen=True, kw_only=True)
class GitHubAccessArgs:
    """The repository and the stacks, with the policies and boundaries of their roles."""

    issuer_arn: pulumi.Input[str]
    """The account's OIDC provider for GitHub's tokens."""

    repository: RepositoryIdentity
    vault: str
    """The name of the vault's stack."""

    services: Sequence[str]
    """The names of the other stacks at AWS."""

    outside_aws: Sequence[str]
    """The names of the stacks without resources at AWS."""

    scope: pulumi.Input[AccountScope]
    """The account, and the regions where the stacks may be."""

    state_bucket: pulumi.Input[str]
    """The bucket of Pulumi's state."""

    reading_policy_arn: pulumi.Input[str]
    deploy_boundary_arn: pulumi.Input[str]
    workload_boundary_arn: pulumi.Input[str]


class GitHubAccess(pulumi.ComponentResource):
    """A preview role and a deploy role for each stack. Each trusts only the tokens of its subjects.

    The `sub` claim of a token names the repository and the environment or branch of a job. GitHub runs a job in an
    environment only from the environment's branch, and only after a reviewer has approved it. So a token with an
    environment's subject proves both. The conditions use `sub` and `aud`: AWS evaluates these claims for every issuer.
    """

    role_arns: dict[str, pulumi.Output[str]]
    """The ARNs by the names of the roles."""

    def __init__(self, name: str, args: GitHubAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:access:GitHubAccess", name, {}, opts)
        guarded = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True)

        issuer_arn = pulumi.Output.from_input(args.issuer_arn)
        self.role_arns = {}

        def role(
            role_name: str, description: str, subjects: Sequence[str], seconds: int = _PREVIEW_SECONDS
        ) -> aws.iam.Role:
            declared = aws.iam.Role(
                f"{name}-{role_name}",
                name=role_name,
                description=description,
                assume_role_policy=issuer_arn.apply(lambda arn: workflow_trust(arn, subjects)),
                permissions_boundary=args.deploy_boundary_arn,
                max_session_duration=seconds,
                tags={"Name": role_name},
                opts=guarded,
            )
            aws.iam.RolePolicyAttachment(
                f"{name}-{role_name}-reading", role=declared.name, policy_arn=args.reading_policy_arn, opts=guarded
            )
            self.role_arns[role_name] = declared.arn
            return declared

        for stack in (args.vault, *args.services, *args.outside_aws):
            role(
                preview_role(stack),
                f"Pull requests look at {stack}, and change nothing",
                args.repository.preview_subjects,
            )
            deploy = role(
                deploy_role(stack),
                f"Approved deployments of {stack}",
                args.repository.deploy_subjects(stack),
                DEPLOY_SECONDS,
            )
            aws.iam.RolePolicy(
                f"{name}-{deploy_role(stack)}",
                name="deploying",
                role=deploy.name,
                policy=pulumi.Output.all(args.scope, args.workload_boundary_arn, args.state_bucket).apply(
                    _deploy_policy(args, stack)
                ),
                opts=guarded,
            )
            if stack in args.services:
                # The inline policies of the role are at IAM's limit, so this is a managed policy.
                policy_name = f"{deploy_role(stack)}-alarms"
                policy = aws.iam.Policy(
                    f"{name}-{policy_name}",
                    name=policy_name,
                    description=f"The alarms of {stack}",
                    policy=pulumi.Output.from_input(args.scope).apply(_alarms_policy(stack)),
                    opts=guarded,
                )
                aws.iam.RolePolicyAttachment(
                    f"{name}-{policy_name}", role=deploy.name, policy_arn=policy.arn, opts=guarded
                )
        self.register_outputs({"roleArns": self.role_arns})


def _deploy_policy(args: GitHubAccessArgs, stack: str) -> Callable[[list[Any]], str]:
    """Return a function from the known scope, workload boundary and state bucket to the policy that deploys a stack."""

    def policy(known: list[Any]) -> str:
        scope, workload_boundary_arn, state_bucket = known
        if stack == args.vault:
            return document(deploy_vault(scope, stack, state_bucket), INLINE_POLICY_LIMIT)
        if stack in args.outside_aws:
            return document(write_state(scope, stack, state_bucket), INLINE_POLICY_LIMIT)
        statements = deploy_service(scope, stack, args.vault, workload_boundary_arn, state_bucket)
        return document(statements, INLINE_POLICY_LIMIT)

    return policy


def _alarms_policy(stack: str) -> Callable[[AccountScope], str]:
    return lambda scope: document(alarms(scope, [stack]), MANAGED_POLICY_LIMIT)


def workflow_trust(issuer_arn: str, subjects: Sequence[str]) -> str:
    """Return the trust policy of a role that only workflows with these subjects can assume."""
    return trust(
        {"Federated": issuer_arn},
        # Exact values: a pattern could match a subject that was not intended.
        {"StringEquals": {f"{ISSUER}:aud": AUDIENCE, f"{ISSUER}:sub": list(subjects)}},
        sid="Workflows",
        action="sts:AssumeRoleWithWebIdentity",
    )
