"""What the tests of the stacks ask from outside: the clouds by their official clients, and what a stack says."""

from __future__ import annotations

import json
from typing import Any

import boto3

import plan
from tests.conftest import LocalCloud

PLAN = plan.load()
HOME, RECOVERY = PLAN.residency.aws.home_region, PLAN.residency.aws.recovery_region


def aws(cloud: LocalCloud, service: str, region: str = HOME) -> Any:
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=cloud.env["AWS_ENDPOINT_URL"],
        aws_access_key_id=cloud.env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=cloud.env["AWS_SECRET_ACCESS_KEY"],
    )


def outputs(cloud: LocalCloud, stack: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(cloud.run("pulumi", "stack", "output", "--stack", stack, "--json").stdout)
    return said
