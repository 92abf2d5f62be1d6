"""A VPC with two subnets, made through the stand-in's tables."""

from __future__ import annotations

from typing import Any

from localcloud.plugins.aws.connection import Cloud
from tests.localcloud.aws_harness import HERE, Made


def network(cloud: Cloud, **inputs: Any) -> tuple[Made, list[Made]]:
    vpc = Made.create(cloud, "aws:ec2/vpc:Vpc", cidrBlock="10.20.0.0/16", **inputs)
    region = inputs.get("region", HERE)
    subnets = [
        Made.create(
            cloud,
            "aws:ec2/subnet:Subnet",
            vpcId=vpc.identity,
            cidrBlock=f"10.20.{number}.0/24",
            availabilityZone=f"{region}{zone}",
            **inputs,
        )
        for number, zone in enumerate("ab")
    ]
    return vpc, subnets
