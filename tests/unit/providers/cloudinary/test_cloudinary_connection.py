"""The connection itself: what leaves in one piece, with which permission, and how an answer's head is read."""

from __future__ import annotations

import gzip
import http.client
import io
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from uscdr.errors import AnswerLost
from uscdr.providers.cloudinary.connection import Answer, Connection
from uscdr.providers.http.client import trust
from uscdr.providers.http.exchange import HttpCall
from uscdr.write_guard import SHORT, WriteGuard

BODY = b'{"a": 1}'
USUAL = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Two: a: b \r\nContent-Length: 8\r\n\r\n" + BODY


@dataclass
class Peer:
    """A service on loopback that answers each request with the same bytes, in the same pieces."""

    pieces: tuple[bytes, ...]
    ends: bool = False
    url: str = ""
    heads: list[bytes] = field(default_factory=list)
    """What came first of each request, by one look at the connection."""
    connections: int = 0

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            with peer:
                while self._one(peer):
                    pass

    def _one(self, peer: socket.socket) -> bool:
        got = first = peer.recv(1 << 20)
        if not first:
            return False
        self.heads.append(first)
        while b"\r\n\r\n" not in got:
            got += peer.recv(1 << 20)
        head, _, body = got.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        while length and len(body) < int(length[1]):
            body += peer.recv(1 << 20)
        for piece in self.pieces:
            peer.sendall(piece)
        return not self.ends


@contextmanager
def answering(*pieces: bytes, ends: bool = False) -> Iterator[Peer]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = Peer(pieces, ends, f"http://127.0.0.1:{listener.getsockname()[1]}")
        threading.Thread(target=peer.serve, args=(listener,), daemon=True).start()
        try:
            yield peer
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def send(peer: Peer, body: bytes | None = None, *, leave: WriteGuard | None = None, times: int = 1) -> list[Answer]:
    connection = Connection(peer.url, verify=trust(), read_only=False, leave=leave or WriteGuard())
    method = "GET" if body is None else "POST"
    call = HttpCall("store a file", method, "/upload", body is not None)
    try:
        return [connection.send(call, f"{peer.url}/upload", body=body, headers={"X-Ours": "1"}) for _ in range(times)]
    finally:
        connection.close()


@pytest.mark.parametrize(("size", "asked"), [(1, 1), (SHORT // 2, 1), (SHORT + 1, 2), (10 * SHORT, 2)])
def test_a_short_body_leaves_with_its_head_and_one_permission(size: int, asked: int) -> None:
    asks: list[int] = []
    guard = WriteGuard()
    with answering(USUAL) as peer, guard.of(lambda: asks.append(1) or ""):  # type: ignore[func-returns-value]
        send(peer, b"x" * size, leave=guard, times=2)
    assert (len(asks), guard.sent) == (2 * asked, 2)
    assert peer.connections == 1
    assert len(peer.heads) == 2
    assert all(head.startswith(b"POST /upload HTTP/1.1\r\n") for head in peer.heads)


def test_a_body_that_may_not_leave_takes_its_head_with_it() -> None:
    guard = WriteGuard()

    def refuses() -> str:
        raise AnswerLost("gone", provider="lock")

    with answering(USUAL) as peer:
        with guard.of(refuses), pytest.raises(AnswerLost):
            send(peer, b"x", leave=guard)
        assert guard.sent == 0
        assert send(peer, b"y", leave=guard)[0].data == BODY
    assert [head.partition(b"\r\n\r\n")[2] for head in peer.heads] in ([b"y"], [b""])


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, b""))


ODD = {
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(BODY[:3], BODY[3:]),
    "chunked, with a length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"
    + chunked(BODY),
    "first a 100": b"HTTP/1.1 100 Continue\r\n\r\n" + USUAL,
    "a folded header": b"HTTP/1.1 200 OK\r\nX-Two: a\r\n b\r\nContent-Length: 8\r\n\r\n" + BODY,
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nContent-Length: 8\r\n\r\n" + BODY,
    "no reason": b"HTTP/1.1 200\r\nContent-Length: 8\r\n\r\n" + BODY,
    "old": b"HTTP/1.0 200 OK\r\nContent-Length: 8\r\n\r\n" + BODY,
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 8\n\n" + BODY,
    "a tab, and no space": b"HTTP/1.1 200 OK\r\nX-Two:a\r\nX-Three:\tb\r\nContent-Length:8\r\n\r\n" + BODY,
    "not ASCII": "HTTP/1.1 200 OK\r\nX-Two: é\r\nContent-Length: 8\r\n\r\n".encode("latin-1") + BODY,
    "a long head": b"HTTP/1.1 200 OK\r\nX-Two: " + b"a" * 20_000 + b"\r\nContent-Length: 8\r\n\r\n" + BODY,
    "refused": b"HTTP/1.1 404 Not Found\r\nContent-Length: 8\r\n\r\n" + BODY,
}


def by_the_library(answer: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    class Wire:
        def makefile(self, _: str) -> io.BufferedReader:
            return io.BufferedReader(io.BytesIO(answer))

    found = http.client.HTTPResponse(Wire(), method="POST")  # type: ignore[arg-type]
    found.begin()
    return found.status, [(name.lower(), value) for name, value in found.msg.items()], found.read()


@pytest.mark.parametrize("answer", [USUAL, *ODD.values()], ids=["usual", *ODD])
@pytest.mark.parametrize("cut", [None, 5, 40])
def test_each_answer_is_read_as_the_library_reads_it(answer: bytes, cut: int | None) -> None:
    pieces = (answer,) if cut is None else (answer[:cut], answer[cut:])
    with answering(*pieces) as peer:
        (found,) = send(peer, b"x")
    status, headers, body = by_the_library(answer)
    assert (found.status, found.data) == (status, body)
    told = [(name.lower(), value) for name, value in found.headers.multi_items()]
    assert sorted(told) == sorted((name, value.replace("\r\n", "")) for name, value in headers)


def test_a_compressed_answer_is_unpacked() -> None:
    packed = gzip.compress(BODY)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    with answering(head + packed) as peer:
        assert send(peer)[0].data == BODY


def test_a_connection_that_the_answer_ends_is_not_used_again() -> None:
    with answering(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 8\r\n\r\n" + BODY, ends=True) as peer:
        assert [one.data for one in send(peer, b"x", times=2)] == [BODY, BODY]
    assert peer.connections == 2


@pytest.mark.parametrize("answer", [USUAL[:-3], USUAL[:10], b""])
def test_an_answer_that_is_cut_is_lost(answer: bytes) -> None:
    with answering(answer, ends=True) as peer, pytest.raises(AnswerLost):
        send(peer, b"x")
