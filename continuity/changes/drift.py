"""Detect drift: differences between each stack's state and its clouds.

Drift detection changes nothing and takes no lock. A stack that could not be read is reported as a finding.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from continuity.clouds.github import Repository
from continuity.engine.events import EngineRun, Step, run_captured
from continuity.engine.stacks import Stack
from continuity.engine.state_copy import StateCopy, state_copy
from continuity.errors import ContinuityError
from continuity.markdown import in_fence, one_line

DRIFTED: Final = 7
"""The exit code for drift. Pulumi uses the same one."""

_MARKER: Final = "<!-- continuity drift -->"
_MERGING: Final = ("allow", "deleteBranchOnMerge", "mergeCommit", "squashMergeCommit")
_TITLE: Final = "The nightly checks found something"
_WORDS: Final = {"update": "was changed", "delete": "is gone", "create": "exists, and is not declared"}


@dataclass(frozen=True)
class Finding:
    """The result for one stack: the steps that would undo the drift, or why the stack could not be read."""

    stack: Stack
    steps: tuple[Step, ...] = ()
    unseen: str | None = None
    absent: bool = False
    """Whether the stack does not exist. `dr` exists only during a recovery."""


def detect(stacks: Sequence[Stack], needed: Sequence[Stack]) -> list[Finding]:
    """Compare each stack with its clouds. A stack in `needed` that does not exist counts as unreadable."""
    try:
        with state_copy() as copy:
            return [_detect(stack, stack in needed, copy) for stack in stacks]
    except ContinuityError as error:
        return [Finding(stack, unseen=str(error)) for stack in stacks]


def _detect(stack: Stack, needed: bool, copy: StateCopy) -> Finding:
    if stack not in copy.existing:
        why = "it does not exist, or PULUMI_BACKEND_URL is not the backend of its state" if needed else None
        return Finding(stack, unseen=why, absent=not needed)
    return evaluate(stack, run_captured(stack, "refresh", "--preview-only", *copy.options(stack), **copy.environment))


def evaluate(stack: Stack, engine_run: EngineRun) -> Finding:
    """Turn a run of `pulumi refresh` into a finding. An incomplete run counts as unreadable."""
    if engine_run.code != 0 or not engine_run.finished:
        errors = "; ".join(engine_run.errors) or engine_run.output.strip()[-500:]
        return Finding(stack, unseen=errors or f"`pulumi refresh` ended with {engine_run.code}")
    return Finding(stack, steps=tuple(shown for step in engine_run.steps if (shown := _shown(step)) is not None))


def _shown(step: Step) -> Step | None:
    """A step without the settings of merges that GitHub does not show. None if nothing else differs.

    GitHub shows them only to a token that may write contents. The provider then reads each as off. GitHub requires one
    way to merge, so all of them off means that they were not shown.
    """
    after = {one.path: one.after for one in step.properties}
    ways = [after.get(way, False) for way in ("allowMergeCommit", "allowRebaseMerge", "allowSquashMerge")]
    if step.type != "github:index:Repository" or "allowSquashMerge" not in after or any(ways):
        return step
    shown = tuple(one for one in step.properties if not one.path.startswith(_MERGING))
    return replace(step, properties=shown) if shown else None


def code(findings: Sequence[Finding]) -> int:
    """The exit code. 0: no drift. 7: drift. 1: a stack could not be read, regardless of the other findings."""
    if any(finding.unseen for finding in findings):
        return 1
    return DRIFTED if any(finding.steps for finding in findings) else 0


def sentences(findings: Sequence[Finding]) -> Iterator[str]:
    """Describe the findings for a terminal, one line each."""
    for finding in findings:
        if finding.unseen:
            yield f"{finding.stack}: could not be read: {finding.unseen}"
        elif finding.absent:
            yield f"{finding.stack}: does not exist"
        elif not finding.steps:
            yield f"{finding.stack}: as declared"
        for step in finding.steps:
            yield f"{finding.stack}: {step.resource} {_WORDS.get(step.operation, step.operation)}"
            for one in step.properties:
                yield f"{finding.stack}:     {one.path} is {_show(one.after)}; declared is {_show(one.before)}"


def report(
    findings: Sequence[Finding], repository: Repository, others: Mapping[str, Sequence[str]] | None = None
) -> str:
    """Open, update or close the one issue, and return a sentence about it.

    The first finding opens the issue. If the findings differ later, the text is updated, with a comment. The issue is
    closed when every stack could be read and none has drift, and `others` has no findings either.

    Args:
        findings: the drift of each stack.
        repository: the repository of the issue.
        others: the findings of other checks, by their titles.
    """
    issue = repository.open_issue(_MARKER)
    found = [finding for finding in findings if finding.steps or finding.unseen]
    if not found and not others:
        if issue is None:
            return "nothing to report"
        repository.ask("POST", f"issues/{issue['number']}/comments", {"body": "Nothing is left of the findings."})
        repository.ask("PATCH", f"issues/{issue['number']}", {"state": "closed", "state_reason": "completed"})
        return f"closed: {issue['html_url']}"
    text = issue_text(findings, others or {})
    if issue is None:
        opened = repository.ask("POST", "issues", {"title": _TITLE, "body": text})
        return f"opened: {opened['html_url']}"
    if _key(text) in (issue["body"] or ""):
        return f"reported already: {issue['html_url']}"
    repository.ask("PATCH", f"issues/{issue['number']}", {"body": text})
    repository.ask(
        "POST",
        f"issues/{issue['number']}/comments",
        {"body": "The findings have changed. The text above is up to date."},
    )
    return f"updated: {issue['html_url']}"


def issue_text(findings: Sequence[Finding], others: Mapping[str, Sequence[str]]) -> str:
    """Write the issue: what was found, and how to resolve it. Its last line identifies the text."""
    lines = [_MARKER, "The nightly checks compared the clouds with this repository and the plan.", ""]
    for title, sentences in others.items():
        lines += [f"#### {title}", "", *(f"- {one_line(sentence)}" for sentence in sentences), ""]
    for finding in findings:
        if finding.unseen:
            lines += [
                f"#### `{finding.stack}` could not be read",
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
                f"  - `{one.path}` is `{_show(one.after)}`; declared is `{_show(one.before)}`"
                for one in step.properties
            ]
        lines.append("")
    if any(finding.steps for finding in findings):
        lines += [
            "CloudTrail, Hetzner's log of actions or GitHub's audit log name the author of a change. To keep it,",
            "declare it in a pull request. To undo it, run `pulumi up --refresh --stack STACK`.",
        ]
    text = "\n".join(lines)
    return f"{text}\n\n{_key(text)}\n"


def _key(text: str) -> str:
    body = text.partition("\n<!-- found ")[0].rstrip()
    return f"<!-- found {hashlib.sha256(body.encode()).hexdigest()[:16]} -->"


def _show(value: Any) -> str:
    return "not set" if value is None else one_line(value).replace("`", "'")
