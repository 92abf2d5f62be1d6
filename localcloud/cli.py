"""`localcloud`: start, stop, look at and work in three clouds in miniature on this machine."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from localcloud.engine.provide import Engine, provide
from localcloud.faults import capacity, outages
from localcloud.instance import process_tags
from localcloud.instance.folder import Folder, LocalCloudError, Running
from localcloud.runtime import machines, process
from localcloud.runtime.environment import environment, exports, variables
from localcloud.runtime.recover import recover

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help=__doc__, rich_markup_mode=None, pretty_exceptions_enable=False
)
_say = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


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
def token(
    subject: Annotated[str, typer.Argument(help="Whose it is: the `sub` of the token.")],
    issuer: Annotated[str, typer.Option(help="Who signs it.")] = "https://token.actions.githubusercontent.com",
    audience: Annotated[str, typer.Option(help="Whom it is for.")] = "sts.amazonaws.com",
) -> None:
    """Print an identity token, as an issuer would sign it for a workflow's job. Only this local cloud takes it."""
    from localcloud.aws.iam.oidc_tokens import Issuers

    print(Issuers.of(Folder.find()).sign(issuer, {"sub": subject, "aud": audience}))


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say whether the local cloud runs, where, how hosts and load balancers fare, and what is cut off or sold out.

    Exit code 3 when it does not run.
    """
    folder = Folder.find()
    running = folder.running()
    if as_json:
        print(json.dumps(_status(folder, running)))
    elif running is None:
        _say.print("the local cloud does not run; `localcloud start` starts it")
        _warn_of_cuts(folder)
    else:
        _show(folder, running)
    if running is None:
        raise typer.Exit(3)


@app.command()
def cut(
    targets: Annotated[list[str], typer.Argument(metavar="TARGET", help="What to cut off.", show_default=False)],
) -> None:
    """Cut off a cloud, or a region of AWS, as an outage would: calls there get no answer, and their connection breaks.

    TARGET is `aws`, `hetzner`, `github`, or a region of AWS such as `eu-central-1`; several may be named.

    It is in force when this command returns, also for programs that run already, and until `localcloud restore`,
    whatever is stopped and started meanwhile. Nothing is lost: what is there comes back as it was. If the local cloud
    does not run, its next start honours it.

    A call needs the region that it is signed for and, in S3, the region of the bucket that it names. Inside AWS nothing
    is copied from or to a region that is cut off; what waits is copied when the region is back.

    \b
    Examples:
      localcloud cut eu-central-1     Germany is gone, everything else answers
      localcloud cut aws github       two clouds at once
      localcloud status               what is cut off now
      localcloud restore --all        the outage is over

    Every call that was cut off has a line in `requests.jsonl` with `"cut": true`.
    """
    folder = Folder.find()
    done = outages.change(folder, "cut", targets)
    for target in dict.fromkeys(targets):
        if target not in done.changed:
            _say.print(f"{target} is cut off already")
        elif done.in_force:
            _say.print(f"{target} is cut off: every call there breaks, until `localcloud restore {target}`")
        else:
            _say.print(f"{target} is cut off as soon as the local cloud starts; it does not run")


@app.command()
def restore(
    targets: Annotated[
        list[str] | None, typer.Argument(metavar="TARGET", help="What to restore.", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Restore all that is cut off.")] = False,
) -> None:
    """Let calls to what was cut off through again. It has all that it had.

    TARGET is what `localcloud cut` was given. A region answers only if neither it nor all of `aws` is cut off.
    """
    folder = Folder.find()
    if bool(targets) == everything:
        now = ", ".join(outages.noted(folder)) or "nothing"
        raise LocalCloudError(f"name what to restore, or give --all, and not both; {now} is cut off")
    asked = list(dict.fromkeys(targets or outages.noted(folder)))
    if not asked:
        _say.print("nothing is cut off")
        return
    done = outages.change(folder, "restore", asked)
    for target in asked:
        if target not in done.changed:
            _say.print(f"{target} is not cut off")
        elif done.in_force:
            _say.print(f"{target} answers again")
        else:
            _say.print(f"{target} answers again as soon as the local cloud starts; it does not run")
    if "aws" in done.cut and not set(asked) <= {"hetzner", "github"}:
        _say.print("all of aws is cut off, and every region with it: `localcloud restore aws`", style="yellow")


@app.command("sell-out")
def sell_out(
    server_type: Annotated[str, typer.Argument(metavar="TYPE", help="A type of server, such as `cx33`.")],
    location: Annotated[str, typer.Argument(metavar="LOCATION", help="A location of Hetzner, such as `hel1`.")],
    silently: Annotated[bool, typer.Option("--silently", help="Go on offering it, and refuse who takes it.")] = False,
) -> None:
    """Let Hetzner run out of a type of server in a location, as it happens for hours and weeks.

    Its list of types says that the type is not available there, and no server of it can be made or become one: the API
    answers `resource_unavailable`. With --silently the list goes on offering it, as the real one does now and then.
    Servers that exist are not touched, and can be switched off and on.

    It is in force when this command returns, and until `localcloud restock`, whatever is stopped and started meanwhile.
    If the local cloud does not run, its next start honours it.
    """
    folder = Folder.find()
    shortage = capacity.Shortage(server_type, location)
    changed, in_force = capacity.sell_out(folder, shortage, "silently" if silently else "openly")
    if not changed:
        _say.print(f"{shortage} is sold out already")
    elif in_force:
        _say.print(f"{shortage} is sold out, until `localcloud restock {server_type} {location}`")
    else:
        _say.print(f"{shortage} is sold out as soon as the local cloud starts; it does not run")


@app.command()
def restock(
    server_type: Annotated[str | None, typer.Argument(metavar="TYPE", show_default=False)] = None,
    location: Annotated[str | None, typer.Argument(metavar="LOCATION", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="Restock all that is sold out.")] = False,
) -> None:
    """Let what was sold out be had again."""
    folder = Folder.find()
    noted = capacity.noted(folder)
    if everything == bool(server_type) or bool(server_type) != bool(location):
        now = ", ".join(map(str, sorted(noted))) or "nothing"
        raise LocalCloudError(f"name a type and a location, or give --all, and not both; {now} is sold out")
    asked = sorted(noted) if everything else [capacity.Shortage(server_type or "", location or "")]
    if not asked:
        _say.print("nothing is sold out")
        return
    changed, in_force = capacity.restock(folder, asked)
    for shortage in asked:
        if shortage not in changed:
            _say.print(f"{shortage} is not sold out")
        elif in_force:
            _say.print(f"{shortage} can be had again")
        else:
            _say.print(f"{shortage} can be had again as soon as the local cloud starts; it does not run")


@app.command()
def journal(
    host: Annotated[str, typer.Argument(help="The server's name.", show_default=False)],
    arguments: Annotated[
        list[str] | None, typer.Argument(help="What `journalctl` is given besides.", metavar="[JOURNALCTL OPTIONS]...")
    ] = None,
) -> None:
    """Print what a host of the local Hetzner said: its boot, what of its user data is not done here, its units.

    \b
    Examples:
      localcloud journal api-1                        all of it
      localcloud journal api-1 -- --follow -u app     what a unit says from now on
      localcloud journal api-1 -- -o json -n 20       the last entries as journald has them
    """
    from localcloud.hosts.machine import journalctl

    place = machines.host_folder(Folder.find(), host)
    os.environ[process_tags.MACHINE] = str(place)
    with contextlib.suppress(KeyboardInterrupt):
        raise typer.Exit(journalctl.main(arguments or []))


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
    from localcloud.runtime.serve import serve as run

    run(Folder.find())


def _engine(folder: Folder) -> Engine:
    return provide(_say, without=folder.bin)


def _started(folder: Folder, say_nothing_new: bool = True) -> Running:
    if folder.running() is None:
        _say.print("starting the local cloud")
    running, new = process.start(folder)
    if not new and not say_nothing_new:
        _say.print("it runs already")
    if new and say_nothing_new:  # else it is shown with the rest
        _warn_of_cuts(folder)
    return running


def _status(folder: Folder, running: Running | None) -> dict[str, Any]:
    listening = {name: f"http://127.0.0.1:{port}" for name, port in running.ports.items()} if running else {}
    return {
        "running": running is not None,
        "pid": running.pid if running else None,
        "folder": str(folder.path),
        "clouds": listening,
        "cut": list(outages.noted(folder)),
        "machines": [machine.__dict__ for machine in machines.machines(folder)],
        "sold_out": [
            {"type": one.server_type, "location": one.location, "kind": kind}
            for one, kind in sorted(capacity.noted(folder).items())
        ],
    }


def _show(folder: Folder, running: Running) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("cloud")
    table.add_column("listens at")
    for name, port in running.ports.items():
        table.add_row(name, f"http://127.0.0.1:{port}")
    say = Console(highlight=False, soft_wrap=True, emoji=False)
    say.print(table)
    found = machines.machines(folder)
    if found:
        table = Table(box=None, pad_edge=False)
        for heading in ("machine", "name", "state", "where"):
            table.add_column(heading, no_wrap=True)
        for machine in found:
            table.add_row(machine.kind, machine.name, machine.state, machine.where)
        say.print()
        Console(highlight=False, emoji=False, width=max(say.width, 160)).print(table)
    _say.print(f"process {running.pid}; what it holds, says and was asked is in {folder.path}")
    _warn_of_cuts(folder)


def _warn_of_cuts(folder: Folder) -> None:
    """Whoever forgot an outage of theirs takes it for a fault of something else."""
    noted = outages.noted(folder)
    if noted:
        _say.print(
            f"cut off: {', '.join(noted)}; every call there breaks, until `localcloud restore --all`", style="yellow"
        )
    if sold_out := capacity.noted(folder):
        said = ", ".join(
            f"{one}{' (silently)' if kind == 'silently' else ''}" for one, kind in sorted(sold_out.items())
        )
        _say.print(f"sold out: {said}; until `localcloud restock --all`", style="yellow")


def main() -> None:
    """Errors that a person can mend are a sentence, not a trace."""
    try:
        app()
    except LocalCloudError as error:
        _say.print(f"localcloud: {error}", style="red", markup=False)
        sys.exit(1)
