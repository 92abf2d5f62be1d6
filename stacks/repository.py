"""The repository that everything is built from, and the checks between a change there and the clouds."""

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
    """Declares the repository and its environments, and returns the repository's address.

    The service runs without it. `continuity up --without-github` sets an environment variable, so that an outage of
    GitHub does not stop production from coming up. What exists at GitHub then stays as it is.
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
                    # One person alone must be able to recover, so they approve recovery themselves, on record.
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
    """What the workflows know: where the state is, and which roles they take."""
    region = context.plan.residency.aws.recovery_region
    return {
        "AWS_REGION": region,
        "PULUMI_BACKEND_URL": vault.state_bucket_name.apply(lambda bucket: f"s3://{bucket}?region={region}"),
        "PREVIEW_ROLE_ARN": vault.role_arn(preview_role(context.settings.stack)),
        "MIRROR_ROLE_ARN": vault.role_arn(mirror_role(VAULT)),
        "MIRROR_BUCKET": vault.bundle_bucket_name,
    }
