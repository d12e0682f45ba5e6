"""Builds and releases on the wire: the upload, the output that is followed, what is lost and what is not."""

from __future__ import annotations

import hashlib
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from heroku_wire import CANARY, Answer, Connect, StartPeer, answer, reset, silence

from uscdr.errors import AnswerLost, Conflict, Interrupted, MachineError, ProviderError, WriteRefused
from uscdr.models.heroku import Build
from uscdr.models.migrations import SourceArchive
from uscdr.providers.heroku import deploys as streams
from uscdr.providers.heroku.deploys import HerokuDeploys

pytest_plugins = ("heroku_wire",)

CONTENT = bytes(range(256)) * 2048
RELEASE = {"id": "r8", "version": 8, "status": "pending", "output_stream_url": "https://release-output.example/s/1"}
BUILD = {
    "id": "b1",
    "status": "pending",
    "created_at": "2026-11-23T10:00:00Z",
    "source_blob": {"url": "https://x", "version": "c" * 40, "checksum": "SHA256:55"},
    "slug": None,
    "release": None,
    "output_stream_url": "https://build-output.example/s/1",
}


@pytest.fixture
def archive(tmp_path: Path) -> SourceArchive:
    path = tmp_path / "source.tgz"
    path.write_bytes(CONTENT)
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    return SourceArchive(path=str(path), commit="c" * 40, sha256=sha256, size=len(CONTENT), files=())


def blob(storage: str) -> Answer:
    return answer(201, {"source_blob": {"put_url": f"{storage}/put?sig=1", "get_url": f"{storage}/get?sig=2"}})


def test_a_release_is_found_by_id_or_version(peer: StartPeer, connect: Connect) -> None:
    server = peer(answer(200, RELEASE))
    port = HerokuDeploys(connect(server.url))
    assert port.release("clinic", "v8").id == "r8"
    assert port.release_output("clinic", "r8") == RELEASE["output_stream_url"]
    assert [one.path for one in server.requests] == ["/apps/clinic/releases/8", "/apps/clinic/releases/r8"]


def test_a_release_without_a_release_phase_has_no_output(peer: StartPeer, connect: Connect) -> None:
    server = peer(answer(200, RELEASE | {"output_stream_url": None}))
    assert HerokuDeploys(connect(server.url)).release_output("clinic", "v8") is None


def test_a_rollback_names_the_release_by_id(peer: StartPeer, connect: Connect) -> None:
    server = peer(answer(201, RELEASE))
    assert HerokuDeploys(connect(server.url)).rollback("clinic", "r3").version == 8
    assert (server.requests[0].path, server.requests[0].json()) == ("/apps/clinic/releases", {"release": "r3"})


def test_builds_newest_first(peer: StartPeer, connect: Connect) -> None:
    older = BUILD | {"id": "b0", "created_at": "2026-11-22T10:00:00Z", "slug": {"id": "s"}, "release": {"id": "r"}}
    server = peer(answer(200, [older, BUILD, BUILD | {"id": "b9", "created_at": None}]))
    newest, second, _ = HerokuDeploys(connect(server.url)).builds("clinic")
    assert (newest.commit, newest.checksum, newest.output_url) == ("c" * 40, "SHA256:55", BUILD["output_stream_url"])
    assert (second.slug_id, second.release_id) == ("s", "r")
    assert "build-output" not in repr(newest)


def test_a_build_is_an_upload_then_a_build_of_it(peer: StartPeer, connect: Connect, archive: SourceArchive) -> None:
    recorded: list[tuple[str, str, bool]] = []
    storage = peer(answer(200))
    server = peer(blob(storage.url), answer(201, BUILD))
    build = HerokuDeploys(connect(server.url, record=lambda *seen: recorded.append(seen))).start_build("app", archive)
    assert (build.id, build.status) == ("b1", "pending")
    (put,) = storage.requests
    assert (put.method, put.path, put.body) == ("PUT", "/put?sig=1", CONTENT)
    assert put.headers["content-length"] == str(len(CONTENT))
    assert not {"content-type", "authorization", "transfer-encoding"} & put.headers.keys()
    assert server.requests[1].path == "/apps/app/builds"
    assert server.requests[1].json() == {
        "source_blob": {"url": f"{storage.url}/get?sig=2", "version": "c" * 40, "checksum": f"SHA256:{archive.sha256}"}
    }
    assert recorded == [("POST", "/sources", True), ("PUT", "/put", True), ("POST", "/apps/app/builds", True)]


