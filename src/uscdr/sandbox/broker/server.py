"""One broker an add-on: a loopback port that speaks Redis' protocol, with a password of its own."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from typing import TYPE_CHECKING, SupportsIndex

from typing_extensions import override

from uscdr.sandbox.broker.channels import Channels, Ear
from uscdr.sandbox.broker.commands import answer
from uscdr.sandbox.broker.protocol import Failure, ProtocolError, Push, Reply, encode, read_command
from uscdr.sandbox.broker.session import Session
from uscdr.sandbox.broker.store import Store
from uscdr.sandbox.faults.rules import BROKER, CONNECTION_KINDS, FaultRules

if TYPE_CHECKING:
    from asyncio import StreamWriter
    from collections.abc import Iterable

_LONGEST_HANG = 600.0  # seconds
_KEYLESS = frozenset({"PING", "AUTH", "HELLO", "CLIENT", "SELECT", "INFO", "QUIT", "SCRIPT", "EVAL", "EVALSHA"})


class Broker:
    """Refuses connections while it is stopped; its address stays the same for good."""

    def __init__(self, faults: FaultRules) -> None:
        self.password = secrets.token_hex(24)
        self.store = Store()
        self._channels = Channels()
        self._faults = faults
        self._held = _bound(0)
        self.port: int = self._held.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._open: set[StreamWriter] = set()

    @property
    def url(self) -> str:
        """What an app gets as its config var."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def running(self) -> bool:
        """Whether it takes connections."""
        return self._server is not None

    async def start(self) -> None:
        """Take connections; nothing happens if it does already."""
        if self._server is None:
            self._server = await asyncio.get_running_loop().create_server(self._connection, sock=self._held)

    def stop(self) -> None:
        """Hang up, refuse what comes, and lose what was queued."""
        if self._server is None:
            return
        self.close()
        # Bound, not listening: connections are refused, and nobody else gets the port.
        self._held = _bound(self.port)

    def close(self) -> None:
        """Hang up for good."""
        if self._server:
            self._server.close()
        self._server = None
        self._held.close()
        for writer in self._open:
            writer.transport.abort()
        self.store.clear()

    def _connection(self) -> asyncio.StreamReaderProtocol:
        reader = _Arrivals(loop=asyncio.get_running_loop())
        return asyncio.StreamReaderProtocol(reader, lambda _, writer: self._converse(reader, writer))

    async def _converse(self, reader: _Arrivals, writer: StreamWriter) -> None:
        self._open.add(writer)

        def send(message: Push) -> None:
            writer.write(encode(message, session.version))

        session = Session(self.store, self._channels, Ear(send), self.password)
        self._channels.join(session.ear)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._serve(session, reader, writer)
        finally:
            self._channels.leave(session.ear)
            self._open.discard(writer)
            writer.close()

    async def _serve(self, session: Session, reader: _Arrivals, writer: StreamWriter) -> None:
        while True:
            try:
                words = await read_command(reader)
            except ValueError as error:  # a ProtocolError, or a line without an end
                told = str(error) if isinstance(error, ProtocolError) else "too big"
                writer.write(encode(Failure(f"ERR Protocol error: {told}")))
                return
            if words is None:
                return
            if words:
                writer.write(encode(await self._answer(session, words, reader.arrived), session.version))
                await writer.drain()
            if words and words[0].upper() == b"QUIT":
                return

    async def _answer(self, session: Session, words: list[bytes], arrived: float) -> Reply:
        """Commands that arrive together wait together, as on a slow network."""
        kind = self._due(words)
        if kind.startswith("slow:"):
            await asyncio.sleep(arrived + float(kind.partition(":")[2]) - asyncio.get_running_loop().time())
        elif kind in CONNECTION_KINDS:
            if kind.endswith("-after"):
                await answer(session, words)
            if kind.startswith("timeout"):
                await asyncio.sleep(_LONGEST_HANG)
            raise ConnectionAbortedError(kind)
        elif kind:
            return Failure(f"ERR {kind}")
        return await answer(session, words)

    def _due(self, words: list[bytes]) -> str:
        """The fault for a command; its path is the list that it is about, if any."""
        name = words[0].upper().decode("ascii", "replace")
        key = "" if name in _KEYLESS or not words[1:] else words[1].decode("utf-8", "replace")
        return self._faults.due(name, f"/{key}", provider=BROKER)


class _Arrivals(asyncio.StreamReader):
    """Knows when its newest bytes came, by the loop's clock."""

    arrived = 0.0

    @override
    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        self.arrived = asyncio.get_running_loop().time()
        super().feed_data(data)


def _bound(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    return made


class Brokers:
    """The brokers of all add-ons."""

    def __init__(self, faults: FaultRules) -> None:
        self._faults = faults
        self._all: list[Broker] = []

    async def open(self) -> Broker:
        """A broker that answers."""
        made = Broker(self._faults)
        await made.start()
        self._all.append(made)
        return made

    def remove(self, broker: Broker) -> None:
        """Close one for good, with its add-on."""
        self._all.remove(broker)
        broker.close()

    def close(self) -> None:
        """Close them all."""
        for one in self._all:
            one.close()
        self._all.clear()
