"""The rendezvous service: joins the client of `heroku run` with its one-off dyno over TLS.

The client sends `<secret> CR LF`; the server answers `rendezvous CR LF` in a TLS record of its own,
since clients throw away the whole first chunk; from then on it is a raw pipe to the command. The
line with the exit status must arrive whole, since clients look for it chunk by chunk.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable

from uscdr.sandbox.ptyprocess import PtyProcess

_BANNER = b"rendezvous\r\n"
_MARK = "\uffff".encode()
_LONGEST_MARK_LINE = 200
_SECRET_LIMIT = 1024
_SECRET_TIMEOUT = 30.0
_CHUNK = 65536
_LINGER = 1.0
"""Seconds for which the connection outlives a command whose client has not sent anything yet."""

Run = Callable[[], Awaitable[PtyProcess]]


class RendezvousServer:
    """Listens on one TLS port and serves each offered command once, to who knows its secret."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._offers: dict[str, Run] = {}
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()

    async def start(self, host: str = "127.0.0.1") -> int:
        """Listens on a free port of `host` and returns it."""
        self._server = await asyncio.start_server(
            self._accept, host, 0, ssl=self._context, limit=_CHUNK, ssl_shutdown_timeout=2.0
        )
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Stops listening and hangs up the commands that are connected."""
        if self._server is not None:
            self._server.close()
        for session in list(self._sessions):
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    def offer(self, secret: str, run: Run) -> None:
        """Lets the next client that sends `secret` have the command that `run` starts."""
        self._offers[secret] = run

    def withdraw(self, secret: str) -> None:
        """Takes an offer back that nobody took. Harmless if it was taken."""
        self._offers.pop(secret, None)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = asyncio.current_task()
        if session is not None:
            self._sessions.add(session)
            session.add_done_callback(self._sessions.discard)
        try:
            run = await self._find_offer(reader)
            if run is not None:
                await _serve(run, reader, writer)
        except ConnectionError:
            pass  # the client is gone, and its command with it: there is nobody to tell
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError):
                await writer.wait_closed()

    async def _find_offer(self, reader: asyncio.StreamReader) -> Run | None:
        try:
            line = await asyncio.wait_for(reader.readuntil(b"\n"), _SECRET_TIMEOUT)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            return None
        if len(line) > _SECRET_LIMIT:
            return None
        return self._offers.pop(line.strip().decode("utf-8", "replace"), None)


async def _serve(run: Run, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # Each write is a TLS record, and so a chunk of its own to the client. Nothing is running yet
    # that could write before the banner has left.
    writer.write(_BANNER)
    await writer.drain()
    process = await run()
    heard = asyncio.Event()
    giving = asyncio.create_task(_give_input(process, reader, heard))
    taking = asyncio.create_task(_take_output(process, writer))
    try:
        await asyncio.wait({giving, taking}, return_when=asyncio.FIRST_COMPLETED)
        if not giving.done():
            await _heard_from(heard)
    finally:
        # Output ends with the command, input with the connection: a command without its client is
        # hung up, one that has ended cannot be.
        giving.cancel()
        await process.hang_up()
        taking.cancel()
        await asyncio.gather(giving, taking, return_exceptions=True)
        process.close()


async def _heard_from(heard: asyncio.Event) -> None:
    """Let the client tell the end of its input. The official one dies if it finds the connection closed."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(heard.wait(), _LINGER)


async def _give_input(process: PtyProcess, reader: asyncio.StreamReader, heard: asyncio.Event) -> None:
    """`heard` is set by the first input, and by the end of the connection."""
    try:
        while data := await reader.read(_CHUNK):
            heard.set()
            await process.write(data)
    finally:
        heard.set()


async def _take_output(process: PtyProcess, writer: asyncio.StreamWriter) -> None:
    framing = MarkFraming()
    while chunk := await process.read():
        for piece in framing.feed(chunk):
            writer.write(piece)
            await writer.drain()
    if rest := framing.flush():
        writer.write(rest)
        await writer.drain()


class MarkFraming:
    """Cuts output into pieces so that a line with the exit mark (U+FFFF) is one piece, never split."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Takes output and returns the pieces that may leave now."""
        data = self._held + chunk
        pieces = []
        while (start := data.find(_MARK)) >= 0:
            end = data.find(b"\n", start) + 1
            if not end and len(data) - start < _LONGEST_MARK_LINE:
                break
            end = end or len(data)
            pieces += [data[:start], data[start:end]]
            data = data[end:]
        cut = start if start >= 0 else len(data) - _begun_mark(data)
        pieces.append(data[:cut])
        self._held = data[cut:]
        return [piece for piece in pieces if piece]

    def flush(self) -> bytes:
        """What is still held back, at the end of the output."""
        held, self._held = self._held, b""
        return held


def _begun_mark(data: bytes) -> int:
    """How many bytes at the end of `data` may be the beginning of a mark."""
    return next((n for n in (2, 1) if data.endswith(_MARK[:n])), 0)
