"""GitHub: the repository with the source code, and the checks that a change must pass before it reaches the clouds.

It is a separate stack, so that an error or an outage of GitHub stops no deployment of the service, and so that only
its deployments need a token that administers the repository.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from components.github.environments import Delivery, DeliveryArgs, EnvironmentArgs
from components.github.repository import CodeRepository, CodeRepositoryArgs
from plan.names import PRODUCTION, RECOVERY, STACKS, VAULT, deploy_role, mirror_role, name_prefix, preview_role
from stacks import providers
from stacks.vault_reference import VaultReference

if TYPE_CHECKING:
    from plan import Plan
    from stacks.context import Outputs
    from stacks.settings.model import GitHubSettings, RepositorySettings


def repository(settings: GitHubSettings, plan: Plan) -> Outputs:
    """Declare the repository and its environments."""
    declared, name, vault = settings.repository, name_prefix(settings.stack), VaultReference()
    at_github = pulumi.ResourceOptions(providers=[providers.github(owner=declared.owner)])
    _warn(declared)
    code = CodeRepository(
        f"{name}-repository",
        CodeRepositoryArgs(
            repository=declared.name,
            description=declared.description,
            required_approvals=declared.required_approvals,
            required_checks=declared.required_checks,
            # An owner may skip the approval of a pull request only where the deployment needs a separate one.
            owners_may_bypass=declared.has_reviewers,
            secret_scanning=declared.secret_scanning,
        ),
        opts=at_github,
    )
    Delivery(
        f"{name}-delivery",
        DeliveryArgs(
            repository=code.repository_name,
            administrators=[role.github for role in plan.roles],
            reviewers=declared.reviewers if declared.has_reviewers else None,
            branch=declared.branch,
            environments=[
                EnvironmentArgs(
                    name=stack,
                    # One person alone must be able to recover, so that person may approve recovery. GitHub records it.
                    prevent_self_review=stack != RECOVERY,
                    variables={"DEPLOY_ROLE_ARN": vault.role_arn(deploy_role(stack))},
                )
                for stack in STACKS
            ],
            actions=declared.actions,
            variables=_variables(plan, vault),
        ),
        opts=at_github,
    )
    return {"repository_url": code.url}


def _warn(declared: RepositorySettings) -> None:
    """Say what is not declared, in each preview and update."""
    if not declared.has_reviewers:
        pulumi.log.warn(
            f"GitHub's plan {declared.plan!r} has no reviewers of deployments for a private repository. A merge is"
            " deployed without a further approval, so an owner cannot merge a pull request without an approval either."
        )
    if not declared.secret_scanning:
        pulumi.log.warn("Secret scanning is not declared: for a private repository it is a paid product of GitHub.")


def _variables(plan: Plan, vault: VaultReference) -> dict[str, pulumi.Input[str]]:
    """The variables of the workflows: the state's address, and the roles that workflows assume."""
    region = plan.residency.aws.recovery_region
    return {
        "AWS_REGION": region,
        "PULUMI_BACKEND_URL": vault.state_bucket_name.apply(lambda bucket: f"s3://{bucket}?region={region}"),
        "PREVIEW_ROLE_ARN": vault.role_arn(preview_role(PRODUCTION)),
        "MIRROR_ROLE_ARN": vault.role_arn(mirror_role(VAULT)),
        "MIRROR_BUCKET": vault.bundle_bucket_name,
    }
