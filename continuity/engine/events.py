"""What Pulumi's engine says while it works, as data: each step, each policy's word, each complaint.

The engine writes its events to a file, one JSON object a line, when it is asked to. What it prints for people hides two
things that a reader of a change needs: policies that only advise (among them those that could not decide because a
value was not known), and the properties of a step. Secrets are masked by the engine itself.
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

from continuity.engine.stacks import PROJECT, UNKNOWN, Stack, program, starting

SWITCH: Final = {"PULUMI_DEBUG_COMMANDS": "1"}
"""The option that names the events' file is shown, and taken, only with this in the environment. With it the engine
also says what it says to whoever debugs it, which is left out below."""

_REPLACING = frozenset({"replace", "create-replacement", "delete-replaced", "remove-pending-replace"})
# Steps that change no cloud; nor do those of the engine's own resources: stacks and providers.
_DOES_NOTHING = frozenset({"same", "refresh", "read", "read-replacement", "discard", "read-discard"})
# Errors that only say that there were errors.
_SAYS_NOTHING = frozenset({"", "preview failed", "update failed", "refresh failed"})


@dataclass(frozen=True)
class Property:
    """A property that differs: before and after, as plain data. None where it is not there, or not known yet."""

    path: str
    before: Any = None
    after: Any = None


@dataclass(frozen=True)
class Step:
    """What is to be done with a resource. `operation` is one of create, update, replace, delete and so on."""

    operation: str
    type: str
    name: str
    properties: tuple[Property, ...] = ()

    @property
    def resource(self) -> str:
        return f"{self.type} {self.name}"


@dataclass(frozen=True)
class Failure:
    """A step that could not be done: what was asked for, and what the cloud said. Secrets among `inputs` are masked."""

    type: str
    name: str
    inputs: Mapping[str, Any]
    message: str


@dataclass(frozen=True)
class PolicyWord:
    """What a policy says about a resource."""

    policy: str
    resource: str
    message: str
    mandatory: bool

    @property
    def undecided(self) -> bool:
        """Whether it is no judgement: the policy could not read what it needed, and was skipped."""
        return not self.mandatory and "can't run policy" in self.message


@dataclass(frozen=True)
class Heard:
    """One run of the engine. `code` is its exit code; `said` is what it printed."""

    code: int
    steps: tuple[Step, ...]
    policies: tuple[PolicyWord, ...]
    errors: tuple[str, ...]
    notes: tuple[str, ...]
    """What the program and the policy pack say of the whole, such as what is decided only at the update."""
    unchanged: int
    unknown: int
    """How many values are not known before it is done."""
    finished: bool
    """Whether it came to its end: else the steps are those until it stopped."""
    said: str


def listen(stack: Stack, command: str, *options: str, project: Path = PROJECT) -> Heard:
    """Run `pulumi COMMAND` for a stack without asking anybody, and hear all that its engine says."""
    with event_log() as events:
        with starting("pulumi"):
            done = subprocess.run(
                [program(), command, "--stack", stack, "--non-interactive", "--event-log", str(events), *options],
                cwd=project,
                env={**os.environ, **SWITCH},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
        print(done.stdout, file=sys.stderr, end="")
        return understood(done.returncode, recorded(events), done.stdout)


@contextmanager
def event_log() -> Iterator[Path]:
    """Where the engine's events go while it runs: `--event-log` names it, with `SWITCH` in the environment."""
    with tempfile.TemporaryDirectory(prefix="continuity-") as folder:
        yield Path(folder) / "events"


def recorded(file: Path) -> list[dict[str, Any]]:
    """The events in an engine's file. Of an engine that was killed, the last line may be torn, and is left out."""
    lines = file.read_text().split("\n") if file.exists() else []
    return [json.loads(line) for line in lines[:-1]]


def understood(code: int, events: Sequence[dict[str, Any]], said: str = "") -> Heard:
    """The events as data, in the order in which they came."""
    steps: dict[str, Step] = {}
    unchanged = 0
    for event in events:
        metadata = event.get("resOutputsEvent", event.get("resourcePreEvent", {})).get("metadata")
        if metadata is None or metadata["op"] in _DOES_NOTHING or metadata["type"].startswith("pulumi:"):
            continue
        step = _step(metadata)
        known = steps.get(metadata["urn"])
        # Of a replacement the engine tells three steps of one resource, and of every step a beginning and an end.
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
    return Heard(
        code=code,
        steps=tuple(steps.values()),
        policies=tuple(_policy_words(events)),
        errors=tuple(_errors(events)),
        notes=tuple(_notes(events)),
        unchanged=unchanged,
        unknown=sum(map(_unknowns, planned.values())),
        finished=summary is not None and summary.get("result", "succeeded") == "succeeded",
        said=said,
    )


