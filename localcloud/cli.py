"""`localcloud`: start, stop, look at and work in three clouds in miniature on this machine."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from localcloud import process
from localcloud.engine.provide import Engine, provide
from localcloud.environment import environment, exports, variables
from localcloud.folder import Folder, LocalCloudError, Running
from localcloud.recover import recover

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help=__doc__, rich_markup_mode=None, pretty_exceptions_enable=False
)
_say = Console(stderr=True, highlight=False, soft_wrap=True)


@app.command()
def start() -> None:
    """Start the local cloud, if it does not run, and say where it listens."""
    folder = Folder.find()
    running = _started(folder, say_nothing_new=False)
    _show(folder, running)


@app.command()
def stop() -> None:
    """Stop the local cloud. What its clouds and stacks hold stays in its folder."""
    folder = Folder.find()
    _say.print("stopped" if process.stop(folder) else "it did not run")


@app.command()
def erase(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Stop the local cloud and forget everything in it: the three clouds, and the stacks' state."""
    folder = Folder.find()
    if folder.path.exists() and not yes:
        typer.confirm(f"Erase {folder.path}, with all that its clouds and stacks hold?", abort=True)
    _say.print("erased" if process.erase(folder) else "there was nothing to erase")


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say whether the local cloud runs, and where. Exit code 3 when it does not."""
    folder = Folder.find()
    running = folder.running()
    if as_json:
        print(json.dumps(_status(folder, running)))
    elif running is None:
        _say.print("the local cloud does not run; `localcloud start` starts it")
    else:
        _show(folder, running)
    if running is None:
        raise typer.Exit(3)


@app.command()
def env() -> None:
    """Print the environment in which tools work against the local cloud: eval "$(localcloud env)"."""
    folder = Folder.find()
    engine = _engine(folder)
    print(exports(variables(folder, _started(folder), engine)))


@app.command(name="exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def execute(
    command: Annotated[list[str], typer.Argument(help="The command and its arguments.")],
) -> None:
    """Run one command against the local cloud, started first if need be; its exit code is this one's."""
    folder = Folder.find()
    engine = _engine(folder)
    led = environment(folder, _started(folder), engine)
    try:
        os.execvpe(command[0], command, led)
    except FileNotFoundError:
        raise LocalCloudError(f"there is no program {command[0]!r} on PATH") from None


@app.command()
def shell() -> None:
    """Open a shell in which `pulumi`, `hcloud` and every SDK work against the local cloud."""
    folder = Folder.find()
    engine = _engine(folder)
    led = environment(folder, _started(folder), engine)
    program = os.environ.get("SHELL") or "/bin/sh"
    _say.print(f"a shell in the local cloud ({folder.path}); leave it with `exit`")
    os.execvpe(program, [program], led)


@app.command("recover")
def recover_command() -> None:
    """Make good what a killed `pulumi` left behind: its lock, and what it was just making."""
    folder = Folder.find()
    engine = _engine(folder)
    running = _started(folder)
    for done in recover(folder, running, environment(folder, running, engine), Path.cwd()):
        _say.print(done.sentence())


@app.command()
def engine() -> None:
    """Get the engine ready: the `pulumi` on PATH, else a build of its source. Prints where it is."""
    print(_engine(Folder.find()).pulumi)


@app.command(hidden=True)
def serve() -> None:
    """Run the local cloud in the foreground."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    from localcloud.serve import serve as run

    run(Folder.find())


def _engine(folder: Folder) -> Engine:
    return provide(_say, without=folder.bin)


def _started(folder: Folder, say_nothing_new: bool = True) -> Running:
    if folder.running() is None:
        _say.print("starting the local cloud")
    running, new = process.start(folder)
    if not new and not say_nothing_new:
        _say.print("it runs already")
    return running


def _status(folder: Folder, running: Running | None) -> dict[str, Any]:
    listening = {name: f"http://127.0.0.1:{port}" for name, port in running.ports.items()} if running else {}
    return {
        "running": running is not None,
        "pid": running.pid if running else None,
        "folder": str(folder.path),
        "clouds": listening,
    }


def _show(folder: Folder, running: Running) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("cloud")
    table.add_column("listens at")
    for name, port in running.ports.items():
        table.add_row(name, f"http://127.0.0.1:{port}")
    Console(highlight=False, soft_wrap=True).print(table)
    _say.print(f"process {running.pid}; what it holds, says and was asked is in {folder.path}")


def main() -> None:
    """Errors that a person can mend are a sentence, not a trace."""
    try:
        app()
    except LocalCloudError as error:
        _say.print(f"localcloud: {error}", style="red", markup=False)
        sys.exit(1)
