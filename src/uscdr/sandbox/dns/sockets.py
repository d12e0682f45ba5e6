"""One loopback port for DNS messages, over UDP and over TCP (RFC 1035, 4.2)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Coroutine
from typing import Any, Protocol

_LENGTH = 2
_TRIES = 50
_LINGER_OFF = struct.pack("ii", 1, 0)


class Dropped(Exception):
    """The connection ends without an answer; `reset` breaks it instead of closing it."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__("no answer, and the connection is closed")
        self.reset = reset


class Handle(Protocol):
    """Takes a message, and whether it came over TCP; gives the answer or raises Dropped."""

    def __call__(self, wire: bytes, *, tcp: bool) -> Awaitable[bytes]:
        """Answer one message."""
        ...


def _bound() -> tuple[socket.socket, socket.socket]:
    """A TCP and a UDP socket with the same free port."""
    for _ in range(_TRIES):
        stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        stream.bind(("127.0.0.1", 0))
        datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            datagram.bind(stream.getsockname())
        except OSError:
            stream.close()
            datagram.close()
            continue
        return stream, datagram
    raise OSError("no port is free for both TCP and UDP")


class DnsPort:
    """Bound when made, answering from `start` to `stop`."""

    def __init__(self) -> None:
        self._stream, self._datagram = _bound()
        self.port: int = self._stream.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, handle: Handle) -> None:
        """Answer what comes."""
        loop = asyncio.get_running_loop()

        def opened(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            _track(_converse(reader, writer, handle), self._tasks)

        self._server = await asyncio.start_server(opened, sock=self._stream)
        protocol = _Datagrams(handle, self._tasks)
        self._transport, _ = await loop.create_datagram_endpoint(lambda: protocol, sock=self._datagram)

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server:
            self._server.close()
        if self._transport:
            self._transport.close()
        open_tasks = list(self._tasks)
        for task in open_tasks:
            task.cancel()
        await asyncio.gather(*open_tasks, return_exceptions=True)
        self._stream.close()
        self._datagram.close()


def _track(work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> None:
    """Run `work`, keeping it in `tasks` until it ends."""
    task = asyncio.ensure_future(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: Handle) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        try:
            while True:
                size = struct.unpack("!H", await reader.readexactly(_LENGTH))[0]
                answer = await handle(await reader.readexactly(size), tcp=True)
                writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()
        except Dropped as drop:
            if drop.reset:
                connection = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_OFF)
        finally:
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, handle: Handle, tasks: set[asyncio.Task[None]]) -> None:
        self._handle = handle
        self._tasks = tasks
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - as its base has it
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        _track(self._answer(data, addr), self._tasks)

    async def _answer(self, data: bytes, address: tuple[str | Any, int]) -> None:
        with contextlib.suppress(Dropped):
            answer = await self._handle(data, tcp=False)
            if self._transport:
                self._transport.sendto(answer, address)
