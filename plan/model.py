"""The plan's shape: the policy as typed data, one class for each part of `plan.yaml`, with the file's own names.

Everything is frozen and strict: a number in quotes is not a number, a key that is not here is refused, and what has
been loaded cannot be changed. `types.py` says what one field alone may be; `rules.py` says how fields depend on each
other.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

from plan.geography import AwsEuRegion, HetznerEuLocation, HetznerEuNetworkZone
from plan.types import (
    Allowed,
    ControlId,
    CoolingOffDays,
    Count,
    Days,
    Email,
    FailoverSeconds,
    GitHubLogin,
    Hours,
    Id,
    KmsWindowDays,
    LockDays,
    Minutes,
    Person,
    RdsBackupDays,
    RoleName,
    SessionHours,
    Several,
    SshPublicKey,
    Text,
    TtlSeconds,
    WebAddress,
)

# Every other number is refused (Amazon CloudWatch Logs API Reference, PutRetentionPolicy, retentionInDays).
LOG_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip


def _logs_can_be_kept(days: int) -> int:
    if days not in LOG_DAYS:
        raise PydanticCustomError("log_days", "is {days}", {"days": days})
    return days


LogDays = Annotated[
    int, AfterValidator(_logs_can_be_kept), Allowed(f"a number of days out of {', '.join(map(str, LOG_DAYS))}")
]


class _Part(BaseModel):
    """A mapping of the file."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Policy(_Part):
    """The document itself. `owner` is the id of a role."""

    title: Text
    version: Text
    effective: date
    owner: Id
    certification: Text
    scope: Several[Text]


class Severity(_Part):
    """How long a disruption may last (RTO), and how much of the latest data may be lost (RPO).

    `rpo` has the policy's own words. `rpo_minutes` is the bound that a drill is judged by, and at least 1: no recovery
    to a moment before the disruption could keep to a bound of 0.
    """

    example: Text
    rto_hours: Hours
    rpo: Text
    rpo_minutes: Minutes


class Severities(_Part):
    """From the least to the most severe."""

    low: Severity
    medium: Severity
    high: Severity


class AwsResidency(_Part):
    """Regions of AWS, all of them in the EU (`geography.py`)."""

    home_region: AwsEuRegion
    recovery_region: AwsEuRegion
    allowed_regions: Several[AwsEuRegion]


class HetznerResidency(_Part):
    """Locations of Hetzner Cloud, and the network zone that they share, all in the EU (`geography.py`)."""

    network_zone: HetznerEuNetworkZone
    home_locations: Several[HetznerEuLocation]
    recovery_locations: Several[HetznerEuLocation]
    allowed_locations: Several[HetznerEuLocation]


class InferenceResidency(_Part):
    """Who may run models for us, and how many of them there must be, so that one can stand in for another."""

    providers: Several[Text]
    minimum_providers: Count


class Residency(_Part):
    """Where data may be."""

    jurisdiction: Literal["EU"]
    aws: AwsResidency
    hetzner: HetznerResidency
    inference: InferenceResidency


class Retention(_Part):
    """For how long what is lost, or deleted by mistake, can be brought back. In days.

    The bounds are the clouds', not ours:

    - `database_backup_days`: 1 to 35. RDS keeps automated backups for 0 to 35 days, and 0 turns them off (Amazon RDS
      API Reference, CreateDBInstance, BackupRetentionPeriod).
    - `replicated_backup_days`: 1 to 35, the same for backups that are replicated to another region (Amazon RDS User
      Guide, "Replicating automated backups to another AWS Region").
    - `object_version_days`: 1 or more (Amazon S3 API Reference, NoncurrentVersionExpiration, NoncurrentDays).
    - `object_lock_days`: 1 to 36500 (Amazon S3 API Reference, DefaultRetention, Days), and not more than
      `object_version_days` (`rules.py`).
    - `vault_copy_days`: 1 to 36500 (AWS Backup API Reference, PutBackupVaultLockConfiguration, MinRetentionDays and
      MaxRetentionDays).
    - `host_log_days`: one of the numbers that CloudWatch Logs offers, such as 90 (Amazon CloudWatch Logs API Reference,
      PutRetentionPolicy).
    - `key_deletion_window_days`: 7 to 30 (AWS KMS API Reference, ScheduleKeyDeletion, PendingWindowInDays).
    - `vault_lock_cooling_off_days`: 3 to 36500 (AWS Backup API Reference, PutBackupVaultLockConfiguration,
      ChangeableForDays).
    """

    database_backup_days: RdsBackupDays
    replicated_backup_days: RdsBackupDays
    object_version_days: Days
    object_lock_days: LockDays
    vault_copy_days: LockDays
    host_log_days: LogDays
    key_deletion_window_days: KmsWindowDays
    vault_lock_cooling_off_days: CoolingOffDays


