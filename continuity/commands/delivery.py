"""The commands of the CI workflows. They work the same on an operator's machine."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from continuity import files
from continuity.changes import drift, updates
from continuity.changes.bundle import KEY, fetch_bundle, make_bundle, push_bundle
from continuity.changes.report import LABEL, Report
from continuity.clouds.github import Repository
from continuity.console import OUT, SAY
from continuity.engine import stacks
from continuity.engine.events import run_captured
from continuity.engine.stacks import POLICY_PACK, Stack
from continuity.engine.state_copy import state_copy
from continuity.errors import UsageError

ci_commands = typer.Typer(no_args_is_help=True, help="Preview a change, comment on it, and deploy it.")
bundle_commands = typer.Typer(
    no_args_is_help=True, help="Keep the repository as one file in a bucket in Ireland, for an outage of GitHub."
)

_Stacks = Annotated[list[Stack] | None, typer.Argument(help="The stacks. Default: every stack.")]


@ci_commands.command("preview")
def ci_preview(
    names: _Stacks = None,
    where: Annotated[
        str, typer.Option(help="The clouds of the preview, in words for the reviewer.")
    ] = "the local cloud",
    out: Annotated[Path | None, typer.Option(help="Also write the comment to this file.")] = None,
    agreed: Annotated[
        bool,
        typer.Option("--agreed/--not-agreed", envvar="DATA_MAY_END", help=f"The pull request has the label {LABEL}."),
    ] = False,
) -> None:
    """Preview a change in every stack, and print the comment for its pull request. Nothing is changed.

    `dr` is included, because it must come up any day. Exit code 1 when a preview fails or a policy is violated, 4 when
    the change deletes or replaces data without --agreed. Secrets of the state are not decrypted.

    Example: continuity ci preview --out comment.md
    """
    with state_copy() as copy:
        report = Report(
            where,
            {
                stack: run_captured(
                    stack, "preview", "--policy-pack", str(POLICY_PACK), *copy.options(stack), **copy.environment
                )
                for stack in stacks.in_order(names or list(Stack), with_needs=False)
            },
            agreed,
        )
    text = report.text()
    print(text)
    if out is not None:
        with files.writing(out):
            out.write_text(text)
    summarise(text)
    raise typer.Exit(report.code)


@ci_commands.command("comment")
def ci_comment(
    pull_request: Annotated[int, typer.Argument(help="The number of the pull request.")],
    file: Annotated[Path, typer.Argument(help="The comment that `ci preview --out` wrote.")],
) -> None:
    """Create the comment on a pull request, or update the existing one. It needs GITHUB_TOKEN.

    Example: continuity ci comment 12 comment.md
    """
    with files.reading(file):
        text = file.read_text()
    marker = text.partition("\n")[0]
    if not marker.startswith("<!-- continuity "):
        raise UsageError(f"{file} is not a comment of `continuity ci preview`: create it with --out")
    SAY.print(Repository.from_environment().upsert_comment(pull_request, marker, text))


@ci_commands.command("deploy")
def ci_deploy(name: Annotated[Stack, typer.Argument(help="The stack.")]) -> None:
    """Update one stack without asking, with the policy pack. The stacks that it needs stay unchanged.

    Example: continuity ci deploy prod
    """
    [change] = updates.up([name], yes=True)
    OUT.print(change.sentence())
    summarise(f"{change.sentence()}\n")


def detect_drift(
    names: _Stacks = None,
    report: Annotated[bool, typer.Option("--report", help="Open, update or close the drift issue.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare the clouds with the state, property by property. Nothing is changed, and no lock is taken.

    With --report, it keeps one issue at GitHub up to date, which needs ISSUES_TOKEN or GITHUB_TOKEN. Exit code 0
    without drift, 7 with drift, 1 when a stack could not be read.

    Example: continuity drift prod
    """
    findings = drift.detect(names or list(Stack), needed=names or [Stack.VAULT, Stack.PROD, Stack.GITHUB])
    lines = list(drift.sentences(findings))
    if as_json:
        print(json.dumps({"code": drift.code(findings), "findings": lines}, indent=2))
    else:
        for line in lines:
            OUT.print(line)
    summarise("\n".join(f"    {line}" for line in lines) + "\n")
    if report:
        SAY.print(drift.report(findings, Repository.from_environment()))
    raise typer.Exit(drift.code(findings))


_Bucket = Annotated[str | None, typer.Option(help="The bucket. Default: MIRROR_BUCKET, or the vault's output.")]


@bundle_commands.command("make")
def bundle_make(file: Annotated[Path, typer.Argument(help="The file to write.")]) -> None:
    """Write the repository, with its whole history, into one file.

    Example: continuity bundle make repository.bundle
    """
    OUT.print(f"{file} is commit {make_bundle(file)}")


@bundle_commands.command("push")
def bundle_push(bucket: _Bucket = None) -> None:
    """Upload the checked-out commit to the bucket in Ireland, as a new version. AWS charges for its storage.

    Example: continuity bundle push
    """
    kept = push_bundle(bucket)
    OUT.print(f"s3://{kept.bucket}/{KEY} is commit {kept.commit} ({kept.size} bytes, version {kept.version})")


@bundle_commands.command("fetch")
def bundle_fetch(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    bucket: _Bucket = None,
    version: Annotated[str | None, typer.Option(help="The id of an older version.")] = None,
) -> None:
    """Download the repository from the bucket in Ireland. It makes no calls to GitHub.

    Example: continuity bundle fetch repository.bundle
    """
    kept = fetch_bundle(file, bucket, version)
    OUT.print(f"{file} is commit {kept.commit}; go on with: git clone {file} continuity")


def summarise(text: str) -> None:
    """Append to the summary on the page of a GitHub workflow run. Does nothing elsewhere."""
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with files.writing(Path(summary)), open(summary, "a") as file:
            file.write(text)
