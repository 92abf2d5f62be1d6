"""The program that the engine starts as `pulumi-resource-NAME`. It requests a plugin from the running local cloud.

    standin.py STATE_FOLDER NAME [anything the engine adds]

It imports only the standard library, because every command starts it once for each provider.
"""

import json
import os
import socket
import sys

# The official plugins read credentials and endpoints from these variables. No other variable is passed on.
_PREFIXES = ("AWS_", "HCLOUD_", "GITHUB_")


def main() -> int:
    folder, name = sys.argv[1:3]
    try:
        with open(os.path.join(folder, "running.json"), encoding="utf-8") as file:
            running = json.load(file)
        connection = socket.create_connection(("127.0.0.1", running["broker_port"]))
    except (OSError, ValueError):
        print("the local cloud is not running: start it with `make start`", file=sys.stderr)
        return 1
    question = {
        "secret": running["secret"],
        "plugin": name,
        "environment": {key: value for key, value in os.environ.items() if key.startswith(_PREFIXES)},
    }
    connection.sendall(json.dumps(question).encode() + b"\n")
    stream = connection.makefile("rb")
    answer = json.loads(stream.readline() or b'{"error": "the local cloud ended while it was asked for a plugin"}')
    if "error" in answer:
        print(answer["error"], file=sys.stderr)
        return 1
    print(answer["port"], flush=True)
    stream.read()  # until the engine ends this program, or the local cloud ends
    return 1


if __name__ == "__main__":
    sys.exit(main())
