"""The policies that were renamed, by their old ids.

A policy's id is public: exceptions and the pack's configuration name policies by it. An old id therefore still works.
An exception that uses one gets a hint that names the new id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

RENAMED: Final[Mapping[str, str]] = {
    "address-forgotten-soon": "dns-record-ttl",
    "backup-vault-kept": "backup-vault-retention",
    "bucket-complete": "bucket-baseline",
    "bucket-not-destroyed": "bucket-force-destroy-off",
    "bucket-replicates": "bucket-replication-complete",
    "data-store-judged": "data-store-reviewed",
    "database-parameters-here": "database-parameter-group-in-stack",
    "database-password-unknown": "database-password-managed",
    "database-reached-by-hosts-alone": "database-ingress-hosts-only",
    "database-walled": "database-private-network",
    "host-in-pool": "host-labelled",
    "key-deletion-noticed": "key-deletion-window",
    "load-balancer-complete": "load-balancer-baseline",
    "not-for-everybody": "no-public-principal",
    "people-need-mfa": "mfa-required",
    "provider-judged": "provider-allowed",
}
"""The new id of each old id."""


def current_id(policy: str) -> str:
    """The id that a policy has today."""
    return RENAMED.get(policy, policy)