class Redundancy(_Part):
    """How much there is of everything, and how soon what is left takes over. Hosts are counted per role.

    - The counts are at least 1 each, for without one none is left.
    - `host_failover_seconds`: 8 to 16. Hetzner's load balancers check a host every 3 seconds at the most (Hetzner Cloud
      API, Load Balancer health checks), and a host is given up after two bad answers, each of which may take 2 seconds.
      And whoever takes a host down waits for its load balancers to notice, while Hetzner cuts the power of a server
      that has not shut down in 30 seconds (`shutdown_before_deletion` of its provider).
    - `dns_ttl_seconds`: 60 to 2147483647 (Hetzner Cloud API, Zone RRSets, ttl).
    - `host_backups`: whether Hetzner keeps daily images of the hosts.
    """

    minimum_active_hosts: Count
    minimum_standby_hosts: Count
    minimum_locations: Count
    database_multi_az: bool
    host_failover_seconds: FailoverSeconds
    dns_ttl_seconds: TtlSeconds
    host_backups: bool


class Capabilities(_Part):
    """The continuity strategy, in the policy's own sentences."""

    compute_redundancy: Text
    data_durability_and_recovery: Text
    provider_failure: Text
    model_inference: Text
    configuration_and_code: Text


class Role(_Part):
    """Who decides. `authority` is the rank during a disruption: 1 decides, the next stands in.

    `ssh_key` is public: with its private half, which that person alone holds, the hosts let them in. `email` is where
    alarms reach the person, and `github` their account there.
    """

    id: Id
    title: Text
    person: Person
    ssh_key: SshPublicKey
    email: Email
    github: GitHubLogin
    authority: Count
    duties: Several[Text]


class Access(_Part):
    """How administrators reach the systems. `administrators_minimum` counts people.

    - `key_days`: how old a key may be that a person, or a program on their behalf, holds.
    - `aws_access_keys`: whether anybody may hold a key to AWS, which is good until it is taken away.
    - `emergency_role`: the one role in AWS that may do everything, for one person alone in an emergency.
    - `emergency_session_hours`: 1 to 12, the sessions that a role can be given (AWS IAM API Reference, CreateRole,
      MaxSessionDuration).
    """

    administrators_minimum: Count
    mfa_required: bool
    own_credentials: bool
    key_days: Days
    aws_access_keys: bool
    emergency_role: RoleName
    emergency_session_hours: SessionHours


class Personnel(_Part):
    """What happens when one of the people is not there."""

    risk: Text
    mitigations: Several[Text]


class OfflineCopy(_Part):
    """What is at hand when the internet is not. `holders` are ids of roles."""

    holders: Several[Id]
    contents: Several[Text]


class Activation(_Part):
    """Who activates the plan (ids of roles), and when."""

    by: Several[Id]
    when: Several[Text]
    security_incident: Text
    offline_copy: OfflineCopy


class Communication(_Part):
    """How customers hear of it."""

    status_page: WebAddress
    updates: Text
    direct_email: Text
    personal_data_breach: Text


class TestKind(_Part):
    """One of the things that a test of the plan consists of."""

    __test__ = False  # it is not a test, whatever its name says to pytest

    id: Id
    title: Text


class Testing(_Part):
    """How often recovery is tested, at the latest, and what a test has to confirm."""

    interval_days: Days
    kinds: Several[TestKind]
    confirms: Several[Literal["rto", "rpo"]]
    recorded_in: Text
    findings: Text


class Review(_Part):
    """Who reviews the policy (the id of a role), how often at the latest, and after what."""

    owner: Id
    interval_days: Days
    also_after: Several[Text]


class Control(_Part):
    """A control of ISO/IEC 27001:2022, and how the plan serves it."""

    id: ControlId
    title: Text
    coverage: Text


class Plan(_Part):
    """What botBrains promises its customers for a disruption: `plan.yaml`, key by key."""

    policy: Policy
    severities: Severities
    residency: Residency
    retention: Retention
    redundancy: Redundancy
    capabilities: Capabilities
    roles: Several[Role]
    access: Access
    personnel: Personnel
    activation: Activation
    communication: Communication
    testing: Testing
    review: Review
    controls: Several[Control]
