"""What cannot be made again is protected in Pulumi too: its own protection refuses what a cloud's would let through.

A cloud's protection is lifted by the provider itself in some cases, and a replacement deletes as surely as a deletion.
Hosts are not among these: they hold nothing, and are replaced on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from policy_pack.rules.aws_keys import KEY, REPLICA_KEY
from policy_pack.rules.backup_vault import LOCK, PLAN, VAULT
from policy_pack.rules.bucket_types import BUCKET, REPLICATION, VERSIONING
from policy_pack.rules.data_stores import TABLE
from policy_pack.rules.database import INSTANCE
from policy_pack.rules.database_replica import REPLICATION as DATABASE_REPLICATION
from policy_pack.rules.hosts import LOAD_BALANCER
from policy_pack.rules.policy import Finding, Policy, Resource, of_type
from policy_pack.rules.promises import recovery
from policy_pack.rules.repository import REPOSITORY
from policy_pack.rules.secrets import SECRET

if TYPE_CHECKING:
    from plan import Plan

HOLDS_DATA: Final = (
    INSTANCE,
    DATABASE_REPLICATION,
    TABLE,
    *BUCKET,
    *VERSIONING,
    *REPLICATION,
    KEY,
    REPLICA_KEY,
    VAULT,
    LOCK,
    PLAN,
    SECRET,
    REPOSITORY,
    LOAD_BALANCER,
    "hcloud:index/network:Network",
    "hcloud:index/zone:Zone",
)
"""Types whose loss is a loss of data, of the way to it, or of an address that customers know."""


def _kept(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    if not resource.protect:
        remedy = "Set it, on the resource or on what it is part of, so that no change of the program takes it away."
        yield Finding("the option protect", False, "true", remedy)


KEPT: Final = Policy(
    id="protected-in-pulumi",
    title="Pulumi refuses to delete or replace what cannot be made again.",
    severity="high",
    control="A.8.13",
    promise=recovery,
    remedy="Set the resource option `protect` to true.",
    concerns=of_type(*HOLDS_DATA),
    rule=_kept,
)
