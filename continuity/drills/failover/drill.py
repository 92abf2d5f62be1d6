"""The drill that measures whether the loss of hosts, or of a location, is borne by those that are left.

It sends requests and jobs at a steady pace, switches hosts off as if their plugs were pulled, watches who serves,
switches them on again, and watches until everything is as it was. `failover_judgement` judges what it saw.
"""

from __future__ import annotations

import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import plan
from continuity.clouds.database import Database
from continuity.drills.failover import faults
from continuity.drills.failover.evaluation import HealthCheck, Lose, Measured, Observed, Times, judge, severity
from continuity.drills.failover.faults import Access, Fault, Health
from continuity.drills.load.jobs import Job, Outcome, Queue
from continuity.drills.load.traffic import Settings, Traffic
from continuity.engine import stacks
from continuity.engine.stacks import Stack
from continuity.errors import ContinuityError, DrillError, StackError, UsageError

_BEFORE_SECONDS: Final = 5.0
"""How long requests are sent before anything is switched off."""

_FIRST_SECONDS: Final = 30.0
_READY_SECONDS: Final = 120.0
"""How long the pool may take to be ready before the drill begins."""

_WHOLE_SECONDS: Final = 300.0
"""How long the pool may take to be as before, once everything is switched on: a real server boots."""

_DONE_SECONDS: Final = 120.0
"""How long the jobs that are left may take at the end."""


class Role(StrEnum):
    """Whose hosts are taken away."""

    API = "api"
    WORKER = "worker"
    BOTH = "both"


@dataclass(frozen=True)
class Options:
    """What a person asks for. `rate` is in requests a second; `seconds` pass between switching off and on again."""

    lose: Lose
    location: str | None = None
    role: Role = Role.BOTH
    rate: float = 200.0
    jobs: int = 1000
    seconds: float = 30.0
    https_port: int = 443
    path: str = "/"


@dataclass(frozen=True)
class Host:
    """A host as the stack says. `state` is active or standby."""

    name: str
    location: str
    state: str


@dataclass(frozen=True)
class Intended:
    """What a drill would do, before it does it."""

    stack: Stack
    options: Options
    access: Access
    outputs: Mapping[str, Any]
    name: str
    check: HealthCheck
    api: tuple[Host, ...]
    workers: tuple[Host, ...]
    balancers: tuple[Mapping[str, Any], ...]
    lost_api: tuple[Host, ...]
    lost_workers: tuple[Host, ...]
    lost_balancers: tuple[str, ...]
    fault: Fault

    @property
    def what(self) -> str:
        """What is lost, in words."""
        names = [host.name for host in (*self.lost_api, *self.lost_workers)] + list(self.lost_balancers)
        return (f"location {self.options.location}: " if self.options.lose is Lose.LOCATION else "") + ", ".join(names)

    @property
    def needed_standby(self) -> frozenset[str]:
        """The standby API hosts that have to step in: of those that are left, the j-th does when j actives are lost."""
        standby = [host for host in self.api if host.state == "standby"]
        needed = standby[: sum(1 for host in self.lost_api if host.state == "active")]
        return frozenset(host.name for host in needed if host not in self.lost_api)

    def sentences(self, promised: plan.Plan) -> list[str]:
        """What would happen, for a person who decides whether it does."""
        options = self.options
        hosts = [host.name for host in (*self.lost_api, *self.lost_workers)]
        name, objectives = severity(promised, options.lose)
        said = [f"the power of {len(hosts)} servers is cut, as if their plugs were pulled: {', '.join(hosts)}"]
        if self.lost_balancers:
            said.append(
                "the public interface of the load balancers of that location is switched off (Hetzner has no harsher "
                f"call): {', '.join(self.lost_balancers)}"
            )
        said.append(
            f"{options.rate:g} requests a second go to https://{self.name}:{options.https_port}{options.path}"
            + (f", and {options.jobs} jobs to the workers" if options.jobs else "")
        )
        said.append(
            f"everything is switched on again after {options.seconds:g} s. Should this command not live to do it: "
            + "; ".join(self.fault.by_hand())
        )
        said.append(
            f"traffic has to recover within {self.check.bound:g} s, and the plan's {name} objectives are "
            f"{objectives.rto_hours} h and a loss of {objectives.rpo}"
        )
        if self.access.real:
            said.append(
                f"THIS IS A REAL CLOUD ({self.access.endpoint}). Customers of {self.stack} are served by these hosts: "
                f"expect that for up to {self.check.bound:g} s a part of their requests fails, or all of them, and "
                "that every request and every job that a host is at work on when its power is cut is broken off"
            )
        return said


