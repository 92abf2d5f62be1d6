"""Life of one unit: it is started, watched, restarted and stopped as systemd.service(5) describes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import time
from collections import deque
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.hosts.machine.journal import Journal
from localcloud.hosts.machine.unit_environment import expand, read_environment
from localcloud.hosts.machine.unit_file import Command, Unit
from localcloud.instance import process_tags

# For a service that was asked to end, these signals count as success (systemd.service(5), SuccessExitStatus=).
_CLEAN_SIGNALS = frozenset({-signal.SIGHUP, -signal.SIGINT, -signal.SIGTERM, -signal.SIGPIPE})
_INIT = "init.scope"
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Machine:
    """The parts of a host that its units share: folder, root, /run, the programs' environment, and journal."""

    folder: Path
    root: Path
    run: Path
    environment: Mapping[str, str]
    journal: Journal

    def say(self, message: str, unit: str | None = None, priority: int = 6) -> None:
        """Write a message to the journal as systemd."""
        more = {"UNIT": unit} if unit is not None else {}
        self.journal.write(message, _INIT, identifier="systemd", pid=1, priority=priority, **more)


class Service:
    """One unit with its processes. `state` is systemd's ActiveState."""

    def __init__(self, machine: Machine, unit: Unit) -> None:
        self.unit = unit
        self.state = "inactive"
        self.result = "success"
        self.watched = False
        self._machine = machine
        self._asked_to_stop = asyncio.Event()
        self._life: asyncio.Task[None] | None = None
        self._started: asyncio.Future[bool] | None = None
        self._main: asyncio.subprocess.Process | None = None
        self._starts: deque[float] = deque()
        if unit.unsupported:
            machine.say(f"{unit.name}: not done here: {', '.join(unit.unsupported)}", unit.name, priority=5)

    async def start(self) -> bool:
        """Start it unless it runs. Return whether it has started."""
        if self.state == "active":
            return True
        if self._life is None or self._life.done():
            self._asked_to_stop = asyncio.Event()
            self._started = asyncio.get_running_loop().create_future()
            self._life = asyncio.create_task(self._run())
        assert self._started is not None  # noqa: S101
        return await asyncio.shield(self._started)

    async def stop(self) -> None:
        self._asked_to_stop.set()
        if self._life is not None:
            await self._life
        self.state = "inactive" if self.state != "failed" else "failed"

    @property
    def alive(self) -> bool:
        return self._life is not None and not self._life.done()

    async def ended(self) -> None:
        """Wait until it is neither active nor about to be."""
        if self._life is not None:
            await asyncio.wait([self._life])

    # -- its life -----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            while True:
                if not self._within_start_limit():
                    self._machine.say(f"{self.unit.name}: Start request repeated too quickly.", self.unit.name, 4)
                    self._fail("start-limit-hit")
                    return
                await self._run_once()
                if self._asked_to_stop.is_set() or not self._should_restart():
                    return
                self.state = "activating"
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._asked_to_stop.wait(), self.unit.restart_seconds)
                    self.state = "inactive"
                    return
                self._machine.say(f"{self.unit.name}: Scheduled restart job.", self.unit.name)
        finally:
            self._report_started(False)

    async def _run_once(self) -> None:
        """Run it once, from its start to its end, including the cleanup."""
        unit = self.unit
        self.state, self.result = "activating", "success"
        if unit.description:
            self._machine.say(f"Starting {unit.name} - {unit.description}...", unit.name)
        self._make_directories()
        if not await self._start_processes():
            await self._end_all()
            await self._clean_up()
            self._report_started(False)
            return
        self.state = "active"
        self._machine.say(f"Started {unit.name} - {unit.description}.", unit.name)
        self._report_started(True)
        await self._wait_for_end()
        self.state = "deactivating"
        await self._run_all("ExecStop", unit.stop, unit.stop_seconds, stoppable=False)
        await self._end_all()
        await self._clean_up()
        if self.result == "success":
            self.state = "inactive"
            self._machine.say(f"Stopped {unit.name} - {unit.description}.", unit.name)
        else:
            self._fail(self.result)

    async def _start_processes(self) -> bool:
        unit = self.unit
        if not await self._run_all("ExecStartPre", unit.start_pre, unit.start_seconds):
            return False
        if unit.kind == "oneshot":
            if not await self._run_all("ExecStart", unit.start, unit.start_seconds):
                return False
        else:
            self._main = await self._spawn(unit.start[0])
            if self._main is None:
                self._fail("exec")
                return False
        return await self._run_all("ExecStartPost", unit.start_post, unit.start_seconds)

    async def _wait_for_end(self) -> None:
        """Wait until it ends or is asked to end."""
        unit = self.unit
        if self._main is not None:
            await self._wait_or_stop(self._main.wait())
            code = self._main.returncode
            if code is not None:
                self._set_result(code)
                self._main = None
                if unit.remain and self.result == "success":
                    await self._asked_to_stop.wait()
        elif unit.remain:
            await self._asked_to_stop.wait()

    def _set_result(self, code: int) -> None:
        clean = code == 0 or code in _CLEAN_SIGNALS or code in self.unit.clean
        self.result = "success" if clean else "signal" if code < 0 else "exit-code"
        if not clean:
            how = f"killed by signal {-code}" if code < 0 else f"exited with status {code}"
            self._machine.say(f"{self.unit.name}: Main process {how}.", self.unit.name, 4)

    def _should_restart(self) -> bool:
        match self.unit.restart:
            case "always":
                return self.result != "start-limit-hit"
            case "on-success":
                return self.result == "success"
            case "on-failure":
                return self.result not in ("success", "start-limit-hit")
            case "on-abnormal":
                return self.result in ("signal", "timeout")
        return False

    def _within_start_limit(self) -> bool:
        """Apply the start limit of the unit: `StartLimitBurst` times within `StartLimitIntervalSec`."""
        now = time.monotonic()
        while self._starts and now - self._starts[0] > self.unit.limit_seconds:
            self._starts.popleft()
        if self.unit.limit_seconds and self.unit.limit_starts and len(self._starts) >= self.unit.limit_starts:
            return False
        self._starts.append(now)
        return True

    def _fail(self, result: str) -> None:
        self.result = result
        self.state = "failed"
        self._machine.say(f"{self.unit.name}: Failed with result '{result}'.", self.unit.name, 4)

    def _report_started(self, started: bool) -> None:
        if self._started is not None and not self._started.done():
            self._started.set_result(started)

    # -- its processes ------------------------------------------------------------------------------------------------

    async def _run_all(
        self, what: str, commands: tuple[Command, ...], seconds: float | None, *, stoppable: bool = True
    ) -> bool:
        """Run commands one after the other.

        Return whether all succeeded. A stop request ends the commands of a start.
        """
        for command in commands:
            process = await self._spawn(command)
            if process is None:
                if command.lenient:
                    continue
                self._fail("exec")
                return False
            try:
                async with asyncio.timeout(seconds):
                    if stoppable:
                        await self._wait_or_stop(process.wait())
                    else:
                        await process.wait()
            except TimeoutError:
                self._machine.say(f"{self.unit.name}: {what} timed out.", self.unit.name, 4)
                self._signal_all(signal.SIGKILL)
                await process.wait()
                self._fail("timeout")
                return False
            if process.returncode is None:  # asked to stop meanwhile
                return False
            if process.returncode != 0 and process.returncode not in self.unit.clean and not command.lenient:
                if stoppable:
                    self._machine.say(
                        f"{self.unit.name}: {what} process ended with {process.returncode}.", self.unit.name, 4
                    )
                    self._fail("signal" if process.returncode < 0 else "exit-code")
                return False
        return True

    async def _wait_or_stop(self, until: Coroutine[Any, Any, int]) -> None:
        """Wait for a process, or until the unit is asked to stop."""
        tasks = [asyncio.ensure_future(until), asyncio.ensure_future(self._asked_to_stop.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def _spawn(self, command: Command) -> asyncio.subprocess.Process | None:
        unit, machine = self.unit, self._machine
        try:
            environment = self._environment()
            words = expand(command.words, environment)
            process = await asyncio.create_subprocess_exec(
                *words,
                env=environment,
                cwd=unit.directory or machine.root,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as fault:
            machine.say(f"{unit.name}: {command.words[0]} cannot be run: {fault}", unit.name, 3)
            return None
        identifier = unit.identifier or os.path.basename(words[0])
        keep_reference(asyncio.create_task(copy_output(process, machine.journal, unit.name, identifier)))
        return process

    def _environment(self) -> dict[str, str]:
        """The unit's environment over the host's. The tags, by which its processes are found, always come last."""
        unit, machine = self.unit, self._machine
        environment = {**machine.environment, **unit.environment}
        for file, lenient in unit.environment_files:
            try:
                environment.update(read_environment(Path(file)))
            except FileNotFoundError:
                if not lenient:
                    raise
        if self._main is not None:
            environment["MAINPID"] = str(self._main.pid)
        if unit.runtime_directories:
            environment["RUNTIME_DIRECTORY"] = ":".join(str(machine.run / name) for name in unit.runtime_directories)
        if unit.state_directories:
            states = (machine.root / "var/lib" / name for name in unit.state_directories)
            environment["STATE_DIRECTORY"] = ":".join(map(str, states))
        return {
            **environment,
            process_tags.MACHINE: str(machine.folder),
            process_tags.UNIT: f"{machine.folder}#{unit.name}",
        }

    def _signal_all(self, number: int) -> None:
        process_tags.send(process_tags.of_unit(self._machine.folder, self.unit.name), number)

    async def _end_all(self) -> None:
        """End the remaining processes, in the way that the unit specifies."""
        unit = self.unit
        if unit.kill_mode == "none":
            self._main = None
            return
        if unit.kill_mode in ("mixed", "process"):
            if self._main is not None:
                process_tags.send([self._main.pid], unit.kill_signal)
        else:
            self._signal_all(unit.kill_signal)
        deadline = time.monotonic() + (unit.stop_seconds if unit.stop_seconds is not None else float("inf"))
        while time.monotonic() < deadline:
            waiting = self._main is not None and self._main.returncode is None
            if not waiting and (unit.kill_mode != "control-group" or not self._remaining()):
                break
            await asyncio.sleep(_POLL_SECONDS)
        else:
            self._machine.say(f"{unit.name}: State 'stop-sigterm' timed out. Killing.", unit.name, 4)
            self.result = "timeout"
        if unit.kill_mode != "process":
            while self._remaining():
                self._signal_all(signal.SIGKILL)
                await asyncio.sleep(_POLL_SECONDS)
        if self._main is not None:
            if self._main.returncode is None:
                process_tags.send([self._main.pid], signal.SIGKILL)
            code = await self._main.wait()
            if self.result == "success":
                self._set_result(code)
            self._main = None

    def _remaining(self) -> list[int]:
        return process_tags.of_unit(self._machine.folder, self.unit.name)

    # -- its directories ----------------------------------------------------------------------------------------------

    def _make_directories(self) -> None:
        unit, machine = self.unit, self._machine
        for parent, names, mode in (
            (machine.run, unit.runtime_directories, unit.runtime_mode),
            (machine.root / "var/lib", unit.state_directories, unit.state_mode),
        ):
            for name in names:
                (parent / name).mkdir(parents=True, exist_ok=True)
                (parent / name).chmod(mode)

    async def _clean_up(self) -> None:
        """Run ExecStopPost, and delete the runtime directories.

        Like in systemd, files of others in them are lost too.
        """
        await self._run_all("ExecStopPost", self.unit.stop_post, self.unit.stop_seconds, stoppable=False)
        if self.unit.preserve == "yes" or (self.unit.preserve == "restart" and self._will_restart()):
            return
        for name in self.unit.runtime_directories:
            shutil.rmtree(self._machine.run / name, ignore_errors=True)

    def _will_restart(self) -> bool:
        return not self._asked_to_stop.is_set() and self._should_restart()


_kept: set[asyncio.Task[None]] = set()


def keep_reference(task: asyncio.Task[None]) -> None:
    """Keep a reference to a task that is not awaited, so that it is not garbage-collected."""
    _kept.add(task)
    task.add_done_callback(_kept.discard)


async def copy_output(process: asyncio.subprocess.Process, journal: Journal, unit: str, identifier: str) -> None:
    """Write a process's output to the journal, until the last writer of its pipe has ended."""
    assert process.stdout is not None  # noqa: S101
    rest = b""
    while chunk := await process.stdout.read(1 << 16):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            journal.line(line, unit, identifier=identifier, pid=process.pid)
        if len(rest) > 1 << 16:  # longer than journald's limit for a line
            journal.line(rest, unit, identifier=identifier, pid=process.pid)
            rest = b""
    if rest:
        journal.line(rest, unit, identifier=identifier, pid=process.pid)
