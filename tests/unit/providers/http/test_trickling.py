"""Answers that trickle in, never begin or unfold without end: each ends within its time and its bytes."""

from __future__ import annotations

import gzip
import itertools
import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import trustme

from uscdr.errors import AnswerLost, ProviderError
from uscdr.providers.cloudinary.connection import Connection
from uscdr.providers.http import outages
from uscdr.providers.http.client import trust
from uscdr.providers.http.exchange import HttpCall
from uscdr.providers.http.transport import Cut, open_client
from uscdr.providers.probes import tls

ASK = HttpCall("tell anything", "GET", "/", writes=False)
CHANGE = HttpCall("change anything", "POST", "/", writes=True, body={})
LIMIT, PATIENCE = 0.3, 15.0
MOST = 3000
"""Pieces; then the peer hangs up, and whoever waited for that says that the answer was incomplete."""
Pieces = Iterator[bytes]


def head_without_end() -> Pieces:
    yield b"HTTP/1.1 200 OK\r\nX-Long: "
    while True:
        yield b"a"


def interim_without_end() -> Pieces:
    while True:
        yield b"HTTP/1.1 100 Continue\r\n\r\n"


def body_without_end() -> Pieces:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    while True:
        yield b" "


@contextmanager
def saying(pieces: Callable[[], Pieces]) -> Iterator[str]:
    """Somebody who answers each request by pieces, one every 20 ms."""
    over = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection:
            connection.recv(65536)
            for piece in itertools.islice(pieces(), MOST):
                if over.wait(0.02):
                    return
                connection.sendall(piece)

    def serve() -> None:
        while not over.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=_quietly, args=(answer, connection), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=20) as listening:
        threading.Thread(target=serve, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            over.set()


def _quietly(answer: Callable[[socket.socket], None], connection: socket.socket) -> None:
    try:
        answer(connection)
    except OSError:
        return


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "ANSWER_SECONDS", LIMIT)


def one_answer(url: str, call: HttpCall) -> int:
    with open_client(url, provider="Heroku", verify=trust(), read_only=False, for_writes=call.writes) as client:
        return call.send(client, provider="Heroku").status


def one_of_the_media_service(url: str, call: HttpCall) -> int:
    connection = Connection(url, verify=trust(), read_only=False)
    try:
        return connection.send(call, f"{url}/", headers={}).status
    finally:
        connection.close()


ENDLESS = [head_without_end, interim_without_end, body_without_end]


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("ask", [one_answer, one_of_the_media_service])
@pytest.mark.parametrize("pieces", ENDLESS)
def test_an_answer_that_trickles_in_has_one_limit_and_a_change_is_in_doubt(
    pieces: Callable[[], Pieces], ask: Callable[[str, HttpCall], int]
) -> None:
    with saying(pieces) as url:
        with pytest.raises(ProviderError, match="did not answer when asked to tell anything") as caught:
            ask(url, ASK)
        with pytest.raises(AnswerLost):
            ask(url, CHANGE)
    assert any(words in caught.value.why for words in ("within the time limit", "the answer is too long"))


def test_an_answer_after_interim_ones_is_taken() -> None:
    def pieces() -> Pieces:
        yield b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"
        yield b"HTTP/1.1 204 No Content\r\n\r\n"

    with saying(pieces) as url:
        assert one_answer(url, ASK) == 204


@pytest.mark.usefixtures("hasty")
def test_a_long_body_is_not_an_answer_that_does_not_begin() -> None:
    """What is downloaded takes its time: only its head has a limit here."""

    def pieces() -> Pieces:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n"
        for _ in range(40):
            yield b"."

    with (
        saying(pieces) as url,
        open_client(url, provider="Heroku", verify=trust(), read_only=True) as client,
        client.stream("GET", "/") as response,
    ):
        begun = time.monotonic()
        assert len(b"".join(response.iter_raw())) == 40
        assert time.monotonic() - begun > LIMIT


def twice() -> Pieces:
    """A quarter of a gigabyte in two kilobytes; it could be any amount."""
    body = gzip.compress(gzip.compress(bytes(1 << 28), 1), 9)
    yield b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize("ask", [one_answer, one_of_the_media_service])
def test_what_is_compressed_twice_is_not_unfolded(ask: Callable[[str, HttpCall], int]) -> None:
    pieces = list(twice())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with saying(lambda: iter(pieces)) as url, pytest.raises(ProviderError) as caught:
        ask(url, ASK)
    assert "uscdr could not decompress the answer" in caught.value.why
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kilobytes


@pytest.mark.parametrize("address", ["http://[::1", "http://\x00/", "https://" + "a" * 70 + "\u2028/"])
def test_an_address_that_is_none_is_never_asked(address: str) -> None:
    with (
        open_client("http://127.0.0.1:9", provider="Heroku", verify=trust(), read_only=True) as client,
        pytest.raises(ProviderError) as caught,
    ):
        HttpCall("give it", "GET", address, writes=False).send(client, provider="Heroku")
    assert not caught.value.retryable
    assert caught.value.sent is False


@pytest.mark.parametrize("pieces", [head_without_end, interim_without_end])
def test_a_hostnames_page_that_does_not_begin(pieces: Callable[[], Pieces], monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("clinic.example").configure_cert(context)
    browser = ssl.create_default_context()
    authority.configure_trust(browser)
    monkeypatch.setattr(tls, "trust", lambda _: browser)
    over = threading.Event()

    def serve() -> None:
        plain, _ = listening.accept()
        with context.wrap_socket(plain, server_side=True) as connection:
            for piece in pieces():
                if over.wait(0.02):
                    return
                connection.sendall(piece)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = threading.Thread(target=_quietly, args=(lambda _: serve(), listening), daemon=True)
        server.start()
        probe = tls.TlsProbe(address=listening.getsockname()[:2], timeout=LIMIT)
        with pytest.raises(ProviderError):
            probe.answer("clinic.example")
        over.set()
        server.join(PATIENCE)


def test_who_is_cut_off_reads_an_end() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        watch = Cut(0.01, ours)
        watch.require_time_left()
        assert ours.recv(1) == b""
        with pytest.raises(TimeoutError):
            watch.require_time_left()
