"""The schema of the plan: one class for each part of `plan.yaml`, with the names of the file.

All classes are frozen and strict: a number in quotes is not a number, an unknown key is refused, and a loaded plan
cannot be changed. `types.py` defines the allowed values of single fields; `rules.py` defines the rules between fields.
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

# The only allowed numbers (Amazon CloudWatch Logs API Reference, PutRetentionPolicy, retentionInDays).
LOG_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip


def _logs_can_be_kept(days: int) -> int:
    if days not in LOG_DAYS:
        raise PydanticCustomError("log_days", "is {days}", {"days": days})
    return days


LogDays = Annotated[
    int, AfterValidator(_logs_can_be_kept), Allowed(f"one of these numbers of days: {', '.join(map(str, LOG_DAYS))}")
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
    """The longest duration of a disruption (RTO), and the largest loss of recent data (RPO).

    `rpo` is the policy's own wording. `rpo_minutes` is the limit that a drill is evaluated against. It is at least 1: a
    recovery to a time before the disruption cannot meet a limit of 0.
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
    """The providers that may run models, and their minimum number, so that one can replace another."""

    providers: Several[Text]
    minimum_providers: Count


class Residency(_Part):
    """The places where data may be stored and processed."""

    jurisdiction: Literal["EU"]
    aws: AwsResidency
    hetzner: HetznerResidency
    inference: InferenceResidency


class Retention(_Part):
    """How long lost data, or data deleted by mistake, can be restored. In days.

    The clouds set the limits:

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
    """The redundancy of each component, and the time to fail over. Hosts are counted per role.

    - Each count is at least 1: with 0, there would be no host or location.
    - `host_failover_seconds`: 8 to 16. Hetzner's load balancers check a host every 3 seconds at the fastest (Hetzner
      Cloud API, Load Balancer health checks). A host is out of rotation after two failed checks, each of which may take
      2 seconds. And a shutdown waits for the load balancers to notice, while Hetzner cuts the power of a server that
      has not shut down in 30 seconds (`shutdown_before_deletion` of its provider).
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
    """A role with its person. `authority` is the rank during a disruption: 1 decides, 2 is the deputy, and so on.

    `ssh_key` is the public key of the person, who alone has the private key and logs in to the hosts with it. `email`
    receives alarms, and `github` is the person's account at GitHub.
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
    """Administrative access to the systems. `administrators_minimum` counts people.

    - `key_days`: the maximum age of a key that a person, or a program on a person's behalf, holds.
    - `aws_access_keys`: whether access keys to AWS, which are valid until they are revoked, are allowed.
    - `emergency_role`: the only role in AWS with every permission, for one person alone in an emergency.
    - `emergency_session_hours`: 1 to 12, the range of a role's session duration (AWS IAM API Reference, CreateRole,
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
    """The risk that one of the people is unavailable, and its mitigations."""

    risk: Text
    mitigations: Several[Text]


class OfflineCopy(_Part):
    """The copy of the plan for use without the internet. `holders` are ids of roles."""

    holders: Several[Id]
    contents: Several[Text]


class Activation(_Part):
    """The roles that activate the plan (by id), and the conditions."""

    by: Several[Id]
    when: Several[Text]
    security_incident: Text
    offline_copy: OfflineCopy


class Communication(_Part):
    """How customers are informed."""

    status_page: WebAddress
    updates: Text
    direct_email: Text
    personal_data_breach: Text


class TestKind(_Part):
    """One kind of test of the plan."""

    __test__ = False  # pytest would collect the class because of its name

    id: Id
    title: Text


class Testing(_Part):
    """The maximum interval between recovery tests, and the objectives that a test confirms."""

    interval_days: Days
    kinds: Several[TestKind]
    confirms: Several[Literal["rto", "rpo"]]
    recorded_in: Text
    findings: Text


class Review(_Part):
    """The role that reviews the policy (by id), the maximum interval, and the events that require a review."""

    owner: Id
    interval_days: Days
    also_after: Several[Text]


class Control(_Part):
    """A control of ISO/IEC 27001:2022, and the plan's coverage of it."""

    id: ControlId
    title: Text
    coverage: Text


class Plan(_Part):
    """The complete plan: botBrains' promises to its customers for a disruption."""

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
