"""Downloading a backup: a whole dump, or no file at all."""

import errno
import hashlib
import os
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from heroku_wire import Answer, Connect, Peer, StartPeer, answer, patience, reset, reset_in_body, silence
from pydantic import SecretStr

from uscdr.errors import Interrupted, MachineError, ProviderError
from uscdr.models.heroku import Download, SignedUrl
from uscdr.providers.heroku import download
from uscdr.providers.heroku.client import HerokuClient
from uscdr.providers.http.retry import RetryPolicy

pytest_plugins = ("heroku_wire",)

DUMP = b"PGDMP" + os.urandom(700_000)
Fetch = Callable[..., Download]


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    """Where the dump goes; whatever happens, nothing else may be left beside it."""
    path = tmp_path / "b001.dump"
    yield path
    assert [entry for entry in tmp_path.iterdir() if entry != path] == []


def link(server: Peer) -> SignedUrl:
    return SignedUrl(url=SecretStr(f"{server.url}/file?X-Amz-Signature=canary"))


def fetch(client: HerokuClient, server: Peer, target: Path, progress: Any = lambda done, total: None) -> Download:
    return download.fetch(lambda: link(server), target, progress, client)


def test_a_dump_arrives_whole_private_and_hashed(peer: StartPeer, connect: Connect, target: Path) -> None:
    server = peer(answer(200, DUMP))
    seen: list[tuple[int, int | None]] = []
    done = fetch(connect(read_only=True), server, target, lambda *step: seen.append(step))
    assert target.read_bytes() == DUMP
    assert target.stat().st_mode & 0o777 == 0o600
    assert (done.size, done.sha256) == (len(DUMP), hashlib.sha256(DUMP).hexdigest())
    assert seen[-1] == (len(DUMP), len(DUMP))
    assert len(seen) > 1
    assert "authorization" not in server.requests[0].headers


def test_a_body_of_unannounced_size_is_taken(peer: StartPeer, connect: Connect, target: Path) -> None:
    def chunked(connection: Any) -> None:
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nPGD\r\n7\r\nMPhello\r\n0\r\n\r\n"
        )

    done = fetch(connect(), peer(chunked), target, lambda done, total: None)
    assert (done.size, target.read_bytes()) == (10, b"PGDMPhello")


FAULTS: dict[str, tuple[Answer, str]] = {
    "cut short": (answer(200, DUMP, cut=1000), "download was cut|did not answer"),
    "reset": (reset, "download was cut|did not answer"),
    "reset in the body": (reset_in_body, "download was cut|not a PostgreSQL dump"),
    "silent": (silence, "download was cut|did not answer"),
    "web page": (answer(200, b"<!DOCTYPE html><html>canary</html>"), "not a PostgreSQL dump"),
    "XML": (answer(200, b"<?xml version='1.0'?><Error><Code>canary</Code></Error>"), "not a PostgreSQL dump"),
    "plain SQL": (answer(200, b"-- PostgreSQL database dump canary"), "not a PostgreSQL dump"),
    "almost": (answer(200, b"PGDM"), "not a PostgreSQL dump"),
    "empty": (answer(200, b""), "not a PostgreSQL dump"),
    "expired": (answer(403, b"<Error>canary Request has expired</Error>"), "link has expired"),
    "missing": (answer(404, b"<Error>canary</Error>"), "The backup file does not exist"),
    "failing": (answer(503, b"canary"), "uscdr could not download the backup"),
    "redirect": (answer(302, b"", Location="http://127.0.0.1:1/canary"), "uscdr could not download the backup"),
}
FINAL = ("web page", "XML", "plain SQL", "almost", "empty", "missing", "redirect")
"""What another attempt would not change."""
ATTEMPTS = RetryPolicy().attempts


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_an_error_and_not_a_file(fault: str, peer: StartPeer, connect: Connect, target: Path) -> None:
    script, words = FAULTS[fault]
    server = peer(script)
    with pytest.raises(ProviderError, match=words) as caught:
        fetch(connect(silent_after=patience(script)), server, target)
    assert not target.exists()
    assert (
        "Run the command again: it requests a new link. A link is valid for an hour at most" in caught.value.next_action
    )
    assert "canary" not in f"{caught.value!r} {vars(caught.value)}"
    if fault != "reset in the body":  # what has arrived by then is the machine's matter
        assert len(server.requests) == (1 if fault in FINAL else ATTEMPTS)


