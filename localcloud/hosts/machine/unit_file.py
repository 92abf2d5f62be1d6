"""Parser of unit files, as systemd.syntax(7) and systemd.service(5) describe them, for services."""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

# The supported directives. The journal names every other directive, once for each unit.
_DONE: Mapping[str, frozenset[str]] = {
    "Unit": frozenset({
        "Description", "Documentation", "After", "Requires", "Wants", "BindsTo", "StartLimitIntervalSec",
        "StartLimitBurst",
    }),
    "Service": frozenset({
        "Type", "Environment", "EnvironmentFile", "ExecStartPre", "ExecStart", "ExecStartPost", "ExecStop",
        "ExecStopPost", "Restart", "RestartSec", "RemainAfterExit", "KillSignal", "KillMode", "TimeoutSec",
        "TimeoutStartSec", "TimeoutStopSec", "RuntimeDirectory", "RuntimeDirectoryMode", "RuntimeDirectoryPreserve",
        "StateDirectory", "StateDirectoryMode", "WorkingDirectory", "SuccessExitStatus", "SyslogIdentifier",
    }),
    "Install": frozenset({"WantedBy"}),
}  # fmt: skip
_TYPES = ("simple", "exec", "oneshot", "notify")
_RESTARTS = ("no", "always", "on-failure", "on-success", "on-abnormal")
_KILL_MODES = ("control-group", "mixed", "process", "none")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|seconds|second|sec|s|minutes|minute|min|m|hours|hour|hr|h|days|day|d)?")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class UnitFileError(Exception):
    """The unit cannot be read, or needs a feature that is not supported, so it does not start."""


@dataclass(frozen=True)
class Command:
    """One command of a unit. `lenient`: its failure is ignored."""

    words: tuple[str, ...]
    lenient: bool = False


@dataclass(frozen=True)
class Unit:
    """A service. Times are in seconds, None for no limit; `unsupported` are the unsupported directives."""

    name: str
    description: str
    after: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    wants: tuple[str, ...] = ()
    binds_to: tuple[str, ...] = ()
    kind: str = "simple"
    environment: Mapping[str, str] = field(default_factory=dict)
    environment_files: tuple[tuple[str, bool], ...] = ()
    start_pre: tuple[Command, ...] = ()
    start: tuple[Command, ...] = ()
    start_post: tuple[Command, ...] = ()
    stop: tuple[Command, ...] = ()
    stop_post: tuple[Command, ...] = ()
    restart: str = "no"
    restart_seconds: float = 0.1
    remain: bool = False
    kill_signal: int = signal.SIGTERM
    kill_mode: str = "control-group"
    start_seconds: float | None = 90.0
    stop_seconds: float | None = 90.0
    limit_seconds: float = 10.0
    limit_starts: int = 5
    runtime_directories: tuple[str, ...] = ()
    runtime_mode: int = 0o755
    preserve: str = "no"
    state_directories: tuple[str, ...] = ()
    state_mode: int = 0o755
    directory: str | None = None
    clean: frozenset[int] = frozenset()
    identifier: str | None = None
    unsupported: tuple[str, ...] = ()


