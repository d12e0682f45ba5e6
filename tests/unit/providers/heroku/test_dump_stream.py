"""A backup as a stream from the signed link: whole, or an error that says whether a fresh link may help."""

from __future__ import annotations

import os
import threading

import pytest
from heroku_wire import Answer, Peer, StartPeer, answer, reset, reset_in_body
from pydantic import SecretStr

from uscdr.errors import Interrupted, ProviderError
from uscdr.models.heroku import SignedUrl
from uscdr.providers.heroku.download import open_stream
from uscdr.providers.http.client import trust

pytest_plugins = ("heroku_wire",)

DUMP = b"PGDMP" + os.urandom(700_000)


def link(server: Peer) -> SignedUrl:
    return SignedUrl(url=SecretStr(f"{server.url}/file?X-Amz-Signature=canary"))


def whole(server: Peer, size: int = 8192, stop: threading.Event | None = None) -> bytes:
    data = b""
    with open_stream(link(server), verify=trust(), stop=stop or threading.Event()) as stream:
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
        open_stream(nowhere, verify=trust(), stop=threading.Event()),
    ):
        raise AssertionError


def test_clear_text_over_the_network_is_refused() -> None:
    with (
        pytest.raises(ProviderError, match="not https"),
        open_stream(SignedUrl(url=SecretStr("http://storage.example/x")), verify=trust(), stop=threading.Event()),
    ):
        raise AssertionError


def test_a_wish_to_stop_is_seen(peer: StartPeer) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        whole(peer(answer(200, DUMP)), stop=stop)
