"""The repository with the source code, and the checks that a change must pass before it reaches the clouds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from components.github.environments import Delivery, DeliveryArgs, EnvironmentArgs
from components.github.repository import CodeRepository, CodeRepositoryArgs
from plan.names import RECOVERY, STACKS, VAULT, deploy_role, mirror_role, preview_role
from stacks import providers

if TYPE_CHECKING:
    from stacks.context import StackContext
    from stacks.settings.model import ProductionSettings
    from stacks.vault_reference import VaultReference


def repository(context: StackContext[ProductionSettings], vault: VaultReference) -> pulumi.Output[str]:
    """Declare the repository and its environments, and return the repository's address.

    The service runs without the repository. `continuity up --without-github` skips this function through an environment
    variable, so that production can be deployed during an outage of GitHub. Existing resources at GitHub stay
    unchanged.
    """
    settings = context.settings.repository
    at_github = pulumi.ResourceOptions(providers=[providers.github(owner=settings.owner)])
    code = CodeRepository(
        f"{context.name}-repository",
        CodeRepositoryArgs(
            repository=settings.name,
            description=settings.description,
            required_approvals=settings.required_approvals,
            required_checks=settings.required_checks,
        ),
        opts=at_github,
    )
    Delivery(
        f"{context.name}-delivery",
        DeliveryArgs(
            repository=code.repository_name,
            administrators=[role.github for role in context.plan.roles],
            reviewers=settings.reviewers,
            branch=settings.branch,
            environments=[
                EnvironmentArgs(
                    name=stack,
                    # One person alone must be able to recover, so that person may approve recovery. GitHub records it.
                    agreed_by_another=stack != RECOVERY,
                    variables={"DEPLOY_ROLE_ARN": vault.role_arn(deploy_role(stack))},
                )
                for stack in STACKS
            ],
            actions=settings.actions,
            variables=_variables(context, vault),
        ),
        opts=at_github,
    )
    return code.url


def _variables(context: StackContext[ProductionSettings], vault: VaultReference) -> dict[str, pulumi.Input[str]]:
    """The variables of the workflows: the state's address, and the roles that workflows assume."""
    region = context.plan.residency.aws.recovery_region
    return {
        "AWS_REGION": region,
        "PULUMI_BACKEND_URL": vault.state_bucket_name.apply(lambda bucket: f"s3://{bucket}?region={region}"),
        "PREVIEW_ROLE_ARN": vault.role_arn(preview_role(context.settings.stack)),
        "MIRROR_ROLE_ARN": vault.role_arn(mirror_role(VAULT)),
        "MIRROR_BUCKET": vault.bundle_bucket_name,
    }
