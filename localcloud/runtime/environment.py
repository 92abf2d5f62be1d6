"""Environment in which every tool uses the local cloud instead of the real clouds.

It has nothing specific to botBrains, and no program has anything specific to it. The engine, its official plugins, the
clouds' own command lines and every SDK read endpoints and credentials from these variables.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from localcloud.engine.provide import Engine, cache
from localcloud.instance.folder import Folder, LocalCloudError, Running
from localcloud.instance.state import write_atomically
from localcloud.network.ports import local_port
from localcloud.runtime import machines

IAM_VARIABLE = "LOCALCLOUD_IAM"
GITHUB_PLAN_VARIABLE = "LOCALCLOUD_GITHUB_PLAN"
SERVERS_VARIABLE = "LOCALCLOUD_HETZNER_SERVERS"
STAND_INS = ("aws", "hcloud", "github")
PLUGINS_VARIABLE = "LOCALCLOUD_PLUGINS"

# Variables that would lead a tool past the local cloud, to a real account or through a proxy.
_MISLEADING = (
    "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "HCLOUD_CONTEXT", "GITHUB_OWNER", "GITHUB_ORGANIZATION", "GITHUB_APP_ID", "GH_TOKEN",
    "PGHOST", "PGHOSTADDR", "PGPASSWORD", "PGPASSFILE", "PGPORT", "PGSERVICE", "PGSERVICEFILE", "PGUSER",
    "PULUMI_ACCESS_TOKEN", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_STACK",
)  # fmt: skip


def variables(folder: Folder, running: Running, engine: Engine) -> dict[str, str]:
    """Return the variables to set. The running local cloud determines the ports."""
    credentials = folder.credentials()
    official = official_plugins(os.environ)
    _write_programs(folder, engine, official)
    nothing = str(folder.path / "none")  # a file that does not exist, so that the user's own configuration is not read
    path = [folder.bin, engine.pulumi.parent, Path(sys.executable).parent]
    set_here = {
        "LOCALCLOUD_FOLDER": str(folder.path),
        "PULUMI_HOME": str(_home(folder, official)),
        "PULUMI_BACKEND_URL": f"file://{folder.backend}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(folder.passphrase_file),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{running.ports['aws']}",
        "AWS_ACCESS_KEY_ID": credentials.aws_access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.aws_secret_access_key,
        "AWS_CONFIG_FILE": nothing,
        "AWS_SHARED_CREDENTIALS_FILE": nothing,
        "AWS_EC2_METADATA_DISABLED": "true",
        # The certificates that PostgreSQL's clients verify a server with. At AWS this is the bundle that RDS publishes.
        "PGSSLROOTCERT": str(folder.databases / "site" / "ca.pem"),
        "PGSSLMODE": "verify-full",
        # The certificates that all other TLS clients trust: the local cloud issues those of the load balancers. Some
        # clients first read their own variable.
        **dict.fromkeys(
            ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"), str(machines.trusted_certificates(folder))
        ),
        "HTTPS_PORT": str(local_port(443)),
        "HCLOUD_ENDPOINT": f"http://127.0.0.1:{running.ports['hetzner']}/v1",
        "HCLOUD_TOKEN": credentials.hcloud_token,
        "HCLOUD_CONFIG": nothing,
        "GITHUB_BASE_URL": f"http://127.0.0.1:{running.ports['github']}/",
        "GITHUB_TOKEN": credentials.github_token,
        "PATH": os.pathsep.join(dict.fromkeys([*map(str, path), *os.environ.get("PATH", "").split(os.pathsep)])),
    }
    if not official:
        set_here["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
    for proxy in ("NO_PROXY", "no_proxy"):
        set_here[proxy] = ",".join(filter(None, [os.environ.get(proxy), "127.0.0.1", "localhost"]))
    folder.backend.mkdir(parents=True, exist_ok=True)
    return set_here


def environment(folder: Folder, running: Running, engine: Engine) -> dict[str, str]:
    """This process's environment, changed to use the local cloud."""
    kept = {key: value for key, value in os.environ.items() if key not in _MISLEADING}
    return {**kept, **variables(folder, running, engine)}


def exports(set_here: Mapping[str, str]) -> str:
    """Format the variables as lines for a shell."""
    lines = [f"unset {' '.join(_MISLEADING)}", *(f"export {key}={shlex.quote(set_here[key])}" for key in set_here)]
    return "\n".join(lines)


def official_plugins(environ: Mapping[str, str]) -> bool:
    """Whether to use the real provider plugins, which the machine must be able to download."""
    asked = environ.get(PLUGINS_VARIABLE, "stand-in")
    if asked not in ("stand-in", "official"):
        raise LocalCloudError(f"{PLUGINS_VARIABLE} is {asked!r}; allowed: stand-in (the default), official")
    return asked == "official"


def enforces_iam(environ: Mapping[str, str]) -> bool:
    """Whether the local AWS enforces the policies of users and roles."""
    asked = environ.get(IAM_VARIABLE, "off")
    if asked not in ("on", "off"):
        raise LocalCloudError(f"{IAM_VARIABLE} is {asked!r}; allowed: on, off (the default)")
    return asked == "on"


def github_plan(environ: Mapping[str, str]) -> str:
    """The plan of the local GitHub's organisations."""
    asked = environ.get(GITHUB_PLAN_VARIABLE, "team")
    if asked not in ("free", "team", "enterprise"):
        raise LocalCloudError(f"{GITHUB_PLAN_VARIABLE} is {asked!r}; allowed: free, team (the default), enterprise")
    return asked


def server_limit(environ: Mapping[str, str]) -> int | None:
    """The most servers of the local Hetzner. None: no limit."""
    asked = environ.get(SERVERS_VARIABLE)
    if asked is not None and not asked.isdecimal():
        raise LocalCloudError(f"{SERVERS_VARIABLE} is {asked!r}; allowed: a number, and nothing for no limit")
    return None if asked is None else int(asked)


def _home(folder: Folder, official: bool) -> Path:
    """The engine's own folder with its plugins: the stand-ins, or the real ones, which it downloads once."""
    return cache() / "pulumi-home" if official else folder.path / "pulumi-home"


def _write_programs(folder: Folder, engine: Engine, official: bool) -> None:
    """Write `pulumi`, first on PATH, and the stand-ins, in the folder of installed plugins."""
    here = Path(__file__).parents[1]
    # -I -S: skip the site-packages of user and project, so that the programs start at once.
    python = f"{shlex.quote(sys.executable)} -I -S"
    state = shlex.quote(str(folder.path))
    shim, script = shlex.quote(str(here / "engine" / "shim.py")), shlex.quote(str(here / "plugins" / "standin.py"))
    programs = {folder.bin / "pulumi": f"{python} {shim} {state} {shlex.quote(str(engine.pulumi))}"}
    if not official:
        for name in STAND_INS:
            # The engine uses the version that the program's SDK requires.
            plugin = f"plugins/resource-{name}-v{version(f'pulumi-{name}')}/pulumi-resource-{name}"
            programs[_home(folder, official) / plugin] = f"{python} {script} {state} {name}"
    for file, command in programs.items():
        content = f'#!/bin/sh\nexec {command} "$@"\n'.encode()
        if not file.exists() or file.read_bytes() != content:
            write_atomically(file, content, mode=0o755)
