"""Validated types: the allowed values of a single field, shared by all readers.

The plan, the stacks' settings and the descriptions of hosts take their types from here, so a value that one of them
accepts is not refused by the next. Where a cloud or a program on the host has a rule, the type has the same rule.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence, Sized
from dataclasses import dataclass
from typing import Annotated, Final, TypeVar

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from plan.names import STATE_BUCKET_ALLOWED, is_state_bucket

T = TypeVar("T")
_List = TypeVar("_List", bound=Sequence[object])
_Sized = TypeVar("_Sized", bound=Sized)


@dataclass(frozen=True)
class Unit:
    """The unit of a number, for messages."""

    name: str


@dataclass(frozen=True)
class Allowed:
    """The allowed values of a type, as the end of a sentence that begins with "allowed is", for messages."""

    words: str


def _distinct(values: _List) -> _List:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise PydanticCustomError("repeated", "has {value} twice", {"value": repr(value)})
    return values


Distinct: Final = AfterValidator(_distinct)
"""Marks a list without duplicates."""


def _not_empty(values: _Sized) -> _Sized:
    if not values:
        raise PydanticCustomError("empty", "is empty")
    return values


NotEmpty: Final = AfterValidator(_not_empty)
"""Marks a list or a mapping with at least one value. pydantic's own minimum also counts wrong values."""

Several = Annotated[tuple[T, ...], NotEmpty, Distinct]
"""One or more values without duplicates, in the order of the file."""

# -- text and numbers -------------------------------------------------------------------------------------------------

Text = Annotated[str, Field(pattern=r"\S"), Allowed("a text that is not empty")]
Id = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9_]*$"),
    Allowed("a short name of lowercase letters, digits and underscores that begins with a letter"),
]
ControlId = Annotated[
    str,
    Field(pattern=r"^(A\.[5-8]\.[1-9][0-9]?|Clause ([4-9]|10)(\.[1-9])*)$"),
    Allowed("a control of ISO/IEC 27001:2022's Annex A, such as A.8.13, or a clause of it, such as Clause 8.1"),
]
WebAddress = Annotated[str, Field(pattern=r"^https://[^\s/]+(/\S*)?$"), Allowed("an address that begins with https://")]
Count = Annotated[int, Field(ge=1)]
Hours = Annotated[int, Field(ge=1), Unit("hours")]
Minutes = Annotated[int, Field(ge=1), Unit("minutes")]
Days = Annotated[int, Field(ge=1), Unit("days")]
RdsBackupDays = Annotated[int, Field(ge=1, le=35), Unit("days")]
KmsWindowDays = Annotated[int, Field(ge=7, le=30), Unit("days")]
LockDays = Annotated[int, Field(ge=1, le=36500), Unit("days")]
CoolingOffDays = Annotated[int, Field(ge=3, le=36500), Unit("days")]
FailoverSeconds = Annotated[int, Field(ge=8, le=16), Unit("seconds")]
TtlSeconds = Annotated[int, Field(ge=60, le=2147483647), Unit("seconds")]
SessionHours = Annotated[int, Field(ge=1, le=12), Unit("hours")]

# -- people and their accounts ----------------------------------------------------------------------------------------

# Debian's own users and groups (its package base-passwd), and those of the packages that a host installs. A group's
# name cannot become an account, because an account gets a group with the same name.
RESERVED_ACCOUNTS: Final = frozenset(
    {
        *("root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "proxy", "www-data"),
        *("backup", "list", "irc", "nobody", "nogroup", "adm", "tty", "disk", "kmem", "dialout", "fax", "voice"),
        *("cdrom", "floppy", "tape", "sudo", "audio", "dip", "operator", "src", "shadow", "utmp", "video", "sasl"),
        *("plugdev", "staff", "users", "debian", "haproxy", "messagebus", "sshd"),
    }
)


def _not_reserved(name: str) -> str:
    if name.lower() in RESERVED_ACCOUNTS:
        raise PydanticCustomError("reserved_account", "is an account that Debian reserves")
    return name


AccountName = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9-]{0,30}$"),
    AfterValidator(_not_reserved),
    Allowed(
        "the name of an account: at most 31 lowercase letters, digits and hyphens, a letter first, and not a name that"
        " Debian reserves"
    ),
]
Person = Annotated[
    str,
    Field(pattern=r"^[A-Z][a-z]{1,30}$"),
    AfterValidator(_not_reserved),
    Allowed(
        "a first name of 2 to 31 letters, the first one in uppercase; in lowercase it is the account on the hosts, so"
        " a name that Debian reserves is refused"
    ),
]
# The types of key without a weak variant. Comments are printable ASCII with one space between words: a key is one line
# of a host's user data, and of a file that sshd reads.
SshPublicKey = Annotated[
    str,
    Field(pattern=r"^(ssh-ed25519|sk-ssh-ed25519@openssh\.com) [A-Za-z0-9+/]{40,}={0,2}( [!-~]+)*$"),
    Allowed(
        "the public half of an Ed25519 SSH key, on a hardware key or not, in the form of its .pub file: type, key,"
        " and an optional comment"
    ),
]
Email = Annotated[
    str, Field(pattern=r"^[^@\s]+@([a-z0-9-]+\.)+[a-z]{2,}$"), Allowed("an email address, such as one@example.com")
]
GitHubLogin = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$", max_length=39),
    Allowed("the name of an account at GitHub: at most 39 letters, digits and single hyphens"),
]
RepositoryName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$"), Allowed("the name of a GitHub repository")]
RoleName = Annotated[
    str,
    Field(pattern=r"^[\w+=,.@-]+$", max_length=64),
    Allowed("the name of a role in AWS: at most 64 letters, digits and any of +=,.@_-"),
]

