"""How long an answer may take in all, however it trickles in: the libraries limit each silence, and no more.

A peer that sends a byte now and then, or one interim answer after another, would hold a command for ever: before the
answer's body begins, where nobody else counts.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from ssl import SSLContext
from typing import Any

import httpcore
import httpx
from typing_extensions import override

from uscdr.providers.outages import answer_seconds


class LimitedTransport(httpx.HTTPTransport):
    """The real transport. From its request's last byte on, the head of an answer has `answer_seconds`.

    Unless it `keeps` connections, each request has one of its own.
    """

    def __init__(
        self, *, verify: SSLContext, proxy: str | None, keeps: bool = True,
        socket_options: list[tuple[int, int, int]] | None = None,
    ) -> None:  # fmt: skip
        limits = httpx.Limits(max_keepalive_connections=None if keeps else 0)
        super().__init__(verify=verify, limits=limits, proxy=proxy, trust_env=False, socket_options=socket_options)
        self._heads = _Heads()
        # There is no public way to give a transport its sockets.
        self._pool._network_backend = _Backend(self._pool._network_backend, self._heads)  # noqa: SLF001

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._heads.awaited = True
        try:
            return super().handle_request(request)
        finally:
            self._heads.awaited = False


class _Heads(threading.local):
    """Whether this thread waits for the head of an answer."""

    awaited = False


class _Stream(httpcore.NetworkStream):
    """A connection that knows since when it has been answering."""

    def __init__(self, inner: httpcore.NetworkStream, heads: _Heads) -> None:
        self._inner = inner
        self._heads = heads
        self._end: float | None = None

    @override
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._heads.awaited:
            if self._end is None:
                self._end = time.monotonic() + answer_seconds()
            elif time.monotonic() > self._end:
                raise httpcore.ReadTimeout("the answer does not begin")
        return self._inner.read(max_bytes, timeout)

    @override
    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._end = None
        self._inner.write(buffer, timeout)

    @override
    def close(self) -> None:
        self._inner.close()

    @override
    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, timeout), self._heads)

    @override
    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Opens such connections."""

    def __init__(self, inner: httpcore.NetworkBackend, heads: _Heads) -> None:
        self._inner = inner
        self._heads = heads

    @override
    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        return _Stream(self._inner.connect_tcp(host, port, timeout, local_address, socket_options), self._heads)

    @override
    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class Cut:
    """Whoever reads from the connection finds it ended `seconds` from now, unless `cancel` is called before.

    For readers that take no limit in all. One may take the end for that of the answer: `require_time_left` tells.
    """

    def __init__(self, seconds: float, connection: socket.socket) -> None:
        self._connection = connection
        self._over = False
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        """Leave the connection as it is."""
        self._timer.cancel()

    def require_time_left(self) -> None:
        """Raises TimeoutError when it was ended."""
        if self._over:
            raise TimeoutError

    def _end(self) -> None:
        self._over = True
        # Not by the TLS layer, which would take itself away from under the reader.
        with suppress(OSError, ValueError), socket.socket(fileno=socket.dup(self._connection.fileno())) as other:
            other.shutdown(socket.SHUT_RDWR)