def test_an_error_page_is_named_as_what_it_looks_like(peer: StartPeer, connect: Connect, target: Path) -> None:
    with pytest.raises(ProviderError) as caught:
        fetch(connect(), peer(FAULTS["web page"][0]), target)
    assert "web page" in caught.value.why
    with pytest.raises(ProviderError) as caught:
        fetch(connect(), peer(FAULTS["XML"][0]), target)
    assert "expired link" in caught.value.why


def test_a_full_disk_is_this_machines_fault(
    peer: StartPeer, connect: Connect, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MachineError, match="could not be written") as caught:
        fetch(connect(), peer(answer(200, DUMP)), target)
    assert "No space left" in caught.value.why
    assert "Free disk space" in caught.value.next_action
    assert not target.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_fills_up_while_writing_leaves_no_file(
    peer: StartPeer, connect: Connect, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def open_and_divert(path: Path, flags: int, mode: int) -> int:
        os.close(real(path, flags, mode))
        return real("/dev/full", os.O_WRONLY)

    monkeypatch.setattr(os, "open", open_and_divert)
    with pytest.raises(MachineError) as caught:
        fetch(connect(), peer(answer(200, DUMP)), target)
    assert "No space left" in caught.value.why
    assert not target.exists()


def test_a_missing_directory_is_this_machines_fault(peer: StartPeer, connect: Connect, tmp_path: Path) -> None:
    with pytest.raises(MachineError):
        fetch(connect(), peer(answer(200, DUMP)), tmp_path / "missing" / "b001.dump")


def test_an_existing_file_is_never_overwritten(peer: StartPeer, connect: Connect, target: Path) -> None:
    target.write_text("precious")
    server = peer(answer(200, DUMP))
    with pytest.raises(MachineError, match="already exists"):
        fetch(connect(), server, target)
    assert target.read_text() == "precious"
    assert server.requests == []


def test_an_interrupt_leaves_no_file(peer: StartPeer, connect: Connect, target: Path) -> None:
    stop = threading.Event()
    with pytest.raises(Interrupted):
        fetch(connect(stop=stop), peer(answer(200, DUMP)), target, lambda done, total: stop.set())
    assert not target.exists()


def test_a_link_in_clear_text_over_the_network_is_refused(connect: Connect, target: Path) -> None:
    clear = SignedUrl(url=SecretStr("http://storage.example/canary"))
    with pytest.raises(ProviderError, match="not https") as caught:
        download.fetch(lambda: clear, target, lambda done, total: None, connect())
    assert "canary" not in f"{caught.value!r} {vars(caught.value)}"


def test_storage_with_an_untrusted_certificate_is_refused(peer: StartPeer, connect: Connect, target: Path) -> None:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server = peer(answer(200, DUMP))
    server.wrap = context
    server.url = server.url.replace("http:", "https:")
    with pytest.raises(ProviderError) as caught:
        fetch(connect(), server, target)
    assert "the certificate is not trusted" in caught.value.why.lower()
    assert caught.value.retryable is False


def test_memory_does_not_grow_with_the_dump(peer: StartPeer, connect: Connect, target: Path) -> None:
    block, count = b"x" * 1_000_000, 60

    def large(connection: Any) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {5 + count * len(block)}\r\n\r\nPGDMP"
        connection.sendall(head.encode())
        for _ in range(count):
            connection.sendall(block)

    server, client = peer(large), connect()
    tracemalloc.start()
    try:
        assert fetch(client, server, target).size == 5 + count * len(block)
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()
