"""An example for each policy: resources that comply, and the least change that it refuses.

The documents show them, and the tests run them: as plain data and through the engine. The numbers are the plan's, so a
promise that changes changes them too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from plan import Plan
from policy_pack.rules.policy import Provider, Resource
from policy_pack.rules.resource_types import (
    BACKUP_PLAN,
    BACKUP_SELECTION,
    BACKUP_VAULT,
    BACKUP_VAULT_LOCK,
    BUCKET,
    BUCKET_ACCESS_BLOCK,
    BUCKET_ENCRYPTION,
    BUCKET_LIFECYCLE,
    BUCKET_LOCK,
    BUCKET_POLICY,
    BUCKET_REPLICATION,
    BUCKET_VERSIONING,
    DYNAMODB_TABLE,
    FIREWALL,
    IAM_ROLE,
    INGRESS_RULE,
    KMS_KEY,
    LOAD_BALANCER,
    LOAD_BALANCER_SERVICE,
    LOAD_BALANCER_TARGET,
    PLACEMENT_GROUP,
    RDS_BACKUP_REPLICATION,
    RDS_INSTANCE,
    RDS_PARAMETER_GROUP,
    REPOSITORY,
    REPOSITORY_RULESET,
    SECRET,
    SECURITY_GROUPS,
    SERVER,
    ZONE_RRSET,
)
from policy_pack.rules.values import UNKNOWN


@dataclass(frozen=True)
class Ref:
    """Another resource's output: known only once that is deployed, and a link to it before."""

    resource: str
    output: str = "id"


@dataclass(frozen=True)
class Declared:
    """A resource, as a program declares it."""

    type: str
    props: Mapping[str, Any] = field(default_factory=dict)
    protect: bool = True


Family = Mapping[str, Declared]
"""Resources that belong together, by what they are called."""


def declared_as(family: Family, plan: Plan, prefix: str = "") -> list[Resource]:
    """The resources as a preview of a new stack has them: what refers to another one is not known, but linked."""
    home = plan.residency.aws.home_region
    found = []
    for name, resource in family.items():
        package = resource.type.partition(":")[0]
        config = {"region": home} if package == "aws" else {}
        found.append(
            Resource(
                type=resource.type,
                name=prefix + name,
                props={key: _plain(value) for key, value in resource.props.items()},
                provider=Provider(package, f"pulumi:providers:{package}", config),
                urn=_urn(prefix + name),
                protect=resource.protect,
                links={
                    key: frozenset(_urn(prefix + ref.resource) for ref in _refs(value))
                    for key, value in resource.props.items()
                },
            )
        )
    return found


def _urn(name: str) -> str:
    return f"urn:example::{name}"


def _plain(value: object) -> object:
    if isinstance(value, Ref):
        return UNKNOWN
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _refs(value: object) -> Iterator[Ref]:
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _refs(item)
    elif isinstance(value, list):
        for item in value:
            yield from _refs(item)


TYPE: Final = "the type"
PROTECT: Final = "the option protect"
"""What can be changed of a resource and is no property of it."""

LEFT_OUT: Final = object()
"""In place of a value: the property is not there."""


def changed(family: Family, name: str, path: str, value: object) -> Family:
    """The family with one property of one resource changed; `path` is dotted, and a number in it is an index."""
    resource = family[name]
    if path == PROTECT:
        # An option is never unknown, and left out it is false.
        return {**family, name: replace(resource, protect=value is True or value is UNKNOWN)}
    if path == TYPE:
        return {**family, name: replace(resource, type=str(value))}
    return {**family, name: replace(resource, props=_with(resource.props, path.split("."), value))}


def _with(of: Any, path: Sequence[str], value: object) -> Any:
    first, rest = path[0], path[1:]
    if isinstance(of, list):
        index = int(first)
        new = _with(of[index], rest, value) if rest else value
        return [*of[:index], *([] if new is LEFT_OUT else [new]), *of[index + 1 :]]
    new = _with(of.get(first, {}), rest, value) if rest else value
    return {key: item for key, item in {**of, first: new}.items() if item is not LEFT_OUT}


