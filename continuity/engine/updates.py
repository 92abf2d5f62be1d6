"""Stacks brought up, each after what it needs, by Pulumi's own command with the policy pack in force.

Hetzner's list of what can be had is right most of the time, and a server is refused all the same now and then
(`resource_unavailable`). Then what was refused is held back, and the update goes on with the next of the alternatives
that `botbrains:hosts` declares, as it would have if the list had been right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from continuity.console import SAY
from continuity.engine.events import SWITCH, event_log, failures, recorded
from continuity.engine.stacks import POLICY_PACK, Stack, parsed, preview, read, run
from continuity.errors import ContinuityError, EngineError, StoppedError
from plan.names import APP, SOLD_OUT, WITHOUT_GITHUB

_REFUSAL: Final = "resource_unavailable"  # docs.hetzner.cloud, Errors


@dataclass(frozen=True)
class Change:
    """What the last update of a stack did: the number of resources by kind of step (`create`, `same`, `update`...)."""

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


def up(names: Sequence[Stack], yes: bool, leave_out_github: bool = False) -> list[Change]:
    """`pulumi up` of each; the plan is shown first, and asked about unless `yes`. Returns the last update of each.

    With `yes`, every stack is previewed before the first one is changed: a setting of the last that breaks a promise is
    refused while nothing exists.
    """
    more = {WITHOUT_GITHUB: "true"} if leave_out_github else {}
    options = {stack: without_github(stack) if leave_out_github else [] for stack in names}
    if yes:
        for stack in names:
            try:
                preview(stack, options[stack], **more)
            except EngineError as error:
                raise type(error)(f"{error}: nothing was changed, in any stack", error.code) from None
    asking = ["--yes", "--skip-preview"] if yes else []
    return [_up(stack, [*asking, *options[stack]], more) for stack in names]


def without_github(stack: Stack) -> list[str]:
    """The options that leave GitHub alone, for a program that declares nothing there (see `WITHOUT_GITHUB`).

    What is there stays as it is in the state: what is left out is not deleted either. The service does not need GitHub
    to run, so losing GitHub must not keep anybody from bringing it up.
    """
    return ["--exclude", f"urn:pulumi:{stack}::{APP}::**github:**"]


def _up(stack: Stack, options: Sequence[str], more: Mapping[str, str]) -> Change:
    """Again for as long as Hetzner refuses servers that it lists: each time without what it has refused so far."""
    refused: list[str] = []
    while True:
        held_back = {SOLD_OUT: ",".join(refused)} if refused else {}
        error, events = _update(stack, options, {**more, **held_back})
        if error is None:
            break
        found = [offer for offer in sold_out(events) if offer not in refused]
        if not found or isinstance(error, StoppedError):
            raise error
        SAY.print(
            f"{stack}: Hetzner lists {', '.join(found)} and has none: going on without, by the alternatives of"
            " botbrains:hosts",
            style="yellow",
        )
        refused += found
    history = parsed(read(["stack", "history", "--stack", stack, "--json", "--page-size", "1"]))
    return Change(stack=stack, steps=history[0].get("resourceChanges", {}))


def _update(
    stack: Stack, options: Sequence[str], more: Mapping[str, str]
) -> tuple[ContinuityError | None, list[dict[str, Any]]]:
    """One `pulumi up` in the person's sight: why it failed, if it did, and what its engine said meanwhile."""
    command = ["up", "--stack", stack, "--policy-pack", str(POLICY_PACK), *options]
    with event_log() as log:
        try:
            run([*command, "--event-log", str(log)], **SWITCH, **more)
        except ContinuityError as error:
            return error, recorded(log)
    return None, []


def sold_out(events: Sequence[dict[str, Any]]) -> list[str]:
    """What Hetzner refused to make a server of for want of it, as TYPE@LOCATION."""
    return sorted(
        {
            f"{failure.inputs['serverType']}@{failure.inputs['location']}"
            for failure in failures(events)
            if failure.type == "hcloud:index:Server"
            and _REFUSAL in failure.message
            and {"serverType", "location"} <= failure.inputs.keys()
        }
    )
