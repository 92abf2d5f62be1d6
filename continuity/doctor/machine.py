"""Checks of this machine, of the settings, and of the stacks."""

from __future__ import annotations

import ipaddress
from typing import Final

from continuity.doctor.check import Clouds
from continuity.engine import pulumi_cli
from continuity.engine.stacks import Stack
from continuity.errors import MissingError, NotShownError

_ELSEWHERE: Final = ("AWS_ENDPOINT_URL", "HCLOUD_ENDPOINT", "GITHUB_BASE_URL", "GITHUB_API_URL")
_GITHUB: Final = "https://api.github.com"
# RFC 5737: addresses for documentation.
_DOCUMENTATION: Final = [ipaddress.ip_network(f"{each}.0/24") for each in ("192.0.2", "198.51.100", "203.0.113")]


def addresses(clouds: Clouds) -> str:
    """The clouds that the environment leads to."""
    found = {name: clouds.environment[name] for name in _ELSEWHERE if clouds.environment.get(name)}
    leading = [f"{name} leads to {address}" for name, address in found.items() if address != _GITHUB]
    if leading:
        raise NotShownError(f"these are not the real clouds, so neither are the answers below: {'; '.join(leading)}")
    return "AWS, Hetzner and GitHub at their own addresses"


def engine(_clouds: Clouds) -> str:
    """Pulumi's program."""
    return pulumi_cli.find_pulumi()


def ssh_ranges(clouds: Clouds) -> str:
    """The address ranges from which people use SSH."""
    wrong = []
    for stack in (Stack.PROD, Stack.DR):
        for text in clouds.setting(stack, "hosts")["sshFrom"]:
            one = ipaddress.ip_network(text)
            if any(one.version == each.version and one.subnet_of(each) for each in _DOCUMENTATION):  # type: ignore[arg-type]
                wrong.append(f"Pulumi.{stack}.yaml has {text}")
    if wrong:
        raise MissingError(
            f"{'; '.join(wrong)}, which is a range for documentation", "set sshFrom to the addresses of your offices"
        )
    return "the ranges of prod and dr are set"


def vault(_clouds: Clouds) -> str:
    """The vault's stack."""
    return _stack(Stack.VAULT)


def production(_clouds: Clouds) -> str:
    """Production's stack."""
    return _stack(Stack.PROD)


def repository(_clouds: Clouds) -> str:
    """The stack of the repository."""
    return _stack(Stack.GITHUB)


def _stack(stack: Stack) -> str:
    if pulumi_cli.read_outputs(stack) is None:
        raise MissingError(f"{stack} does not exist, or its first update did not end", f"run `continuity up {stack}`")
    return f"{stack} exists"