def intend(promised: plan.Plan, stack: Stack, options: Options) -> Intended:
    """Look at the stack and the cloud, and decide what would be lost. Nothing is changed.

    Raises `ContinuityError` when the stack does not say what is needed, when nothing would be left to fail over to, or
    when the time is too short to tell whether the service recovered.
    """
    outputs = stacks.outputs(stack)
    if outputs is None:
        raise StackError(f"{stack} does not exist: bring it up first (`continuity up {stack}`)")
    return intend_from(outputs, promised, stack, options)


def intend_from(outputs: Mapping[str, Any], promised: plan.Plan, stack: Stack, options: Options) -> Intended:
    """As `intend`, with what the stack says of itself."""
    needed = ["name", "load_balancers", "health_check", "api_hosts"]
    if options.role is not Role.API or options.jobs:
        needed.append("worker_hosts")
    missing = [name for name in needed if not outputs.get(name)]
    if missing:
        raise StackError(f"stack {stack} does not say its {', '.join(missing)}: bring it up first")
    check = _health_check(stack, outputs["health_check"])
    shortest = check.bound + 2 * check.decides_in
    if options.seconds < shortest:
        raise UsageError(
            f"--seconds is {options.seconds:g}; at least {shortest:g} are needed: {check.bound:g} in which traffic may "
            f"recover, and twice {check.decides_in:g} in which it has to stay well"
        )
    api, workers = _hosts(outputs, "api_hosts"), _hosts(outputs, "worker_hosts")
    balancers = tuple(outputs["load_balancers"])
    _check_location(options, [*api, *workers])
    lost_api = _lost(api, options) if options.role is not Role.WORKER else ()
    lost_workers = _lost(workers, options) if options.role is not Role.API else ()
    darkened = options.location if options.lose is Lose.LOCATION and options.role is not Role.WORKER else None
    lost_balancers = tuple(
        str(balancer["name"]) for balancer in balancers if darkened and balancer["location"] == darkened
    )
    if not lost_api and not lost_workers:
        raise UsageError(f"there is no such host of the role {options.role} to lose")
    for words, all_, lost in (("API", api, lost_api), ("worker", workers, lost_workers)):
        if lost and len(lost) == len(all_):
            raise DrillError(f"every {words} host would be lost: nothing would be left to fail over to")
    if lost_balancers and len(lost_balancers) == len(balancers):
        raise DrillError("every load balancer would be lost: nothing would be left to fail over to")
    access = Access.of_environment()
    fault = Fault(access, [host.name for host in (*lost_api, *lost_workers)], lost_balancers)
    return Intended(
        stack=stack,
        options=options,
        access=access,
        outputs=outputs,
        name=str(outputs["name"]),
        check=check,
        api=api,
        workers=workers,
        balancers=balancers,
        lost_api=lost_api,
        lost_workers=lost_workers,
        lost_balancers=lost_balancers,
        fault=fault,
    )


def run(
    promised: plan.Plan,
    stack: Stack,
    options: Options,
    say: Callable[[str], None],
    intended: Intended | None = None,
) -> Measured:
    """The drill itself. `say` gets a sentence at each step.

    However it ends, by an error or by Ctrl-C, what it has switched off is switched on again.
    """
    drill = _Drill(intended or intend(promised, stack, options), say)
    with _terminated_as_interrupted():
        return judge(promised, drill.run())


