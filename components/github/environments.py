"""The owners of the organisation, the environments of deployments, and the permissions of workflows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_github as github


@dataclass(frozen=True, kw_only=True)
class EnvironmentArgs:
    """The environment of a stack's deployments, with the stack's name."""

    name: str

    prevent_self_review: bool
    """Whether the person who starts a deployment needs the approval of another reviewer.

    Otherwise one person alone can deploy, by an approval that GitHub records.
    """

    variables: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """The variables of a job in the environment. None is secret: the name of a role gives no access."""


@dataclass(frozen=True, kw_only=True)
class DeliveryArgs:
    """The repository, its people and its environments.

    Raises:
        ValueError: one person alone would own the organisation, or review all deployments.
    """

    repository: pulumi.Input[str]

    administrators: Sequence[str]
    """The logins of the organisation's owners."""

    reviewers: Sequence[int] | None
    """GitHub's ids of the reviewers of deployments. None on a plan without reviewers: see `Delivery`."""

    branch: str
    """The only branch that is deployed."""

    environments: Sequence[EnvironmentArgs]

    actions: Sequence[str]
    """The actions that workflows may use, as GitHub's patterns (`owner/name@*`). Each use must also name a commit."""

    variables: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """The variables of every workflow."""

    def __post_init__(self) -> None:
        for people, names in (("administrators", self.administrators), ("reviewers", self.reviewers)):
            if names is not None and len(set(names)) < 2:
                raise ValueError(f"{people} are {list(names)}; at least 2 people are needed")


class Delivery(pulumi.ComponentResource):
    """The conditions that a merged change meets before it reaches the clouds.

    A deployment runs in the environment with the name of its stack. GitHub admits only one branch to it, and only after
    a reviewer has approved, which an administrator cannot skip. The token for AWS contains the environment's name, so
    the role of a stack has the same conditions.

    Below GitHub Enterprise, the environments of a private repository have branches and variables only. GitHub refuses a
    request that names a reviewer or a bypass. Then the approval of the pull request is the only one.

    Workflows use a few actions, each by the hash of a commit, and their own token reads unless a job says otherwise.
    The subject of the tokens for clouds has GitHub's default form, with the ids of owner and repository. It is declared
    so that a change by hand shows as drift.

    Both co-founders own the organisation. No deployment removes a membership (`protect`): the other owner removes a
    person who leaves, by hand.
    """

    def __init__(self, name: str, args: DeliveryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:code:Delivery", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        guarded = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True)

        members = [
            github.Membership(f"{name}-{login}", username=login, role="admin", opts=guarded)
            for login in args.administrators
        ]

        github.ActionsRepositoryPermissions(
            name,
            repository=args.repository,
            enabled=True,
            allowed_actions="selected",
            allowed_actions_config=github.ActionsRepositoryPermissionsAllowedActionsConfigArgs(
                github_owned_allowed=False, verified_allowed=False, patterns_alloweds=list(args.actions)
            ),
            sha_pinning_required=True,
            opts=child,
        )
        github.WorkflowRepositoryPermissions(
            name,
            repository=args.repository,
            default_workflow_permissions="read",
            can_approve_pull_request_reviews=False,
            opts=child,
        )
        github.ActionsRepositoryOidcSubjectClaimCustomizationTemplate(
            name, repository=args.repository, use_default=True, opts=child
        )
        for variable, value in args.variables.items():
            github.ActionsVariable(
                f"{name}-{_dashed(variable)}",
                repository=args.repository,
                variable_name=variable,
                value=value,
                opts=child,
            )

        for environment in args.environments:
            self._environment(f"{name}-{environment.name}", args, environment, members)
        self.register_outputs({})

    def _environment(
        self,
        name: str,
        args: DeliveryArgs,
        declared: EnvironmentArgs,
        members: Sequence[pulumi.Resource],
    ) -> None:
        environment = github.RepositoryEnvironment(
            name,
            repository=args.repository,
            environment=declared.name,
            reviewers=[github.RepositoryEnvironmentReviewerArgs(users=list(args.reviewers))]
            if args.reviewers
            else None,
            # Without reviewers the provider's defaults stay: GitHub refuses other values, and the provider drops them,
            # so they would be drift forever.
            prevent_self_review=declared.prevent_self_review if args.reviewers else None,
            can_admins_bypass=False if args.reviewers else None,
            deployment_branch_policy=github.RepositoryEnvironmentDeploymentBranchPolicyArgs(
                protected_branches=False, custom_branch_policies=True
            ),
            # A reviewer must be able to read the repository.
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(members)),
        )
        below = pulumi.ResourceOptions(parent=environment)
        github.RepositoryEnvironmentDeploymentPolicy(
            name,
            repository=args.repository,
            environment=environment.environment,
            branch_pattern=args.branch,
            opts=below,
        )
        for variable, value in declared.variables.items():
            github.ActionsEnvironmentVariable(
                f"{name}-{_dashed(variable)}",
                repository=args.repository,
                environment=environment.environment,
                variable_name=variable,
                value=value,
                opts=below,
            )


def _dashed(variable: str) -> str:
    return variable.lower().replace("_", "-")
