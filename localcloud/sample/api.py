"""A sample API that reports its host and its health.

    GET /          {"host": ..., "image": ..., "requests": ...}
    GET /healthz   200 while it accepts requests; it does not query the database
    GET /database  {"host": ..., "user": ...}, the database user, from a new connection to the database for each request

It reads `LISTEN_ADDRESS`, `LISTEN_PORT`, `HOST_NAME` and `IMAGE`, and for the database the variables that the sample
worker reads. At SIGTERM it stops listening, completes the current requests, and ends. Only /database needs an installed
package.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal

_LONGEST_HEAD = 1 << 14
_IDLE_SECONDS = 75.0
_FINISH_SECONDS = 10.0


class Api:
    def __init__(self) -> None:
        self._host = os.environ.get("HOST_NAME", "?")
        self._image = os.environ.get("IMAGE", "?")
        self._requests = 0
        self._busy = 0
        self._connections: set[asyncio.StreamWriter] = set()
        self._idle = asyncio.Event()
        self._ending = False

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, with any number of requests."""
        self._connections.add(writer)
        try:
            while not self._ending:
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _IDLE_SECONDS)
                self._busy += 1
                try:
                    keep_alive = await self._answer(head, reader, writer)
                finally:
                    self._busy -= 1
                if not keep_alive:
                    return
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ConnectionError, ValueError):
            return
        finally:
            self._connections.discard(writer)
            writer.close()
            if self._ending and not self._busy:
                self._idle.set()

    async def _answer(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        line, *rest = head.decode("latin-1").split("\r\n")
        method, path, version = line.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (entry.partition(":") for entry in rest if entry)}
        await reader.readexactly(int(headers.get("content-length", "0")))
        path = path.partition("?")[0]
        body: dict[str, str | int]
        if path == "/healthz":
            status, body = "200 OK", {"status": "well"}
        elif path == "/" and method in ("GET", "HEAD"):
            self._requests += 1
            status, body = "200 OK", {"host": self._host, "image": self._image, "requests": self._requests}
        elif path == "/database":
            status, body = await self._query_database()
        else:
            status, body = "404 Not Found", {"error": "not found"}
        keep_alive = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close" and not self._ending
        content = json.dumps(body).encode()
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n"
            f"Connection: {'keep-alive' if keep_alive else 'close'}\r\n\r\n".encode()
            + (b"" if method == "HEAD" else content)
        )
        await writer.drain()
        return keep_alive

    async def _query_database(self) -> tuple[str, dict[str, str | int]]:
        import psycopg  # loads slowly, and nothing else needs it

        try:
            connection = await psycopg.AsyncConnection.connect(
                host=os.environ["DATABASE_HOST"],
                port=os.environ["DATABASE_PORT"],
                dbname=os.environ["DATABASE_NAME"],
                user=os.environ["DATABASE_USER"],
                password=os.environ["DATABASE_PASSWORD"],
                sslmode="verify-full",
                sslrootcert=os.environ["PGSSLROOTCERT"],
                connect_timeout=5,
            )
            async with connection:
                row = await (await connection.execute("select current_user")).fetchone()
        except psycopg.Error as fault:
            print(f"<4>the database: {' '.join(str(fault).split())}", flush=True)
            return "503 Service Unavailable", {"error": "the database refuses"}
        return "200 OK", {"host": self._host, "user": str(row[0]) if row else ""}

    async def end(self) -> None:
        """Complete the current requests, then close all connections."""
        self._ending = True
        if self._busy:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), _FINISH_SECONDS)
        for writer in list(self._connections):
            writer.close()


async def _serve() -> None:
    api = Api()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    address, port = os.environ["LISTEN_ADDRESS"], int(os.environ["LISTEN_PORT"])
    server = await asyncio.start_server(api.talk, address, port, limit=_LONGEST_HEAD, backlog=512)
    print(f"listening at {address}:{port}", flush=True)
    await ended.wait()
    server.close()
    await api.end()
    print("ended", flush=True)


if __name__ == "__main__":
    asyncio.run(_serve())