class _Drill:
    def __init__(self, intended: Intended, say: Callable[[str], None]) -> None:
        self._intended = intended
        self._say = say
        self._balancers = [str(balancer["name"]) for balancer in intended.balancers]
        self._poll = 1.0 if intended.access.real else 0.25
        self._traffic = Traffic(
            Settings(
                name=intended.name,
                addresses=tuple(str(balancer["address"]) for balancer in intended.balancers),
                port=intended.options.https_port,
                path=intended.options.path,
                rate=intended.options.rate,
            )
        )

    def run(self) -> Observed:
        intended, options = self._intended, self._intended.options
        self._compare_dns()
        self._say("waiting until the load balancers call the active hosts healthy and the standby ones not")
        # Hosts that have just booted change places for a moment: a standby that saw no active one yet is on its way in.
        wrong = self._wait_until_whole(_READY_SECONDS, steady=2 * intended.check.decides_in)
        if wrong:
            raise DrillError(f"the pool is not ready for a drill: {'; '.join(wrong)}")
        batch = f"drill-{secrets.token_hex(4)}"
        queue = Queue(Database.of(intended.stack, intended.outputs), batch) if options.jobs else None
        noticed: float | None = None
        whole: float | None = None
        try:
            self._say(f"sending {options.rate:g} requests a second to {intended.name}")
            self._traffic.start()
            self._traffic.wait_for_first(_FIRST_SECONDS)
            begun = time.monotonic()
            if queue is not None:
                self._say(f"putting {options.jobs} jobs into the queue (batch {batch})")
                queue.start(options.jobs, _BEFORE_SECONDS + options.seconds)
            self._watch(begun + _BEFORE_SECONDS)
            self._refuse_if_failing(begun)
            try:
                self._say(f"lost now: {intended.what}")
                killed, off = intended.fault.off()
                self._say(f"all of it was off after {off - killed:.1f} s")
                noticed = self._watch(killed + options.seconds, until_noticed=True)
                self._say("switching everything on again")
                restored = intended.fault.on()
            finally:
                self._restore()
            wrong = self._wait_until_whole(_WHOLE_SECONDS)
            if wrong:
                self._say(f"the pool is not as before: {'; '.join(wrong)}")
            else:
                whole = time.monotonic()
                self._say(f"the pool is as before, {whole - restored:.1f} s later")
            # What goes wrong when the hosts that had stood in step back is seen a little later.
            self._watch(time.monotonic() + 2 * intended.check.decides_in)
            ended = time.monotonic()
            requests = self._traffic.stop()
            acknowledged, outcomes, workers = self._finish(queue)
        finally:
            self._traffic.stop()
            if queue is not None:
                queue.stop()
                queue.clean()
        lost = {host.name for host in intended.lost_api}
        return Observed(
            stack=intended.stack,
            lose=options.lose,
            what=intended.what,
            check=intended.check,
            times=Times(begun=begun, killed=killed, off=off, restored=restored, whole=whole, ended=ended),
            rate=options.rate,
            requests=[request for request in requests if request.due >= begun and request.due < ended],
            jobs_asked=options.jobs,
            lost_api=frozenset(lost),
            lost_workers=frozenset(host.name for host in intended.lost_workers),
            standby_api=intended.needed_standby,
            every_standby_api=frozenset(host.name for host in intended.api if host.state == "standby"),
            acknowledged=acknowledged,
            outcomes=outcomes,
            jobs_refused=queue.refused if queue is not None else 0,
            jobs_by_worker=workers,
            noticed=noticed,
        )

    def _compare_dns(self) -> None:
        balancers = self._intended.balancers
        addresses = {
            "A": [str(one["address"]) for one in balancers],
            "AAAA": [str(one["address_v6"]) for one in balancers if one.get("address_v6")],
        }
        for difference in faults.dns_differences(self._intended.access, self._intended.name, addresses):
            self._say(f"warning: {difference}")

    def _refuse_if_failing(self, since: float) -> None:
        seen = [request for request in self._traffic.requests if request.due >= since]
        failed = [request for request in seen if not request.served]
        if failed or not seen:
            first = (failed[0].error or f"status {failed[0].status}") if failed else "none has ended"
            raise DrillError(
                f"{len(failed)} of {len(seen)} requests failed before anything was switched off ({first}): nothing was "
                "changed"
            )

    def _watch(self, until: float, until_noticed: bool = False) -> float | None:
        """Let time pass; when the load balancers were first seen to call the lost hosts unhealthy, where asked."""
        noticed: float | None = None
        lost = {host.name for host in self._intended.lost_api}
        while (left := until - time.monotonic()) > 0:
            self._traffic.check()
            time.sleep(min(self._poll, left))
            if until_noticed and lost and noticed is None:
                try:
                    seen = faults.health(self._intended.access, self._balancers)
                except ContinuityError:
                    continue  # the next look is soon; what matters is measured by the requests
                if not any(healthy for targets in seen.values() for name, healthy in targets.items() if name in lost):
                    noticed = time.monotonic()
                    self._say("the load balancers call the lost hosts unhealthy")
        return noticed

    def _wait_until_whole(self, seconds: float, steady: float = 0.0) -> list[str]:
        return faults.wait_for(self._intended.access, self._wrong, self._balancers, seconds, self._poll, steady)

    def _wrong(self, seen: Health) -> list[str]:
        """How the pool differs from one in which actives serve and standbys do not."""
        wrong = []
        for balancer, targets in seen.items():
            for host in self._intended.api:
                if host.name not in targets:
                    wrong.append(f"{balancer} does not know {host.name}")
                elif targets[host.name] != (host.state == "active"):
                    said = "healthy" if targets[host.name] else "unhealthy"
                    wrong.append(f"{balancer} calls the {host.state} host {host.name} {said}")
        return wrong

    def _restore(self) -> None:
        """Switch on what is still off. A second Ctrl-C does not keep it from that."""
        with _interrupts_ignored():
            if not self._intended.fault.anything_off:
                return
            self._say("broken off: switching everything on again that was switched off; this is not interrupted")
            self._intended.fault.on()
            self._say("everything is switched on again")

    def _finish(self, queue: Queue | None) -> tuple[list[Job], list[Outcome], dict[str, int]]:
        if queue is None:
            return [], [], {}
        self._say("waiting until all jobs are done")
        acknowledged = queue.finish(_DONE_SECONDS)
        queue.wait_until_done(_DONE_SECONDS, self._say)
        return acknowledged, queue.outcomes(), queue.workers()


