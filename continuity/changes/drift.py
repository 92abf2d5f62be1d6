"""What somebody changed past the code: every stack's state beside what its clouds say of themselves.

Looking changes nothing and takes no lock. A stack that could not be looked at is a finding of its own, never silence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from continuity.clouds.github import Repository
from continuity.engine.events import Heard, Step, listen
from continuity.engine.stacks import Stack, outputs
from continuity.errors import ContinuityError
from continuity.markdown import in_fence, one_line

DRIFTED: Final = 7
"""The exit code, and Pulumi's own for the same."""

_MARKER: Final = "<!-- continuity drift -->"
_TITLE: Final = "What exists is not what the code says"
_WORDS: Final = {"update": "was changed", "delete": "is gone", "create": "is there, and nobody declared it"}


@dataclass(frozen=True)
class Finding:
    """What was found of one stack: the steps that differ, or why nobody could look."""

    stack: Stack
    steps: tuple[Step, ...] = ()
    unseen: str | None = None
    absent: bool = False
    """Whether the stack is not there, as `dr` is not until it is needed."""


def look(stacks: Sequence[Stack], needed: Sequence[Stack]) -> list[Finding]:
    """Look at each. One of `needed` that does not exist could not be looked at."""
    return [_look(stack, stack in needed) for stack in stacks]


def _look(stack: Stack, needed: bool) -> Finding:
    try:
        if outputs(stack) is None:
            why = "it does not exist, or nothing says where its state is" if needed else None
            return Finding(stack, unseen=why, absent=not needed)
        heard = listen(stack, "refresh", "--preview-only")
    except ContinuityError as error:
        return Finding(stack, unseen=str(error))
    return judged(stack, heard)


def judged(stack: Stack, heard: Heard) -> Finding:
    """What was heard of a look, as a finding. One that did not come to its end says nothing about what it missed."""
    if heard.code != 0 or not heard.finished:
        words = "; ".join(heard.errors) or heard.said.strip()[-500:] or f"`pulumi refresh` ended with {heard.code}"
        return Finding(stack, unseen=words)
    return Finding(stack, steps=heard.steps)


def code(findings: Sequence[Finding]) -> int:
    """0: all is as declared. 7: something differs. 1: something could not be looked at, whatever else was found."""
    if any(finding.unseen for finding in findings):
        return 1
    return DRIFTED if any(finding.steps for finding in findings) else 0


def sentences(findings: Sequence[Finding]) -> Iterator[str]:
    """For a person at a terminal, one line a finding."""
    for finding in findings:
        if finding.unseen:
            yield f"{finding.stack}: could not be looked at: {finding.unseen}"
        elif finding.absent:
            yield f"{finding.stack}: does not exist"
        elif not finding.steps:
            yield f"{finding.stack}: as declared"
        for step in finding.steps:
            yield f"{finding.stack}: {step.resource} {_WORDS.get(step.operation, step.operation)}"
            for one in step.properties:
                yield f"{finding.stack}:     {one.path} is {_said(one.after)}; declared is {_said(one.before)}"


def report(findings: Sequence[Finding], repository: Repository) -> str:
    """Keep the one issue about it in step with what was found; says what was done.

    Found for the first time, it is opened. Found again, it stays; its text is brought up to date where something else
    differs now, and says so in a comment. No longer found, it is closed, but only after a look at everything.
    """
    there = repository.open_issue(_MARKER)
    found = [finding for finding in findings if finding.steps or finding.unseen]
    if not found:
        if there is None:
            return "nothing to report"
        repository.ask("POST", f"issues/{there['number']}/comments", {"body": "Everything is as declared again."})
        repository.ask("PATCH", f"issues/{there['number']}", {"state": "closed", "state_reason": "completed"})
        return f"closed: {there['html_url']}"
    text = issue_text(findings)
    if there is None:
        made = repository.ask("POST", "issues", {"title": _TITLE, "body": text})
        return f"opened: {made['html_url']}"
    if _key(text) in (there["body"] or ""):
        return f"reported already: {there['html_url']}"
    repository.ask("PATCH", f"issues/{there['number']}", {"body": text})
    repository.ask(
        "POST", f"issues/{there['number']}/comments", {"body": "What differs is another now: the text above says what."}
    )
    return f"brought up to date: {there['html_url']}"


def issue_text(findings: Sequence[Finding]) -> str:
    """The issue: what differs, by stack, and what to do. Its last line is a key by which the same is known again."""
    lines = [_MARKER, "The nightly look at the clouds found what is not as this repository declares it.", ""]
    for finding in findings:
        if finding.unseen:
            lines += [
                f"#### `{finding.stack}` could not be looked at",
                "",
                "```text",
                in_fence(finding.unseen),
                "```",
                "",
            ]
        if finding.steps:
            lines += [f"#### `{finding.stack}`", ""]
        for step in finding.steps:
            lines.append(f"- `{step.resource}` {_WORDS.get(step.operation, step.operation)}")
            lines += [
                f"  - `{one.path}` is `{_said(one.after)}`; declared is `{_said(one.before)}`"
                for one in step.properties
            ]
        lines.append("")
    lines += [
        "Who changed it is in CloudTrail, in Hetzner's log of actions, or in GitHub's audit log. Then either a pull",
        "request declares what is there now, or what is declared is put back: `pulumi up --refresh --stack STACK`.",
    ]
    text = "\n".join(lines)
    return f"{text}\n\n{_key(text)}\n"


def _key(text: str) -> str:
    body = text.partition("\n<!-- found ")[0].rstrip()
    return f"<!-- found {hashlib.sha256(body.encode()).hexdigest()[:16]} -->"


def _said(value: Any) -> str:
    return "not set" if value is None else one_line(value).replace("`", "'")
