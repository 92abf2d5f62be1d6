"""First process of a host: it runs the commands of the user data, supervises the units, and stops them at shutdown.

    init.py FOLDER     the host's folder, with `host.json` from `localcloud.hosts.host`

SIGTERM requests a shutdown, like the power button: the units stop, each before the ones that it was started after, and
the process ends. Any other end is a loss of power.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # started without installed packages, and so without this project
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from localcloud.hosts.machine import unit_file
from localcloud.hosts.machine.journal import Journal
from localcloud.hosts.machine.service import Machine, Service, copy_output, keep_reference
from localcloud.instance import process_tags

_CLOUD_INIT = "cloud-final.service"
# Targets and units that every Debian has reached before it runs the user data.
_SYSTEM = frozenset(
    f"{name}.service"
    for name in (
        "chrony",
        "cron",
        "nftables",
        "ssh",
        "sshd",
        "systemd-journald",
        "systemd-timesyncd",
        "unattended-upgrades",
    )
)
_REACHED = ("network.target", "network-online.target", "multi-user.target", "cloud-final.service", "basic.target")


class Manager:
    """The units of a host."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.services: dict[str, Service] = {}
        self._jobs: dict[str, asyncio.Task[bool]] = {}
        self._enabled = machine.folder / "enabled.json"
        self.ending = False

    @property
    def enabled(self) -> list[str]:
        return list(json.loads(self._enabled.read_text())) if self._enabled.exists() else []

    def enable(self, names: Iterable[str], on: bool = True) -> None:
        kept = [name for name in self.enabled if name not in set(names)]
        self._enabled.write_text(json.dumps([*kept, *(names if on else ())]))

    def service(self, name: str) -> Service:
        """Return a unit, read on first use.

        Raises `unit_file.UnitFileError` or `FileNotFoundError` if it cannot be read.
        """
        if name not in self.services:
            unit = unit_file.read(self.machine.root / "etc/systemd/system" / name)
            self.services[name] = Service(self.machine, unit)
        return self.services[name]

    def reload(self) -> None:
        """Read the unit files again, except those of running units."""
        for name in [name for name, service in self.services.items() if not service.alive]:
            del self.services[name]

    async def start(self, names: Iterable[str]) -> dict[str, str]:
        """Start units and their dependencies in the order that they require. Return the errors by unit name."""
        wrong: dict[str, str] = {}
        wanted: dict[str, Service] = {}
        todo = list(names)
        while todo:
            name = todo.pop(0)
            if name in wanted or name in wrong or name in _REACHED or name.endswith(".target"):
                continue
            try:
                service = self.service(name)
            except FileNotFoundError:
                wrong[name] = f"Unit {name} not found."
            except unit_file.UnitFileError as fault:
                wrong[name] = str(fault)
            else:
                wanted[name] = service
                unit = service.unit
                todo += [*unit.requires, *unit.wants, *unit.binds_to]
        for name, said in wrong.items():
            self.machine.say(said, name, 4)
        for name, service in wanted.items():
            if name not in self._jobs or self._jobs[name].done():
                self._jobs[name] = asyncio.create_task(self._job(service))
        for name, job in [(name, self._jobs[name]) for name in wanted]:
            if not await job:
                wrong.setdefault(name, f"Job for {name} failed.")
        return wrong

    async def _job(self, service: Service) -> bool:
        unit = service.unit
        await asyncio.sleep(0)  # until all jobs of this request exist
        for name in unit.after:
            job = self._jobs.get(name)
            if job is not None and job is not asyncio.current_task():
                await asyncio.wait([job])
        for name in (*unit.requires, *unit.binds_to):
            needed = self.services.get(name)
            if name.endswith(".target"):
                continue
            if needed is None or (name in unit.after and needed.state not in ("active", "inactive")):
                self.machine.say(f"Dependency failed for {unit.name} - {unit.description}.", unit.name, 4)
                return False
            job = self._jobs.get(name)
            if name in unit.after and job is not None and not job.result():
                self.machine.say(f"Dependency failed for {unit.name} - {unit.description}.", unit.name, 4)
                return False
        if self.ending:
            return False
        started = await service.start()
        if started and not service.watched:
            service.watched = True
            keep_reference(asyncio.create_task(self._watch(service)))
        return started

    async def _watch(self, service: Service) -> None:
        """Stop the units that are bound to a unit when it is down."""
        await service.ended()
        service.watched = False
        if not self.ending:
            name = service.unit.name
            bound = [other for other in self.services.values() if other.alive and name in other.unit.binds_to]
            await asyncio.gather(*(other.stop() for other in bound))

    async def stop(self, names: Iterable[str]) -> None:
        """Stop units and their dependents, each before the ones that it was started after."""
        going = {name: self.services[name] for name in names if name in self.services}
        more = True
        while more:
            needing = {
                name: service
                for name, service in self.services.items()
                if name not in going
                and service.alive
                and not going.keys().isdisjoint({*service.unit.requires, *service.unit.binds_to})
            }
            going.update(needing)
            more = bool(needing)
        stopping: dict[str, asyncio.Task[None]] = {}

        async def stop_one(service: Service) -> None:
            await asyncio.sleep(0)
            later = [stopping[name] for name, other in going.items() if service.unit.name in other.unit.after]
            if later:
                await asyncio.wait(later)
            await service.stop()

        for name, service in going.items():
            stopping[name] = asyncio.create_task(stop_one(service))
        if stopping:
            await asyncio.wait(list(stopping.values()))