@pytest.mark.parametrize("fault", [answer(403, b"<Error/>"), answer(503, b"busy"), reset, answer(302)])
def test_a_failed_upload_starts_no_build_and_leaves_nothing_in_doubt(
    fault: Answer, peer: StartPeer, connect: Connect, archive: SourceArchive, waits: list[float]
) -> None:
    storage = peer(fault)
    server = peer(blob(storage.url), answer(201, BUILD))
    with pytest.raises(ProviderError) as caught:
        HerokuDeploys(connect(server.url)).start_build("clinic", archive)
    assert not isinstance(caught.value, AnswerLost)
    assert "No build was started" in caught.value.next_action
    assert (len(storage.requests), len(server.requests), waits) == (1, 1, [])
    assert "sig=" not in str(vars(caught.value))


def test_an_upload_that_never_arrived_is_sent_again(
    peer: StartPeer, connect: Connect, archive: SourceArchive, waits: list[float]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(ProviderError) as caught:
        HerokuDeploys(connect(peer(blob(nowhere)).url)).start_build("clinic", archive)
    assert caught.value.sent is False
    assert len(waits) == 5


def test_a_lost_upload_address_does_no_harm_and_is_asked_for_again(
    peer: StartPeer, connect: Connect, archive: SourceArchive
) -> None:
    storage = peer(answer(200))
    server = peer(reset, blob(storage.url), answer(201, BUILD))
    assert HerokuDeploys(connect(server.url)).start_build("clinic", archive).id == BUILD["id"]
    assert [request.path for request in server.requests] == ["/sources", "/sources", "/apps/clinic/builds"]


def test_a_lost_answer_of_the_build_itself_is_in_doubt(
    peer: StartPeer, connect: Connect, archive: SourceArchive
) -> None:
    storage = peer(answer(200))
    server = peer(blob(storage.url), reset)
    with pytest.raises(AnswerLost, match="start a build"):
        HerokuDeploys(connect(server.url)).start_build("clinic", archive)
    assert len(server.requests) == 2


def test_a_build_beside_another_is_a_conflict(peer: StartPeer, connect: Connect, archive: SourceArchive) -> None:
    storage = peer(answer(200))
    busy = answer(409, {"id": "conflict", "message": f"A build of {storage.url}/get?sig=2 is running."})
    with pytest.raises(Conflict) as caught:
        HerokuDeploys(connect(peer(blob(storage.url), busy).url)).start_build("clinic", archive)
    assert "sig=" not in caught.value.why


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"x", None])
def test_an_archive_that_changed_is_not_built(
    content: bytes | None, peer: StartPeer, connect: Connect, archive: SourceArchive
) -> None:
    path = Path(archive.path)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    server = peer(blob(peer(answer(200)).url), answer(201, BUILD))
    with pytest.raises(MachineError):
        HerokuDeploys(connect(server.url)).start_build("clinic", archive)
    assert len(server.requests) == 1


def test_an_upload_in_clear_text_is_refused(peer: StartPeer, connect: Connect, archive: SourceArchive) -> None:
    with pytest.raises(ProviderError, match="uscdr could not upload the source archive"):
        HerokuDeploys(connect(peer(blob("http://storage.example")).url)).start_build("clinic", archive)


def test_a_read_only_wiring_refuses_each_part_of_a_build(
    peer: StartPeer, connect: Connect, archive: SourceArchive
) -> None:
    from pydantic import SecretStr

    from uscdr.providers.heroku import deploys as builds

    storage = peer(answer(200))
    client = connect(peer(blob(storage.url)).url, read_only=True)
    with pytest.raises(WriteRefused):
        builds._upload(client, SecretStr(f"{storage.url}/put"), archive)
    assert storage.requests == []


