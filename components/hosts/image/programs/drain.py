"""Takes this host out of rotation, or back into it, by HAProxy's own switch.

While the switch is off, HAProxy answers the load balancers' health check with 503 and goes on serving requests, so that
after `--seconds` no load balancer sends any more. Nothing is forgotten by a host that restarts: HAProxy starts with the
switch on.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import sys
import time

SWITCH = "switch/serving"
PATIENCE_SECONDS = 5.0


def command(path: str, text: str) -> str:
    """What HAProxy answers to a command; nothing means that it did as it was told.

    Raises:
        OSError: it does not listen there, or does not answer.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(2.0)
        connection.connect(path)
        connection.sendall(f"{text}\n".encode())
        answer = b""
        while part := connection.recv(4096):
            answer += part
    return answer.decode(errors="replace").strip()


def turn(path: str, state: str, patience: float) -> bool:
    """Whether the switch is now in that state: `ready` or `maint`. HAProxy may only just be starting."""
    deadline = time.monotonic() + patience
    while True:
        try:
            answer = command(path, f"set server {SWITCH} state {state}")
        except OSError as error:
            answer = str(error)
        if not answer:
            return True
        if time.monotonic() >= deadline:
            print(f"the switch could not be set to {state}: {answer}", file=sys.stderr)
            return False
        time.sleep(0.1)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Takes this host out of rotation, or back into it.")
    parser.add_argument("--socket", required=True, help="HAProxy's stats socket")
    what = parser.add_subparsers(dest="what", required=True)
    what.add_parser("serve", help="take requests")
    drain = what.add_parser("drain", help="take none any more, and wait until load balancers know")
    drain.add_argument("--seconds", type=float, required=True, help="how long they need for it")
    asked = parser.parse_args(arguments)

    if asked.what == "serve":
        return 0 if turn(asked.socket, "ready", PATIENCE_SECONDS) else 1
    # An HAProxy that is not there serves nobody, so there is nothing to wait for, and stopping goes on.
    if turn(asked.socket, "maint", 0.5):
        print(f"draining for {asked.seconds:g} s", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            time.sleep(asked.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
