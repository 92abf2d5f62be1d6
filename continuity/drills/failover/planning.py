"""The plan of a failover drill: the hosts and load balancers that it switches off, checked before anything changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer

import plan
from continuity.drills.failover.evaluation import FaultScope, HealthCheck, severity
from continuity.drills.failover.faults import Fault, HetznerApi
from continuity.engine import pulumi_cli
from continuity.engine.stacks import Stack
from continuity.errors import DrillError, StackError, UsageError


class Role(StrEnum):
    """The role of the hosts that are switched off."""

    API = "api"
    WORKER = "worker"
    BOTH = "both"


@dataclass(frozen=True)
class Options:
    """The options of a drill, with their texts for the command line."""

    scope: Annotated[
        FaultScope,
        typer.Option(
            "--lose",
            help="The hosts to switch off: one active host of each role (host), all active hosts (active), or all "
            "hosts and load balancers of a location (location).",
        ),
    ]
    location: Annotated[str | None, typer.Option(help="The location for --lose location, for example nbg1.")] = None
    role: Annotated[Role, typer.Option(help="The role of the hosts to switch off.")] = Role.BOTH
    rate: Annotated[float, typer.Option(min=1.0, max=2000.0, help="Requests a second.")] = 200.0
    jobs: Annotated[
        int, typer.Option(min=0, max=100_000, help="The number of jobs for the workers. 0 does not use the queue.")
    ] = 1000
    seconds: Annotated[
        float, typer.Option(min=1.0, max=3600.0, help="The time until everything is switched on again.")
    ] = 30.0
    https_port: Annotated[
        int,
        typer.Option(
            min=1, max=65535, envvar="HTTPS_PORT", help="The port of the load balancers. It differs in local clouds."
        ),
    ] = 443
    path: Annotated[str, typer.Option(help="The path of the requests. A status of 200 to 399 counts as served.")] = "/"


@dataclass(frozen=True)
class Host:
    """A host from the stack's outputs. `state` is active or standby."""

    name: str
    location: str
    state: str


@dataclass(frozen=True)
class DrillPlan:
    """The effects of a drill, known before it starts."""

    stack: Stack
    options: Options
    api: HetznerApi
    outputs: Mapping[str, Any]
    name: str
    check: HealthCheck
    api_hosts: tuple[Host, ...]
    worker_hosts: tuple[Host, ...]
    balancers: tuple[Mapping[str, Any], ...]
    lost_api: tuple[Host, ...]
    lost_workers: tuple[Host, ...]
    lost_balancers: tuple[str, ...]
    fault: Fault

    @property
    def what(self) -> str:
        """The hosts and load balancers that are switched off, in words."""
        names = [host.name for host in (*self.lost_api, *self.lost_workers)] + list(self.lost_balancers)
        return (f"location {self.options.location}: " if self.options.scope is FaultScope.LOCATION else "") + ", ".join(
            names
        )

    @property
    def expected_standby(self) -> frozenset[str]:
        """The standby API hosts that must take over. The j-th standby host takes over when j active hosts are off."""
        standby = [host for host in self.api_hosts if host.state == "standby"]
        needed = standby[: sum(1 for host in self.lost_api if host.state == "active")]
        return frozenset(host.name for host in needed if host not in self.lost_api)

    def sentences(self, promised: plan.Plan) -> list[str]:
        """The effects in sentences, for the operator's decision."""
        options = self.options
        hosts = [host.name for host in (*self.lost_api, *self.lost_workers)]
        name, objectives = severity(promised, options.scope)
        lines = [f"the power of {len(hosts)} servers is cut, without a shutdown: {', '.join(hosts)}"]
        if self.lost_balancers:
            lines.append(
                "the public interfaces of the load balancers of that location are switched off (Hetzner's API has no "
                f"stronger call): {', '.join(self.lost_balancers)}"
            )
        lines.append(
            f"{options.rate:g} requests a second go to https://{self.name}:{options.https_port}{options.path}"
            + (f", and {options.jobs} jobs to the workers" if options.jobs else "")
        )
        lines.append(
            f"everything is switched on again after {options.seconds:g} s. If this command is killed before, run: "
            + "; ".join(self.fault.manual_commands())
        )
        lines.append(
            f"traffic must recover within {self.check.bound:g} s, and the plan's {name} objectives are "
            f"{objectives.rto_hours} h and a loss of {objectives.rpo}"
        )
        if self.api.real:
            lines.append(
                f"THIS IS A REAL CLOUD ({self.api.endpoint}). Customers of {self.stack} are served by these hosts. "
                f"Some or all of their requests fail for up to {self.check.bound:g} s. Every request and job that a "
                "host is processing when its power is cut is lost"
            )
        return lines