def part(body: bytes, status: int = 200, *, cut: bool = False) -> Answer:
    """A chunked answer; cut ones lack their end."""
    end = b"" if cut else b"0\r\n\r\n"
    head = f"HTTP/1.1 {status} X\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return lambda connection: connection.sendall(head + f"{len(body):x}\r\n".encode() + body + b"\r\n" + end)


def test_output_is_passed_on_line_by_line_without_the_token(peer: StartPeer, connect: Connect) -> None:
    server = peer(part(b"one\r\ntw\xc3\xb6\x85x\n\nlast"))
    lines: list[str] = []
    HerokuDeploys(connect()).follow(f"{server.url}/s/1", lines.append)
    assert lines == ["one", "twö\ufffdx", "", "last"]
    assert "authorization" not in server.requests[0].headers
    assert CANARY not in str(server.requests)


def test_output_that_is_cut_goes_on_where_it_ended(peer: StartPeer, connect: Connect, waits: list[float]) -> None:
    server = peer(part(b"one\ntw", cut=True), reset, part(b"o\nthr", 206, cut=True), part(b"one\ntwo\nthree\n"))
    lines: list[str] = []
    HerokuDeploys(connect()).follow(f"{server.url}/s/1", lines.append)
    assert lines == ["one", "two", "three"]
    assert [one.headers.get("range") for one in server.requests] == [None, "bytes=6-", "bytes=6-", "bytes=11-"]
    assert len(waits) == 1


def test_output_that_was_read_to_its_end_before_a_cut_has_ended(peer: StartPeer, connect: Connect) -> None:
    server = peer(part(b"one\n", cut=True), answer(416))
    lines: list[str] = []
    HerokuDeploys(connect()).follow(f"{server.url}/s/1", lines.append)
    assert lines == ["one"]


def test_output_that_is_not_there_yet_is_waited_for(peer: StartPeer, connect: Connect, waits: list[float]) -> None:
    server = peer(answer(404), answer(404), part(b"one\n"))
    lines: list[str] = []
    HerokuDeploys(connect()).follow(f"{server.url}/s/1", lines.append)
    assert (lines, len(waits)) == (["one"], 2)


@pytest.mark.parametrize(("fault", "attempts"), [(answer(403), 1), (answer(404), 6), (answer(503), 6), (reset, 6)])
def test_output_that_cannot_be_had_is_no_success(
    fault: Answer, attempts: int, peer: StartPeer, connect: Connect
) -> None:
    server = peer(fault)
    with pytest.raises(ProviderError, match="did not return the output"):
        HerokuDeploys(connect()).follow(f"{server.url}/s/1?key=secret", lambda _: None)
    assert len(server.requests) == attempts


def test_silence_is_given_up(peer: StartPeer, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "GLANCE_SECONDS", 0.05)
    server = peer(silence)
    with pytest.raises(ProviderError) as caught:
        HerokuDeploys(connect(), idle=0.2).follow(f"{server.url}/s/1", lambda _: None)
    assert "no output for 0.2 s" in caught.value.why


def test_following_is_stopped_while_nothing_comes(
    peer: StartPeer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "GLANCE_SECONDS", 0.05)
    stop = threading.Event()
    server = peer(part(b"one\n", cut=True), silence)
    with pytest.raises(Interrupted):
        HerokuDeploys(connect(stop=stop)).follow(f"{server.url}/s/1", lambda _: stop.set())


def test_a_line_without_end_does_not_fill_the_memory(peer: StartPeer, connect: Connect) -> None:
    server = peer(part(b"x" * 100_000))
    lines: list[str] = []
    HerokuDeploys(connect()).follow(f"{server.url}/s/1", lines.append)
    assert sum(map(len, lines)) == 100_000
    assert max(map(len, lines)) <= streams.LONGEST_LINE


def test_output_over_clear_text_is_not_read(connect: Connect) -> None:
    with pytest.raises(ProviderError, match="did not return the output"):
        HerokuDeploys(connect()).follow("http://build-output.example/s/1", lambda _: None)


def test_a_build_without_a_source_is_one(peer: StartPeer, connect: Connect) -> None:
    bare: dict[str, Any] = {"id": "b1", "status": "succeeded"}
    assert HerokuDeploys(connect(peer(answer(200, bare)).url)).build("clinic", "b1") == Build(
        id="b1", status="succeeded"
    )
