"""Where the apps' mail ends: counted, never kept, so that nobody's address lies about."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter

APP_HEADER = b"x-heroku-app:"
_UNKNOWN = "?"


class MailSink:
    """A mail relay on loopback. `counts` has one entry an app that handed mail over, by the name in its header."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def address(self) -> str:
        """`host:port`."""
        if self._server is None:
            raise RuntimeError("not started")
        host, port = self._server.sockets[0].getsockname()
        return f"{host}:{port}"

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._converse, "127.0.0.1", 0)

    async def stop(self) -> None:
        """Stop listening and hang up."""
        if self._server:
            self._server.close()
        for writer in self._open:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            with contextlib.suppress(ConnectionError, ValueError):
                await self._session(reader, writer)
        finally:
            self._open.discard(writer)
            writer.close()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 relay\r\n")
        while line := await reader.readline():
            verb = line.strip().upper()
            if verb == b"QUIT":
                writer.write(b"221 bye\r\n")
                return
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                self.counts[await _sender(reader)] += 1
            writer.write(b"250 ok\r\n")
            await writer.drain()


async def _sender(reader: asyncio.StreamReader) -> str:
    """Read one message to its end; which app it says it is from."""
    name, in_head = _UNKNOWN, True
    while (line := await reader.readline()) not in (b".\r\n", b""):
        in_head = in_head and bool(line.strip())
        if in_head and line.lower().startswith(APP_HEADER):
            name = line.partition(b":")[2].strip().decode("ascii", "replace") or _UNKNOWN
    return name
