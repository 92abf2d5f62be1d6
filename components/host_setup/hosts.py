"""What a host is told when it is made. A wrong value is refused by name, with what is allowed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address
from typing import Final

from components.host_setup.timing import SHUTDOWN_SECONDS, drain_seconds, finishing_seconds

SLOTS: Final = 50
"""More workers than this are not thought of; a standby asks for every slot several times a second."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_STACK = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]+")
_USER = re.compile(r"[a-z][a-z0-9-]{0,30}")
_RESERVED_USERS = ("root", "haproxy", "debian", "daemon", "nobody")
_SSH_KEY = re.compile(r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+={0,2}( [ -~]*)?")
_SECRET = re.compile(r"[A-Za-z0-9_+=.@-]+")
_IMAGE = re.compile(r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}")
_LOG_GROUP = re.compile(r"[A-Za-z0-9_/.#-]{1,512}")
_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")
_ACTIVATION_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ACTIVATION_CODE = re.compile(r"[A-Za-z0-9+/=_-]{16,250}")


@dataclass(frozen=True, kw_only=True)
class Enrolment:
    """An activation of Systems Manager: good for one host, for a day. Credentials come from it and are short-lived.

    Raises:
        ValueError: something is not of the form that Systems Manager gives it.
    """

    activation_id: str
    activation_code: str = field(repr=False)
    region: str

    def __post_init__(self) -> None:
        _matches("activation_id", self.activation_id, _ACTIVATION_ID, "a UUID in lower case")
        if not _ACTIVATION_CODE.fullmatch(self.activation_code):
            raise ValueError("activation_code is not one (it is not shown); allowed are 16 to 250 letters and digits")
        _matches("region", self.region, _REGION, "the name of an AWS region")


@dataclass(frozen=True, kw_only=True)
class Common:
    """What every host is told.

    Raises:
        ValueError: a value is not allowed; the message names it, with what is.
    """

    name: str
    """The host's name, unique in its stack."""

    stack: str
    region: str
    """The AWS region that settings, secrets and logs are in."""

    address: str
    """The host's private IPv4 address."""

    operators: Mapping[str, str]
    """Public SSH keys by the names of accounts, at least one: somebody has to be able to enter."""

    secrets: Sequence[str]
    """Names of the application's secrets below `botbrains/STACK/`. Their values never come near user data."""

    secrets_stack: str | None = None
    """The stack whose secrets they are, if it is another: a rebuilt service reads the copies of production's."""

    image: str
    """The application's container image, by digest."""

    log_group: str
    """The group of CloudWatch Logs that the journal is sent to."""

    def __post_init__(self) -> None:
        _matches("name", self.name, _NAME, "lower-case letters, digits and hyphens, 63 at most")
        _matches("stack", self.stack, _STACK, "lower-case letters and digits with . _ - between them")
        _matches("region", self.region, _REGION, "the name of an AWS region")
        if self.secrets_stack is not None:
            _matches(
                "secrets_stack", self.secrets_stack, _STACK, "lower-case letters and digits with . _ - between them"
            )
        _private("address", self.address)
        if not self.operators:
            raise ValueError("operators is empty; allowed is one account or more, each with a public SSH key")
        for user, key in self.operators.items():
            if not _USER.fullmatch(user) or user in _RESERVED_USERS:
                raise ValueError(
                    f"operators has {user!r}; allowed are names of lower-case letters, digits and hyphens that Debian"
                    " does not use itself"
                )
            _matches(f"operators[{user!r}]", key, _SSH_KEY, "a public SSH key: ed25519, RSA or ECDSA")
        _distinct("secrets", self.secrets)
        for secret in self.secrets:
            _matches("secrets", secret, _SECRET, "letters, digits and _+=.@-")
        # The programs on the host find a secret by its variable's name.
        variables = [re.sub(r"[^A-Z0-9]", "_", secret.upper()) for secret in self.secrets]
        if len(set(variables)) != len(variables):
            raise ValueError(
                f"secrets is {list(self.secrets)}; allowed are names that still differ in capitals and with everything"
                " but letters and digits replaced by an underscore, as environment variables are named"
            )
        _matches("image", self.image, _IMAGE, "REGISTRY/NAME@sha256: and 64 hexadecimal digits")
        _matches("log_group", self.log_group, _LOG_GROUP, "what CloudWatch Logs takes as a group's name")


@dataclass(frozen=True, kw_only=True)
class ApiHost(Common):
    """A host behind the load balancers: an active one, or the j-th standby.

    Raises:
        ValueError: as in `Common`; or a standby without actives to watch, an active with such; a port twice; times that
            a host could not drain within, before Hetzner takes its power away.
    """

    load_balancer_addresses: Sequence[str]
    """Private addresses of the load balancers."""

    peer_addresses: Sequence[str]
    """Private addresses of the API hosts, one by one or as ranges FIRST-LAST, that may ask this one for its health.

    A range that has room for hosts to come keeps today's hosts from being rolled when there are more.
    """

    port: int = 8080
    """Where HAProxy listens, on `address`."""

    app_port: int = 9000
    """Where the application's container listens, on `address`."""

    health_path: str = "/healthz"
    """What the load balancers ask for at `port`, and HAProxy at `app_port`."""

    standby: int | None = None
    """None: an active host. j, from 1: the j-th standby, which steps in when j or more actives are missing."""

    actives: Mapping[str, str] = field(default_factory=dict)
    """What a standby watches: private addresses of the active hosts, by name."""

    health_interval_seconds: int = 3
    health_timeout_seconds: int = 2
    health_retries: int = 2
    """The load balancers' health check. Draining and giving back are timed by it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _distinct("load_balancer_addresses", self.load_balancer_addresses)
        if not self.load_balancer_addresses:
            raise ValueError("load_balancer_addresses is empty; allowed is one private address or more")
        for one in self.load_balancer_addresses:
            _private("load_balancer_addresses", one)
        _distinct("peer_addresses", self.peer_addresses)
        for one in self.peer_addresses:
            _range("peer_addresses", one)
        for what, port in (("port", self.port), ("app_port", self.app_port)):
            # HAProxy and the application run without the privilege that ports below 1024 take.
            _number(what, port, 1024, 65535)
        if self.port == self.app_port:
            raise ValueError(f"port and app_port are both {self.port}; allowed are two ports")
        _matches("health_path", self.health_path, _PATH, "a path of letters, digits and ._~/-")
        _number("health_interval_seconds", self.health_interval_seconds, 3, 60)
        _number("health_timeout_seconds", self.health_timeout_seconds, 1, self.health_interval_seconds)
        _number("health_retries", self.health_retries, 1, 5)
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
        if self.standby < 1:
            raise ValueError(f"standby is {self.standby}; allowed is 1 or more, or None for an active host")
        if not self.actives:
            raise ValueError("actives is empty for a standby; allowed is one active host or more, for it to watch")
        _distinct("actives", list(self.actives.values()))
        for name, address in self.actives.items():
            _matches("actives", name, _NAME, "names of lower-case letters, digits and hyphens")
            _private(f"actives[{name!r}]", address)
            if address == self.address:
                raise ValueError(f"actives[{name!r}] is {address}, the standby's own address; allowed are others'")


@dataclass(frozen=True, kw_only=True)
class WorkerHost(Common):
    """A host that takes jobs: an active one, which owns a slot, or a standby, which takes whichever is free.

    Raises:
        ValueError: as in `Common`; or it has not exactly one of `slot` and `slots`, or one out of bounds.
    """

    slot: int | None = None
    """The slot, from 1, that an active host owns."""

    slots: int | None = None
    """How many slots a standby looks after: as many as there are active hosts."""

    grace_seconds: int = 20
    """How long a job may take to come to an end before its worker is killed and the database rolls it back."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.slot is None) == (self.slots is None):
            raise ValueError(
                f"slot is {self.slot} and slots is {self.slots}; allowed is one of the two: slot for an active host,"
                " slots for a standby"
            )
        for what, number in (("slot", self.slot), ("slots", self.slots)):
            if number is not None:
                _number(what, number, 1, SLOTS)
        _number("grace_seconds", self.grace_seconds, 1, SHUTDOWN_SECONDS - 5)


Host = ApiHost | WorkerHost


def _matches(what: str, value: str, pattern: re.Pattern[str], allowed: str) -> None:
    if not pattern.fullmatch(value):
        raise ValueError(f"{what} is {value!r}; allowed is {allowed}")


def _number(what: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{what} is {value}; allowed is {least} to {most}")


def _private(what: str, value: str) -> None:
    try:
        private = IPv4Address(value).is_private
    except AddressValueError:
        private = False
    if not private:
        raise ValueError(f"{what} is {value!r}; allowed is a private IPv4 address")


def _range(what: str, value: str) -> None:
    first, _, last = value.partition("-")
    _private(what, first)
    if last:
        _private(what, last)
        if IPv4Address(first) >= IPv4Address(last):
            raise ValueError(f"{what} has {value!r}; allowed is FIRST-LAST with FIRST below LAST")


def _distinct(what: str, values: Sequence[str]) -> None:
    if len(set(values)) != len(values):
        raise ValueError(f"{what} is {list(values)}; allowed is each value once")
