"""HTTP servers inside the daemon's one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_GRACE = 1  # seconds for open streams when the server stops
_POLL = 0.005


class _Protocol(H11Protocol):
    """Shows the transport to the application, so that a fault can break the connection itself."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its base does
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the daemon."""
        yield


@dataclass(frozen=True)
class TlsPair:
    """Certificate chain and key, PEM files."""

    certificate: Path
    key: Path


class HttpServer:
    """One loopback port; connections wait there until `start` says what serves them."""

    def __init__(self, *, tls: TlsPair | ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        # Named as TCP so that asyncio turns Nagle's delay off: 40 ms an answer otherwise.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._socket.listen()

    def _config(self, application: ASGIApp) -> uvicorn.Config:
        files = self._tls if isinstance(self._tls, TlsPair) else None
        config = uvicorn.Config(
            application,
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            h11_max_incomplete_event_size=64 * 1024,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=_GRACE,
            ssl_certfile=files.certificate if files else None,
            ssl_keyfile=files.key if files else None,
        )
        if isinstance(self._tls, ssl.SSLContext):
            config.load()
            config.ssl = self._tls
        return config

    async def start(self, application: ASGIApp) -> None:
        """Serve; returns once connections are accepted."""
        self._server = _Server(self._config(application))
        self._task = asyncio.create_task(self._server.serve([self._socket]))
        while not self._server.started and not self._task.done():  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(_POLL)

    async def stop(self) -> None:
        """Stop serving and close what is open."""
        if self._server and self._task:
            self._server.should_exit = True
            await asyncio.gather(self._task, return_exceptions=True)
        self._socket.close()
