"""The ARNs of EC2's objects, most of which the API does not return."""

from __future__ import annotations

from localcloud.plugins.aws.connection import Cloud


def arn_of(cloud: Cloud, region: str, kind: str, identity: str) -> str:
    return f"arn:aws:ec2:{region}:{cloud.account}:{kind}/{identity}"
