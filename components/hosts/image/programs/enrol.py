"""Enrols this host with AWS Systems Manager, once. The agent then keeps short-lived credentials in /root/.aws.

The activation is good for one host and for a day. Its file is deleted as soon as it is used up, so a host that has none
is enrolled, and starts without asking anybody.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

TOOL = "ssm-setup-cli"
# Where AWS publishes it for Debian (docs.aws.amazon.com, Systems Manager, hybrid activations, Linux).
DOWNLOAD = "https://amazon-ssm-{region}.s3.{region}.amazonaws.com/latest/debian_amd64/ssm-setup-cli"
ATTEMPTS = 10
PAUSE_SECONDS = 10.0


def register(file: Path, folder: Path) -> None:
    """Enrol with what `file` says; `folder` is where the tool is downloaded to, if it has to be.

    Raises:
        OSError, subprocess.SubprocessError: it could not be done now.
    """
    said = json.loads(file.read_text(encoding="utf-8"))
    tool = shutil.which(TOOL) or _download(said["region"], folder)
    subprocess.run(
        [
            tool,
            "-register",
            *("-activation-code", said["activation_code"]),
            *("-activation-id", said["activation_id"]),
            *("-region", said["region"]),
        ],
        check=True,
        timeout=300,
    )


def _download(region: str, folder: Path) -> str:
    """AWS's own tool, from the bucket of its own region. The agent's package, which it installs, is signed."""
    path = folder / TOOL
    with urllib.request.urlopen(DOWNLOAD.format(region=region), timeout=60) as answer, path.open("wb") as target:  # noqa: S310
        shutil.copyfileobj(answer, target)
    path.chmod(stat.S_IRWXU)
    return str(path)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Enrols this host with AWS Systems Manager, once.")
    parser.add_argument("--file", type=Path, required=True, help="the activation, as JSON; deleted when it is used up")
    parser.add_argument("--pause-seconds", type=float, default=PAUSE_SECONDS, help="between two attempts")
    asked = parser.parse_args(arguments)

    for attempt in range(ATTEMPTS):
        if not asked.file.exists():
            print("enrolled already", flush=True)
            return 0
        if attempt:
            time.sleep(asked.pause_seconds)
        try:
            with tempfile.TemporaryDirectory() as folder:
                register(asked.file, Path(folder))
        except subprocess.SubprocessError as error:
            # Its text has the whole command in it, and so the activation code.
            status = error.returncode if isinstance(error, subprocess.CalledProcessError) else "none, it took too long"
            print(f"{TOOL} failed; its status: {status}", file=sys.stderr, flush=True)
        except OSError as error:
            print(f"not enrolled yet: {error}", file=sys.stderr, flush=True)
        else:
            os.unlink(asked.file)
            print("enrolled", flush=True)
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
