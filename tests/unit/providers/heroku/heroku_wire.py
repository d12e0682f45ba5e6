"""A client of loopback servers whose every answer, or lack of one, the test chooses.

PYTEST_DONT_REWRITE: it is a plugin and a module of helpers at once, and asserts nothing.
"""

import contextlib
import functools
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from uscdr.providers.heroku.client import HerokuClient
from uscdr.providers.http import client as api_client
from uscdr.providers.http import transport
from uscdr.providers.http.client import trust
from uscdr.providers.http.retry import RetryPolicy

TLS_HANDSHAKE = b"\x16"
CANARY = "HRKU-canary-token-5d1c"

Connect = Callable[..., HerokuClient]
StartPeer = Callable[..., "Peer"]
Answer = Callable[[socket.socket], None]


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Peer:
    """A raw HTTP server: answers by its script, the last answer for ever."""

    script: list[Answer]
    requests: list[Request] = field(default_factory=list)
    wrap: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.closing = threading.Event()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                if self.wrap is None:
                    self._answer(connection)
                else:
                    with self.wrap.wrap_socket(connection, server_side=True) as secured:
                        self._answer(secured)

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        request = read_request(connection)
        if request is None:
            return
        self.requests.append(request)
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        answer(connection)

    def close(self) -> None:
        self.closing.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)


def read_request(connection: socket.socket) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return None
        data += chunk
        if data.startswith(TLS_HANDSHAKE):
            connection.sendall(b"HTTP/1.1 400 This is plain HTTP\r\n\r\n")
            return None
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        chunk = connection.recv(65536)
        if not chunk:
            return None
        body += chunk
    return Request(method, path, headers, body)


def answer(status: int, body: object = b"", *, cut: int = 0, **headers: str) -> Answer:
    """Answer whole, or without the last `cut` bytes that Content-Length announced."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = "application/json" if not isinstance(body, bytes) else "text/html"
    lines = {"Content-Type": kind, "Content-Length": str(len(content)), "Connection": "close"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = f"HTTP/1.1 {status} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
    whole = head.encode() + content
    return lambda connection: connection.sendall(whole[: len(whole) - cut])


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def reset_in_body(connection: socket.socket) -> None:
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"half": ')
    reset(connection)


def patience(fault: Answer) -> float:
    """Seconds to wait for an answer: little only where none comes, so that a busy machine fails no test."""
    return 0.1 if fault is silence else 10.0


def silence(connection: socket.socket) -> None:
    """Never answer; end when the client has given up."""
    connection.recv(1)


@pytest.fixture
def peer() -> Iterator[StartPeer]:
    with contextlib.ExitStack() as stack:

        def start(*script: Answer) -> Peer:
            peer = Peer(list(script))
            stack.callback(peer.close)
            return peer

        yield start


@pytest.fixture
def waits() -> list[float]:
    """How long each wait between attempts would have been."""
    return []


@functools.cache
def roots(ca_file: Path | None = None) -> ssl.SSLContext:
    """Reading the system's roots takes longer than most tests here."""
    return trust(ca_file)


@pytest.fixture
def connect(waits: list[float], monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    monkeypatch.setattr(api_client, "trust", roots)
    with contextlib.ExitStack() as stack:

        def start(
            url: str = "https://api.heroku.com", data_url: str | None = None, silent_after: float = 10.0, **options: Any
        ) -> HerokuClient:
            for name in ("TIMEOUT", "WRITE_TIMEOUT"):
                monkeypatch.setattr(transport, name, httpx.Timeout(silent_after, connect=10.0))
            facts = {"read_only": False, "sleep": waits.append, "policy": RetryPolicy(), **options}
            client = HerokuClient(url, data_url or url, SecretStr(CANARY), **facts)
            return stack.enter_context(client)

        yield start