@dataclass(frozen=True, kw_only=True)
class Example:
    """What complies with a policy, and what it makes of one change."""

    policy: str
    family: Callable[[Plan], Family]
    """What complies, with all of the policies."""
    at: str
    """The resource that is changed."""
    path: str = ""
    """The property that is changed. Empty where the resource is taken away as a whole."""
    refused: Callable[[Plan], object] = lambda plan: LEFT_OUT
    """The value that is refused."""
    left_out: bool = True
    """Whether it is refused too where the property is left out: otherwise its default complies."""
    unknown: bool = True
    """Whether it is refused where the property is not known before the deployment."""
    hidden: tuple[str, str] | None = None
    """For a resource that is taken away: the resource and the property of the two other cases."""

    def compliant(self, plan: Plan) -> Family:
        """What is allowed."""
        return self.family(plan)

    def broken(self, plan: Plan) -> Family:
        """What is refused, by this policy and by no other."""
        family = self.family(plan)
        if self.path:
            return changed(family, self.at, self.path, self.refused(plan))
        return _without(family, self.at)

    def without(self, plan: Plan) -> Family:
        """The same with the property left out."""
        return changed(self.family(plan), *self._hiding(), LEFT_OUT)

    def not_known(self, plan: Plan) -> Family:
        """The same with a property that is not known."""
        return changed(self.family(plan), *self._hiding(), UNKNOWN)

    def _hiding(self) -> tuple[str, str]:
        return self.hidden or (self.at, self.path)


def _without(family: Family, name: str) -> Family:
    """The family without a resource, and without what refers to it."""
    return {
        key: resource
        for key, resource in family.items()
        if key != name and not any(ref.resource == name for ref in _refs(resource.props))
    }


# What complies.


def key(_plan: Plan) -> Family:
    """A key, with the defaults that comply left out."""
    return {"key": Declared(KMS_KEY, {"description": "what it is for", "enableKeyRotation": True})}


def database(plan: Plan) -> Family:
    """A database with all that is promised of it."""
    recovery = plan.residency.aws.recovery_region
    return {
        "key": key(plan)["key"],
        "host": Declared(
            "hcloud:index/primaryIp:PrimaryIp",
            {"type": "ipv4", "location": _home(plan, 0), "autoDelete": False, "deleteProtection": True},
        ),
        "wall": Declared(SECURITY_GROUPS[0], {"description": "PostgreSQL from the hosts"}),
        "admission": Declared(
            INGRESS_RULE,
            {
                "securityGroupId": Ref("wall"),
                "ipProtocol": "tcp",
                "fromPort": 5432,
                "toPort": 5432,
                "cidrIpv4": Ref("host", "ipAddress"),
            },
        ),
        "subnets": Declared("aws:rds/subnetGroup:SubnetGroup", {"subnetIds": ["subnet-1", "subnet-2"]}),
        "parameters": Declared(
            RDS_PARAMETER_GROUP,
            {"family": "postgres18", "parameters": [{"name": "rds.force_ssl", "value": "1"}]},
        ),
        "database": Declared(
            RDS_INSTANCE,
            {
                "engine": "postgres",
                "backupRetentionPeriod": plan.retention.database_backup_days,
                "copyTagsToSnapshot": True,
                "dbSubnetGroupName": Ref("subnets"),
                "deleteAutomatedBackups": False,
                "deletionProtection": True,
                "enabledCloudwatchLogsExports": ["postgresql"],
                "finalSnapshotIdentifier": "main-final",
                "iamDatabaseAuthenticationEnabled": True,
                "kmsKeyId": Ref("key", "arn"),
                "manageMasterUserPassword": True,
                "multiAz": True,
                "parameterGroupName": Ref("parameters"),
                "storageEncrypted": True,
                "vpcSecurityGroupIds": [Ref("wall")],
            },
        ),
        "replication": Declared(
            RDS_BACKUP_REPLICATION,
            {
                "region": recovery,
                "sourceDbInstanceArn": Ref("database", "arn"),
                "kmsKeyId": f"arn:aws:kms:{recovery}:123456789012:key/copies",
                "retentionPeriod": plan.retention.replicated_backup_days,
            },
        ),
        **_second_copy(plan, "database"),
    }