def failures(events: Sequence[dict[str, Any]]) -> Iterator[Failure]:
    """The steps that a cloud refused."""
    said = {
        event["diagnosticEvent"].get("urn"): _plain(event["diagnosticEvent"]["message"])
        for event in events
        if event.get("diagnosticEvent", {}).get("severity") == "error"
    }
    for event in events:
        if "resOpFailedEvent" in event:
            metadata = event["resOpFailedEvent"]["metadata"]
            kind, name = of_urn(metadata["urn"])
            inputs = (metadata.get("new") or {}).get("inputs") or {}
            yield Failure(kind, name, inputs, said.get(metadata["urn"], ""))


def _step(metadata: dict[str, Any]) -> Step:
    kind, name = of_urn(metadata["urn"])
    operation = "replace" if metadata["op"] in _REPLACING else metadata["op"]
    return Step(operation=operation, type=kind, name=name, properties=tuple(_properties(metadata)))


def _properties(metadata: dict[str, Any]) -> Iterator[Property]:
    """The properties that the provider says differ; where it only says that some do, those that are not the same."""
    old, new = metadata.get("old") or {}, metadata.get("new") or {}
    said = metadata.get("detailedDiff") or metadata.get("diffs") or metadata.get("keys")
    for path in said or (_different(old, new) if old and new else ()):
        yield Property(path=path, before=_value(old, path), after=_value(new, path))


def _different(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What was declared otherwise, by name; and where nothing was, what came of it otherwise."""
    for part in ("inputs", "outputs"):
        before, after = old.get(part) or {}, new.get(part) or {}
        names = [name for name in sorted(before | after) if before.get(name) != after.get(name)]
        if names:
            return names
    return []


def _value(state: dict[str, Any], path: str) -> Any:
    """What a state has at a path such as `tags.name` or `rules[0].days`: what was declared, else what came of it."""
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


def _policy_words(events: Sequence[dict[str, Any]]) -> Iterator[PolicyWord]:
    seen = set()
    for event in events:
        if "policyEvent" not in event:
            continue
        said = event["policyEvent"]
        urn = said.get("resourceUrn", "")
        word = PolicyWord(
            policy=said["policyName"],
            resource=" ".join(of_urn(urn)) if urn else "the stack",
            message=_plain(said["message"]),
            mandatory=said["enforcementLevel"] == "mandatory",
        )
        if word not in seen:
            seen.add(word)
            yield word


def _errors(events: Sequence[dict[str, Any]]) -> Iterator[str]:
    for event in events:
        said = event.get("diagnosticEvent", {})
        if said.get("severity") == "error" and said["message"].strip() not in _SAYS_NOTHING:
            urn = said.get("urn")
            where = " ".join(of_urn(urn)) + ": " if urn else ""
            yield f"{where}{_plain(said['message'])}"


def _notes(events: Sequence[dict[str, Any]]) -> Iterator[str]:
    for event in events:
        said = event.get("diagnosticEvent", {})
        of_the_whole = "::pulumi:pulumi:Stack::" in said.get("urn", "")
        if of_the_whole and said.get("severity") in ("info", "warning") and not said.get("ephemeral"):
            yield _plain(said["message"])


def _plain(text: str) -> str:
    """Without the engine's own marks for colours, such as `<{%reset%}>`."""
    parts = text.split("<{%")
    return (parts[0] + "".join(part.partition("%}>")[2] for part in parts[1:])).strip()


def of_urn(urn: str) -> tuple[str, str]:
    """A resource's type, in the short form that people write, and its name."""
    qualified, _, name = urn.partition("::")[2].partition("::")[2].partition("::")
    return short_type(qualified.rpartition("$")[2]), name


def short_type(token: str) -> str:
    """A type in the short form: `aws:rds:Instance` for `aws:rds/instance:Instance`."""
    package, _, rest = token.partition(":")
    module, _, kind = rest.partition(":")
    return f"{package}:{module.partition('/')[0]}:{kind}"
