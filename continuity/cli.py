"""Keep the service running and recover it: each co-founder can do this alone."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from rich.table import Table

import plan
from continuity.changes import updates
from continuity.changes.destroy import destroy_stack, inspect_stack
from continuity.changes.detach_database import detach_database, find_superseded
from continuity.commands.access import access
from continuity.commands.bootstrap import bootstrap
from continuity.commands.copies import copies, nightly
from continuity.commands.cost import cost
from continuity.commands.delivery import bundle_commands, ci_commands, detect_drift
from continuity.commands.doctor import doctor
from continuity.commands.drill import drill_commands
from continuity.console import OUT, SAY, print_rows
from continuity.engine import pulumi_cli, stacks
from continuity.engine.stacks import Stack
from continuity.errors import ContinuityError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help=__doc__, rich_markup_mode=None, pretty_exceptions_enable=False
)
app.add_typer(drill_commands, name="drill")
app.add_typer(ci_commands, name="ci")
app.add_typer(bundle_commands, name="bundle")
app.command()(bootstrap)
app.command()(access)
app.command()(cost)
app.command()(copies)
app.command()(nightly)
app.command()(doctor)
app.command("drift")(detect_drift)

_Stacks = Annotated[list[Stack] | None, typer.Argument(help="The stacks. Default: vault and prod.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def up(
    names: _Stacks = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask after the preview.")] = False,
) -> None:
    """Create or update stacks, after the stacks that they need, with the policy pack. Then print their outputs.

    The preview comes first. Hetzner and AWS charge for the created resources.

    Example: continuity up prod
    """
    chosen = stacks.in_order(names or [Stack.VAULT, Stack.PROD], with_needs=True)
    changes = updates.up(chosen, yes)
    for change in changes:
        OUT.print(change.sentence())
    OUT.print()
    _show(_found([change.stack for change in changes]))


@app.command()
def preview(
    names: _Stacks = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show each property that would change.")] = False,
) -> None:
    """Show the steps of `up` and the results of the policy pack. Nothing is changed.

    Example: continuity preview prod --diff
    """
    for stack in stacks.in_order(names or [Stack.VAULT, Stack.PROD], with_needs=False):
        pulumi_cli.preview(stack, ["--diff"] if diff else [])


@app.command()
def destroy(
    name: Annotated[Stack, typer.Argument(help="The stack.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """List the data that a stack holds, and destroy the stack if none of its resources is protected.

    A stack with protected resources is left unchanged, and the message names the commands that remove protection.

    Example: continuity destroy dr
    """
    found = inspect_stack(name)
    for sentence in found.sentences():
        SAY.print(sentence)
    if not found.protected and not yes:
        typer.confirm(f"Destroy {name}?", abort=True, err=True)
    destroy_stack(found)


@app.command("set-aside")
def set_aside_database(
    name: Annotated[Stack, typer.Argument(help="The stack whose database is superseded.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a superseded database from a stack's state, so that `up` can create a new one under a different name.

    The database stays in AWS, with its backups, and AWS keeps charging for it until it is deleted by hand.

    Example: continuity set-aside prod
    """
    found = find_superseded(name)
    for sentence in found.sentences():
        SAY.print(sentence)
    if not yes:
        typer.confirm("Go on?", abort=True, err=True)
    detach_database(found)


@app.command()
def status(as_json: _Json = False) -> None:
    """Print the outputs of all stacks. Exit code 3 when production does not exist.

    Example: continuity status --json
    """
    found = _found(list(Stack))
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        _show(found)
    if Stack.PROD not in found:
        raise typer.Exit(3)


@app.command("plan")
def show_plan(as_json: _Json = False) -> None:
    """Print the plan: its recovery objectives, the people who decide, and its activation criteria.

    Example: continuity plan --json
    """
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
    return {stack: found for stack in names if (found := pulumi_cli.read_outputs(stack)) is not None}


def _show(found: dict[str, dict[str, Any]]) -> None:
    if not found:
        OUT.print("no stack exists yet: run `make up` to bring production up")
        return
    print_rows(
        [
            (stack, name.replace("_", " "), _format(value))
            for stack, values in found.items()
            for name, value in values.items()
        ]
    )


def _format(value: Any) -> str:
    """Format an output on one line. A host is `name (location, state)`."""
    match value:
        case list():
            return ", ".join(map(_format, value))
        case {"name": name, **rest}:
            return f"{name} ({', '.join(map(str, rest.values()))})"
        case dict():
            return ", ".join(f"{key}: {_format(item)}" for key, item in value.items())
        case _:
            return str(value)


def main() -> None:
    """Run the command. An error that the operator can correct ends with one message, not with a traceback."""
    try:
        app()
    except ContinuityError as error:
        SAY.print(f"continuity: {error}", style="red")
        sys.exit(error.code)
    except plan.PlanError as error:
        SAY.print(f"continuity: {error}", style="red")
        sys.exit(1)