def _second_copy(plan: Plan, of: str) -> Family:
    recovery, days = plan.residency.aws.recovery_region, plan.retention.vault_copy_days
    return {
        "vault": Declared(BACKUP_VAULT, {"kmsKeyArn": Ref("key", "arn")}),
        "lock": Declared(
            BACKUP_VAULT_LOCK,
            {
                "backupVaultName": Ref("vault"),
                "minRetentionDays": days,
                "changeableForDays": plan.retention.vault_lock_cooling_off_days,
            },
        ),
        "plan": Declared(
            BACKUP_PLAN,
            {
                "rules": [
                    {
                        "ruleName": "daily",
                        "targetVaultName": Ref("vault"),
                        "schedule": "cron(0 5 * * ? *)",
                        "lifecycle": {"deleteAfter": days},
                        "copyActions": [
                            {
                                "destinationVaultArn": f"arn:aws:backup:{recovery}:123456789012:backup-vault:copies",
                                "lifecycle": {"deleteAfter": days},
                            }
                        ],
                    }
                ]
            },
        ),
        "selection": Declared(BACKUP_SELECTION, {"planId": Ref("plan"), "resources": [Ref(of, "arn")]}),
    }


def table(plan: Plan) -> Family:
    """A table of DynamoDB with all that is promised of a store."""
    recovery = plan.residency.aws.recovery_region
    return {
        "key": key(plan)["key"],
        "table": Declared(
            DYNAMODB_TABLE,
            {
                "pointInTimeRecovery": {"enabled": True},
                "deletionProtectionEnabled": True,
                "serverSideEncryption": {"enabled": True, "kmsKeyArn": Ref("key", "arn")},
                "replicas": [{"regionName": recovery, "kmsKeyArn": f"arn:aws:kms:{recovery}:123456789012:key/copies"}],
            },
        ),
        **_second_copy(plan, "table"),
    }


def bucket(plan: Plan) -> Family:
    """A bucket with all that is promised of it."""
    recovery = plan.residency.aws.recovery_region
    of = {"bucket": Ref("bucket")}
    return {
        "key": key(plan)["key"],
        "bucket": Declared(BUCKET[0], {"objectLockEnabled": True}),
        "versioning": Declared(BUCKET_VERSIONING[0], {**of, "versioningConfiguration": {"status": "Enabled"}}),
        "lock": Declared(
            BUCKET_LOCK[0],
            {**of, "rule": {"defaultRetention": {"mode": "GOVERNANCE", "days": plan.retention.object_lock_days}}},
        ),
        "lifecycle": Declared(
            BUCKET_LIFECYCLE[0],
            {
                **of,
                "rules": [
                    {
                        "id": "forget",
                        "status": "Enabled",
                        "noncurrentVersionExpiration": {"noncurrentDays": plan.retention.object_version_days},
                    }
                ],
            },
        ),
        "encryption": Declared(
            BUCKET_ENCRYPTION[0],
            {
                **of,
                "rules": [
                    {
                        "applyServerSideEncryptionByDefault": {
                            "sseAlgorithm": "aws:kms",
                            "kmsMasterKeyId": Ref("key", "arn"),
                        }
                    }
                ],
            },
        ),
        "block": Declared(
            BUCKET_ACCESS_BLOCK[0],
            {
                **of,
                "blockPublicAcls": True,
                "blockPublicPolicy": True,
                "ignorePublicAcls": True,
                "restrictPublicBuckets": True,
            },
        ),
        "policy": Declared(BUCKET_POLICY[0], {**of, "policy": _policy(_ONLY_TLS)}),
        "replication": Declared(
            BUCKET_REPLICATION[0],
            {
                **of,
                "role": "arn:aws:iam::123456789012:role/replication",
                "rules": [
                    {
                        "id": "everything",
                        "status": "Enabled",
                        "filter": {"prefix": ""},
                        "sourceSelectionCriteria": {"sseKmsEncryptedObjects": {"status": "Enabled"}},
                        "destination": {
                            "bucket": "arn:aws:s3:::copies",
                            "encryptionConfiguration": {
                                "replicaKmsKeyId": f"arn:aws:kms:{recovery}:123456789012:key/copies"
                            },
                            "replicationTime": {"status": "Enabled", "time": {"minutes": 15}},
                            "metrics": {"status": "Enabled", "eventThreshold": {"minutes": 15}},
                        },
                    }
                ],
            },
        ),
    }


