"""The vault's outputs, which production and recovery read."""

from __future__ import annotations

from typing import Any

import pulumi_aws
import pytest

from tests.components.recording import deploy_stack

# The SDK loads its modules when they are first used, which before Python 3.11.9 is not safe while another thread looks
# at the loaded modules, as servers of other tests do: so they are loaded here, before any test runs.
# A module's name alone does not load it; what is in it does.
LOADED = (
    pulumi_aws.ec2.Vpc,
    pulumi_aws.iam.Role,
    pulumi_aws.kms.Key,
    pulumi_aws.rds.Instance,
    pulumi_aws.s3.Bucket,
    pulumi_aws.vpc.SecurityGroupIngressRule,
)


@pytest.fixture(scope="session")
def vault() -> dict[str, Any]:
    """What the vault's stack exports, from a run of the program itself."""
    return deploy_stack("vault").outputs
