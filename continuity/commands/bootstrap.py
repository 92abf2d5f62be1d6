"""`continuity bootstrap`: create or check the backend for Pulumi's state."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

import typer

import plan
from continuity.console import OUT, SAY
from continuity.engine.stacks import Stack, configuration
from continuity.errors import CloudError, ConflictError
from continuity.state_backend.config import StateBackendConfig, resolve_config
from continuity.state_backend.desired import EXISTENCE, Finding
from continuity.state_backend.setup import Inspection, apply, inspect
from plan.names import STATE_KEY_ALIAS


def bootstrap(
    check: Annotated[bool, typer.Option("--check", help="Change nothing, and print what is wrong.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Create the bucket and the key for Pulumi's state, with replicas that survive the loss of a region.

    It creates two buckets, a multi-region KMS key with a replica, and a replication role, and corrects their settings.
    AWS charges for both keys and for the stored versions. The bucket is named botbrains-state-ACCOUNT, or as set by
    botbrains:stateBucket in Pulumi.vault.yaml. The command may be interrupted and run again.

    With --check, nothing is changed. Exit code 3 when something is wrong or missing, 1 when a region could not be read.

    Example: continuity bootstrap --check
    """
    where = resolve_config(plan.load(), configuration(Stack.VAULT))
    found = inspect(where)
    if check:
        _check(found, as_json)
        return
    _refuse(found)
    _show(found)
    if found.findings and not yes:
        typer.confirm("Make these changes?", abort=True, err=True)
    steps = apply(where, say=lambda sentence: SAY.print(sentence)) if found.findings else 0
    if as_json:
        print(json.dumps({**_names(where), "steps": steps, "commands": _commands(where)}, indent=2))
        return
    for title, lines in _commands(where).items():
        OUT.print(f"\n{title}:\n")
        for line in lines:
            OUT.print(f"    {line}")


def _check(found: Inspection, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found.as_data(), indent=2))
    else:
        for finding in found.findings:
            OUT.print(finding.sentence())
        for sentence in found.unknown:
            OUT.print(f"could not look: {sentence}", style="red")
        if found.passed:
            OUT.print(f"everything is as it must be: {', '.join(map(str, found.resources))}", style="green")
    # If a region could not be read, the findings are incomplete: exit with 1.
    if not found.passed:
        raise typer.Exit(1 if found.unknown else 3)


def _refuse(found: Inspection) -> None:
    """Raise an error if the operator has to decide first."""
    if found.unknown:
        raise CloudError(f"nothing was changed, because these could not be read: {'; '.join(found.unknown)}")
    conflicts = [finding.sentence() for finding in found.findings if finding.by_hand]
    if conflicts:
        raise ConflictError("nothing was changed, because you have to decide this first:\n" + "\n".join(conflicts))


def _show(found: Inspection) -> None:
    """Print what exists and what would be created or changed, for each resource."""
    for resource in found.resources:
        wrong = [finding for finding in found.findings if finding.resource == resource]
        SAY.print(f"{resource}: {_state(wrong)}")
        for finding in wrong:
            if finding.property != EXISTENCE:
                SAY.print(f"    {finding.property}: {finding.actual} -> {finding.desired}")


def _state(wrong: Sequence[Finding]) -> str:
    if any(finding.property == EXISTENCE for finding in wrong):
        return "does not exist; will be created"
    return "exists; will be changed" if wrong else "exists, as it must be"


def _names(where: StateBackendConfig) -> dict[str, str]:
    return {
        "bucket": where.bucket,
        "region": where.recovery,
        "replica_bucket": where.replica_bucket,
        "replica_region": where.home,
        "key": STATE_KEY_ALIAS,
    }


def _commands(where: StateBackendConfig) -> dict[str, list[str]]:
    """The commands to run next, and those for an outage of the recovery region."""
    moved = f"s|{STATE_KEY_ALIAS}?region={where.recovery}|{STATE_KEY_ALIAS}?region={where.home}|"
    return {
        "Log in, and create the stacks": [
            f"pulumi login 's3://{where.bucket}?region={where.recovery}'",
            *(
                f"pulumi stack init {stack} --secrets-provider 'awskms://{STATE_KEY_ALIAS}?region={where.recovery}'"
                for stack in Stack
            ),
        ],
        # Each stack's file and state name the key's region. The encrypted data key next to it stays: the replica
        # decrypts it. (PULUMI_CLOUD_SECRET_OVERRIDE would create a new one, which cannot decrypt any secret.)
        f"When {where.recovery} is lost, work from the replica in {where.home}; for each STACK": [
            f"pulumi login 's3://{where.replica_bucket}?region={where.home}'",
            f"sed -i '/^secretsprovider:/{moved}' Pulumi.STACK.yaml",
            "pulumi stack export --stack STACK --file state.json",
            f"sed -i '/awskms:/{moved}' state.json",
            "pulumi stack import --stack STACK --file state.json",
        ],
    }