def plan_drill(stack: Stack, options: Options) -> DrillPlan:
    """Read the stack and the cloud, and select the hosts to switch off. Changes nothing.

    Raises `ContinuityError` if the stack lacks an output, if no host would be left to take over, or if the time is too
    short to see whether the service recovered.
    """
    outputs = pulumi_cli.read_outputs(stack)
    if outputs is None:
        raise StackError(f"{stack} does not exist: bring it up first (`continuity up {stack}`)")
    return plan_from_outputs(outputs, stack, options)


def plan_from_outputs(outputs: Mapping[str, Any], stack: Stack, options: Options) -> DrillPlan:
    """Plan a drill from a stack's outputs: see `plan_drill`."""
    needed = ["name", "load_balancers", "health_check", "api_hosts"]
    if options.role is not Role.API or options.jobs:
        needed.append("worker_hosts")
    missing = [name for name in needed if not outputs.get(name)]
    if missing:
        raise StackError(
            f"stack {stack} has no output {', '.join(missing)}: bring it up first (`continuity up {stack}`)"
        )
    check = _health_check(stack, outputs["health_check"])
    shortest = check.bound + 2 * check.decides_in
    if options.seconds < shortest:
        raise UsageError(
            f"--seconds is {options.seconds:g}; at least {shortest:g} are needed: {check.bound:g} for the "
            f"recovery of traffic, and twice {check.decides_in:g} in which no request may fail"
        )
    api_hosts, worker_hosts = _hosts(outputs, "api_hosts"), _hosts(outputs, "worker_hosts")
    balancers = tuple(outputs["load_balancers"])
    _check_location(options, [*api_hosts, *worker_hosts])
    lost_api = _lost(api_hosts, options) if options.role is not Role.WORKER else ()
    lost_workers = _lost(worker_hosts, options) if options.role is not Role.API else ()
    dark_location = (
        options.location if options.scope is FaultScope.LOCATION and options.role is not Role.WORKER else None
    )
    lost_balancers = tuple(
        str(balancer["name"]) for balancer in balancers if dark_location and balancer["location"] == dark_location
    )
    if not lost_api and not lost_workers:
        raise UsageError(
            f"no host of the role {options.role} would be switched off: choose a different --lose, --role or --location"
        )
    for words, all_, lost in (("API", api_hosts, lost_api), ("worker", worker_hosts, lost_workers)):
        if lost and len(lost) == len(all_):
            raise DrillError(f"every {words} host would be lost: no host would be left to take over")
    if lost_balancers and len(lost_balancers) == len(balancers):
        raise DrillError("every load balancer would be lost: no load balancer would be left to take over")
    api = HetznerApi.from_environment()
    fault = Fault(api, [host.name for host in (*lost_api, *lost_workers)], lost_balancers)
    return DrillPlan(
        stack=stack,
        options=options,
        api=api,
        outputs=outputs,
        name=str(outputs["name"]),
        check=check,
        api_hosts=api_hosts,
        worker_hosts=worker_hosts,
        balancers=balancers,
        lost_api=lost_api,
        lost_workers=lost_workers,
        lost_balancers=lost_balancers,
        fault=fault,
    )


def _health_check(stack: Stack, output: Mapping[str, Any]) -> HealthCheck:
    try:
        return HealthCheck(
            path=str(output["path"]),
            interval=float(output["interval_seconds"]),
            timeout=float(output["timeout_seconds"]),
            retries=int(output["retries"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StackError(
            f"the output health_check of stack {stack} is not complete: {error!r}. Bring it up again"
        ) from None


def _hosts(outputs: Mapping[str, Any], name: str) -> tuple[Host, ...]:
    try:
        return tuple(Host(host["name"], host["location"], host["state"]) for host in outputs.get(name) or ())
    except (KeyError, TypeError) as error:
        raise StackError(
            f"an entry of the output {name} is not a host: {error!r} is missing. Bring the stack up again"
        ) from None


def _check_location(options: Options, hosts: list[Host]) -> None:
    if options.scope is not FaultScope.LOCATION:
        if options.location is not None:
            raise UsageError("--location needs --lose location")
        return
    known = sorted({host.location for host in hosts})
    if options.location not in known:
        raise UsageError(f"--location is {options.location or 'missing'}; there are hosts in {', '.join(known)}")


def _lost(hosts: tuple[Host, ...], options: Options) -> tuple[Host, ...]:
    match options.scope:
        case FaultScope.HOST:
            return tuple(host for host in hosts if host.state == "active")[:1]
        case FaultScope.ACTIVE:
            return tuple(host for host in hosts if host.state == "active")
        case FaultScope.LOCATION:
            return tuple(host for host in hosts if host.location == options.location)
