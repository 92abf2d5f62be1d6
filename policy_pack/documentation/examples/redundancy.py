"""Examples of the policies on standby."""

from __future__ import annotations

from typing import Final

from policy_pack.documentation.examples.data import database
from policy_pack.documentation.examples.model import Example
from policy_pack.documentation.examples.service import dns_record, public_endpoint

REDUNDANCY: Final[tuple[Example, ...]] = (
    Example("database-multi-az", database, "database", "multiAz", False),
    Example("hetzner-protected", public_endpoint, "host-1", "deleteProtection", False),
    Example("host-labelled", public_endpoint, "host-1", "labels.role", ""),
    Example("host-spread", public_endpoint, "group", "type", "other"),
    Example("load-balancer-checks-health", public_endpoint, "service", "healthCheck.interval", 15),
    Example("dns-record-ttl", dns_record, "name", "ttl", 3600),
)
