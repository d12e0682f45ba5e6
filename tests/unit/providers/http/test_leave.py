"""Leave is asked for when nothing but the sending is left: the connection stands, and no byte of the request is out."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import dns.update
import pytest
import trustme
from pydantic import SecretStr

from uscdr.errors import LockHeld
from uscdr.providers.cloudinary.connection import Connection
from uscdr.providers.dns.rfc2136 import _Primary
from uscdr.providers.heroku import one_off
from uscdr.providers.http.client import trust
from uscdr.providers.http.exchange import HttpCall
from uscdr.providers.http.retry import RetryingCaller
from uscdr.providers.http.transport import open_client
from uscdr.write_guard import WriteGuard

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


@dataclass
class Provider:
    """Counts connections and keeps what was sent over each."""

    tls: ssl.SSLContext | None = None
    connections: int = 0
    received: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(plain,), daemon=True).start()

    def _answer(self, plain: socket.socket) -> None:
        try:
            with self.tls.wrap_socket(plain, server_side=True) if self.tls else plain as connection:
                self.connections += 1
                if data := _whole(connection):
                    self.received.append(data)
                    connection.sendall(OK)
        except OSError:
            return


def _whole(connection: socket.socket) -> bytes:
    """A request to the end of its body, as far as it comes."""
    data = b""
    while piece := connection.recv(65536):
        data += piece
        head, end, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        if end and len(body) >= int(length[1] if length else 0):
            break
    return data


@pytest.fixture(params=["http", "https"])
def provider(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[Provider]:
    tls = None
    if request.param == "https":
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(tls)
    made = Provider(tls)
    yield made
    made.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def verify(authority: trustme.CA) -> ssl.SSLContext:
    context = trust()
    authority.configure_trust(context)
    return context


class Asked:
    """Whose leave is needed: it notes what had been sent when it was asked, and forbids it."""

    def __init__(self, provider: Provider) -> None:
        self.seen: list[tuple[int, int]] = []
        self._provider = provider
        self.leave = WriteGuard()

    def __call__(self) -> str:
        deadline = time.monotonic() + 5
        while not self._provider.connections and time.monotonic() < deadline:
            time.sleep(0.005)  # an interval between two looks
        self.seen.append((self._provider.connections, len(self._provider.received)))
        raise LockHeld("Run r-1 is no longer this process's.")


def refused(provider: Provider, send: Callable[[WriteGuard], object]) -> None:
    """`send` asks when its connection stands, and sends nothing when it may not; then it does without being asked."""
    asked = Asked(provider)
    with asked.leave.of(asked), pytest.raises(LockHeld, match="no longer"):
        send(asked.leave)
    assert asked.seen == [(1, 0)]
    assert provider.received == []
    send(asked.leave)
    assert len(provider.received) == 1


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
def test_a_request_that_writes(provider: Provider, verify: ssl.SSLContext, method: str) -> None:
    def send(leave: WriteGuard) -> None:
        with open_client(
            provider.url, provider="x", verify=verify, read_only=False, for_writes=True, leave=leave
        ) as client:
            call = HttpCall("start a restore", method, "/x", writes=True, body={"a": 1} if method != "DELETE" else None)
            call.send(client, provider="x")

    refused(provider, send)


def test_a_request_that_reads_needs_no_leave(provider: Provider, verify: ssl.SSLContext) -> None:
    asked = Asked(provider)
    with (
        asked.leave.of(asked),
        open_client(provider.url, provider="x", verify=verify, read_only=False, leave=asked.leave) as client,
    ):
        HttpCall("look", "GET", "/x", writes=False).send(client, provider="x")
    assert asked.seen == []
    assert len(provider.received) == 1


def test_a_request_to_the_media_service(provider: Provider, verify: ssl.SSLContext) -> None:
    def send(leave: WriteGuard) -> None:
        connection = Connection(provider.url, verify=verify, read_only=False, leave=leave)
        call = HttpCall("store a file", "POST", "/image/upload", writes=True)
        connection.send(call, f"{provider.url}/x", body=b"a=1", headers={})
        connection.close()

    refused(provider, send)


def test_a_look_at_the_media_service_after_a_write_needs_no_leave(provider: Provider, verify: ssl.SSLContext) -> None:
    asked = Asked(provider)
    connection = Connection(provider.url, verify=verify, read_only=False, leave=asked.leave)
    connection.send(HttpCall("store", "POST", "/x", writes=True), f"{provider.url}/x", body=b"{}", headers={})
    with asked.leave.of(asked):
        connection.send(HttpCall("look", "GET", "/x", writes=False), f"{provider.url}/x", headers={})
        connection.send(
            HttpCall("search", "POST", "/resources/search", writes=False), f"{provider.url}/x", body=b"{}", headers={}
        )
    connection.close()
    assert asked.seen == []
    assert len(provider.received) == 3


def test_a_change_of_a_zone() -> None:
    provider = Provider()
    asked = Asked(provider)
    primary = _Primary(
        "127.0.0.1", provider.port, None, timeout=2.0, read_only=False, patience=RetryingCaller(), record=None,
        leave=asked.leave,
    )  # fmt: skip
    with asked.leave.of(asked), pytest.raises(LockHeld, match="no longer"):
        primary.update(dns.update.UpdateMessage("clinic.example."), "change it", "x")
    assert asked.seen == [(1, 0)]
    assert provider.received == []
    provider.close()


def test_a_one_off_command_does_not_begin(authority: trustme.CA, verify: ssl.SSLContext) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    provider = Provider(tls)
    asked, deadline = Asked(provider), one_off._Deadline(10)
    url = SecretStr(f"rendezvous://127.0.0.1:{provider.port}/secret")
    with asked.leave.of(asked), one_off._connect(url, verify, deadline) as connection:
        output: Any = one_off._stream(connection, url, deadline, threading.Event(), asked.leave)
        with pytest.raises(LockHeld, match="no longer"):
            next(output)
    assert asked.seen == [(1, 0)]
    assert provider.received == []
    provider.close()