async def _answer(manager: Manager, request: dict[str, Any]) -> dict[str, Any]:
    """Answer a request of `systemctl`."""
    asked = [name if "." in name else f"{name}.service" for name in request["units"]]
    names = [name for name in asked if name not in _SYSTEM]
    for name in asked:
        if name in _SYSTEM:
            manager.machine.say(
                f"systemctl {request['verb']} {name} is not done here, because it is a unit of the system", name, 5
            )
    match request["verb"]:
        case "daemon-reload":
            manager.reload()
            return {}
        case "enable" | "disable" as verb:
            files = manager.machine.root / "etc/systemd/system"
            missing = [name for name in names if not (files / name).exists()]
            if missing:
                return {"wrong": {name: f"Unit file {name} does not exist." for name in missing}}
            manager.enable(names, verb == "enable")
            if request["now"]:
                return await _answer(manager, {**request, "verb": "start" if verb == "enable" else "stop"})
            return {}
        case "start":
            return {"wrong": await manager.start(names)}
        case "stop":
            await manager.stop(names)
            return {}
        case "restart" | "reload-or-restart" | "try-restart":
            await manager.stop(names)
            return {"wrong": await manager.start(names)}
        case "is-active":
            known = manager.services
            return {"states": {name: known[name].state if name in known else "inactive" for name in names}}
        case "list":
            return {"states": {name: service.state for name, service in manager.services.items()}}
        case "poweroff":
            os.kill(os.getpid(), signal.SIGTERM)
            return {}
    return {"wrong": {"systemctl": f"{request['verb']} is not done here"}}


async def _serve(manager: Manager, socket: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = json.loads(await reader.readline())
        try:
            answer = await _answer(manager, request)
        except Exception as fault:
            answer = {"wrong": {"systemctl": repr(fault)}}
        writer.write(json.dumps(answer).encode() + b"\n")
        writer.close()

    socket.unlink(missing_ok=True)
    await asyncio.start_unix_server(talk, str(socket))
    socket.chmod(0o600)


def _say(machine: Machine, message: str, priority: int = 6) -> None:
    """Write a message to the journal as cloud-init."""
    machine.journal.write(message, _CLOUD_INIT, identifier="cloud-init", pid=os.getpid(), priority=priority)


async def _run_commands(machine: Machine, commands: list[list[str]]) -> None:
    """Run the commands of `runcmd` one after the other, even if one fails."""
    for words in commands:
        _say(machine, f"runcmd: {shlex.join(words)}")
        environment = {**machine.environment, process_tags.MACHINE: str(machine.folder)}
        try:
            process = await asyncio.create_subprocess_exec(
                *words,
                env=environment,
                cwd=machine.root,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as fault:
            _say(machine, f"runcmd: {words[0]} cannot be run: {fault}", 3)
            continue
        keep_reference(asyncio.create_task(copy_output(process, machine.journal, _CLOUD_INIT, "cloud-init")))
        code = await process.wait()
        if code:
            _say(machine, f"runcmd: {shlex.join(words)} ended with {code}", 3)


async def _live(folder: Path) -> None:
    spec = json.loads((folder / "host.json").read_text())
    run = Path(spec["run"])
    machine = Machine(folder, folder / "root", run, spec["environment"], Journal(folder / "journal", spec["name"]))
    manager = Manager(machine)
    shut_down = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, shut_down.set)
    await _serve(manager, run / "systemd.sock")
    machine.say(f"{spec['name']} boots")
    for said in spec["notes"]:
        _say(machine, said, 5)

    async def boot() -> None:
        # cloud-init applies user data once in a machine's life. The units that it enabled start at each boot.
        if (folder / "worked-off").exists():
            await manager.start(manager.enabled)
        else:
            (folder / "worked-off").touch()
            await _run_commands(machine, spec["commands"])
        machine.say(f"{spec['name']} is up")

    booting = asyncio.create_task(boot())
    await shut_down.wait()
    machine.say(f"{spec['name']} shuts down")
    manager.ending = True
    booting.cancel()
    await manager.stop(list(manager.services))
    machine.say(f"{spec['name']} is off")
    shutil.rmtree(run, ignore_errors=True)


if __name__ == "__main__":
    os.umask(0o022)
    asyncio.run(_live(Path(sys.argv[1])))
