"""What a change would do, as a comment on it: the steps, the policy pack's verdict, and what has to be agreed to.

It is Markdown as GitHub shows it. Everything in it that came from a program or a cloud is set as code, so that nothing
there can be taken for the comment's own words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from continuity.changes.stateful import endangered
from continuity.engine.events import Heard, PolicyWord, Property, Step
from continuity.engine.stacks import Stack
from continuity.markdown import in_fence, one_line

LABEL: Final = "replaces-data"
"""The label by which a person agrees to what ends something that holds data."""

_MARKS: Final = {"create": "+", "update": "!", "replace": "-", "delete": "-"}
_ORDER: Final = ("replace", "delete", "update", "create")
_MOST_STEPS: Final = 150
# GitHub takes 65,536 characters. The rest is in the job's log.
_LONGEST: Final = 60_000


@dataclass(frozen=True)
class Report:
    """What was heard of each stack's preview, and whether somebody agreed to what ends data."""

    where: str
    """Against what it was previewed, for the reader: `the real clouds`."""

    heard: dict[Stack, Heard]
    agreed: bool = False

    @property
    def endangered(self) -> list[tuple[Stack, Step, str]]:
        return [(stack, *one) for stack, heard in self.heard.items() for one in endangered(heard.steps)]

    @property
    def failed(self) -> list[Stack]:
        """The stacks of which no preview came to its end."""
        return [stack for stack, heard in self.heard.items() if heard.code != 0]

    @property
    def code(self) -> int:
        """0: nothing stands in the way. 1: a preview failed, or the pack refused. 4: data would end, not agreed to."""
        if self.failed:
            return 1
        return 4 if self.endangered and not self.agreed else 0

    @property
    def marker(self) -> str:
        """What the comment is found again by. It does not show."""
        return f"<!-- continuity preview: {self.where} -->"

    def text(self) -> str:
        """The whole comment."""
        text = "\n".join([self.marker, *self._lines()]).strip() + "\n"
        if len(text) <= _LONGEST:
            return text
        cut = text[:_LONGEST].rpartition("\n")[0]
        fence = "\n```" if cut.count("\n```") % 2 else ""
        return f"{cut}{fence}\n\nThe rest is longer than a comment may be: it is in the job's log.\n"

    def _lines(self) -> Iterator[str]:
        names = ", ".join(f"`{stack}`" for stack in self.heard)
        yield f"### What this changes in {names}: previewed against {self.where}"
        yield ""
        yield self._verdict()
        yield from self._gate()
        for stack, heard in self.heard.items():
            yield from _stack_lines(stack, heard)

    def _verdict(self) -> str:
        refusing = sum(word.mandatory for heard in self.heard.values() for word in heard.policies)
        undecided = sum(word.undecided for heard in self.heard.values() for word in heard.policies)
        if refusing:
            verdict = f"❌ **The policy pack refuses this**: {_count(refusing, 'violation')}."
        elif self.failed:
            verdict = f"❌ **The preview failed** for {', '.join(f'`{stack}`' for stack in self.failed)}."
        else:
            verdict = "✅ **The policy pack refuses nothing.**"
        if undecided:
            verdict += f" ⚠️ It **could not decide** {_count(undecided, 'time')}, which is no consent: see below."
        return verdict

    def _gate(self) -> Iterator[str]:
        if not self.endangered:
            return
        yield ""
        if self.agreed:
            yield f"⚠️ **This ends something that holds data.** The label `{LABEL}` says that this is meant:"
        else:
            yield (
                f"⛔ **This ends something that holds data.** If it is meant, a person who has looked at each puts the "
                f"label `{LABEL}` on the pull request:"
            )
        yield ""
        for stack, step, loss in self.endangered:
            yield f"- `{stack}`: {step.operation} of `{step.resource}`; with it goes {loss}"


def _stack_lines(stack: Stack, heard: Heard) -> Iterator[str]:
    yield ""
    yield f"#### `{stack}`: {_summary(heard)}"
    if heard.code != 0 and heard.errors:
        yield ""
        yield "```text"
        for error in heard.errors:
            yield in_fence(error)
        yield "```"
    if heard.notes:
        yield ""
        yield "**Said of the whole**"
        yield ""
        yield "```text"
        yield from map(in_fence, heard.notes)
        yield "```"
    for title, words in _policies(heard.policies):
        yield ""
        yield f"**{title}**"
        yield ""
        for word in words:
            yield f"- `{word.policy}` on `{word.resource}`"
            yield "  ```text"
            yield from (f"  {line}" for line in in_fence(word.message).splitlines())
            yield "  ```"
    if heard.steps:
        yield ""
        yield f"<details{' open' if len(heard.steps) <= 20 else ''}><summary>Every step</summary>"
        yield ""
        yield "```diff"
        ordered = sorted(heard.steps, key=lambda step: (_place(step), step.type, step.name))
        for step in ordered[:_MOST_STEPS]:
            yield from _step_lines(step)
        if len(ordered) > _MOST_STEPS:
            yield f"# and {len(ordered) - _MOST_STEPS} more"
        yield "```"
        yield ""
        yield "</details>"
    if heard.unknown:
        yield ""
        yield (
            f"Not known until it is done, and so not judged: {_count(heard.unknown, 'value')}. A policy that cannot do"
            " without one refuses."
        )


def _summary(heard: Heard) -> str:
    counted = Counter(step.operation for step in heard.steps)
    parts = [f"{counted[operation]} to {operation}" for operation in sorted(counted, key=_place_of)]
    if not heard.finished and not parts:
        return "no preview"
    if not parts:
        return f"no change ({heard.unchanged} as they are)"
    return ", ".join(parts) + (f", {heard.unchanged} as they are" if heard.unchanged else "")


def _policies(words: Sequence[PolicyWord]) -> Iterator[tuple[str, list[PolicyWord]]]:
    kinds = (
        ("Refused by the policy pack", [word for word in words if word.mandatory]),
        ("What the policy pack could not decide", [word for word in words if word.undecided]),
        ("Advice", [word for word in words if not word.mandatory and not word.undecided]),
    )
    yield from ((title, found) for title, found in kinds if found)


def _step_lines(step: Step) -> Iterator[str]:
    mark = _MARKS.get(step.operation, "!")
    yield in_fence(f"{mark} {step.operation:8}{step.resource}")
    for one in step.properties:
        yield from _property_lines(one)


def _property_lines(one: Property) -> Iterator[str]:
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
