"""The plan, the settings and the description of a host accept and refuse the same values.

The tests give each value to its real readers, and not to the type that they share. So they find a reader that has an
additional rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import plan
from components.network.private_network import PrivateNetworkArgs, hosts_subnet
from components.storage.application_secrets import ApplicationSecretsArgs
from plan.model import Role
from stacks.settings import model as stacks
from stacks.settings.reading import SettingsError
from tests.components.hosts.examples import KEY, active_api, active_worker
from tests.components.recording import configuration

PLAN: Final = plan.load()
ROLE: Final = PLAN.roles[0].model_dump()


def accepted(read: Callable[[], object]) -> bool:
    """Return whether a reader accepts a value. A host's description raises ValueError, the base of pydantic's error."""
    try:
        read()
    except (SettingsError, ValidationError, ValueError):
        return False
    return True


def in_plan(field: str) -> Callable[[Any], object]:
    return lambda value: Role.model_validate({**ROLE, field: value})


def in_settings(path: str, stack: str = "prod") -> Callable[[Any], object]:
    def read(value: Any) -> object:
        values = configuration(stack, {path: value}).items()
        ours = {key.removeprefix("botbrains:"): text for key, text in values if key.startswith("botbrains:")}
        return stacks.parse(ours, plan=PLAN, stack=value if path == "stack" else stack)

    return read


def in_secrets(value: str) -> object:
    return ApplicationSecretsArgs(
        stack="prod",
        names=(value,),
        deletion_window_days=7,
        region="eu-central-1",
        replica_region="eu-west-1",
        replica_kms_key_arn="arn",
    )


def on_host(field: str, of: Callable[[Any], Any] = lambda value: value) -> Callable[[Any], object]:
    return lambda value: active_api(**{field: of(value)})


def lowercase_account(value: str) -> object:
    # The program derives the account from the person's name.
    return active_api(operators={value.lower(): KEY})


def near(valid: st.SearchStrategy[str], alphabet: str) -> st.SearchStrategy[str]:
    """Valid texts, and the same texts with one character added, changed or removed."""

    @st.composite
    def changed(draw: st.DrawFn) -> str:
        text: str = draw(valid)
        place = draw(st.integers(0, len(text)))
        removed = draw(st.integers(0, 1))
        added: str = draw(st.sampled_from(["", *alphabet]))
        return text[:place] + added + text[place + removed :]

    return valid | changed()


def matching(pattern: str) -> st.SearchStrategy[str]:
    return st.from_regex(pattern, fullmatch=True)


DIGEST = "@sha256:" + "0123456789abcdef" * 4
BODIES = st.text("ABCabc019+/", min_size=38, max_size=70)
ODD = " \t\n.-_/:@?#%=é'\"0aZ"

keys = near(
    st.builds(
        "{} {}{}{}".format,
        st.sampled_from(["ssh-ed25519", "sk-ssh-ed25519@openssh.com", "ssh-rsa", "ecdsa-sha2-nistp256"]),
        BODIES,
        st.sampled_from(["", "=", "=="]),
        st.sampled_from(["", " liam", " liam at work", " ", " lïam"]),
    ),
    ODD,
)
images = near(
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["", "ghcr.io/", "registry.example.com:5000/", "localhost:5000/", "localhost/", "host/"]),
        matching(r"[a-z0-9]{1,4}([._/-][a-z0-9]{1,4}){0,2}"),
        st.sampled_from(["", "", ":1.0"]),
        st.sampled_from([DIGEST, DIGEST, "", ":latest", DIGEST[:-1]]),
    ),
    ODD,
)
paths = near(
    st.builds(
        "{}{}".format,
        matching(r"(/[A-Za-z0-9._~-]{0,5}){1,3}"),
        st.sampled_from(["", "", "?full=1", "#top", "%20"]),
    ),
    ODD,
)
ports = st.integers(-1, 70000) | st.sampled_from([0, 1, 80, 1023, 1024, 8080, 8999, 9000, 9001, 65535, 65536])
people = near(matching(r"[A-Z][a-z]{0,32}"), ODD) | st.sampled_from(["Root", "Debian", "Nobody", "Mail", "Liam"])
regions = near(st.sampled_from(["eu-central-1", "eu-west-1", "eusc-de-east-1", "us-gov-west-1"]), ODD)
stack_names = near(matching(r"[a-z0-9]{1,5}([._-][a-z0-9]{1,40}){0,2}"), ODD)
secrets = near(matching(r"[a-z0-9]{1,8}([._-][a-z0-9]{1,8}){0,2}"), ODD) | st.sampled_from(["session-secret"])
worker_counts = st.integers(-1, 60)

SHARED: Mapping[str, tuple[st.SearchStrategy[Any], Mapping[str, Callable[[Any], object]]]] = {
    "SSH key": (keys, {"plan": in_plan("ssh_key"), "host": on_host("operators", lambda key: {"liam": key})}),
    "image": (images, {"settings": in_settings("hosts.api.app"), "host": on_host("image")}),
    "health path": (paths, {"settings": in_settings("hosts.api.healthPath"), "host": on_host("health_path")}),
    "port": (ports, {"settings": in_settings("hosts.api.port"), "host": on_host("port")}),
    "region": (regions, {"settings": in_settings("region"), "host": on_host("region")}),
    "stack": (stack_names, {"settings": in_settings("stack"), "host": on_host("stack")}),
    "secrets' stack": (
        stack_names,
        {"settings": in_settings("secretsOf", "dr"), "host": on_host("secrets_stack")},
    ),
    "secret": (
        secrets,
        {
            "settings": lambda value: in_settings("secrets")([value]),
            "component": in_secrets,
            "host": on_host("secrets", lambda name: [name]),
        },
    ),
    "workers": (
        worker_counts,
        {"settings": in_settings("hosts.worker.active"), "host": lambda count: active_worker(slot=None, slots=count)},
    ),
}


@pytest.mark.parametrize("name", SHARED)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_readers_agree_on_a_value(name: str, data: st.DataObject) -> None:
    values, readers = SHARED[name]
    value = data.draw(values)
    answers = {reader: accepted(lambda read=read: read(value)) for reader, read in readers.items()}  # type: ignore[misc]
    assert len(set(answers.values())) == 1, (value, answers)


@settings(max_examples=100, deadline=None)
@given(person=people)
def test_person_of_the_plan_has_an_account_on_hosts(person: str) -> None:
    if accepted(lambda: in_plan("person")(person)):
        lowercase_account(person)
    elif person.isascii() and person.isalpha() and person == person.capitalize() and 2 <= len(person) <= 31:
        assert not accepted(lambda: lowercase_account(person))


@settings(max_examples=100, deadline=None)
@given(
    address=st.ip_addresses(v=4) | st.sampled_from(["10.0.0.0", "172.16.0.0", "192.168.0.0", "172.32.0.0"]),
    prefix=st.integers(8, 32),
)
def test_network_of_the_settings_has_room_for_hosts(address: object, prefix: int) -> None:
    ip_range = f"{address}/{prefix}"
    if accepted(lambda: in_settings("network.ipRange")(ip_range)):
        PrivateNetworkArgs(ip_range=ip_range, zone="eu-central", labels={})
        active_api(address=hosts_subnet(ip_range).partition("/")[0])


AGREED: list[tuple[str, object, bool]] = [
    ("SSH key", f"sk-ssh-ed25519@openssh.com {'A' * 68} liam", True),
    ("SSH key", f"ssh-rsa {'A' * 68}", False),
    ("SSH key", f"ssh-ed25519 {'A' * 68} Liam at work", True),
    ("health path", "/healthz", True),
    ("health path", "/healthz?full=1", False),
    ("image", f"ghcr.io/botbrains/api{DIGEST}", True),
    ("image", f"registry.example.com:5000/api{DIGEST}", True),
    ("image", f"api{DIGEST}", False),
    ("image", f"botbrains/api{DIGEST}", False),
    ("image", f"ghcr.io/botbrains/api:1.0{DIGEST}", False),
    ("port", 1024, True),
    ("port", 65535, True),
    ("port", 80, False),
    ("port", 9000, False),
    ("stack", "prod-2", True),
    ("stack", "prod_2", False),
    ("stack", "a" * 35, True),
    ("stack", "a" * 36, False),
    ("secret", "inference-providers", True),
    ("secret", "session-secret", False),
    ("workers", 50, True),
    ("workers", 51, False),
]


@pytest.mark.parametrize(("name", "value", "allowed"), AGREED)
def test_readers_give_the_agreed_answer(name: str, value: object, allowed: bool) -> None:
    _, readers = SHARED[name]
    answers = {reader: accepted(lambda read=read: read(value)) for reader, read in readers.items()}  # type: ignore[misc]
    assert answers == dict.fromkeys(readers, allowed)
