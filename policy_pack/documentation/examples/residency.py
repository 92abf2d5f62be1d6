"""Examples of the policies on where data may be.

A property that is left out takes its value from the provider, which is configured with an allowed region here.
"""

from __future__ import annotations

from typing import Final

from policy_pack.documentation.examples.model import (
    TYPE,
    Example,
    constant,
)
from policy_pack.documentation.examples.service import (
    function,
    public_endpoint,
    queue,
)

RESIDENCY: Final[tuple[Example, ...]] = (
    Example(
        policy="aws-region-in-eu",
        family=queue,
        at="queue",
        path="region",
        refused=constant("us-east-1"),
        left_out=False,
    ),
    Example(
        policy="aws-region-in-arguments",
        family=queue,
        at="queue",
        path="kmsMasterKeyId",
        refused=constant("arn:aws:kms:eu-west-2:123456789012:key/queue"),
        left_out=False,
        unknown=False,
    ),
    Example(
        policy="hetzner-location-in-eu", family=public_endpoint, at="balancer", path="location", refused=constant("ash")
    ),
    Example(
        policy="provider-allowed",
        family=queue,
        at="queue",
        path=TYPE,
        refused=constant("gcp:pubsub/topic:Topic"),
        left_out=False,
        unknown=False,
        hidden=("queue", "kmsMasterKeyId"),
    ),
    Example(
        policy="resources-declared",
        family=queue,
        at="queue",
        path=TYPE,
        refused=constant("aws:cloudformation/stack:Stack"),
        left_out=False,
        unknown=False,
        hidden=("queue", "kmsMasterKeyId"),
    ),
    Example(
        policy="inference-in-eu",
        family=function,
        at="function",
        path="environment.variables.MODEL",
        refused=constant("global.anthropic.claude-sonnet-4-20250514-v1:0"),
        left_out=False,
        unknown=False,
    ),
)