def _health_check(stack: Stack, said: Mapping[str, Any]) -> HealthCheck:
    try:
        return HealthCheck(
            path=str(said["path"]),
            interval=float(said["interval_seconds"]),
            timeout=float(said["timeout_seconds"]),
            retries=int(said["retries"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StackError(f"what stack {stack} says of its health_check is not complete: {error!r}") from None


def _hosts(outputs: Mapping[str, Any], name: str) -> tuple[Host, ...]:
    try:
        return tuple(Host(host["name"], host["location"], host["state"]) for host in outputs.get(name) or ())
    except (KeyError, TypeError) as error:
        raise StackError(f"an entry of the output {name} is not a host: {error!r} is missing") from None


def _check_location(options: Options, hosts: list[Host]) -> None:
    if options.lose is not Lose.LOCATION:
        if options.location is not None:
            raise UsageError("--location is for --lose location")
        return
    known = sorted({host.location for host in hosts})
    if options.location not in known:
        raise UsageError(f"--location is {options.location or 'missing'}; there are hosts in {', '.join(known)}")


def _lost(hosts: tuple[Host, ...], options: Options) -> tuple[Host, ...]:
    match options.lose:
        case Lose.HOST:
            return tuple(host for host in hosts if host.state == "active")[:1]
        case Lose.ACTIVE:
            return tuple(host for host in hosts if host.state == "active")
        case Lose.LOCATION:
            return tuple(host for host in hosts if host.location == options.location)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Being told to end is as Ctrl-C: what was switched off is switched on again first."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
