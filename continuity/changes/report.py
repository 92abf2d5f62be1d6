"""The comment on a pull request: the steps of its change, the results of the policy pack, and the approvals it needs.

The comment is GitHub's Markdown. Text from a program or a cloud is formatted as code, so that a reader cannot mistake
it for the comment's own text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from continuity.changes.stateful import data_loss_risks
from continuity.costs.estimate import difference, estimate, format_sums
from continuity.costs.prices import load_prices
from continuity.engine.events import EngineRun, PolicyResult, PropertyChange, Step
from continuity.engine.stacks import Stack
from continuity.markdown import in_fence, one_line

LABEL: Final = "replaces-data"
"""The label that approves the deletion or replacement of a resource that holds data."""

_MARKS: Final = {"create": "+", "update": "!", "replace": "-", "delete": "-"}
_ORDER: Final = ("replace", "delete", "update", "create")
_MOST_STEPS: Final = 150
# GitHub accepts 65,536 characters. The job's log has the complete text.
_LONGEST: Final = 60_000


@dataclass(frozen=True)
class Report:
    """The previews of all stacks, and whether data loss is approved."""

    where: str
    """The clouds that the previews used, in words: `the real clouds`."""

    runs: dict[Stack, EngineRun]
    agreed: bool = False

    @property
    def data_loss_risks(self) -> list[tuple[Stack, Step, str]]:
        return [(stack, *one) for stack, engine_run in self.runs.items() for one in data_loss_risks(engine_run.steps)]

    @property
    def failed(self) -> list[Stack]:
        """The stacks whose preview failed."""
        return [stack for stack, engine_run in self.runs.items() if engine_run.code != 0]

    @property
    def code(self) -> int:
        """The exit code. 0: may be merged. 1: a failed preview or a policy violation. 4: data loss without approval."""
        if self.failed:
            return 1
        return 4 if self.data_loss_risks and not self.agreed else 0

    @property
    def marker(self) -> str:
        """The invisible first line, which identifies the comment when it is updated."""
        return f"<!-- continuity preview: {self.where} -->"

    def text(self) -> str:
        """The whole comment."""
        text = "\n".join([self.marker, *self._lines()]).strip() + "\n"
        if len(text) <= _LONGEST:
            return text
        cut = text[:_LONGEST].rpartition("\n")[0]
        fence = "\n```" if cut.count("\n```") % 2 else ""
        return f"{cut}{fence}\n\nThe comment was cut at GitHub's limit. The rest is in the job's log.\n"

    def _lines(self) -> Iterator[str]:
        names = ", ".join(f"`{stack}`" for stack in self.runs)
        yield f"### Changes in {names}, previewed against {self.where}"
        yield ""
        yield self._verdict()
        yield from self._gate()
        yield from self._cost()
        for stack, engine_run in self.runs.items():
            yield from _stack_lines(stack, engine_run)

    def _verdict(self) -> str:
        refusing = sum(result.mandatory for engine_run in self.runs.values() for result in engine_run.policies)
        undecided = sum(result.undecided for engine_run in self.runs.values() for result in engine_run.policies)
        if refusing:
            verdict = f"❌ **The policy pack refuses this change**: {_count(refusing, 'violation')}."
        elif self.failed:
            verdict = f"❌ **The preview failed** for {', '.join(f'`{stack}`' for stack in self.failed)}."
        else:
            verdict = "✅ **The policy pack refuses nothing.**"
        if undecided:
            times = _count(undecided, "time")
            verdict += f" ⚠️ It **could not decide** {times}, which does not approve the change: see below."
        return verdict

    def _gate(self) -> Iterator[str]:
        if not self.data_loss_risks:
            return
        yield ""
        if self.agreed:
            yield f"⚠️ **This change deletes or replaces data.** The label `{LABEL}` approves it:"
        else:
            yield (
                "⛔ **This change deletes or replaces data.** To approve it, check each line and add the label "
                f"`{LABEL}` to the pull request:"
            )
        yield ""
        for stack, step, loss in self.data_loss_risks:
            yield f"- `{stack}`: {step.operation} of `{step.resource}` loses {loss}"

    def _cost(self) -> Iterator[str]:
        """The change of the estimated monthly cost. A preview that stopped early is left out: it is not complete."""
        prices, changes, unpriced = load_prices(), [], dict[str, None]()
        complete = {stack: engine_run for stack, engine_run in self.runs.items() if engine_run.finished}
        for stack, engine_run in complete.items():
            before, after = estimate(prices, engine_run.before), estimate(prices, engine_run.after)
            change = difference(before.sums, after.sums)
            if change and engine_run.before:
                changes.append(f"`{stack}` {format_sums(change, signed=True)}")
            elif change:
                changes.append(f"`{stack}`, which does not exist, would cost {format_sums(after.sums)}")
            unpriced.update(dict.fromkeys(each for each in after.unpriced if each not in before.unpriced))
        if complete:
            yield ""
            yield f"**Cost a month, estimated:** {'; '.join(changes) or 'no change'}."
        if unpriced:
            yield f"No price is known for {', '.join(f'`{each}`' for each in unpriced)}."


def _stack_lines(stack: Stack, engine_run: EngineRun) -> Iterator[str]:
    yield ""
    yield f"#### `{stack}`: {_summary(engine_run)}"
    if engine_run.code != 0 and engine_run.errors:
        yield ""
        yield "```text"
        for error in engine_run.errors:
            yield in_fence(error)
        yield "```"
    if engine_run.notes:
        yield ""
        yield "**About the whole stack**"
        yield ""
        yield "```text"
        yield from map(in_fence, engine_run.notes)
        yield "```"
    for title, results in _policies(engine_run.policies):
        yield ""
        yield f"**{title}**"
        yield ""
        for result in results:
            yield f"- `{result.policy}` on `{result.resource}`"
            yield "  ```text"
            yield from (f"  {line}" for line in in_fence(result.message).splitlines())
            yield "  ```"
    if engine_run.steps:
        yield ""
        yield f"<details{' open' if len(engine_run.steps) <= 20 else ''}><summary>Every step</summary>"
        yield ""
        yield "```diff"
        ordered = sorted(engine_run.steps, key=lambda step: (_place(step), step.type, step.name))
        for step in ordered[:_MOST_STEPS]:
            yield from _step_lines(step)
        if len(ordered) > _MOST_STEPS:
            yield f"# and {len(ordered) - _MOST_STEPS} more"
        yield "```"
        yield ""
        yield "</details>"
    if engine_run.unknown:
        yield ""
        yield (
            f"Known only after the update, and not checked by this preview: {_count(engine_run.unknown, 'value')}. "
            "A policy that needs one of them refuses the change."
        )


def _summary(engine_run: EngineRun) -> str:
    counted = Counter(step.operation for step in engine_run.steps)
    parts = [f"{counted[operation]} to {operation}" for operation in sorted(counted, key=_place_of)]
    if not engine_run.finished and not parts:
        return "no preview"
    if not parts:
        return f"no change ({engine_run.unchanged} unchanged)"
    return ", ".join(parts) + (f", {engine_run.unchanged} unchanged" if engine_run.unchanged else "")


def _policies(results: Sequence[PolicyResult]) -> Iterator[tuple[str, list[PolicyResult]]]:
    kinds = (
        ("Refused by the policy pack", [result for result in results if result.mandatory]),
        ("Undecided by the policy pack", [result for result in results if result.undecided]),
        ("Advice", [result for result in results if not result.mandatory and not result.undecided]),
    )
    yield from ((title, found) for title, found in kinds if found)


def _step_lines(step: Step) -> Iterator[str]:
    mark = _MARKS.get(step.operation, "!")
    yield in_fence(f"{mark} {step.operation:8}{step.resource}")
    for one in step.properties:
        yield from _property_lines(one)


def _property_lines(one: PropertyChange) -> Iterator[str]:
    if one.before is not None:
        yield in_fence(f"-     {one.path}: {one_line(one.before)}")
    if one.after is not None:
        yield in_fence(f"+     {one.path}: {one_line(one.after)}")
    if one.before is None and one.after is None:
        yield in_fence(f"!     {one.path}")


def _place(step: Step) -> int:
    return _place_of(step.operation)


def _place_of(operation: str) -> int:
    return _ORDER.index(operation) if operation in _ORDER else len(_ORDER)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
