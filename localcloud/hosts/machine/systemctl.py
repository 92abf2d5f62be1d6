"""`systemctl` on a host of the local cloud: it sends the request to the host's first process.

Supported: daemon-reload, enable [--now], disable [--now], start, stop, restart (and reload-or-restart), poweroff and
is-active. Anything else is refused.
"""

from __future__ import annotations

import json
import os
import socket
import sys

_VERBS = (
    "daemon-reload", "enable", "disable", "start", "stop", "restart", "reload-or-restart", "try-restart", "is-active",
    "poweroff",
)  # fmt: skip
_OPTIONS = ("--now", "--quiet", "-q", "--no-block", "--no-pager", "--system")


def main(arguments: list[str]) -> int:
    options = [word for word in arguments if word.startswith("-")]
    words = [word for word in arguments if not word.startswith("-")]
    unknown = [word for word in options if word not in _OPTIONS]
    if unknown or not words or words[0] not in _VERBS:
        print(f"systemctl: {' '.join(arguments)} is not done here", file=sys.stderr)
        return 1
    verb, units = words[0], words[1:]
    request = {"verb": verb, "units": units, "now": "--now" in options}
    with socket.socket(socket.AF_UNIX) as asked:
        asked.connect(f"{os.environ['LOCALCLOUD_RUN']}/systemd.sock")
        asked.sendall(json.dumps(request).encode() + b"\n")
        if "--no-block" in options:
            return 0
        answer = json.loads(asked.makefile().readline() or "{}")
    for said in answer.get("wrong", {}).values():
        print(said, file=sys.stderr)
    if verb == "is-active":
        states = list(answer["states"].values())
        if "--quiet" not in options and "-q" not in options:
            print("\n".join(states))
        return 0 if "active" in states else 3
    return 1 if answer.get("wrong") else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
