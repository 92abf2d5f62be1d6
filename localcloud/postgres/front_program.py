"""Front of one server: it answers like PostgreSQL before a session begins, and then passes the session on.

It runs as a program with the standard library alone. Its arguments are the number of a listening socket, the server's
process number and socket (in the abstract namespace, `@...`), a PEM file with key and certificate, the file that says
whether TLS is required, and the name of the superuser, who always needs TLS. It ends when the server has ended.

The messages before a session are in "Message Flow" and "Message Formats" of PostgreSQL's manual.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

_CANCEL, _TLS, _GSS = 80877102, 80877103, 80877104
_LONGEST = 10000  # bytes of the first packet, PostgreSQL's limit
_PATIENCE = 60.0  # seconds until the session must be requested, like authentication_timeout
_CHUNK = 1 << 16
_HANDSHAKE = 0x16  # the first byte of TLS, from a client that starts TLS directly
_PROTOCOL = "postgresql"  # its registered name in TLS's ALPN
_LAST_WORDS = 0.2  # seconds for the last output of an ending server to reach its clients


class _RefusedError(Exception):
    """A refusal that the client receives in PostgreSQL's format: an SQLSTATE and a sentence."""

    def __init__(self, state: str, sentence: str) -> None:
        super().__init__(sentence)
        fields = (b"SFATAL", b"VFATAL", b"C" + state.encode(), b"M" + sentence.encode())
        body = b"".join(field + b"\0" for field in fields) + b"\0"
        self.packet = b"E" + struct.pack("!i", len(body) + 4) + body


@dataclass(frozen=True)
class Front:
    """A front: its arguments, and the loaded certificate."""

    door: socket.socket
    server: int
    backend: str
    tls: ssl.SSLContext
    policy: Path
    superuser: str

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        try:
            loop.add_reader(os.pidfd_open(self.server), ended.set)
        except ProcessLookupError:
            return
        accepting = asyncio.create_task(self._accept())
        await ended.wait()
        accepting.cancel()
        self.door.close()
        await asyncio.sleep(_LAST_WORDS)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        sessions: set[asyncio.Task[None]] = set()
        while True:
            try:
                client, _ = await loop.sock_accept(self.door)
            except OSError:  # the client is already gone, or there are too many connections
                await asyncio.sleep(0.05)
                continue
            session = asyncio.create_task(self._session(client))
            sessions.add(session)
            session.add_done_callback(sessions.discard)

    async def _session(self, client: socket.socket) -> None:
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(_PATIENCE):
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                direct = await _first_byte(client) == _HANDSHAKE
                reader, writer = await _streams(client, self.tls if direct else None)
                if direct and writer.get_extra_info("ssl_object").selected_alpn_protocol() != _PROTOCOL:
                    raise _RefusedError(
                        "08P01", "received direct SSL connection request without ALPN protocol negotiation"
                    )
                first = await self._negotiate(reader, writer, secured=direct)
                there_reader, there_writer = await self._reach()
            there_writer.write(first)
            await _relay(reader, writer, there_reader, there_writer)
        except _RefusedError as refused:
            if writer is not None:
                writer.write(refused.packet)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # the client went away, or used a different protocol
        finally:
            if writer is not None:
                writer.close()
            else:
                client.close()

    async def _negotiate(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, secured: bool) -> bytes:
        """Answer until the client requests a session (or the end of a statement). Return that packet unchanged."""
        while True:
            packet = await _packet(reader)
            length, code = struct.unpack("!ii", packet[:8])
            if code in (_TLS, _GSS):
                if len(packet) != length:  # sent before TLS, to be mistaken for protected data
                    raise _RefusedError("08P01", "received unencrypted data after SSL request")
                if code == _GSS or secured:
                    writer.write(b"N")
                    continue
                writer.write(b"S")
                await writer.start_tls(self.tls)
                secured = True
            elif code == _CANCEL:
                return packet
            else:
                self._admit(packet[8:length], writer, secured)
                return packet

    def _admit(self, parameters: bytes, writer: asyncio.StreamWriter, secured: bool) -> None:
        words = [word.decode(errors="replace") for word in parameters.split(b"\0")]
        asked = dict(zip(words[::2], words[1::2], strict=False))
        user, host = asked.get("user", ""), writer.get_extra_info("peername")[0]
        if not secured and (user == self.superuser or json.loads(self.policy.read_bytes())["required"]):
            raise _RefusedError(
                "28000",
                f'no pg_hba.conf entry for host "{host}", user "{user}", '
                f'database "{asked.get("database") or user}", no encryption',
            )

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            return await asyncio.open_unix_connection("\0" + self.backend.removeprefix("@"))
        except OSError:
            raise _RefusedError("57P03", "the database system is not accepting connections") from None


async def _first_byte(client: socket.socket) -> int | None:
    """Return the client's first byte without reading it: asyncio can start TLS only on an unread connection."""
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()

    def note() -> None:
        if not readable.done():
            readable.set_result(None)

    loop.add_reader(client, note)
    try:
        await readable
    finally:
        loop.remove_reader(client)
    return next(iter(client.recv(1, socket.MSG_PEEK)), None)


async def _streams(
    client: socket.socket, tls: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    made: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = loop.create_future()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader, lambda r, w: made.set_result((r, w)))
    await loop.connect_accepted_socket(lambda: protocol, client, ssl=tls)
    return await made


async def _packet(reader: asyncio.StreamReader) -> bytes:
    packet = b""
    while len(packet) < 8 or len(packet) < struct.unpack("!i", packet[:4])[0]:
        more = await reader.read(_LONGEST)
        if not more:
            raise asyncio.IncompleteReadError(packet, None)
        packet += more
        if len(packet) >= 4 and not 8 <= struct.unpack("!i", packet[:4])[0] <= _LONGEST:
            raise _RefusedError("08P01", "invalid length of startup packet")
    return packet


async def _relay(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    there_reader: asyncio.StreamReader,
    there_writer: asyncio.StreamWriter,
) -> None:
    """Relay in both directions until either side ends. Data received by then is still delivered."""
    ways = [asyncio.create_task(_pass(reader, there_writer)), asyncio.create_task(_pass(there_reader, writer))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        there_writer.close()


async def _pass(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(_CHUNK):
            target.write(data)
            await target.drain()
    except (OSError, ssl.SSLError):
        return  # this side is gone, and so is the session


def main(door: str, server: str, backend: str, pem: str, policy: str, superuser: str) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.load_cert_chain(pem)
    tls.set_alpn_protocols([_PROTOCOL])
    listening = socket.socket(fileno=int(door))
    listening.setblocking(False)
    asyncio.run(Front(listening, int(server), backend, tls, Path(policy), superuser).run())


if __name__ == "__main__":
    main(*sys.argv[1:])
