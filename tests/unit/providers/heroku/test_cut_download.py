"""A download that is cut is taken up again in the same call: where it broke off if storage can, else from the start."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import respx
from heroku_wire import Answer, Connect, Peer, StartPeer, answer
from pydantic import SecretStr

from uscdr.errors import CredentialsRefused, NotFound, ProviderError
from uscdr.models.heroku import Download, SignedUrl
from uscdr.providers.heroku import download
from uscdr.providers.heroku.backups import HerokuBackups
from uscdr.providers.heroku.client import HerokuClient
from uscdr.providers.http import download as http_download
from uscdr.providers.http.retry import RetryPolicy, Wait

pytest_plugins = ("heroku_wire",)

DUMP = b"PGDMP" + os.urandom(700_000)
TAG = '"7f3c"'
CUT = 300_000
"""Bytes that the first answer gives of the dump."""


def first(tag: str = TAG, *, arrive: int = CUT) -> Answer:
    """The answer that breaks off."""
    more = {"ETag": tag} if tag else {}
    return answer(200, DUMP, cut=len(DUMP) - arrive, **more)


def rest(start: int = CUT, *, tag: str = TAG, content: bytes = DUMP, cut: int = 0, named: str = "") -> Answer:
    """What storage answers to a range."""
    said = named or f"bytes {start}-{len(content) - 1}/{len(content)}"
    return answer(206, content[start:], cut=cut, Content_Range=said, ETag=tag)


def fetch(
    client: HerokuClient, server: Peer, target: Path, seen: list[tuple[int, int | None]] | None = None
) -> Download:  # fmt: skip
    link = SignedUrl(url=SecretStr(f"{server.url}/file?X-Amz-Signature=canary"))
    heard = seen if seen is not None else []
    return download.fetch(lambda: link, target, lambda *step: heard.append(step), client)


def is_whole(done: Download, target: Path, content: bytes = DUMP) -> bool:
    right = (len(content), hashlib.sha256(content).hexdigest())
    return (done.size, done.sha256) == right and target.read_bytes() == content


def test_it_goes_on_after_the_bytes_that_are_there(peer: StartPeer, connect: Connect, tmp_path: Path) -> None:
    server, told, seen = peer(first(), rest()), list[Wait](), list[tuple[int, int | None]]()
    done = fetch(connect(on_wait=told.append), server, tmp_path / "b001.dump", seen)
    assert is_whole(done, tmp_path / "b001.dump")
    asked = [(one.headers.get("range"), one.headers.get("if-range")) for one in server.requests]
    assert asked == [(None, None), (f"bytes={CUT}-", TAG)]
    assert [at for at, _ in seen] == sorted(at for at, _ in seen)
    assert seen[-1] == (len(DUMP), len(DUMP))
    assert {total for _, total in seen} == {len(DUMP)}
    (wait,) = told
    assert (wait.reason, wait.attempt) == ("The download was cut at 300.0 kB of 700.0 kB.", 1)


def test_several_cuts_in_a_row_each_keep_what_arrived(peer: StartPeer, connect: Connect, tmp_path: Path) -> None:
    left = len(DUMP) - 500_000
    server = peer(first(), rest(cut=left), rest(500_000))
    assert is_whole(fetch(connect(), server, tmp_path / "d"), tmp_path / "d")
    assert [one.headers.get("range") for one in server.requests] == [None, "bytes=300000-", "bytes=500000-"]


def test_a_cut_within_the_first_bytes_is_no_wrong_file(peer: StartPeer, connect: Connect, tmp_path: Path) -> None:
    server = peer(first(arrive=3), rest(3))
    assert is_whole(fetch(connect(), server, tmp_path / "d"), tmp_path / "d")


@pytest.mark.parametrize("tag", ["", 'W/"weak"'])
def test_without_a_strong_tag_it_starts_anew(peer: StartPeer, connect: Connect, tmp_path: Path, tag: str) -> None:
    server = peer(first(tag), answer(200, DUMP))
    assert is_whole(fetch(connect(), server, tmp_path / "d"), tmp_path / "d")
    assert [one.headers.get("range") for one in server.requests] == [None, None]


def test_a_file_that_changed_meanwhile_is_taken_whole_and_not_joined(
    peer: StartPeer, connect: Connect, tmp_path: Path
) -> None:
    """Storage answers If-Range with the whole new file."""
    other = b"PGDMP" + os.urandom(400_000)
    server = peer(first(), answer(200, other, ETag='"new"'))
    assert is_whole(fetch(connect(), server, tmp_path / "d"), tmp_path / "d", other)


UNFIT = {
    "another range": rest(named=f"bytes 0-{len(DUMP) - 1}/{len(DUMP)}"),
    "no range": rest(named="none"),
    "another size": rest(named=f"bytes {CUT}-{len(DUMP)}/{len(DUMP) + 1}"),
    "another file": rest(tag='"other"'),
    "no such range": answer(416, b"", Content_Range=f"bytes */{CUT}"),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_a_part_that_does_not_fit_is_never_joined(
    peer: StartPeer, connect: Connect, tmp_path: Path, kind: str
) -> None:  # fmt: skip
    server = peer(first(), UNFIT[kind], answer(200, DUMP, ETag=TAG))
    assert is_whole(fetch(connect(), server, tmp_path / "d"), tmp_path / "d")
    assert [one.headers.get("range") for one in server.requests] == [None, f"bytes={CUT}-", None]


def test_a_part_is_only_taken_for_a_range_that_was_asked_for(
    peer: StartPeer, connect: Connect, tmp_path: Path
) -> None:  # fmt: skip
    with pytest.raises(ProviderError, match="could not download"):
        fetch(connect(), peer(rest()), tmp_path / "d")
    assert list(tmp_path.iterdir()) == []


def test_a_last_part_of_unannounced_length_must_reach_the_end(
    peer: StartPeer, connect: Connect, tmp_path: Path
) -> None:
    """A chunked body that ends in order, but too early."""

    def short(connection: socket.socket) -> None:
        head = f"HTTP/1.1 206 X\r\nTransfer-Encoding: chunked\r\nETag: {TAG}\r\nContent-Range: bytes "
        head += f"{CUT}-{len(DUMP) - 1}/{len(DUMP)}\r\n\r\n"
        connection.sendall(head.encode() + b"3e8\r\n" + DUMP[CUT : CUT + 1000] + b"\r\n0\r\n\r\n")

    server = peer(first(), short, rest(CUT + 1000))
    assert is_whole(fetch(connect(), server, tmp_path / "d"), tmp_path / "d")
    assert [one.headers.get("range") for one in server.requests] == [None, "bytes=300000-", "bytes=301000-"]


def test_storage_that_always_cuts_ends_the_download(peer: StartPeer, connect: Connect, tmp_path: Path) -> None:
    server, waits = peer(first("")), list[Wait]()
    with pytest.raises(ProviderError, match="The download was cut at") as caught:
        fetch(connect(on_wait=waits.append), server, tmp_path / "d")
    assert len(server.requests) == RetryPolicy().attempts == len(waits) + 1
    assert "Run the command again" in caught.value.next_action
    assert list(tmp_path.iterdir()) == []


def test_the_time_of_a_long_download_is_no_reason_to_give_it_up(
    peer: StartPeer, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit counts from the last byte: ten minutes of bytes, then a cut."""
    now = [0.0]
    monkeypatch.setattr(http_download, "monotonic", lambda: now[0])

    def slowly(connection: socket.socket) -> None:
        now[0] += 600
        first()(connection)

    assert is_whole(fetch(connect(), peer(slowly, rest()), tmp_path / "d"), tmp_path / "d")


