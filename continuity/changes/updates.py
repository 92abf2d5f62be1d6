"""Updates of stacks with `pulumi up` and the policy pack.

A restored database needs two updates: the provider sends only a part of its settings with the restore. The program
warns of the others, and this module runs a second update, with a refresh.

Hetzner's API sometimes lists a server type as available and then refuses to create it (`resource_unavailable`). This
module then retries the update without the refused type and location. The program selects the next alternative that
`botbrains:hosts` declares.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from continuity.changes.master_secrets import complete_databases
from continuity.console import SAY
from continuity.engine.events import EVENT_LOG_ENVIRONMENT, event_log, failures, read_event_log, warnings
from continuity.engine.pulumi_cli import preview, read_stack, run
from continuity.engine.stacks import POLICY_PACK, Stack
from continuity.errors import ContinuityError, EngineError, StackError, StoppedError
from plan.names import APP, NEEDS_REFRESH, SOLD_OUT

_CODE: Final = "botbrains:code:CodeRepository"
"""The type of the component that contains the repository."""

_REFUSAL: Final = "resource_unavailable"  # docs.hetzner.cloud, Errors
_LIMIT: Final = "resource_limit_exceeded"
_REFRESH: Final = "--refresh"


@dataclass(frozen=True)
class Change:
    """The result of a stack's last update: the number of resources by kind of step (`create`, `same`, `update`...)."""

    stack: Stack
    steps: dict[str, int]

    @property
    def none(self) -> bool:
        return not any(count for step, count in self.steps.items() if step != "same")

    def sentence(self) -> str:
        same = self.steps.get("same", 0)
        if self.none:
            return f"{self.stack}: no change, {same} resources as declared"
        done = ", ".join(f"{count} {step}" for step, count in sorted(self.steps.items()) if step != "same" and count)
        return f"{self.stack}: {done}" + (f", {same} unchanged" if same else "")


def up(names: Sequence[Stack], yes: bool) -> list[Change]:
    """Run `pulumi up` for each stack, and return the last update of each. Without `yes`, Pulumi asks before each.

    With `yes`, every stack is previewed before the first one is changed. So a policy violation in the last stack is
    found while nothing has been created.
    """
    if yes:
        for stack in names:
            try:
                preview(stack)
            except EngineError as error:
                raise type(error)(f"{error}: nothing was changed, in any stack", error.code) from None
    asking = ["--yes", "--skip-preview"] if yes else []
    return [_up(stack, asking) for stack in names]


def _up(stack: Stack, options: Sequence[str]) -> Change:
    """Update a stack once more after its first update, if the program asks for a refresh."""
    if complete_databases(stack):
        options = [*options, _REFRESH]
    events = _up_with_alternatives(stack, options)
    if _needs_refresh(events) and _REFRESH not in options:
        SAY.print(f"{stack}: a second update sets what the first one could not, such as the settings of a restore")
        events = _up_with_alternatives(stack, [*options, _REFRESH])
    if _needs_refresh(events):
        raise StackError(f"{stack} is up, but not as declared: the warnings above name the settings that differ")
    history = read_stack("history", stack, "--json", "--page-size", "1")
    return Change(stack=stack, steps=history[0].get("resourceChanges", {}))


def _needs_refresh(events: Sequence[dict[str, Any]]) -> bool:
    return any(NEEDS_REFRESH in warning for warning in warnings(events))


def _up_with_alternatives(stack: Stack, options: Sequence[str]) -> list[dict[str, Any]]:
    """Retry while Hetzner refuses server types that it lists, each time without the ones refused so far."""
    refused: list[str] = []
    while True:
        held_back = {SOLD_OUT: ",".join(refused)} if refused else {}
        error, events = _update(stack, options, held_back)
        if error is None:
            return events
        found = [offer for offer in sold_out(events) if offer not in refused]
        if not found or isinstance(error, StoppedError):
            for sentence in advice(events):
                SAY.print(sentence, style="yellow")
            raise error
        SAY.print(
            f"{stack}: Hetzner lists {', '.join(found)} as available, and refuses it. Retrying with the alternatives "
            "of botbrains:hosts",
            style="yellow",
        )
        refused += found


def _update(
    stack: Stack, options: Sequence[str], environment: Mapping[str, str]
) -> tuple[ContinuityError | None, list[dict[str, Any]]]:
    """Run `pulumi up` once in the operator's terminal. Return the error, if it failed, and the engine's events."""
    command = ["up", "--stack", stack, "--policy-pack", str(POLICY_PACK), *options]
    with event_log() as log:
        try:
            run([*command, "--event-log", str(log)], **EVENT_LOG_ENVIRONMENT, **environment)
        except ContinuityError as error:
            return error, read_event_log(log)
        return None, read_event_log(log)


def advice(events: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Return the remedies for refused steps whose message from the cloud names none."""
    for failure in failures(events):
        if failure.type == "github:index:Repository" and "name already exists" in failure.message:
            urn = f"urn:pulumi:{Stack.GITHUB}::{APP}::"
            yield (
                "The repository exists. Take it into the state, and update again:\n"
                f"pulumi import --stack {Stack.GITHUB} --generate-code=false github:index/repository:Repository"
                f" {failure.name} {failure.inputs['name']}"
                f" --parent code='{urn}{_CODE}::{failure.name}'"
                f" --provider github='{urn}pulumi:providers:github::github'"
            )
        if _LIMIT in failure.message:
            yield (
                f"{failure.name}: the account's limit at Hetzner is reached. Ask for more (console, Limits), by the "
                "numbers in docs/real-clouds.md, and update again: the update continues"
            )


def sold_out(events: Sequence[dict[str, Any]]) -> list[str]:
    """Find the server types that Hetzner refused as unavailable, as TYPE@LOCATION."""
    return sorted(
        {
            f"{failure.inputs['serverType']}@{failure.inputs['location']}"
            for failure in failures(events)
            if failure.type == "hcloud:index:Server"
            and _REFUSAL in failure.message
            and {"serverType", "location"} <= failure.inputs.keys()
        }
    )
