"""Reader of the event log of Pulumi's engine: steps, policy results and errors as data.

On request, the engine writes its events to a file, one JSON object a line. Its printed output omits two things that the
reviewer of a change needs: the results of advisory policies (among them policies that could not decide because a value
was not known), and the properties of a step. The engine itself masks secrets.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from continuity.engine.pulumi_cli import UNKNOWN, find_pulumi
from continuity.engine.stacks import PROJECT, Stack
from continuity.programs import starting

EVENT_LOG_ENVIRONMENT: Final = {"PULUMI_DEBUG_COMMANDS": "1"}
"""Pulumi accepts the option `--event-log` only with this variable. It also makes the engine emit debug messages, which
this module leaves out."""

_REPLACING = frozenset({"replace", "create-replacement", "delete-replaced", "remove-pending-replace"})
# Steps that change no cloud. Steps of the engine's own resources, stacks and providers, change none either.
_NO_CHANGE = frozenset({"same", "refresh", "read", "read-replacement", "discard", "read-discard"})
_READING = _NO_CHANGE - {"same", "refresh"}
# Errors that only report that other errors occurred.
_SUMMARIES = frozenset({"", "preview failed", "update failed", "refresh failed"})


@dataclass(frozen=True)
class PropertyChange:
    """A property that differs: before and after, as plain data. None if it is absent, or not known yet."""

    path: str
    before: Any = None
    after: Any = None


@dataclass(frozen=True)
class Step:
    """A step of a change to one resource. `operation` is create, update, replace, delete and so on."""

    operation: str
    type: str
    name: str
    properties: tuple[PropertyChange, ...] = ()

    @property
    def resource(self) -> str:
        return f"{self.type} {self.name}"


@dataclass(frozen=True)
class Resource:
    """A resource of a stack: its type token, its name, and its inputs."""

    urn: str
    type: str
    inputs: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.urn.rpartition("::")[2]


@dataclass(frozen=True)
class Failure:
    """A step that failed: the inputs of the resource, and the message of the cloud. Secrets in `inputs` are masked."""

    type: str
    name: str
    inputs: Mapping[str, Any]
    message: str


@dataclass(frozen=True)
class PolicyResult:
    """The result of a policy for a resource."""

    policy: str
    resource: str
    message: str
    mandatory: bool

    @property
    def undecided(self) -> bool:
        """Whether the policy could not read a value that it needs, and was skipped."""
        return not self.mandatory and "can't run policy" in self.message


@dataclass(frozen=True)
class EngineRun:
    """One run of the engine. `code` is its exit code, `output` the text that it printed."""

    code: int
    steps: tuple[Step, ...]
    policies: tuple[PolicyResult, ...]
    errors: tuple[str, ...]
    notes: tuple[str, ...]
    """Messages of the program and the policy pack about the whole stack, such as decisions left to the update."""
    unchanged: int
    unknown: int
    """The number of values that are known only after the update."""
    finished: bool
    """Whether the run completed. If not, `steps` has the steps until it stopped."""
    output: str
    before: tuple[Resource, ...] = ()
    """The resources in the state, with their inputs. Secrets in them are masked."""
    after: tuple[Resource, ...] = ()
    """The resources that the program declares."""


def run_captured(stack: Stack, command: str, *options: str, **environment: str) -> EngineRun:
    """Run `pulumi COMMAND` for a stack without prompts, and parse all events of its engine."""
    with event_log() as events:
        with starting("pulumi"):
            done = subprocess.run(
                [find_pulumi(), command, "--stack", stack, "--non-interactive", "--event-log", str(events), *options],
                cwd=PROJECT,
                env={**os.environ, **EVENT_LOG_ENVIRONMENT, **environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
        print(done.stdout, file=sys.stderr, end="")
        return parse_events(done.returncode, read_event_log(events), done.stdout)


@contextmanager
def event_log() -> Iterator[Path]:
    """A temporary path for `--event-log`. The engine needs `EVENT_LOG_ENVIRONMENT` as well."""
    with tempfile.TemporaryDirectory(prefix="continuity-") as folder:
        yield Path(folder) / "events"


def read_event_log(file: Path) -> list[dict[str, Any]]:
    """The events in an event log. If the engine was killed, the last line may be incomplete, and is left out."""
    lines = file.read_text().split("\n") if file.exists() else []
    return [json.loads(line) for line in lines[:-1]]


def parse_events(code: int, events: Sequence[dict[str, Any]], output: str = "") -> EngineRun:
    """Parse events into data, in their order."""
    steps: dict[str, Step] = {}
    unchanged = 0
    for event in events:
        metadata = event.get("resOutputsEvent", event.get("resourcePreEvent", {})).get("metadata")
        if metadata is None or metadata["op"] in _NO_CHANGE or metadata["type"].startswith("pulumi:"):
            continue
        step = _step(metadata)
        known = steps.get(metadata["urn"])
        # The engine emits three steps for a replacement, and two events for every step: its beginning and its end.
        if known is None or known.operation != "replace":
            steps[metadata["urn"]] = step
    summary = next((event["summaryEvent"] for event in events if "summaryEvent" in event), None)
    if summary is not None:
        unchanged = summary["resourceChanges"].get("same", 0)
    planned = {
        metadata["urn"]: (metadata.get("new") or {}).get("inputs")
        for event in events
        if (metadata := event.get("resourcePreEvent", {}).get("metadata")) is not None
    }
    return EngineRun(
        code=code,
        steps=tuple(steps.values()),
        policies=tuple(_policy_results(events)),
        errors=tuple(_errors(events)),
        notes=tuple(_notes(events)),
        unchanged=unchanged,
        unknown=sum(map(_unknowns, planned.values())),
        finished=summary is not None and summary.get("result", "succeeded") == "succeeded",
        output=output,
        before=_resources(events, "old"),
        after=_resources(events, "new"),
    )


def _resources(events: Sequence[dict[str, Any]], side: str) -> tuple[Resource, ...]:
    """The resources before (`old`) or after (`new`) a run, without components and the engine's own."""
    found: dict[str, Resource] = {}
    for event in events:
        metadata = event.get("resourcePreEvent", {}).get("metadata") or {}
        state = metadata.get(side) or {}
        if state.get("custom") and metadata["op"] not in _READING and not state["type"].startswith("pulumi:"):
            found.setdefault(metadata["urn"], Resource(metadata["urn"], state["type"], state.get("inputs") or {}))
    return tuple(found.values())


