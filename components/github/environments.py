"""Who administers the code's home, who agrees to a deployment, and what workflows may do there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_github as github


@dataclass(frozen=True, kw_only=True)
class EnvironmentArgs:
    """A place that is deployed to: the stack of that name."""

    name: str

    agreed_by_another: bool
    """Whether whoever starts a deployment has to wait for somebody else to agree.

    Without it, one person alone can do so, by an approval of their own that GitHub records.
    """

    variables: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """What a job there is told. None of it is secret: a role's name lets nobody in."""


@dataclass(frozen=True, kw_only=True)
class DeliveryArgs:
    """The repository, the people, and the places.

    Raises:
        ValueError: one person alone would administer it, or agree to what is deployed.
    """

    repository: pulumi.Input[str]

    administrators: Sequence[str]
    """The logins of those who own the organisation."""

    reviewers: Sequence[int]
    """The numbers, as GitHub wants them, of those who agree to deployments."""

    branch: str
    """The only one that is deployed from."""

    environments: Sequence[EnvironmentArgs]

    actions: Sequence[str]
    """The actions that workflows may use, as GitHub's patterns (`owner/name@*`). Each use names a commit besides."""

    variables: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """What every workflow is told."""

    def __post_init__(self) -> None:
        for people in ("administrators", "reviewers"):
            if len(set(getattr(self, people))) < 2:
                raise ValueError(f"{people} are {list(getattr(self, people))}; at least 2 people are needed")


class Delivery(pulumi.ComponentResource):
    """What stands between a change that was merged and the clouds.

    A deployment runs in an environment of its stack's name. GitHub lets only the one branch in, and only once a
    reviewer has agreed, which no administrator can skip there. The environment's name is part of the token that AWS is
    shown, so what holds for the environment holds for the role. The way around, for one person alone in an emergency,
    is not here: it is access to the clouds that both are told of when it is used.

    Workflows use a few actions, each by a commit's hash, and their own token reads unless a job says otherwise. What
    GitHub writes into its tokens for the clouds is left as GitHub has it, with the numbers of the owner and of the
    repository: it is declared so that a change of it by hand shows as drift.

    Both co-founders own the organisation. A membership is never taken away by a deployment: whoever leaves is removed
    by the other one, by hand, and `protect` says so.
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

        for place in args.environments:
            self._environment(f"{name}-{place.name}", args, place, members)
        self.register_outputs({})

    def _environment(
        self,
        name: str,
        args: DeliveryArgs,
        place: EnvironmentArgs,
        members: Sequence[pulumi.Resource],
    ) -> None:
        environment = github.RepositoryEnvironment(
            name,
            repository=args.repository,
            environment=place.name,
            reviewers=[github.RepositoryEnvironmentReviewerArgs(users=list(args.reviewers))],
            prevent_self_review=place.agreed_by_another,
            can_admins_bypass=False,
            deployment_branch_policy=github.RepositoryEnvironmentDeploymentBranchPolicyArgs(
                protected_branches=False, custom_branch_policies=True
            ),
            # Only who can see the repository can review what is deployed from it.
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
        for variable, value in place.variables.items():
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
