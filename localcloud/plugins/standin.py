"""The program that the engine starts as `pulumi-resource-NAME`: asks the running local cloud for an instance.

    standin.py STATE_FOLDER NAME [anything the engine adds]

It imports nothing but the standard library, because it is started for every provider of every command.
"""

import json
import os
import socket
import sys

# Where the official plugins look for credentials and endpoints; nothing else of the environment is handed on.
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
    stream.read()  # the engine ends this program; should the local cloud end first, there is nothing left to serve
    return 1


if __name__ == "__main__":
    sys.exit(main())
