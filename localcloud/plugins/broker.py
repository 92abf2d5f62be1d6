"""Start plugin servers for the engine, on request of the small program that the engine runs.

A separate process for each plugin would load Python, gRPC and three cloud clients at every command. Instead, the
program on PATH (`standin.py`) connects here and sends the plugin's name and its environment. It prints the port of the
answer, and waits until the engine ends it. The server ends with the connection. So every provider of a stack gets an
instance with its own settings.

Each side sends one line of JSON. The broker listens on loopback, and a request must contain the local cloud's secret,
which is in its folder.
"""

from __future__ import annotations

import hmac
import json
import logging
import socketserver
import threading
from collections.abc import Callable, Mapping
from concurrent import futures
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from localcloud.instance.folder import LocalCloudError
from localcloud.plugins.provider import Provider
from localcloud.plugins.table import Plugin

log = logging.getLogger(__name__)

# The engine sends a request for every resource that is ready, in parallel.
_WORKERS = 32
_LARGEST_MESSAGE = 400 * 1024 * 1024  # the engine's own limit


class Broker(socketserver.ThreadingTCPServer):
    """Listens on a loopback port. `plugins` maps a name to a function that loads its tables, at the first request.

    `commands` maps further requests to functions. A function gets the request's value under its name and returns the
    answer. The message of a `LocalCloudError` is the answer's error.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(
        self,
        port: int,
        secret: str,
        plugins: Mapping[str, Callable[[], Plugin]],
        commands: Mapping[str, Callable[[Any], dict[str, Any]]] | None = None,
    ) -> None:
        self.secret = secret
        self._commands = commands or {}
        self._loaders = plugins
        self._loaded: dict[str, Plugin] = {}
        self._loading = threading.Lock()
        super().__init__(("127.0.0.1", port), _RequestHandler)

    def plugin(self, name: str) -> Plugin:
        with self._loading:
            if name not in self._loaded:
                self._loaded[name] = self._loaders[name]()
            return self._loaded[name]

    def answer(self, question: Mapping[str, Any]) -> tuple[dict[str, Any], grpc.Server | None]:
        if not hmac.compare_digest(str(question.get("secret", "")), self.secret):
            return {"error": "the local cloud was restarted or this is not its secret: open a new `make shell`"}, None
        for command, do in self._commands.items():
            if command in question:
                return do(question[command]), None
        name = str(question.get("plugin"))
        if name not in self._loaders:
            known = ", ".join(sorted(self._loaders))
            return {"error": f"the local cloud has no stand-in for the plugin {name!r}; it has: {known}"}, None
        provider = Provider(self.plugin(name), question.get("environment", {}))
        if "find" in question:
            wanted = question["find"]
            return {"id": provider.find(wanted["type"], wanted["settings"], wanted["inputs"])}, None
        server = grpc.server(
            futures.ThreadPoolExecutor(max_workers=_WORKERS, thread_name_prefix=f"plugin-{name}"),
            options=[("grpc.max_receive_message_length", _LARGEST_MESSAGE), ("grpc.so_reuseport", 0)],
        )
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        return {"port": port}, server


class _RequestHandler(socketserver.StreamRequestHandler):
    server: Broker

    def handle(self) -> None:
        line = self.rfile.readline()
        if not line:
            return
        plugin_server: grpc.Server | None = None
        try:
            answer, plugin_server = self.server.answer(json.loads(line))
        except LocalCloudError as refusal:
            answer = {"error": str(refusal)}
        except Exception as fault:
            log.exception("a request to the broker failed")
            answer = {"error": f"{type(fault).__name__}: {fault}"}
        try:
            self.wfile.write(json.dumps(answer).encode() + b"\n")
            if plugin_server is not None:
                self.rfile.read()  # until the engine ends the program on the other side
        except OSError:
            pass
        finally:
            if plugin_server is not None:
                plugin_server.stop(grace=None)
