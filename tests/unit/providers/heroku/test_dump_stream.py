"""A backup as a stream from the signed link: whole, or an error that says whether a fresh link may help."""

from __future__ import annotations

import os
import socket
import ssl
import threading

import httpx
import pytest
import trustme
from heroku_wire import Answer, Peer, StartPeer, answer, reset, reset_in_body
from pydantic import SecretStr

from uscdr.backups.copy import IncomingDump
from uscdr.errors import Interrupted, ProviderError
from uscdr.models.heroku import SignedUrl
from uscdr.providers.heroku.download import open_stream
from uscdr.providers.http import transport
from uscdr.providers.http.client import trust

pytest_plugins = ("heroku_wire",)

DUMP = b"PGDMP" + os.urandom(700_000)
LARGE = b"PGDMP" + os.urandom(9 << 20)
"""Is read from the connection itself."""
TAG, CUT = '"7f3c"', 8_500_000


def link(server: Peer) -> SignedUrl:
    return SignedUrl(url=SecretStr(f"{server.url}/file?X-Amz-Signature=canary"))


def whole(server: Peer, size: int = 8192, stop: threading.Event | None = None) -> bytes:
    data = b""
    with open_stream(lambda: link(server), verify=trust(), stop=stop or threading.Event()) as stream:
        while part := stream.read(size):
            assert len(part) <= size or size < 0
            data += part
        assert stream.read(size) == b""
    return data


@pytest.mark.parametrize("size", [1000, 8192, 1 << 20, -1])
def test_it_comes_whole_in_pieces_of_the_size_that_is_asked_for_without_the_token(peer: StartPeer, size: int) -> None:
    server = peer(answer(200, DUMP))
    assert whole(server, size) == DUMP
    assert "authorization" not in server.requests[0].headers


FAULTS: dict[str, tuple[Answer, str, bool]] = {
    "cut short": (answer(200, DUMP, cut=1000), "download was cut|did not answer", True),
    "reset": (reset, "did not answer", True),
    "reset in the body": (reset_in_body, "download was cut|did not answer", True),
    "expired": (answer(403, b"<Error>canary Request has expired</Error>"), "link has expired", True),
    "missing": (answer(404, b"<Error>canary</Error>"), "The backup file does not exist", False),
    "failing": (answer(503, b"canary"), "uscdr could not download the backup", True),
    "redirect": (answer(302, b"", Location="http://127.0.0.1:1/canary"), "uscdr could not download the backup", False),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_an_error(fault: str, peer: StartPeer) -> None:
    script, words, retryable = FAULTS[fault]
    with pytest.raises(ProviderError, match=words) as caught:
        whole(peer(script))
    assert caught.value.retryable is retryable
    said = f"{caught.value.message} {caught.value.why} {caught.value.next_action}"
    assert "canary" not in said


def test_nothing_listens() -> None:
    nowhere = SignedUrl(url=SecretStr("http://127.0.0.1:1/file"))
    with (
        pytest.raises(ProviderError, match="did not answer"),
        open_stream(lambda: nowhere, verify=trust(), stop=threading.Event()),
    ):
        raise AssertionError


def test_clear_text_over_the_network_is_refused() -> None:
    with (
        pytest.raises(ProviderError, match="not https"),
        open_stream(
            lambda: SignedUrl(url=SecretStr("http://storage.example/x")), verify=trust(), stop=threading.Event()
        ),
    ):
        raise AssertionError


def test_a_wish_to_stop_is_seen(peer: StartPeer) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        whole(peer(answer(200, DUMP)), stop=stop)


@pytest.mark.parametrize("size", [1000, 1 << 16, 1 << 20, -1])
def test_a_large_one_comes_whole_too(peer: StartPeer, size: int) -> None:
    assert whole(peer(answer(200, LARGE)), size) == LARGE


def test_a_large_one_comes_whole_over_tls(peer: StartPeer) -> None:
    authority, inside, outside = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(inside)
    authority.configure_trust(outside)
    server = peer(answer(200, LARGE))
    server.wrap, server.url = inside, server.url.replace("http:", "https:")
    data = b""
    with open_stream(lambda: link(server), verify=outside, stop=threading.Event()) as stream:
        while part := stream.read(1 << 16):
            data += part
    assert data == LARGE


def test_a_large_one_of_unannounced_length_comes_whole_too(peer: StartPeer) -> None:
    def chunked(connection: socket.socket) -> None:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head + b"%x\r\n" % len(LARGE) + LARGE + b"\r\n0\r\n\r\n")

    assert whole(peer(chunked)) == LARGE


