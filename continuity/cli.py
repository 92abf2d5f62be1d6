"""`continuity`: keep the service running and recover it, by either co-founder, alone."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from rich.table import Table

import plan
from continuity.changes import destroy as destruction
from continuity.changes import detach_database
from continuity.commands.access import access
from continuity.commands.bootstrap import bootstrap
from continuity.commands.delivery import bundle, ci, look_for_drift
from continuity.commands.drill import drill
from continuity.console import OUT, SAY, print_rows
from continuity.engine import stacks, updates
from continuity.engine.stacks import Stack
from continuity.errors import ContinuityError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help=__doc__, rich_markup_mode=None, pretty_exceptions_enable=False
)
app.add_typer(drill, name="drill")
app.add_typer(ci, name="ci")
app.add_typer(bundle, name="bundle")
app.command()(bootstrap)
app.command()(access)
app.command("drift")(look_for_drift)

_Stacks = Annotated[list[Stack] | None, typer.Argument(help="Vault and prod when none is named.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def up(
    names: _Stacks = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask after the plan is shown.")] = False,
    without_github: Annotated[
        bool, typer.Option("--without-github", help="Leave what is at GitHub as it is: for when GitHub is lost.")
    ] = False,
) -> None:
    """Bring stacks up, each after what it needs, with the policy pack in force; then say what exists and where."""
    chosen = stacks.in_order(names or [Stack.VAULT, Stack.PROD], with_needs=True)
    changes = updates.up(chosen, yes, leave_out_github=without_github)
    for change in changes:
        OUT.print(change.sentence())
    OUT.print()
    _show(_found([change.stack for change in changes]))


@app.command()
def preview(
    names: _Stacks = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show each property that would change.")] = False,
) -> None:
    """Show what `up` would do, and what the policy pack says of it. Nothing is changed."""
    for stack in stacks.in_order(names or [Stack.VAULT, Stack.PROD], with_needs=False):
        stacks.preview(stack, ["--diff"] if diff else [])


@app.command()
def destroy(
    name: Annotated[Stack, typer.Argument(help="The stack.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Say what destroying a stack would lose, and destroy it if nothing in it is protected any more."""
    found = destruction.look(name)
    for sentence in found.sentences():
        SAY.print(sentence)
    if not found.protected and not yes:
        typer.confirm(f"Destroy {name}?", abort=True, err=True)
    destruction.destroy(found)


@app.command("set-aside")
def set_aside_database(
    name: Annotated[Stack, typer.Argument(help="The stack whose database has been overtaken.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Let a stack forget its database, which stays in AWS, so that one of another name can take its place."""
    found = detach_database.look(name)
    for sentence in found.sentences():
        SAY.print(sentence)
    if not yes:
        typer.confirm("Go on?", abort=True, err=True)
    detach_database.do(found)


@app.command()
def status(as_json: _Json = False) -> None:
    """Say what exists and where. Exit code 3 when production does not exist."""
    found = _found(list(Stack))
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        _show(found)
    if Stack.PROD not in found:
        raise typer.Exit(3)


@app.command("plan")
def show_plan(as_json: _Json = False) -> None:
    """Print what is promised: the recovery objectives, who decides, when the plan is activated."""
    promised = plan.load()
    if as_json:
        print(promised.model_dump_json(indent=2))
        return
    OUT.print(f"{promised.policy.title}, version {promised.policy.version}, effective {promised.policy.effective}")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("severity", "for example", "RTO", "RPO"):
        table.add_column(heading)
    for name, severity in promised.severities:
        table.add_row(name, severity.example, f"{severity.rto_hours} h", severity.rpo)
    OUT.print(table)
    for role in sorted(promised.roles, key=lambda role: role.authority):
        OUT.print(f"{role.authority}. {role.person} ({role.title}): {'; '.join(role.duties)}")
    OUT.print("The plan is activated when: " + "; ".join(promised.activation.when))


def _found(names: list[Stack]) -> dict[str, dict[str, Any]]:
    return {stack: found for stack in names if (found := stacks.outputs(stack)) is not None}


def _show(found: dict[str, dict[str, Any]]) -> None:
    if not found:
        OUT.print("nothing exists yet: `make up` brings production up")
        return
    print_rows(
        [
            (stack, name.replace("_", " "), _words(value))
            for stack, values in found.items()
            for name, value in values.items()
        ]
    )


def _words(value: Any) -> str:
    """One line for a person: a host is `name (location, state)`, a list its parts."""
    match value:
        case list():
            return ", ".join(map(_words, value))
        case {"name": name, **rest}:
            return f"{name} ({', '.join(map(str, rest.values()))})"
        case dict():
            return ", ".join(f"{key}: {_words(item)}" for key, item in value.items())
        case _:
            return str(value)


def main() -> None:
    """Run the command. What a person can put right ends as one message, not as a traceback."""
    try:
        app()
    except ContinuityError as error:
        SAY.print(f"continuity: {error}", style="red")
        sys.exit(error.code)
    except plan.PlanError as error:
        SAY.print(f"continuity: {error}", style="red")
        sys.exit(1)