def read(file: Path) -> Unit:
    """Read a unit. Raises `UnitFileError` with the directive that is wrong."""
    sections = _sections(file.read_text())
    name = file.name
    unsupported = tuple(
        f"{key}={value[-1] if value else ''}"
        for section, entries in sections.items()
        for key, value in entries.items()
        if key not in _DONE.get(section, frozenset())
    )
    unit, service = sections.get("Unit", {}), sections.get("Service", {})

    def last(key: str, default: str) -> str:
        values = service.get(key) or unit.get(key) or [default]
        return _specified(values[-1], name)

    def words(section: Mapping[str, list[str]], key: str) -> tuple[str, ...]:
        return tuple(_specified(" ".join(section.get(key, [])), name).split())

    def choice(key: str, allowed: tuple[str, ...], default: str) -> str:
        value = last(key, default)
        if value not in allowed:
            raise UnitFileError(f"{name}: {key}={value} is not done here; done: {', '.join(allowed)}")
        return value

    kind = choice("Type", _TYPES, "simple")
    start = _commands(service, "ExecStart", name)
    if not start and not _commands(service, "ExecStop", name):
        raise UnitFileError(f"{name}: a service needs ExecStart= or ExecStop=")
    if kind != "oneshot" and len(start) != 1:
        raise UnitFileError(f"{name}: a service of Type={kind} has exactly one ExecStart=, this one has {len(start)}")
    if kind == "notify":
        unsupported = ("Type=notify (it counts as started when it runs)", *unsupported)
    restart = choice("Restart", _RESTARTS, "no")
    if kind == "oneshot" and restart in ("always", "on-success"):
        raise UnitFileError(f"{name}: Restart={restart} is not allowed for Type=oneshot")
    both = last("TimeoutSec", "")
    return Unit(
        name=name,
        description=last("Description", name),
        after=words(unit, "After"),
        requires=words(unit, "Requires"),
        wants=words(unit, "Wants"),
        binds_to=words(unit, "BindsTo"),
        kind=kind,
        environment=dict(
            entry.partition("=")[::2] for line in service.get("Environment", []) for entry in shlex.split(line)
        ),
        environment_files=tuple(
            (line.removeprefix("-"), line[:1] == "-") for line in service.get("EnvironmentFile", [])
        ),
        start_pre=_commands(service, "ExecStartPre", name),
        start=start,
        start_post=_commands(service, "ExecStartPost", name),
        stop=_commands(service, "ExecStop", name),
        stop_post=_commands(service, "ExecStopPost", name),
        restart=restart,
        restart_seconds=_duration(last("RestartSec", "100ms"), name) or 0.0,
        remain=_boolean(last("RemainAfterExit", "no")),
        kill_signal=_signal(last("KillSignal", "SIGTERM"), name),
        kill_mode=choice("KillMode", _KILL_MODES, "control-group"),
        start_seconds=_duration(last("TimeoutStartSec", both or ("infinity" if kind == "oneshot" else "90s")), name),
        stop_seconds=_duration(last("TimeoutStopSec", both or "90s"), name),
        limit_seconds=_duration(last("StartLimitIntervalSec", "10s"), name) or 0.0,
        limit_starts=int(last("StartLimitBurst", "5")),
        runtime_directories=words(service, "RuntimeDirectory"),
        runtime_mode=int(last("RuntimeDirectoryMode", "0755"), 8),
        preserve=last("RuntimeDirectoryPreserve", "no"),
        state_directories=words(service, "StateDirectory"),
        state_mode=int(last("StateDirectoryMode", "0755"), 8),
        directory=last("WorkingDirectory", "") or None,
        clean=frozenset(int(word) for word in words(service, "SuccessExitStatus") if word.isdigit()),
        identifier=last("SyslogIdentifier", "") or None,
        unsupported=unsupported,
    )


def _sections(text: str) -> dict[str, dict[str, list[str]]]:
    sections: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] = {}
    lines = [line for line in text.splitlines() if not line.lstrip().startswith(("#", ";"))]
    for line in re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines():
        stripped = line.strip()
        if stripped.startswith("[") and stripped.endswith("]"):
            section = sections.setdefault(stripped[1:-1], {})
        elif "=" in stripped:
            key, value = (part.strip() for part in stripped.split("=", 1))
            if value:
                section.setdefault(key, []).append(value)
            else:
                section.pop(key, None)  # an empty value clears the earlier ones
    return sections


def _commands(service: Mapping[str, list[str]], key: str, name: str) -> tuple[Command, ...]:
    commands = []
    for line in service.get(key, []):
        prefix = re.match(r"[-@:+!]*", line)
        marks = prefix.group() if prefix else ""
        try:
            words = shlex.split(_specified(line[len(marks) :], name))
        except ValueError as fault:
            raise UnitFileError(f"{name}: {key}={line}: {fault}") from None
        if not words or not words[0].startswith("/"):
            raise UnitFileError(f"{name}: {key}={line}: the program is not an absolute path")
        if "@" in marks:
            del words[1:2]  # the name that the process would be shown with
        commands.append(Command(tuple(words), lenient="-" in marks))
    return tuple(commands)


def _specified(text: str, name: str) -> str:
    """Replace specifiers in a text. `%H` becomes a variable of the environment, which holds the host's name."""
    known = {"n": name, "N": name.removesuffix(".service"), "p": name.removesuffix(".service"), "%": "%"}

    def one(match: re.Match[str]) -> str:
        if match.group(1) not in known:
            raise UnitFileError(f"{name}: the specifier {match.group()} is not done here")
        return known[match.group(1)]

    return re.sub(r"%(.)", one, text)


def _duration(text: str, name: str) -> float | None:
    if text == "infinity":
        return None
    if re.fullmatch(r"[\d.]+", text):
        return float(text)
    if not re.fullmatch(rf"(?:{_SPAN.pattern}\s*)+", text):
        raise UnitFileError(f"{name}: {text!r} is not a time span")
    seconds = 0.0
    for number, word in _SPAN.findall(text):
        seconds += float(number) * _SECONDS[word if word in ("us", "ms") else (word or "s")[0]]
    return seconds


def _boolean(text: str) -> bool:
    return text.lower() in ("yes", "true", "on", "1")


def _signal(text: str, name: str) -> int:
    try:
        return int(text) if text.isdigit() else int(signal.Signals[f"SIG{text.removeprefix('SIG')}"])
    except KeyError:
        raise UnitFileError(f"{name}: unknown signal {text}") from None