def test_storage_that_is_silent_for_as_long_as_the_limit_ends_it(
    peer: StartPeer, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(http_download, "monotonic", lambda: now[0])

    def fails(connection: socket.socket) -> None:
        now[0] += 90
        answer(503)(connection)

    server = peer(first(), fails)
    with pytest.raises(ProviderError, match="could not download"):
        fetch(connect(), server, tmp_path / "d")
    assert len(server.requests) == 3


# By the adapter: each attempt has a link of its own.

SIGN = "https://api.heroku.com/client/v11/apps/usc-pis/transfers/1/actions/public-url"
STORE = "https://storage.example"


def signed(number: int) -> httpx.Response:
    return httpx.Response(200, json={"url": f"{STORE}/file?n={number}", "expires_at": "2026-11-29T04:00:00Z"})


def by_adapter(client: HerokuClient, target: Path) -> Download:
    return HerokuBackups(client).download("usc-pis", 1, target, lambda done, total: None)


class Breaks(httpx.SyncByteStream):
    """A body that ends before its announced length."""

    def __iter__(self) -> Iterator[bytes]:
        yield DUMP[:CUT]
        raise httpx.RemoteProtocolError("peer closed connection")


def test_a_link_that_expired_meanwhile_is_replaced(connect: Connect, tmp_path: Path) -> None:
    whole, parts = {"Content-Length": str(len(DUMP)), "ETag": TAG}, f"bytes {CUT}-{len(DUMP) - 1}/{len(DUMP)}"
    with respx.mock(assert_all_called=True) as wire:
        wire.post(SIGN).mock(side_effect=[signed(1), signed(2), signed(3)])
        store = wire.get(url__startswith=STORE).mock(
            side_effect=[
                httpx.Response(200, headers=whole, stream=Breaks()),
                httpx.Response(403, text="<Error><Code>AccessDenied</Code></Error>"),
                httpx.Response(206, headers={"Content-Range": parts, "ETag": TAG}, content=DUMP[CUT:]),
            ]
        )
        assert is_whole(by_adapter(connect(), tmp_path / "d"), tmp_path / "d")
    assert [str(call.request.url)[-3:] for call in store.calls] == ["n=1", "n=2", "n=3"]
    assert [call.request.headers.get("Range") for call in store.calls] == [None, f"bytes={CUT}-", f"bytes={CUT}-"]
    assert all("authorization" not in call.request.headers for call in store.calls)


@pytest.mark.parametrize(("status", "kind"), [(401, CredentialsRefused), (404, NotFound)])
def test_a_link_that_heroku_refuses_ends_it_at_once(
    connect: Connect, tmp_path: Path, status: int, kind: type[ProviderError]
) -> None:  # fmt: skip
    with respx.mock() as wire:
        sign = wire.post(SIGN).mock(return_value=httpx.Response(status, json={"id": "x", "message": "no"}))
        with pytest.raises(kind):
            by_adapter(connect(), tmp_path / "d")
        assert sign.call_count == 1


def test_a_dead_api_costs_one_loop_of_attempts_and_not_one_in_another(connect: Connect, tmp_path: Path) -> None:
    with respx.mock() as wire:
        sign = wire.post(SIGN).mock(return_value=httpx.Response(503))
        with pytest.raises(ProviderError):
            by_adapter(connect(), tmp_path / "d")
        assert sign.call_count == RetryPolicy().attempts
