"""The tables that replace `pulumi-resource-github`: a module for each subject.

Calls, their order, defaults and ids follow the source of the official provider (the GitHub provider for Terraform,
which Pulumi's provider wraps).
"""

from __future__ import annotations

from localcloud.plugins.github.actions import (
    ENVIRONMENT_VARIABLE,
    PERMISSIONS,
    SECURITY_UPDATES,
    SUBJECT,
    VARIABLE,
    WORKFLOW_PERMISSIONS,
)
from localcloud.plugins.github.cloud import CONFIGURATION, connect
from localcloud.plugins.github.environments import DEPLOYMENT_POLICY, ENVIRONMENT
from localcloud.plugins.github.people import MEMBERSHIP
from localcloud.plugins.github.repositories import REPOSITORY
from localcloud.plugins.github.repository_parts import BRANCH_DEFAULT, VULNERABILITY_ALERTS
from localcloud.plugins.github.rulesets import RULESET
from localcloud.plugins.table import Plugin

__all__ = ["PLUGIN"]

PLUGIN = Plugin(
    name="github",
    version="6.15.0",
    configuration=CONFIGURATION,
    connect=connect,
    resources=(
        BRANCH_DEFAULT,
        DEPLOYMENT_POLICY,
        ENVIRONMENT,
        ENVIRONMENT_VARIABLE,
        MEMBERSHIP,
        PERMISSIONS,
        REPOSITORY,
        RULESET,
        SECURITY_UPDATES,
        SUBJECT,
        VARIABLE,
        VULNERABILITY_ALERTS,
        WORKFLOW_PERMISSIONS,
    ),
)