def failures(events: Sequence[dict[str, Any]]) -> Iterator[Failure]:
    """Return the steps that a cloud refused."""
    messages = {
        event["diagnosticEvent"].get("urn"): _plain(event["diagnosticEvent"]["message"])
        for event in events
        if event.get("diagnosticEvent", {}).get("severity") == "error"
    }
    for event in events:
        if "resOpFailedEvent" in event:
            metadata = event["resOpFailedEvent"]["metadata"]
            kind, name = split_urn(metadata["urn"])
            inputs = (metadata.get("new") or {}).get("inputs") or {}
            yield Failure(kind, name, inputs, messages.get(metadata["urn"], ""))


def warnings(events: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Return the warnings of the program and the providers."""
    for event in events:
        found = event.get("diagnosticEvent", {})
        if found.get("severity") == "warning":
            yield _plain(found["message"])


def _step(metadata: dict[str, Any]) -> Step:
    kind, name = split_urn(metadata["urn"])
    operation = "replace" if metadata["op"] in _REPLACING else metadata["op"]
    return Step(operation=operation, type=kind, name=name, properties=tuple(_properties(metadata)))


def _properties(metadata: dict[str, Any]) -> Iterator[PropertyChange]:
    """The differing properties that the provider names. If it names none, the properties whose values differ."""
    old, new = metadata.get("old") or {}, metadata.get("new") or {}
    named = metadata.get("detailedDiff") or metadata.get("diffs") or metadata.get("keys")
    for path in named or (_different(old, new) if old and new else ()):
        yield PropertyChange(path=path, before=_value(old, path), after=_value(new, path))


def _different(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """The names of the inputs that differ. If no input differs, the names of the outputs that differ."""
    for part in ("inputs", "outputs"):
        before, after = old.get(part) or {}, new.get(part) or {}
        names = [name for name in sorted(before | after) if before.get(name) != after.get(name)]
        if names:
            return names
    return []


def _value(state: dict[str, Any], path: str) -> Any:
    """The value at a path such as `tags.name` or `rules[0].days`: from the inputs, otherwise from the outputs."""
    for part in ("inputs", "outputs"):
        value: Any = state.get(part) or {}
        for key in path.replace("[", ".").replace("]", "").split("."):
            if isinstance(value, dict):
                value = value.get(key)
            elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
                value = value[int(key)]
            else:
                value = None
        if value is not None:
            return "(known after it is done)" if value == UNKNOWN else value
    return None


def _unknowns(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(_unknowns, value.values()))
    if isinstance(value, list):
        return sum(map(_unknowns, value))
    return int(value == UNKNOWN)


def _policy_results(events: Sequence[dict[str, Any]]) -> Iterator[PolicyResult]:
    seen = set()
    for event in events:
        if "policyEvent" not in event:
            continue
        found = event["policyEvent"]
        urn = found.get("resourceUrn", "")
        result = PolicyResult(
            policy=found["policyName"],
            resource=" ".join(split_urn(urn)) if urn else "the stack",
            message=_plain(found["message"]),
            mandatory=found["enforcementLevel"] == "mandatory",
        )
        if result not in seen:
            seen.add(result)
            yield result


def _errors(events: Sequence[dict[str, Any]]) -> Iterator[str]:
    for event in events:
        found = event.get("diagnosticEvent", {})
        if found.get("severity") == "error" and found["message"].strip() not in _SUMMARIES:
            urn = found.get("urn")
            where = " ".join(split_urn(urn)) + ": " if urn else ""
            yield f"{where}{_plain(found['message'])}"


def _notes(events: Sequence[dict[str, Any]]) -> Iterator[str]:
    for event in events:
        found = event.get("diagnosticEvent", {})
        about_stack = "::pulumi:pulumi:Stack::" in found.get("urn", "")
        if about_stack and found.get("severity") in ("info", "warning") and not found.get("ephemeral"):
            yield _plain(found["message"])


def _plain(text: str) -> str:
    """Remove the engine's marks for colours, such as `<{%reset%}>`."""
    parts = text.split("<{%")
    return (parts[0] + "".join(part.partition("%}>")[2] for part in parts[1:])).strip()


def split_urn(urn: str) -> tuple[str, str]:
    """Split a URN into the resource's type, in its short form, and its name."""
    qualified, _, name = urn.partition("::")[2].partition("::")[2].partition("::")
    return short_type(qualified.rpartition("$")[2]), name


def short_type(token: str) -> str:
    """A type in the short form: `aws:rds:Instance` for `aws:rds/instance:Instance`."""
    package, _, rest = token.partition(":")
    module, _, kind = rest.partition(":")
    return f"{package}:{module.partition('/')[0]}:{kind}"
