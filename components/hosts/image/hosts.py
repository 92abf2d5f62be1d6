"""The descriptions of hosts. A wrong value is refused with its name, the value and what is allowed.

The types are those of the settings and of the plan (`plan/types.py`), so a value that they accept is accepted here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from components.hosts.image.timing import SHUTDOWN_SECONDS, drain_seconds, finishing_seconds
from plan.types import (
    APPLICATION_PORT,
    AccountName,
    Allowed,
    AwsRegion,
    Distinct,
    HealthPath,
    HostPort,
    ImageReference,
    NotEmpty,
    PrivateAddress,
    SecretName,
    SshPublicKey,
    StackName,
    UnprivilegedPort,
    WorkerSlot,
    private_address,
)
from plan.validation import check


def _rising(value: str) -> str:
    first, _, last = value.partition("-")
    private_address(first)
    if last and IPv4Address(first) >= IPv4Address(private_address(last)):
        raise PydanticCustomError("falling", "does not rise")
    return value


_HostName = Annotated[
    str,
    Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
    Allowed("the name of a host: lowercase letters, digits and hyphens, 63 at most"),
]
_LogGroup = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_/.#-]{1,512}$"),
    Allowed("the name of a log group: 1 to 512 letters, digits and any of _/.#-"),
]
_Peers = Annotated[
    str,
    AfterValidator(_rising),
    Allowed("a private IPv4 address, or FIRST-LAST of two private IPv4 addresses with FIRST below LAST"),
]
_ActivationId = Annotated[
    str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"), Allowed("a UUID in lowercase")
]
_ActivationCode = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9+/=_-]{16,250}$"), Allowed("16 to 250 letters, digits and any of +/=_-")
]
_Operators = Annotated[
    Mapping[AccountName, SshPublicKey],
    NotEmpty,
    Allowed("one account or more, each with a public SSH key"),
]


@dataclass(frozen=True, kw_only=True)
class Enrolment:
    """An activation of Systems Manager: it registers one host, within a day. The host's credentials are short-lived.

    Raises:
        ValueError: a value does not have the form that Systems Manager uses.
    """

    activation_id: _ActivationId
    activation_code: _ActivationCode = field(repr=False)
    region: AwsRegion

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class Common:
    """The properties of every host.

    Raises:
        ValueError: a value is not allowed. The message states the name, the value and what is allowed.
    """

    name: _HostName
    """The host's name, unique in its stack."""

    stack: StackName
    region: AwsRegion
    """The AWS region of the settings, secrets and logs."""

    address: PrivateAddress
    """The host's private IPv4 address."""

    operators: _Operators
    """Public SSH keys by account name. At least one, so that an operator can log in."""

    secrets: Annotated[Sequence[SecretName], Distinct]
    """Names of the application's secrets below `botbrains/STACK/`. Their values are never in user data."""

    secrets_stack: StackName | None = None
    """The stack that owns the secrets, if it is not `stack`: a recovered service reads replicas of production's."""

    image: ImageReference
    """The application's container image, by digest."""

    log_group: _LogGroup
    """The log group in CloudWatch Logs that receives the journal."""

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class ApiHost(Common):
    """A host behind the load balancers: an active host, or the j-th standby.

    Raises:
        ValueError: as in `Common`. Also if a standby has no active hosts to watch, or an active host has some; if both
            ports are the same; or if a shutdown would take longer than Hetzner allows before it cuts the power.
    """

    load_balancer_addresses: Annotated[Sequence[PrivateAddress], NotEmpty, Distinct]
    """Private addresses of the load balancers."""

    peer_addresses: Annotated[Sequence[_Peers], Distinct]
    """Private addresses of the API hosts that may query this host's health, each alone or as a range FIRST-LAST.

    A range that includes the addresses of future hosts avoids replacing the existing hosts when hosts are added.
    """

    port: HostPort = 8080
    """The port of `address` on which HAProxy listens."""

    app_port: UnprivilegedPort = APPLICATION_PORT
    """The port of `address` on which the application's container listens."""

    health_path: HealthPath = "/healthz"
    """The path that the load balancers request at `port`, and HAProxy at `app_port`."""

    standby: Annotated[int, Field(ge=1)] | None = None
    """`None` for an active host. j, from 1, for the j-th standby: it takes requests when j or more actives are down."""

    actives: Mapping[_HostName, PrivateAddress] = field(default_factory=dict)
    """The active hosts that a standby watches: private addresses, by name."""

    health_interval_seconds: Annotated[int, Field(ge=3, le=60)] = 3
    health_timeout_seconds: Annotated[int, Field(ge=1)] = 2
    health_retries: Annotated[int, Field(ge=1, le=5)] = 2
    """The load balancers' health check. It determines how long a host drains, and when a standby steps back."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.port == self.app_port:
            raise ValueError(f"port and app_port are both {self.port}; allowed is two different ports")
        if self.health_timeout_seconds > self.health_interval_seconds:
            raise ValueError(
                f"health_timeout_seconds is {self.health_timeout_seconds}; allowed is 1 to"
                f" {self.health_interval_seconds}, which is health_interval_seconds"
            )
        if finishing_seconds(self) < 5:
            raise ValueError(
                f"health_interval_seconds is {self.health_interval_seconds}, health_retries {self.health_retries},"
                f" health_timeout_seconds {self.health_timeout_seconds}: load balancers notice after"
                f" {drain_seconds(self)} s that a host drains; allowed is a health check that leaves open requests 5 s"
                f" or more of the {SHUTDOWN_SECONDS} s of a shutdown"
            )
        if self.standby is None:
            if self.actives:
                raise ValueError(
                    f"actives is {dict(self.actives)}; allowed is none for an active host, because only a standby"
                    " watches other hosts"
                )
            return
        if not self.actives:
            raise ValueError("actives is empty for a standby; allowed is one active host or more, for it to watch")
        if len(set(self.actives.values())) != len(self.actives):
            raise ValueError(f"actives is {dict(self.actives)}; allowed is each address once")
        for name, address in self.actives.items():
            if address == self.address:
                raise ValueError(
                    f"actives[{name!r}] is {address}, the standby's own; allowed is an active host's address"
                )


@dataclass(frozen=True, kw_only=True)
class WorkerHost(Common):
    """A host that runs jobs: an active host, which owns a slot, or a standby, which takes a free slot.

    Raises:
        ValueError: as in `Common`. Also if not exactly one of `slot` and `slots` is set, or if it is out of bounds.
    """

    slot: WorkerSlot | None = None
    """The slot, from 1, that an active host owns."""

    slots: WorkerSlot | None = None
    """The number of slots that a standby watches: the number of active hosts."""

    grace_seconds: Annotated[int, Field(ge=1, le=SHUTDOWN_SECONDS - 5)] = 20
    """The time for a job to finish before its worker is killed and the database rolls the job back."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.slot is None) == (self.slots is None):
            raise ValueError(
                f"slot is {self.slot} and slots is {self.slots}; allowed is one of the two: slot for an active host,"
                " slots for a standby"
            )


Host = ApiHost | WorkerHost
