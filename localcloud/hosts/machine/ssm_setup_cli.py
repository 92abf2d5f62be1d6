"""`ssm-setup-cli` on a host of the local cloud: registers it with the local Systems Manager, and starts its agent.

Supported: `-register -activation-code CODE -activation-id ID -region REGION`, and options about the agent's source.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from localcloud.hosts.machine import ssm_agent

_VALUED = frozenset({"activation-code", "activation-id", "region", "artifacts-dir", "version", "env"})
_ALONE = frozenset({"register", "install", "shutdown", "override", "skip-signature-validation"})
_UNIT = """[Unit]
Description=Keeps the credentials of this host fresh
After=network-online.target

[Service]
ExecStart={python} -I {agent} run --state {state} --credentials {credentials}
KillMode=process
Restart=always
RestartSec=5

[Install]
WantedBy=multi-user.target
"""


def main(arguments: list[str]) -> int:
    given: dict[str, str] = {}
    words = list(arguments)
    while words:
        name, joined, value = words.pop(0).lstrip("-").partition("=")
        if name in _ALONE:
            given[name] = value or "true"
        elif name in _VALUED and (joined or words):
            given[name] = value if joined else words.pop(0)
        else:
            return _refuse(f"ssm-setup-cli: -{name} is not known here")
    missing = {"register", "activation-code", "activation-id", "region"} - given.keys()
    if missing:
        return _refuse(f"ssm-setup-cli: {', '.join(f'-{name}' for name in sorted(missing))} is missing")
    root = Path(os.environ["LOCALCLOUD_ROOT"])
    state = root / "var/lib/amazon/ssm/registration.json"
    credentials = Path(os.environ["HOME"]) / ".aws" / "credentials"
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    try:
        made = ssm_agent.register(endpoint, given["region"], given["activation-id"], given["activation-code"])
    except ssm_agent.SsmError as fault:
        return _refuse(f"ssm-setup-cli: {fault}")
    ssm_agent.save(made, state)
    unit = root / "etc/systemd/system/amazon-ssm-agent.service"
    unit.write_text(_UNIT.format(python=sys.executable, agent=ssm_agent.__file__, state=state, credentials=credentials))
    print(f"registered as {made.instance_id}")
    return subprocess.run(["systemctl", "enable", "--now", "amazon-ssm-agent"], check=False).returncode


def _refuse(said: str) -> int:
    print(said, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
