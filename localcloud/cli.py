"""Run emulators of AWS, Hetzner Cloud and GitHub on this machine, and use tools against them."""

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
from localcloud.runtime import machines, mails, process
from localcloud.runtime.environment import environment, exports, variables
from localcloud.runtime.recover import recover

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help=__doc__, rich_markup_mode=None, pretty_exceptions_enable=False
)
_console = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


@app.command()
def start() -> None:
    """Start the local cloud unless it runs, and print its addresses."""
    folder = Folder.find()
    running = _started(folder, quiet=False)
    _show(folder, running)


@app.command()
def stop() -> None:
    """Stop the local cloud. Its folder keeps the state of the clouds and stacks."""
    folder = Folder.find()
    _console.print("stopped" if process.stop(folder) else "not running")


@app.command()
def erase(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Stop the local cloud and delete its folder: the state of the three clouds and of the stacks."""
    folder = Folder.find()
    if folder.path.exists() and not yes:
        typer.confirm(f"Erase {folder.path}, with the state of its clouds and stacks?", abort=True)
    _console.print("erased" if process.erase(folder) else "nothing to erase")


@app.command()
def token(
    subject: Annotated[str, typer.Argument(help="The subject (`sub`) of the token.")],
    issuer: Annotated[
        str, typer.Option(help="The issuer (`iss`) of the token.")
    ] = "https://token.actions.githubusercontent.com",
    audience: Annotated[str, typer.Option(help="The audience (`aud`) of the token.")] = "sts.amazonaws.com",
) -> None:
    """Print an OIDC token like that of a workflow's job. Only this local cloud accepts it."""
    from localcloud.aws.iam.oidc_tokens import Issuers

    print(Issuers.of(Folder.find()).sign(issuer, {"sub": subject, "aud": audience}))


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the state of the local cloud: its addresses, hosts, load balancers, outages and sold-out types.

    The exit code is 3 if it does not run.
    """
    folder = Folder.find()
    running = folder.running()
    if as_json:
        print(json.dumps(_status(folder, running)))
    elif running is None:
        _console.print("the local cloud is not running; start it with `localcloud start`")
        _print_faults(folder)
    else:
        _show(folder, running)
    if running is None:
        raise typer.Exit(3)


@app.command()
def cut(
    targets: Annotated[
        list[str], typer.Argument(metavar="TARGET", help="The cloud or region to cut off.", show_default=False)
    ],
) -> None:
    """Simulate an outage of a cloud or an AWS region: calls get no answer, and their connection breaks.

    TARGET is `aws`, `hetzner`, `github`, or an AWS region such as `eu-central-1`. Several targets are allowed.

    The outage is in effect when this command returns, for running programs too. It lasts until `localcloud restore`,
    even if the local cloud restarts. No data is lost. If the local cloud is not running, the outage starts with it.

    A call needs the region that it is signed for and, in S3, the region of the bucket that it names. AWS copies nothing
    from or to a region that is cut off. Pending copies continue when the region is restored.

    \b
    Examples:
      localcloud cut eu-central-1     an outage of one AWS region
      localcloud cut aws github       an outage of two clouds
      localcloud status               list the outages
      localcloud restore --all        end all outages

    Each failed call has a line in `requests.jsonl` with `"cut": true`.
    """
    folder = Folder.find()
    done = outages.change(folder, "cut", targets)
    for target in dict.fromkeys(targets):
        if target not in done.changed:
            _console.print(f"{target} is already cut off")
        elif done.in_effect:
            _console.print(f"{target} is cut off: every call fails until `localcloud restore {target}`")
        else:
            _console.print(f"{target} will be cut off when the local cloud starts; it is not running")


@app.command()
def restore(
    targets: Annotated[
        list[str] | None, typer.Argument(metavar="TARGET", help="The cloud or region to restore.", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="End all outages.")] = False,
) -> None:
    """End an outage. The cloud or region has the same data as before.

    TARGET is a target of `localcloud cut`. A region answers only if neither it nor `aws` as a whole is cut off.
    """
    folder = Folder.find()
    if bool(targets) == everything:
        now = ", ".join(outages.recorded(folder)) or "nothing"
        raise LocalCloudError(f"give either targets or --all; cut off now: {now}")
    asked = list(dict.fromkeys(targets or outages.recorded(folder)))
    if not asked:
        _console.print("nothing is cut off")
        return
    done = outages.change(folder, "restore", asked)
    for target in asked:
        if target not in done.changed:
            _console.print(f"{target} is not cut off")
        elif done.in_effect:
            _console.print(f"{target} answers again")
        else:
            _console.print(f"{target} will answer again when the local cloud starts; it is not running")
    if "aws" in done.cut and not set(asked) <= {"hetzner", "github"}:
        _console.print(
            "aws is still cut off as a whole, with every region: run `localcloud restore aws`", style="yellow"
        )


@app.command("sell-out")
def sell_out(
    server_type: Annotated[str, typer.Argument(metavar="TYPE", help="A server type, such as `cx33`.")],
    location: Annotated[str, typer.Argument(metavar="LOCATION", help="A Hetzner location, such as `hel1`.")],
    silently: Annotated[
        bool, typer.Option("--silently", help="Still list it as available, but refuse to create servers.")
    ] = False,
) -> None:
    """Make a server type unavailable in a Hetzner location. Real shortages last from hours to weeks.

    The API lists the type as unavailable there. Creating a server of this type, or changing one to it, fails with
    `resource_unavailable`. With --silently the API still lists the type as available, which the real one does at times.
    Existing servers are not affected, and can be switched off and on.

    The shortage is in effect when this command returns. It lasts until `localcloud restock`, even if the local cloud
    restarts. If the local cloud is not running, the shortage starts with it.
    """
    folder = Folder.find()
    shortage = capacity.Shortage(server_type, location)
    changed, in_effect = capacity.sell_out(folder, shortage, "silently" if silently else "openly")
    if not changed:
        _console.print(f"{shortage} is already sold out")
    elif in_effect:
        _console.print(f"{shortage} is sold out, until `localcloud restock {server_type} {location}`")
    else:
        _console.print(f"{shortage} will be sold out when the local cloud starts; it is not running")


@app.command()
def restock(
    server_type: Annotated[str | None, typer.Argument(metavar="TYPE", show_default=False)] = None,
    location: Annotated[str | None, typer.Argument(metavar="LOCATION", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="End all shortages.")] = False,
) -> None:
    """Make a sold-out server type available again."""
    folder = Folder.find()
    noted = capacity.recorded(folder)
    if everything == bool(server_type) or bool(server_type) != bool(location):
        now = ", ".join(map(str, sorted(noted))) or "nothing"
        raise LocalCloudError(f"give either a type and a location, or --all; sold out now: {now}")
    asked = sorted(noted) if everything else [capacity.Shortage(server_type or "", location or "")]
    if not asked:
        _console.print("nothing is sold out")
        return
    changed, in_effect = capacity.restock(folder, asked)
    for shortage in asked:
        if shortage not in changed:
            _console.print(f"{shortage} is not sold out")
        elif in_effect:
            _console.print(f"{shortage} is available again")
        else:
            _console.print(f"{shortage} will be available again when the local cloud starts; it is not running")


@app.command()
def journal(
    host: Annotated[str, typer.Argument(help="The server's name.", show_default=False)],
    arguments: Annotated[
        list[str] | None, typer.Argument(help="Options of `journalctl`.", metavar="[JOURNALCTL OPTIONS]...")
    ] = None,
) -> None:
    """Print the journal of a host of the local Hetzner: its boot, unsupported parts of its user data, its units.

    \b
    Examples:
      localcloud journal api-1                        the whole journal
      localcloud journal api-1 -- --follow -u app     the future lines of a unit
      localcloud journal api-1 -- -o json -n 20       the last entries in journald's format
    """
    from localcloud.hosts.machine import journalctl

    place = machines.host_folder(Folder.find(), host)
    os.environ[process_tags.MACHINE] = str(place)
    with contextlib.suppress(KeyboardInterrupt):
        raise typer.Exit(journalctl.main(arguments or []))


@app.command("mails")
def show_mails(
    confirm: Annotated[bool, typer.Option("--confirm", help="Confirm pending subscriptions by email.")] = False,
) -> None:
    """Print the mails that the clouds have sent, one line each. With --confirm, confirm subscriptions instead.

    AWS sends an address nothing else until its holder has opened the link of the first mail.
    """
    folder = Folder.find()
    if confirm:
        for mail in mails.confirm(folder, _started(folder)):
            print(f"{mail['to']} receives the messages of {mail['topic']}")
        return
    for mail in mails.read(folder):
        print(f"{mail['at']} to {mail['to']}: {' '.join(mail['text'].split())}")


@app.command()
def env() -> None:
    """Print the environment for tools that use the local cloud: eval "$(localcloud env)"."""
    folder = Folder.find()
    engine = _engine(folder)
    print(exports(variables(folder, _started(folder), engine)))


@app.command(name="exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def execute(
    command: Annotated[list[str], typer.Argument(help="The command and its arguments.")],
) -> None:
    """Run a command against the local cloud, which is started if necessary. Return the command's exit code."""
    folder = Folder.find()
    engine = _engine(folder)
    led = environment(folder, _started(folder), engine)
    try:
        os.execvpe(command[0], command, led)
    except FileNotFoundError:
        raise LocalCloudError(f"{command[0]!r} is not on PATH") from None


@app.command()
def shell() -> None:
    """Open a shell in which `pulumi`, `hcloud` and every SDK use the local cloud."""
    folder = Folder.find()
    engine = _engine(folder)
    led = environment(folder, _started(folder), engine)
    program = os.environ.get("SHELL") or "/bin/sh"
    _console.print(f"a shell for the local cloud in {folder.path}; leave it with `exit`")
    os.execvpe(program, [program], led)


@app.command("recover")
def recover_command() -> None:
    """Recover from a killed `pulumi`: remove its lock, and resolve its pending operations."""
    folder = Folder.find()
    engine = _engine(folder)
    running = _started(folder)
    for done in recover(folder, running, environment(folder, running, engine), Path.cwd()):
        _console.print(done.sentence())


@app.command()
def engine() -> None:
    """Print the path of the engine: `pulumi` on PATH, or else a build from its source."""
    print(_engine(Folder.find()).pulumi)


@app.command(hidden=True)
def serve() -> None:
    """Run the local cloud in the foreground."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    from localcloud.runtime.serve import serve as run

    run(Folder.find())


def _engine(folder: Folder) -> Engine:
    return provide(_console, without=folder.bin)


def _started(folder: Folder, quiet: bool = True) -> Running:
    if folder.running() is None:
        _console.print("starting the local cloud")
    running, new = process.start(folder)
    if not new and not quiet:
        _console.print("already running")
    if new and quiet:  # otherwise the status follows, with the warnings
        _print_faults(folder)
    return running


def _status(folder: Folder, running: Running | None) -> dict[str, Any]:
    listening = {name: f"http://127.0.0.1:{port}" for name, port in running.ports.items()} if running else {}
    return {
        "running": running is not None,
        "pid": running.pid if running else None,
        "folder": str(folder.path),
        "clouds": listening,
        "cut": list(outages.recorded(folder)),
        "machines": [machine.__dict__ for machine in machines.machines(folder)],
        "sold_out": [
            {"type": one.server_type, "location": one.location, "kind": kind}
            for one, kind in sorted(capacity.recorded(folder).items())
        ],
    }


def _show(folder: Folder, running: Running) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("cloud")
    table.add_column("address")
    for name, port in running.ports.items():
        table.add_row(name, f"http://127.0.0.1:{port}")
    output = Console(highlight=False, soft_wrap=True, emoji=False)
    output.print(table)
    found = machines.machines(folder)
    if found:
        table = Table(box=None, pad_edge=False)
        for heading in ("machine", "name", "state", "address"):
            table.add_column(heading, no_wrap=True)
        for machine in found:
            table.add_row(machine.kind, machine.name, machine.state, machine.where)
        output.print()
        Console(highlight=False, emoji=False, width=max(output.width, 160)).print(table)
    _console.print(f"process {running.pid}; state, logs and requests are in {folder.path}")
    _print_faults(folder)


def _print_faults(folder: Folder) -> None:
    """Print the present outages and shortages: a forgotten one looks like a fault of a program."""
    noted = outages.recorded(folder)
    if noted:
        _console.print(
            f"cut off: {', '.join(noted)}; every call there fails until `localcloud restore --all`", style="yellow"
        )
    if sold_out := capacity.recorded(folder):
        types = ", ".join(
            f"{one}{' (silently)' if kind == 'silently' else ''}" for one, kind in sorted(sold_out.items())
        )
        _console.print(f"sold out: {types}; until `localcloud restock --all`", style="yellow")


def main() -> None:
    """Run the command. An error that the operator can fix is a sentence, not a traceback."""
    try:
        app()
    except LocalCloudError as error:
        _console.print(f"localcloud: {error}", style="red", markup=False)
        sys.exit(1)
