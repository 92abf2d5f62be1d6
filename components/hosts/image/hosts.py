"""What a host is told when it is made. A wrong value is refused by name, with what is allowed.

The types are those of the settings and of the plan (`plan/types.py`), so what they accept is not refused here.
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
    str, Field(pattern=r"^[A-Za-z0-9_/.#-]{1,512}$"), Allowed("what CloudWatch Logs takes as a group's name")
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
    """An activation of Systems Manager: good for one host, for a day. Credentials come from it and are short-lived.

    Raises:
        ValueError: something is not of the form that Systems Manager gives it.
    """

    activation_id: _ActivationId
    activation_code: _ActivationCode = field(repr=False)
    region: AwsRegion

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class Common:
    """What every host is told.

    Raises:
        ValueError: a value is not allowed; the message names it, with what is.
    """

    name: _HostName
    """The host's name, unique in its stack."""

    stack: StackName
    region: AwsRegion
    """The AWS region that settings, secrets and logs are in."""

    address: PrivateAddress
    """The host's private IPv4 address."""

    operators: _Operators
    """Public SSH keys by the names of accounts, at least one: somebody has to be able to enter."""

    secrets: Annotated[Sequence[SecretName], Distinct]
    """Names of the application's secrets below `botbrains/STACK/`. Their values never come near user data."""

    secrets_stack: StackName | None = None
    """The stack whose secrets they are, if it is another: a rebuilt service reads the copies of production's."""

    image: ImageReference
    """The application's container image, by digest."""

    log_group: _LogGroup
    """The group of CloudWatch Logs that the journal is sent to."""

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class ApiHost(Common):
    """A host behind the load balancers: an active one, or the j-th standby.

    Raises:
        ValueError: as in `Common`; or a standby without actives to watch, an active with such; a port twice; times that
            a host could not drain within, before Hetzner takes its power away.
    """

    load_balancer_addresses: Annotated[Sequence[PrivateAddress], NotEmpty, Distinct]
    """Private addresses of the load balancers."""

    peer_addresses: Annotated[Sequence[_Peers], Distinct]
    """Private addresses of the API hosts, one by one or as ranges FIRST-LAST, that may ask this one for its health.

    A range that has room for hosts to come keeps today's hosts from being rolled when there are more.
    """

    port: HostPort = 8080
    """Where HAProxy listens, on `address`."""

    app_port: UnprivilegedPort = APPLICATION_PORT
    """Where the application's container listens, on `address`."""

    health_path: HealthPath = "/healthz"
    """What the load balancers ask for at `port`, and HAProxy at `app_port`."""

    standby: Annotated[int, Field(ge=1)] | None = None
    """None: an active host. j, from 1: the j-th standby, which steps in when j or more actives are missing."""

    actives: Mapping[_HostName, PrivateAddress] = field(default_factory=dict)
    """What a standby watches: private addresses of the active hosts, by name."""

    health_interval_seconds: Annotated[int, Field(ge=3, le=60)] = 3
    health_timeout_seconds: Annotated[int, Field(ge=1)] = 2
    health_retries: Annotated[int, Field(ge=1, le=5)] = 2
    """The load balancers' health check. Draining and giving back are timed by it."""

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
                f" {drain_seconds(self)} s that a host drains; allowed is what leaves open requests 5 s or more of the"
                f" {SHUTDOWN_SECONDS} s that a shutdown has"
            )
        if self.standby is None:
            if self.actives:
                raise ValueError(
                    f"actives is {dict(self.actives)}; allowed is none for an active host, which watches nobody"
                )
            return
        if not self.actives:
            raise ValueError("actives is empty for a standby; allowed is one active host or more, for it to watch")
        if len(set(self.actives.values())) != len(self.actives):
            raise ValueError(f"actives is {dict(self.actives)}; allowed is each address once")
        for name, address in self.actives.items():
            if address == self.address:
                raise ValueError(f"actives[{name!r}] is {address}, the standby's own address; allowed are others'")


@dataclass(frozen=True, kw_only=True)
class WorkerHost(Common):
    """A host that takes jobs: an active one, which owns a slot, or a standby, which takes whichever is free.

    Raises:
        ValueError: as in `Common`; or it has not exactly one of `slot` and `slots`, or one out of bounds.
    """

    slot: WorkerSlot | None = None
    """The slot, from 1, that an active host owns."""

    slots: WorkerSlot | None = None
    """How many slots a standby looks after: as many as there are active hosts."""

    grace_seconds: Annotated[int, Field(ge=1, le=SHUTDOWN_SECONDS - 5)] = 20
    """How long a job may take to come to an end before its worker is killed and the database rolls it back."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.slot is None) == (self.slots is None):
            raise ValueError(
                f"slot is {self.slot} and slots is {self.slots}; allowed is one of the two: slot for an active host,"
                " slots for a standby"
            )


Host = ApiHost | WorkerHost