def test_a_large_one_that_stops_within_is_told_after_the_silence(
    peer: StartPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stops(connection: socket.socket) -> None:
        answer(200, LARGE, cut=len(LARGE) - CUT)(connection)
        connection.recv(1)

    monkeypatch.setattr(transport, "TIMEOUT", httpx.Timeout(0.2, connect=10.0))
    with pytest.raises(ProviderError, match=r"The download was cut at 8\.5 MB of 9\.4 MB") as caught:
        whole(peer(stops))
    assert caught.value.retryable


class Stopped(threading.Event):
    """Set after a number of looks."""

    looks = 3

    def is_set(self) -> bool:
        self.looks -= 1
        return self.looks < 0


def test_a_wish_to_stop_is_seen_within_a_large_one(peer: StartPeer) -> None:
    with pytest.raises(Interrupted):
        whole(peer(answer(200, LARGE)), stop=Stopped())


# After a cut.


def resumed(server: Peer) -> tuple[bytes, list[str]]:
    """What is read with every cut resumed, and what each cut said."""
    data, said = b"", list[str]()
    with open_stream(lambda: link(server), verify=trust(), stop=threading.Event()) as stream:
        while True:
            try:
                part = stream.read(1 << 16)
            except ProviderError as error:
                said.append(error.message)
                stream.resume()
                continue
            if not part:
                return data, said
            data += part


def rest(start: int, *, tag: str = TAG, cut: int = 0, total: int = len(LARGE)) -> Answer:
    return answer(206, LARGE[start:], cut=cut, Content_Range=f"bytes {start}-{total - 1}/{total}", ETag=tag)


def test_it_goes_on_after_what_was_read_with_a_new_link_each_time(peer: StartPeer) -> None:
    at = CUT + 5000
    server = peer(answer(200, LARGE, cut=len(LARGE) - CUT, ETag=TAG), rest(CUT, cut=len(LARGE) - at), rest(at))
    data, said = resumed(server)
    assert data == LARGE
    assert said == ["The download was cut at 8.5 MB of 9.4 MB."] * 2
    asked = [(one.headers.get("range"), one.headers.get("if-range")) for one in server.requests]
    assert asked == [(None, None), (f"bytes={CUT}-", TAG), (f"bytes={at}-", TAG)]


def drained(stream: IncomingDump) -> None:
    while stream.read(1 << 16):
        pass


UNFIT = {
    "the whole file": answer(200, LARGE, ETag=TAG),
    "another file": answer(200, LARGE[::-1], ETag='"new"'),
    "a part of another file": rest(CUT, tag='"new"'),
    "a part of another length": rest(CUT, total=len(LARGE) + 1),
    "another part": rest(CUT + 1),
    "no such part": answer(416, b""),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_what_is_not_the_missing_part_is_never_joined(peer: StartPeer, kind: str) -> None:
    server = peer(answer(200, LARGE, cut=len(LARGE) - CUT, ETag=TAG), UNFIT[kind])
    with open_stream(lambda: link(server), verify=trust(), stop=threading.Event()) as stream:
        assert stream.read(1)
        assert stream.can_resume
        with pytest.raises(ProviderError, match="was cut"):
            drained(stream)
        with pytest.raises(ProviderError, match="did not send the missing part") as caught:
            stream.resume()
        assert caught.value.retryable
        assert not stream.can_resume


@pytest.mark.parametrize("tag", ["", 'W/"weak"'])
def test_without_a_strong_tag_it_cannot_go_on(peer: StartPeer, tag: str) -> None:
    server = peer(answer(200, LARGE, cut=len(LARGE) - CUT, ETag=tag))
    with open_stream(lambda: link(server), verify=trust(), stop=threading.Event()) as stream:
        assert stream.read(1000)
        assert not stream.can_resume
