"""The process that sends requests: `Settings` on the first line of its input, a `Request` on each line of its output.

It sends until its input ends. HTTPS is verified against the authorities that OpenSSL finds (see SSL_CERT_FILE).
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Sequence
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from continuity.drills.load.traffic import Request, Settings

_FLUSH_SECONDS: Final = 0.05
_STDIN: Final = 0


class Addresses(AbstractResolver):
    """Resolves every name to the given addresses, rotated by one each time, like name servers.

    The client tries the next address when a connection fails or takes more than a quarter of a second.
    """

    def __init__(self, addresses: Sequence[str], first: int) -> None:
        self._addresses = tuple(addresses)
        self._next = first

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - aiohttp's signature
    ) -> list[ResolveResult]:
        first = self._next % len(self._addresses)
        self._next += 1
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in (*self._addresses[first:], *self._addresses[:first])
        ]

    async def close(self) -> None:
        pass


class Sender:
    """Sends each request at the time at which it is due."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._url = f"https://{settings.name}:{settings.port}{settings.path}"
        self._open: set[asyncio.Task[None]] = set()
        self._lines: list[str] = []
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        context = ssl.create_default_context()
        timeout = aiohttp.ClientTimeout(total=self._settings.patience)
        sessions = [
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    ssl=context, resolver=Addresses(self._settings.addresses, first), use_dns_cache=False, limit=0
                ),
                timeout=timeout,
            )
            for first in range(self._settings.clients)
        ]
        writing = asyncio.create_task(self._write())
        try:
            await self._send(sessions)
            if self._open:
                await asyncio.wait(self._open)
        finally:
            writing.cancel()
            self._flush()
            for session in sessions:
                await session.close()

    async def _send(self, sessions: Sequence[aiohttp.ClientSession]) -> None:
        begun = time.monotonic()
        number = 0
        while not self.stopping.is_set():
            due = begun + number / self._settings.rate
            # Requests that became due while the loop was delayed are sent at once, to keep the rate.
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if len(self._open) >= self._settings.bound:
                now = time.monotonic()
                self._note(Request(number, due, now, now, error=f"not sent: {len(self._open)} were open"))
            else:
                task = asyncio.create_task(self._one(sessions[number % len(sessions)], number, due))
                self._open.add(task)
                task.add_done_callback(self._open.discard)
            number += 1

    async def _one(self, session: aiohttp.ClientSession, number: int, due: float) -> None:
        started = time.monotonic()
        # Like browsers and SDKs, clients keep connections open. New connections at intervals simulate new customers.
        fresh = number // self._settings.clients % self._settings.connection_uses == 0
        status: int | None = None
        host: str | None = None
        error: str | None = None
        headers = {"Connection": "close"} if fresh else None
        try:
            async with session.get(self._url, allow_redirects=False, headers=headers) as response:
                body = await response.read()
                status = response.status
                host = _host(response.content_type, body)
        except TimeoutError:
            status, error = None, f"no answer within {self._settings.patience:g} s"
        except (aiohttp.ClientError, OSError, ssl.SSLError) as failure:
            status, error = None, f"{type(failure).__name__}: {failure}"[:200]
        self._note(Request(number, due, started, time.monotonic(), status, error, host))

    def _note(self, request: Request) -> None:
        self._lines.append(request.as_json() + "\n")

    async def _write(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            self._flush()

    def _flush(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            sys.stdout.write("".join(lines))
            sys.stdout.flush()


def _host(kind: str, body: bytes) -> str | None:
    if kind != "application/json":
        return None
    try:
        said = json.loads(body)
    except ValueError:
        return None
    host = said.get("host") if isinstance(said, dict) else None
    return host if isinstance(host, str) else None


async def _main(settings: Settings) -> None:
    sender = Sender(settings)
    loop = asyncio.get_running_loop()

    def wait_for_the_end() -> None:
        # Not `sys.stdin.read`: a thread inside it would prevent the program from ending.
        while os.read(_STDIN, 1024):
            pass
        loop.call_soon_threadsafe(sender.stopping.set)

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    await sender.run()


if __name__ == "__main__":
    asyncio.run(_main(Settings.from_json(sys.stdin.readline())))
