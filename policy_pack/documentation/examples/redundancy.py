"""Examples of the policies on standby."""

from __future__ import annotations

from typing import Final

from policy_pack.documentation.examples.data import database
from policy_pack.documentation.examples.model import (
    Example,
    constant,
)
from policy_pack.documentation.examples.service import (
    dns_record,
    public_endpoint,
)

REDUNDANCY: Final[tuple[Example, ...]] = (
    Example(policy="database-multi-az", family=database, at="database", path="multiAz", refused=constant(False)),
    Example(
        policy="hetzner-protected",
        family=public_endpoint,
        at="host-1",
        path="deleteProtection",
        refused=constant(False),
    ),
    Example(policy="host-labelled", family=public_endpoint, at="host-1", path="labels.role", refused=constant("")),
    Example(policy="host-spread", family=public_endpoint, at="group", path="type", refused=constant("other")),
    Example(
        policy="load-balancer-checks-health",
        family=public_endpoint,
        at="service",
        path="healthCheck.interval",
        refused=constant(15),
    ),
    Example(policy="dns-record-ttl", family=dns_record, at="name", path="ttl", refused=constant(3600)),
)