# -- stacks and places ------------------------------------------------------------------------------------------------

# A stack's name is part of its hosts' names. The longest is botbrains-STACK-worker-standby-10, and a host's name has at
# most 63 characters. RDS refuses dots, underscores and two hyphens in a row.
StackName = Annotated[
    str,
    Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=63 - len("botbrains--worker-standby-10")),
    Allowed("the name of a stack: at most 35 lowercase letters, digits and single hyphens, no hyphen at either end"),
]
# Only the form. The policy pack decides whether the region is allowed.
AwsRegion = Annotated[
    str,
    Field(pattern=r"^[a-z]{2,4}(-[a-z]+)+-[0-9]+$"),
    Allowed("the name of an AWS region: lowercase words and a number, joined by hyphens"),
]
HetznerLocation = Annotated[
    str,
    Field(pattern=r"^[a-z]{3}[0-9]*$"),
    Allowed("the name of a Hetzner location: three lowercase letters, with or without a number, such as fsn1"),
]

# -- networks ---------------------------------------------------------------------------------------------------------

# RFC 1918. Hetzner accepts no other ranges for a network.
_PRIVATE: Final = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))


def _private_range(value: str) -> str:
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError as error:
        raise PydanticCustomError("ip_range", "{error}", {"error": str(error)}) from None
    if not any(network.subnet_of(private) for private in _PRIVATE) or not 16 <= network.prefixlen <= 22:
        raise PydanticCustomError("ip_range", "not private, or not of an allowed size")
    return value


def private_address(value: str) -> str:
    """Refuse a value that is not a private IPv4 address."""
    try:
        private = ipaddress.IPv4Address(value).is_private
    except ValueError:
        private = False
    if not private:
        raise PydanticCustomError("private_address", "not a private IPv4 address")
    return value


def _address_range(value: str) -> str:
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        raise PydanticCustomError("address_range", "{error}", {"error": str(error)}) from None
    return value


PrivateRange = Annotated[
    str,
    AfterValidator(_private_range),
    Allowed("a private IPv4 range from /16 to /22 in CIDR notation, such as 10.10.0.0/16"),
]
PrivateAddress = Annotated[str, AfterValidator(private_address), Allowed("a private IPv4 address")]
AddressRange = Annotated[
    str, AfterValidator(_address_range), Allowed("an address range in CIDR notation, such as 192.0.2.10/32")
]

APPLICATION_PORT: Final = 9000
"""The port on which the application's container listens. HAProxy has the same address, so its port differs."""


def _not_the_applications(port: int) -> int:
    if port == APPLICATION_PORT:
        raise PydanticCustomError("application_port", "is the port of the application")
    return port


# HAProxy and the application run without the privilege that ports below 1024 require.
UnprivilegedPort = Annotated[int, Field(ge=1024, le=65535), Allowed("a port from 1024 to 65535")]
HostPort = Annotated[
    int,
    Field(ge=1024, le=65535),
    AfterValidator(_not_the_applications),
    Allowed(f"a port from 1024 to 65535 except {APPLICATION_PORT}, where the application itself listens"),
]
# HAProxy compares its monitor-uri with the complete request target, character by character. Hetzner documents a path
# without a query. If Hetzner encoded a query, every host would be unhealthy, and an application does not need one.
HealthPath = Annotated[
    str,
    Field(pattern=r"^/[A-Za-z0-9._~/-]*$"),
    Allowed("a path that begins with a slash, of letters, digits and ._~/-, and without a query"),
]

# -- what runs on a host ----------------------------------------------------------------------------------------------

# Podman resolves a name without a registry through a list that is empty in Debian, so the registry is part of the name.
# It recognises a registry by a dot or a port. Podman ignores a tag next to a digest.
ImageReference = Annotated[
    str,
    Field(
        pattern=(
            r"^([a-z0-9]+(-+[a-z0-9]+)*(\.[a-z0-9]+(-+[a-z0-9]+)*)+(:[0-9]+)?|[a-z0-9]+(-+[a-z0-9]+)*:[0-9]+)"
            r"(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)+@sha256:[0-9a-f]{64}$"
        )
    ),
    Allowed(
        "an image by its digest, with its registry and without a tag, such as ghcr.io/botbrains/api@sha256: and 64"
        " hexadecimal digits"
    ),
]

# Secrets Manager ends the ARN of a secret with a hyphen and six random characters, and finds a secret by a part of its
# ARN. So a name must not end like an ARN.
_LIKE_AN_ARN: Final = re.compile(r".*-[a-z0-9]{6}")


def _not_like_an_arn(name: str) -> str:
    if _LIKE_AN_ARN.fullmatch(name):
        raise PydanticCustomError("like_an_arn", "ends like an ARN")
    return name


# The hyphen is the only separator: programs on a host find a secret by the name of its variable, in which every
# separator is an underscore. So names that differ here also differ there.
SecretName = Annotated[
    str,
    Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$"),
    AfterValidator(_not_like_an_arn),
    Allowed(
        "the name of a secret: lowercase letters and digits with single hyphens between them, and not a hyphen and six"
        " characters at the end, which is how an ARN ends"
    ),
]
WORKER_SLOTS: Final = 50
"""The maximum number of active workers. A standby tries every slot several times a second."""

WorkerSlot = Annotated[int, Field(ge=1, le=WORKER_SLOTS)]


def _state_bucket(value: str) -> str:
    if not is_state_bucket(value):
        raise PydanticCustomError("state_bucket", "not the name of a state bucket")
    return value


StateBucket = Annotated[str, AfterValidator(_state_bucket), Allowed(STATE_BUCKET_ALLOWED)]
"""The bucket of Pulumi's state."""