_ONLY_TLS: Final = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": "arn:aws:s3:::objects/*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def _policy(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def secret(plan: Plan) -> Family:
    """A secret with all that is promised of it."""
    recovery = plan.residency.aws.recovery_region
    replica = {"region": recovery, "kmsKeyId": f"arn:aws:kms:{recovery}:123456789012:key/copies"}
    return {
        "key": key(plan)["key"],
        "secret": Declared(
            SECRET,
            {
                "kmsKeyId": Ref("key", "arn"),
                "recoveryWindowInDays": plan.retention.key_deletion_window_days,
                "replicas": [replica],
            },
        ),
    }


def entrance(plan: Plan) -> Family:
    """A pool of hosts, the load balancer in front of it, and what keeps both apart and closed."""
    active = plan.redundancy.minimum_active_hosts
    states = ["active"] * active + ["standby"] * plan.redundancy.minimum_standby_hosts
    hosts = {
        f"host-{index + 1}": Declared(
            SERVER,
            {
                "serverType": "cpx32",
                "image": "debian-13",
                "location": _home(plan, index),
                "labels": {"role": "api", "pool": "example-api", "state": state},
                "placementGroupId": Ref("group"),
                "firewallIds": [Ref("firewall")],
                "deleteProtection": True,
                "rebuildProtection": True,
            },
            protect=False,
        )
        for index, state in enumerate(states)
    }
    return {
        "firewall": Declared(
            FIREWALL,
            {
                "rules": [
                    {"direction": "in", "protocol": "icmp", "sourceIps": ["0.0.0.0/0", "::/0"]},
                    {"direction": "in", "protocol": "tcp", "port": "22", "sourceIps": ["203.0.113.0/24"]},
                ]
            },
        ),
        "group": Declared(PLACEMENT_GROUP, {"type": "spread"}),
        **hosts,
        **_balancer(plan, 0),
        **_balancer(plan, 1),
    }


def _balancer(plan: Plan, index: int) -> Family:
    """A load balancer in the plan's first or second location."""
    end = f"-{index + 1}" if index else ""
    return {
        f"balancer{end}": Declared(
            LOAD_BALANCER, {"loadBalancerType": "lb11", "location": _home(plan, index), "deleteProtection": True}
        ),
        f"target{end}": Declared(
            LOAD_BALANCER_TARGET,
            {
                "loadBalancerId": Ref(f"balancer{end}"),
                "type": "label_selector",
                "labelSelector": "pool=example-api",
                "usePrivateIp": True,
            },
        ),
        f"service{end}": Declared(
            LOAD_BALANCER_SERVICE,
            {
                "loadBalancerId": Ref(f"balancer{end}"),
                "protocol": "https",
                "listenPort": 443,
                "destinationPort": 8080,
                "http": {"certificates": [1], "redirectHttp": True},
                "healthCheck": {
                    "protocol": "http",
                    "port": 8080,
                    "interval": 3,
                    "timeout": 2,
                    "retries": 2,
                    "http": {"path": "/healthz", "statusCodes": ["200"]},
                },
            },
        ),
    }


def name(plan: Plan) -> Family:
    """A name, and the address that it leads to."""
    return {
        "zone": Declared("hcloud:index/zone:Zone", {"mode": "primary", "deleteProtection": True}),
        "name": Declared(
            ZONE_RRSET,
            {
                "zone": Ref("zone", "name"),
                "name": "api",
                "type": "A",
                "ttl": plan.redundancy.dns_ttl_seconds,
                "records": [{"value": "203.0.113.7"}],
            },
        ),
    }


def _home(plan: Plan, index: int) -> str:
    locations = plan.residency.hetzner.home_locations
    return locations[index % len(locations)]


def repository(_plan: Plan) -> Family:
    """The repository, and who has to agree to a change."""
    return {
        "repository": Declared(REPOSITORY, {"visibility": "private", "archiveOnDestroy": True}),
        "ruleset": Declared(
            REPOSITORY_RULESET,
            {
                "repository": Ref("repository", "name"),
                "target": "branch",
                "enforcement": "active",
                "conditions": {"refName": {"includes": ["~DEFAULT_BRANCH"], "excludes": []}},
                "bypassActors": [{"actorType": "OrganizationAdmin", "bypassMode": "pull_request"}],
                "rules": {
                    "deletion": True,
                    "nonFastForward": True,
                    "pullRequest": {
                        "requiredApprovingReviewCount": 1,
                        "dismissStaleReviewsOnPush": True,
                        "requireLastPushApproval": True,
                    },
                },
            },
        ),
    }


_PERSON: Final = {
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
    "Action": "sts:AssumeRole",
}


def people(_plan: Plan) -> Family:
    """A role for people, and what it may do."""
    condition = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    allowed = {"Effect": "Allow", "Action": "rds:RestoreDBInstanceToPointInTime", "Resource": "*"}
    return {
        "role": Declared(IAM_ROLE, {"assumeRolePolicy": _policy({**_PERSON, "Condition": condition})}),
        "policy": Declared("aws:iam/rolePolicy:RolePolicy", {"role": Ref("role"), "policy": _policy(allowed)}),
    }


def door(_plan: Plan) -> Family:
    """A way in for one host."""
    return {
        "wall": Declared(SECURITY_GROUPS[0], {"description": "a host of ours"}),
        "rule": Declared(
            INGRESS_RULE,
            {
                "securityGroupId": Ref("wall"),
                "ipProtocol": "tcp",
                "fromPort": 22,
                "toPort": 22,
                "cidrIpv4": "203.0.113.7/32",
            },
        ),
    }


def queue(plan: Plan) -> Family:
    """Something that is in a region and holds nothing for long."""
    home = plan.residency.aws.home_region
    account = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Action": "sqs:SendMessage",
        "Resource": f"arn:aws:sqs:{home}:123456789012:work",
    }
    return {
        "queue": Declared(
            "aws:sqs/queue:Queue",
            {
                "region": home,
                "kmsMasterKeyId": f"arn:aws:kms:{home}:123456789012:key/queue",
                "policy": _policy(account),
            },
        )
    }


def function(_plan: Plan) -> Family:
    """Something that calls a model."""
    return {
        "function": Declared(
            "aws:lambda/function:Function",
            {"environment": {"variables": {"MODEL": "eu.anthropic.claude-sonnet-4-20250514-v1:0"}}},
        )
    }


# Some values that are refused.

_EVERYBODY: Final = _policy({"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage"})
_EVERYTHING: Final = _policy({"Effect": "Allow", "Action": "*", "Resource": "*"})


def _less(path: str) -> Callable[[Plan], object]:
    def value(plan: Plan) -> object:
        found: Any = plan
        for name in path.split("."):
            found = getattr(found, name)
        return found - 1

    return value


def _value(of: object) -> Callable[[Plan], object]:
    return lambda _plan: of


def _of_home(form: str) -> Callable[[Plan], object]:
    return lambda plan: form.format(home=plan.residency.aws.home_region)


EXAMPLES: Final[tuple[Example, ...]] = (
    # Where data may be. What is left out is the provider's, which is allowed here.
    Example(
        policy="aws-region-in-eu", family=queue, at="queue", path="region", refused=_value("us-east-1"), left_out=False
    ),
    Example(
        policy="aws-region-in-arguments",
        family=queue,
        at="queue",
        path="kmsMasterKeyId",
        refused=_value("arn:aws:kms:eu-west-2:123456789012:key/queue"),
        left_out=False,
        unknown=False,
    ),
    Example(policy="hetzner-location-in-eu", family=entrance, at="balancer", path="location", refused=_value("ash")),
    Example(
        policy="provider-allowed",
        family=queue,
        at="queue",
        path=TYPE,
        refused=_value("gcp:pubsub/topic:Topic"),
        left_out=False,
        unknown=False,
        hidden=("queue", "kmsMasterKeyId"),
    ),
    Example(
        policy="inference-in-eu",
        family=function,
        at="function",
        path="environment.variables.MODEL",
        refused=_value("global.anthropic.claude-sonnet-4-20250514-v1:0"),
        left_out=False,
        unknown=False,
    ),
    # What can be brought back.
    Example(
        policy="data-store-reviewed",
        family=queue,
        at="queue",
        path=TYPE,
        refused=_value("aws:efs/fileSystem:FileSystem"),
        left_out=False,
        unknown=False,
        hidden=("queue", "kmsMasterKeyId"),
    ),
    Example(
        policy="protected-in-pulumi",
        family=key,
        at="key",
        path=PROTECT,
        refused=_value(False),
        unknown=False,
    ),
    Example(
        policy="database-backup-retention",
        family=database,
        at="database",
        path="backupRetentionPeriod",
        refused=_less("retention.database_backup_days"),
    ),
    Example(
        policy="database-backups-kept",
        family=database,
        at="database",
        path="deleteAutomatedBackups",
        refused=_value(True),
    ),
    Example(
        policy="database-encrypted", family=database, at="database", path="storageEncrypted", refused=_value(False)
    ),
    Example(
        policy="database-protected", family=database, at="database", path="deletionProtection", refused=_value(False)
    ),
    Example(
        policy="database-replica-retention",
        family=database,
        at="replication",
        path="retentionPeriod",
        refused=_less("retention.replicated_backup_days"),
    ),
    Example(
        policy="table-recoverable",
        family=table,
        at="table",
        path="pointInTimeRecovery.enabled",
        refused=_value(False),
    ),
    Example(
        policy="bucket-force-destroy-off", family=bucket, at="bucket", path="objectLockEnabled", refused=_value(False)
    ),
    Example(
        policy="bucket-versioned",
        family=bucket,
        at="versioning",
        path="versioningConfiguration.status",
        refused=_value("Suspended"),
    ),
    Example(
        policy="bucket-locked",
        family=bucket,
        at="lock",
        path="rule.defaultRetention.days",
        refused=_less("retention.object_lock_days"),
    ),
    Example(
        policy="bucket-versions-kept",
        family=bucket,
        at="lifecycle",
        path="rules.0.noncurrentVersionExpiration.noncurrentDays",
        refused=_less("retention.object_version_days"),
    ),
    Example(
        policy="bucket-encrypted",
        family=bucket,
        at="encryption",
        path="rules.0.applyServerSideEncryptionByDefault.sseAlgorithm",
        refused=_value("AES256"),
    ),
    Example(
        policy="bucket-replication-complete",
        family=bucket,
        at="replication",
        path="rules.0.sourceSelectionCriteria.sseKmsEncryptedObjects.status",
        refused=_value("Disabled"),
    ),
    Example(
        policy="backup-vault-retention",
        family=database,
        at="lock",
        path="minRetentionDays",
        refused=_less("retention.vault_copy_days"),
    ),
    Example(
        policy="backup-plan-daily",
        family=database,
        at="plan",
        path="rules.0.schedule",
        refused=_value("cron(0 5 ? * SUN *)"),
    ),
    Example(policy="key-rotated", family=key, at="key", path="enableKeyRotation", refused=_value(False)),
    Example(
        policy="key-deletion-window",
        family=key,
        at="key",
        path="deletionWindowInDays",
        refused=_less("retention.key_deletion_window_days"),
        left_out=False,
    ),
    Example(
        policy="secret-recoverable",
        family=secret,
        at="secret",
        path="recoveryWindowInDays",
        refused=_value(0),
        left_out=False,
    ),
    Example(
        policy="secret-replicated",
        family=secret,
        at="secret",
        path="replicas.0.region",
        refused=_of_home("{home}"),
    ),
    # What stands in for what.
    Example(policy="database-multi-az", family=database, at="database", path="multiAz", refused=_value(False)),
    Example(policy="hetzner-protected", family=entrance, at="host-1", path="deleteProtection", refused=_value(False)),
    Example(policy="host-labelled", family=entrance, at="host-1", path="labels.role", refused=_value("")),
    Example(policy="host-spread", family=entrance, at="group", path="type", refused=_value("other")),
    Example(
        policy="load-balancer-checks-health",
        family=entrance,
        at="service",
        path="healthCheck.interval",
        refused=_value(15),
    ),
    Example(policy="dns-record-ttl", family=name, at="name", path="ttl", refused=_value(3600)),
    # Who gets in.
    Example(
        policy="host-firewalled",
        family=entrance,
        at="firewall",
        path="rules.1.sourceIps",
        refused=_value(["0.0.0.0/0"]),
        left_out=False,
    ),
    Example(policy="load-balancer-private", family=entrance, at="target", path="usePrivateIp", refused=_value(False)),
    Example(policy="load-balancer-over-tls", family=entrance, at="service", path="protocol", refused=_value("http")),
    Example(
        policy="database-over-tls",
        family=database,
        at="parameters",
        path="parameters.0.value",
        refused=_value("0"),
    ),
    Example(
        policy="database-private-network",
        family=database,
        at="database",
        path="dbSubnetGroupName",
        refused=_value(""),
        unknown=False,
    ),
    Example(
        policy="database-password-managed",
        family=database,
        at="database",
        path="manageMasterUserPassword",
        refused=_value(False),
    ),
    Example(
        policy="database-maintained",
        family=database,
        at="database",
        path="iamDatabaseAuthenticationEnabled",
        refused=_value(False),
    ),
    Example(
        policy="no-open-ingress",
        family=door,
        at="rule",
        path="cidrIpv4",
        refused=_value("0.0.0.0/0"),
        left_out=False,
        unknown=False,
    ),
    Example(policy="bucket-private", family=bucket, at="block", path="blockPublicPolicy", refused=_value(False)),
    Example(
        policy="bucket-over-tls",
        family=bucket,
        at="policy",
        path="policy",
        refused=_value(_policy({**_ONLY_TLS, "Action": "s3:PutObject"})),
        unknown=False,
    ),
    Example(
        policy="no-public-principal",
        family=queue,
        at="queue",
        path="policy",
        refused=_value(_EVERYBODY),
        left_out=False,
        unknown=False,
    ),
    Example(
        policy="mfa-required",
        family=people,
        at="role",
        path="assumeRolePolicy",
        refused=_value(_policy(_PERSON)),
        left_out=False,
        unknown=False,
    ),
    Example(
        policy="no-wildcard-administrator",
        family=people,
        at="policy",
        path="policy",
        refused=_value(_EVERYTHING),
        left_out=False,
        unknown=False,
    ),
    Example(
        policy="repository-private", family=repository, at="repository", path="visibility", refused=_value("public")
    ),
    Example(
        policy="branch-protected",
        family=repository,
        at="ruleset",
        path="rules.pullRequest.requiredApprovingReviewCount",
        refused=_value(0),
    ),
    # What belongs together.
    Example(
        policy="database-replicated",
        family=database,
        at="replication",
        hidden=("replication", "sourceDbInstanceArn"),
    ),
    Example(policy="database-second-copy", family=database, at="selection", hidden=("selection", "resources")),
    Example(
        policy="database-parameter-group-in-stack",
        family=database,
        at="database",
        path="parameterGroupName",
        refused=_value("another-stacks"),
        left_out=True,
    ),
    Example(
        policy="database-ingress-hosts-only",
        family=database,
        at="admission",
        path="cidrIpv4",
        refused=_value("203.0.113.7/32"),
        left_out=False,
    ),
    Example(policy="bucket-baseline", family=bucket, at="versioning", hidden=("versioning", "bucket")),
    Example(policy="bucket-replicated", family=bucket, at="replication", hidden=("replication", "bucket")),
    Example(policy="backup-vault-locked", family=database, at="lock", hidden=("lock", "backupVaultName")),
    Example(policy="pool-redundant", family=entrance, at="host-1", path="labels.state", refused=_value("standby")),
    Example(policy="load-balancer-baseline", family=entrance, at="target", hidden=("target", "loadBalancerId")),
    Example(policy="repository-protected", family=repository, at="ruleset", hidden=("ruleset", "repository")),
)
"""One for each policy, in the order of the catalogue."""
