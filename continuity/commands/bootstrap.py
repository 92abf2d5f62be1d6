"""`continuity bootstrap`: make, or check, what keeps Pulumi's own state."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

import typer

import plan
from continuity.console import OUT, SAY
from continuity.engine.stacks import Stack, configuration
from continuity.errors import CloudError, ConflictError
from continuity.state_backend.config import Site, site
from continuity.state_backend.desired import EXISTENCE, Finding
from continuity.state_backend.setup import Looked, look, make
from plan.names import STATE_KEY_ALIAS


def bootstrap(
    check: Annotated[bool, typer.Option("--check", help="Change nothing; say what is wrong.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make the bucket and the key that keep Pulumi's own state, so that it survives the loss of a region.

    Its name is botbrains-state-ACCOUNT, or that of botbrains:stateBucket in Pulumi.vault.yaml.

    With --check, nothing is changed. Exit code 3 when something is wrong or missing, 1 when it could not be looked.
    """
    where = site(plan.load(), configuration(Stack.VAULT))
    found = look(where)
    if check:
        _check(found, as_json)
        return
    _refuse(found)
    _show(found)
    if found.findings and not yes:
        typer.confirm("Make these changes?", abort=True, err=True)
    steps = make(where, say=lambda sentence: SAY.print(sentence)) if found.findings else 0
    if as_json:
        print(json.dumps({**_names(where), "steps": steps, "commands": _commands(where)}, indent=2))
        return
    for title, lines in _commands(where).items():
        OUT.print(f"\n{title}:\n")
        for line in lines:
            OUT.print(f"    {line}")


def _check(found: Looked, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found.as_data(), indent=2))
    else:
        for finding in found.findings:
            OUT.print(finding.sentence())
        for sentence in found.unknown:
            OUT.print(f"could not look: {sentence}", style="red")
        if found.right:
            OUT.print(f"all is as it must be: {', '.join(map(str, found.things))}", style="green")
    # Who could not look everywhere must not be told that it is known what is wrong.
    if not found.right:
        raise typer.Exit(1 if found.unknown else 3)


def _refuse(found: Looked) -> None:
    """What a person has to decide first."""
    if found.unknown:
        raise CloudError(f"nothing was changed, because it could not be looked at {'; '.join(found.unknown)}")
    conflicts = [finding.sentence() for finding in found.findings if finding.by_hand]
    if conflicts:
        raise ConflictError("nothing was changed, because this is for a person to decide:\n" + "\n".join(conflicts))


def _show(found: Looked) -> None:
    """What exists, and what would be made or changed, thing by thing."""
    for thing in found.things:
        wrong = [finding for finding in found.findings if finding.thing == thing]
        SAY.print(f"{thing}: {_state(wrong)}")
        for finding in wrong:
            if finding.property != EXISTENCE:
                SAY.print(f"    {finding.property}: {finding.found} -> {finding.wanted}")


def _state(wrong: Sequence[Finding]) -> str:
    if any(finding.property == EXISTENCE for finding in wrong):
        return "does not exist; will be made"
    return "exists; will be changed" if wrong else "exists, as it must be"


def _names(where: Site) -> dict[str, str]:
    return {
        "bucket": where.bucket,
        "region": where.recovery,
        "replica_bucket": where.replica_bucket,
        "replica_region": where.home,
        "key": STATE_KEY_ALIAS,
    }


def _commands(where: Site) -> dict[str, list[str]]:
    """What to type next, and what to type once the recovery region is lost."""
    moved = f"s|{STATE_KEY_ALIAS}?region={where.recovery}|{STATE_KEY_ALIAS}?region={where.home}|"
    return {
        "Log in, and make the stacks": [
            f"pulumi login 's3://{where.bucket}?region={where.recovery}'",
            *(
                f"pulumi stack init {stack} --secrets-provider 'awskms://{STATE_KEY_ALIAS}?region={where.recovery}'"
                for stack in Stack
            ),
        ],
        # Each stack's file and state name the key's region. The encrypted data key beside it stays: the replica opens
        # it. (PULUMI_CLOUD_SECRET_OVERRIDE would make a new one, with which no secret can be read.)
        f"When {where.recovery} is lost, work from the replica in {where.home}; for each STACK": [
            f"pulumi login 's3://{where.replica_bucket}?region={where.home}'",
            f"sed -i '/^secretsprovider:/{moved}' Pulumi.STACK.yaml",
            "pulumi stack export --stack STACK --file state.json",
            f"sed -i '/awskms:/{moved}' state.json",
            "pulumi stack import --stack STACK --file state.json",
        ],
    }
