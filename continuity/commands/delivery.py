"""The commands that workflows call, and that do the same on a person's machine."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from continuity import files
from continuity.changes import bundle as bundles
from continuity.changes import drift
from continuity.changes.report import LABEL, Report
from continuity.clouds.github import Repository
from continuity.console import OUT, SAY
from continuity.engine import stacks, updates
from continuity.engine.events import listen
from continuity.engine.stacks import POLICY_PACK, Stack
from continuity.errors import UsageError

ci = typer.Typer(no_args_is_help=True, help="What workflows do with a change: preview it, say it, deploy it.")
bundle = typer.Typer(no_args_is_help=True, help="The repository as one file, in the bucket in Ireland.")

_Stacks = Annotated[list[Stack] | None, typer.Argument(help="Every stack when none is named.")]


@ci.command("preview")
def ci_preview(
    names: _Stacks = None,
    where: Annotated[str, typer.Option(help="Against what, in words for the reader.")] = "the local cloud",
    out: Annotated[Path | None, typer.Option(help="Write the comment's text to this file, too.")] = None,
    agreed: Annotated[
        bool, typer.Option("--agreed/--not-agreed", envvar="DATA_MAY_END", help=f"The label {LABEL} is there.")
    ] = False,
) -> None:
    """Print what a change does, as the comment on its pull request. `dr` is among it: it has to come up any day.

    Exit code 1 when a preview fails or the policy pack refuses, and 4 when something that holds data would be replaced
    or deleted and nobody agreed to that.
    """
    report = Report(
        where,
        {
            stack: listen(stack, "preview", "--policy-pack", str(POLICY_PACK))
            for stack in stacks.in_order(names or list(Stack), with_needs=False)
        },
        agreed,
    )
    text = report.text()
    print(text)
    if out is not None:
        with files.writing(out):
            out.write_text(text)
    _summarise(text)
    raise typer.Exit(report.code)


@ci.command("comment")
def ci_comment(
    pull_request: Annotated[int, typer.Argument(help="Its number.")],
    file: Annotated[Path, typer.Argument(help="The comment's text, as `ci preview` made it.")],
) -> None:
    """Put the text on a pull request, or change what is there from before."""
    with files.reading(file):
        text = file.read_text()
    marker = text.partition("\n")[0]
    if not marker.startswith("<!-- continuity "):
        raise UsageError(f"{file} is no comment that `continuity ci preview` made")
    SAY.print(Repository.of().say_once(pull_request, marker, text))


@ci.command("deploy")
def ci_deploy(name: Annotated[Stack, typer.Argument(help="The stack.")]) -> None:
    """Bring one stack up, and none that it needs, with the policy pack in force and without asking."""
    [change] = updates.up([name], yes=True)
    OUT.print(change.sentence())
    _summarise(f"{change.sentence()}\n")


def look_for_drift(
    names: _Stacks = None,
    report: Annotated[bool, typer.Option("--report", help="Keep the one issue about it in step.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what somebody changed past the code, property by property. Nothing is changed, and no lock is taken.

    Exit code 0 when all is as declared, 7 when something differs, 1 when something could not be looked at.
    """
    findings = drift.look(names or list(Stack), needed=names or [Stack.VAULT, Stack.PROD])
    lines = list(drift.sentences(findings))
    if as_json:
        print(json.dumps({"code": drift.code(findings), "findings": lines}, indent=2))
    else:
        for line in lines:
            OUT.print(line)
    _summarise("\n".join(f"    {line}" for line in lines) + "\n")
    if report:
        SAY.print(drift.report(findings, Repository.of()))
    raise typer.Exit(drift.code(findings))


_Bucket = Annotated[str | None, typer.Option(help="The bucket; else MIRROR_BUCKET, else what the vault says.")]


@bundle.command("make")
def make_bundle(file: Annotated[Path, typer.Argument(help="The file to write.")]) -> None:
    """Write the repository, with all its history, into one file."""
    OUT.print(f"{file} is commit {bundles.make(file)}")


@bundle.command("push")
def push_bundle(bucket: _Bucket = None) -> None:
    """Put what is checked out into the bucket in Ireland."""
    kept = bundles.push(bucket)
    OUT.print(f"s3://{kept.bucket}/{bundles.KEY} is commit {kept.commit} ({kept.size} bytes, version {kept.version})")


@bundle.command("fetch")
def fetch_bundle(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    bucket: _Bucket = None,
    version: Annotated[str | None, typer.Option(help="An older version than the latest.")] = None,
) -> None:
    """Get the repository from the bucket in Ireland. GitHub is not asked for anything."""
    kept = bundles.fetch(file, bucket, version)
    OUT.print(f"{file} is commit {kept.commit}; go on with: git clone {file} continuity")


def _summarise(text: str) -> None:
    """On GitHub's runners, what is written to this file is shown on the run's page, also to who sees no comment."""
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with files.writing(Path(summary)), open(summary, "a") as file:
            file.write(text)
