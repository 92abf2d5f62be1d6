"""The environment in which every tool works against the local cloud instead of the real ones.

Nothing of botBrains is in it, and nothing of it is in a program: the engine, its official plugins, the clouds' own
command lines and every SDK look for endpoints and credentials in these variables.
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
STAND_INS = ("aws", "hcloud", "github")
PLUGINS_VARIABLE = "LOCALCLOUD_PLUGINS"

# What would lead a tool past the local cloud, to a real account or through a proxy.
_MISLEADING = (
    "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "HCLOUD_CONTEXT", "GITHUB_OWNER", "GITHUB_ORGANIZATION", "GITHUB_APP_ID", "GH_TOKEN",
    "PGHOST", "PGHOSTADDR", "PGPASSWORD", "PGPASSFILE", "PGPORT", "PGSERVICE", "PGSERVICEFILE", "PGUSER",
    "PULUMI_ACCESS_TOKEN", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_STACK",
)  # fmt: skip


def variables(folder: Folder, running: Running, engine: Engine) -> dict[str, str]:
    """What to set. Needs the running local cloud for its ports."""
    credentials = folder.credentials()
    official = official_plugins(os.environ)
    _write_programs(folder, engine, official)
    nothing = str(folder.path / "none")  # a file that does not exist: no configuration of the person's own is read
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
        # What PostgreSQL's clients verify a server by. At AWS this is the bundle of authorities that RDS publishes.
        "PGSSLROOTCERT": str(folder.databases / "site" / "ca.pem"),
        "PGSSLMODE": "verify-full",
        # Whom every other client of TLS trusts: the load balancers' certificates are the local cloud's own.
        # Some of them ask a variable of their own first.
        **dict.fromkeys(("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"), str(machines.trust(folder))),
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
    """This process's environment, led to the local cloud."""
    kept = {key: value for key, value in os.environ.items() if key not in _MISLEADING}
    return {**kept, **variables(folder, running, engine)}


def exports(set_here: Mapping[str, str]) -> str:
    """The same as lines for a shell."""
    lines = [f"unset {' '.join(_MISLEADING)}", *(f"export {key}={shlex.quote(set_here[key])}" for key in set_here)]
    return "\n".join(lines)


def official_plugins(environ: Mapping[str, str]) -> bool:
    """Whether the real provider plugins are asked for, which a machine has to be able to download."""
    asked = environ.get(PLUGINS_VARIABLE, "stand-in")
    if asked not in ("stand-in", "official"):
        raise LocalCloudError(f"{PLUGINS_VARIABLE} is {asked!r}; allowed: stand-in (the default), official")
    return asked == "official"


def enforces_iam(environ: Mapping[str, str]) -> bool:
    """Whether the local AWS holds users and roles to their policies."""
    asked = environ.get(IAM_VARIABLE, "off")
    if asked not in ("on", "off"):
        raise LocalCloudError(f"{IAM_VARIABLE} is {asked!r}; allowed: on, off (the default)")
    return asked == "on"


def _home(folder: Folder, official: bool) -> Path:
    """The engine's own folder, in which it finds plugins: our stand-ins, or the real ones that it downloads once."""
    return cache() / "pulumi-home" if official else folder.path / "pulumi-home"


def _write_programs(folder: Folder, engine: Engine, official: bool) -> None:
    """`pulumi`, first on PATH, and the stand-ins, where the engine keeps the plugins that it has installed."""
    here = Path(__file__).parents[1]
    # -I -S: neither the person's site-packages nor the project's are read, so that they start at once.
    python = f"{shlex.quote(sys.executable)} -I -S"
    state = shlex.quote(str(folder.path))
    shim, script = shlex.quote(str(here / "engine" / "shim.py")), shlex.quote(str(here / "plugins" / "standin.py"))
    programs = {folder.bin / "pulumi": f"{python} {shim} {state} {shlex.quote(str(engine.pulumi))}"}
    if not official:
        for name in STAND_INS:
            # The engine takes the version that the program's SDK asks for.
            plugin = f"plugins/resource-{name}-v{version(f'pulumi-{name}')}/pulumi-resource-{name}"
            programs[_home(folder, official) / plugin] = f"{python} {script} {state} {name}"
    for file, command in programs.items():
        content = f'#!/bin/sh\nexec {command} "$@"\n'.encode()
        if not file.exists() or file.read_bytes() != content:
            write_atomically(file, content, mode=0o755)
