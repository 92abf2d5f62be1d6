"""Examples of the policies on where data may be.

A property that is left out takes its value from the provider, which is configured with an allowed region here.
"""

from __future__ import annotations

from typing import Final

from policy_pack.documentation.examples.model import TYPE, Example
from policy_pack.documentation.examples.service import function, public_endpoint, queue

RESIDENCY: Final[tuple[Example, ...]] = (
    Example("aws-region-in-eu", queue, "queue", "region", "us-east-1", left_out=False),
    Example(
        "aws-region-in-arguments",
        queue,
        "queue",
        "kmsMasterKeyId",
        "arn:aws:kms:eu-west-2:123456789012:key/queue",
        left_out=False,
        unknown=False,
    ),
    Example("hetzner-location-in-eu", public_endpoint, "balancer", "location", "ash"),
    Example(
        "provider-allowed",
        queue,
        "queue",
        TYPE,
        "gcp:pubsub/topic:Topic",
        left_out=False,
        unknown=False,
        hidden=("queue", "kmsMasterKeyId"),
    ),
    Example(
        "resources-declared",
        queue,
        "queue",
        TYPE,
        "aws:cloudformation/stack:Stack",
        left_out=False,
        unknown=False,
        hidden=("queue", "kmsMasterKeyId"),
    ),
    Example(
        "inference-in-eu",
        function,
        "function",
        "environment.variables.MODEL",
        "global.anthropic.claude-sonnet-4-20250514-v1:0",
        left_out=False,
        unknown=False,
    ),
)
