"""Resources to judge, and a plan to judge them by that is not the company's.

It has different numbers and regions. So a policy whose code has a number, and not the plan, fails a test.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.struct_pb2 import Struct

from plan import Plan, load
from policy_pack import UNKNOWN, Provider, Resource, Violation, judge
from policy_pack.engine import wire
from policy_pack.rules.resource_types import RDS_BACKUP_REPLICATION, RDS_INSTANCE

_COMPANY: Final = load()

HOME: Final = "eu-north-1"
RECOVERY: Final = "eu-south-2"

PLAN: Final[Plan] = _COMPANY.model_copy(
    update={
        "residency": _COMPANY.residency.model_copy(
            update={
                "aws": _COMPANY.residency.aws.model_copy(
                    update={"home_region": HOME, "recovery_region": RECOVERY, "allowed_regions": (HOME, RECOVERY)}
                ),
                "hetzner": _COMPANY.residency.hetzner.model_copy(
                    update={"home_locations": ("nbg1", "hel1"), "allowed_locations": ("nbg1", "hel1")}
                ),
            }
        ),
        "retention": _COMPANY.retention.model_copy(update={"database_backup_days": 20, "replicated_backup_days": 12}),
    }
)
"""A plan that allows Stockholm and Aragon, Nuremberg and Helsinki, and keeps backups for 20 days, replicas for 12."""

ACCOUNT: Final = "123456789012"
DATABASE_ARN: Final = f"arn:aws:rds:{HOME}:{ACCOUNT}:db:main"
KEY_ARN: Final = f"arn:aws:kms:{RECOVERY}:{ACCOUNT}:key/mrk-1"

DATABASE: Final[dict[str, object]] = {
    "backupRetentionPeriod": 20,
    "copyTagsToSnapshot": True,
    "dbSubnetGroupName": UNKNOWN,
    "deleteAutomatedBackups": False,
    "deletionProtection": True,
    "enabledCloudwatchLogsExports": ["postgresql"],
    "finalSnapshotIdentifier": "main-final",
    "iamDatabaseAuthenticationEnabled": True,
    "kmsKeyId": UNKNOWN,
    "manageMasterUserPassword": True,
    "multiAz": True,
    "parameterGroupName": UNKNOWN,
    "skipFinalSnapshot": False,
    "storageEncrypted": True,
    "vpcSecurityGroupIds": [UNKNOWN],
}
"""What the plan wants of a database; its key is created in the same deployment."""

REPLICA: Final[dict[str, object]] = {
    "kmsKeyId": KEY_ARN,
    "region": RECOVERY,
    "retentionPeriod": 12,
    "sourceDbInstanceArn": DATABASE_ARN,
}


def aws_provider(**props: object) -> Provider:
    """A provider of AWS with this configuration."""
    return Provider(name="aws", type="pulumi:providers:aws", props=props)


def resource(type_: str, props: dict[str, Any] | None = None, provider: Provider | None = None) -> Resource:
    """A resource. One of AWS has a provider in the plan's home region, if no other is given."""
    if provider is None and not type_.startswith("pulumi:providers:"):
        package = type_.partition(":")[0]
        provider = (
            aws_provider(region=HOME) if package == "aws" else Provider(package, f"pulumi:providers:{package}", {})
        )
    return Resource(type=type_, name="it", props={} if props is None else props, provider=provider, protect=True)


def database(**changes: object) -> Resource:
    """A database as the plan wants it, but for some of its properties."""
    return resource(RDS_INSTANCE, {**DATABASE, **changes})


def replica(**changes: object) -> Resource:
    """A replication as the plan wants it, but for some of its properties."""
    return resource(RDS_BACKUP_REPLICATION, {**REPLICA, **changes})


def without(of: Resource, *names: str) -> Resource:
    """A resource without some of its properties."""
    props = {key: value for key, value in of.props.items() if key not in names}
    return Resource(of.type, of.name, props, of.provider, protect=of.protect)


def violations(of: Resource, policy: str) -> list[Violation]:
    """The violations of one policy by a resource."""
    return [violation for violation in judge(of, PLAN) if violation.policy.id == policy]


def refused(of: Resource, policy: str) -> dict[str, object]:
    """The properties that one policy refuses, and their values."""
    return {violation.finding.property: violation.finding.found for violation in violations(of, policy)}


def names(of: Resource, policy: str) -> list[str]:
    """The properties that one policy refuses."""
    return [violation.finding.property for violation in violations(of, policy)]


def message(props: dict[str, Any]) -> Struct:
    """The properties as the engine and the program send them."""

    def sent(value: object) -> object:
        if value is UNKNOWN:
            return min(wire.UNKNOWN_WORDS)
        if isinstance(value, dict):
            return {name: sent(item) for name, item in value.items()}
        return [sent(item) for item in value] if isinstance(value, list) else value

    struct = Struct()
    struct.update({name: sent(value) for name, value in props.items()})
    return struct
