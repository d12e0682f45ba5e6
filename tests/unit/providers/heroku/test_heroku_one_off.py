"""One-off dynos: the start over HTTP, the terminal over real TLS."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
from heroku_wire import Answer, Connect, Peer, StartPeer, answer
from hypothesis import given
from hypothesis import strategies as st

from uscdr.errors import AnswerLost, Conflict, Interrupted, JournalError, ProviderError
from uscdr.models.heroku import OneOffResult
from uscdr.providers.heroku.client import HerokuClient
from uscdr.providers.heroku.one_off import MARK, _ExitMark, _with_mark
from uscdr.providers.heroku.platform import HerokuPlatform

pytest_plugins = ("heroku_wire",)

SECRET = "canary-secret-9f"
Script = Callable[[ssl.SSLSocket], None]


@dataclass
class Terminal:
    """A rendezvous server that serves each connection by `script` and remembers the secret lines."""

    authority: trustme.CA
    script: Script
    secrets: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("localhost", "127.0.0.1").configure_cert(self.context)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            with plain, contextlib.suppress(OSError), self.context.wrap_socket(plain, server_side=True) as connection:
                connection.settimeout(5)
                self.secrets.append(connection.recv(4096))
                self.script(connection)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)


def says(*chunks: str | bytes) -> Script:
    def script(connection: ssl.SSLSocket) -> None:
        for chunk in chunks:
            connection.sendall(chunk.encode() if isinstance(chunk, str) else chunk)

    return script


def hangs(connection: ssl.SSLSocket) -> None:
    """Print something, then nothing until the client leaves."""
    connection.sendall(b"rendezvous\r\nworking\r\n")
    connection.recv(1)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def terminal(authority: trustme.CA) -> Iterator[Callable[[Script], Terminal]]:
    with contextlib.ExitStack() as stack:

        def start(script: Script) -> Terminal:
            server = Terminal(authority, script)
            stack.callback(server.close)
            return server

        yield start


def accepted(port: int, scheme: str = "rendezvous") -> Answer:
    url = f"{scheme}://localhost:{port}/{SECRET}"
    return answer(201, {"name": "run.4821", "attach_url": url, "state": "starting"})


@dataclass
class Bench:
    """A platform that starts a dyno and accepts to stop it, the terminal, and what was heard."""

    api: Peer
    client: HerokuClient
    started: list[str] = field(default_factory=list)
    output: list[str] = field(default_factory=list)

    def run(self, command: str = "python manage.py check", time_limit: float = 30.0) -> OneOffResult:
        return HerokuPlatform(self.client).run_one_off(
            "clinic", command, time_limit=time_limit, on_started=self.started.append, on_output=self.output.append
        )

    @property
    def stopped(self) -> bool:
        return self.api.requests[-1].path == "/apps/clinic/dynos/run.4821/actions/stop"


@pytest.fixture
def bench(
    peer: StartPeer, connect: Connect, terminal: Callable[[Script], Terminal], ca_file: Path
) -> Callable[..., Bench]:
    def build(script: Script, stopping: Answer | None = None) -> Bench:
        api = peer(accepted(terminal(script).port), stopping or answer(202, {}))
        return Bench(api, connect(api.url, ca_file=ca_file))

    return build


def test_a_command_runs_to_its_end(bench: Callable[..., Bench]) -> None:
    run = bench(says("rendezvous\r\n", "one\r\ntwo\r\n", f"{MARK}0\r\n"))
    result = run.run()
    assert (result.name, result.exit_status, result.output) == ("run.4821", 0, "one\ntwo\n")
    assert run.started == ["run.4821"]
    assert "".join(run.output) == "one\ntwo\n"
    assert not run.stopped
    sent = run.api.requests[0].json()
    assert sent["attach"] is True
    assert sent["time_to_live"] == 30
    assert sent["command"] == f'(python manage.py check) </dev/null ; echo "{MARK}$?"'
    assert "one" not in repr(result)


def test_the_secret_is_said_once_as_one_line(
    peer: StartPeer, connect: Connect, terminal: Callable[[Script], Terminal], ca_file: Path
) -> None:
    server = terminal(says("rendezvous\r\n", f"{MARK}0\r\n"))
    api = peer(accepted(server.port))
    Bench(api, connect(api.url, ca_file=ca_file)).run()
    assert server.secrets == [f"{SECRET}\r\n".encode()]


def test_banner_and_output_in_one_piece(bench: Callable[..., Bench]) -> None:
    result = bench(says(f"rendezvous\r\nout\r\n{MARK}3\r\n")).run()
    assert (result.exit_status, result.output) == (3, "out\n")


def test_the_mark_split_at_every_byte(bench: Callable[..., Bench]) -> None:
    whole = f"rendezvous\r\nsträge\r\n{MARK}137\r\n".encode()
    result = bench(says(*(bytes([byte]) for byte in whole))).run()
    assert (result.exit_status, result.output) == (137, "sträge\n")


@pytest.mark.parametrize(
    "chunks",
    [
        (),
        ("rendezvous\r\n",),
        ("rendezvous\r\n", "out\r\n"),
        ("rendezvous\r\n", f"out\r\n{MARK}"),
        ("rendezvous\r\n", f"out\r\n{MARK}1"),
    ],
)
def test_an_end_without_the_whole_mark_is_no_exit_status(chunks: tuple[str, ...], bench: Callable[..., Bench]) -> None:
    assert bench(says(*chunks)).run().exit_status is None


def test_a_dropped_connection_is_no_exit_status(bench: Callable[..., Bench]) -> None:
    def drop(connection: ssl.SSLSocket) -> None:
        connection.sendall(b"rendezvous\r\nout\r\n")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    assert bench(drop).run().exit_status is None


def test_output_without_a_banner_is_not_lost(bench: Callable[..., Bench]) -> None:
    result = bench(says(f"out\r\n{MARK}0\r\n")).run()
    assert (result.exit_status, result.output) == (0, "out\n")


def test_a_command_that_takes_too_long_is_stopped(bench: Callable[..., Bench]) -> None:
    run = bench(hangs)
    before = time.monotonic()
    with pytest.raises(ProviderError, match="time limit") as caught:
        run.run(time_limit=0.4)
    assert not isinstance(caught.value, AnswerLost)
    assert time.monotonic() - before < 5
    assert run.stopped
    assert run.api.requests[0].json()["time_to_live"] == 1


def test_a_dyno_that_may_still_run_leaves_the_outcome_unknown(bench: Callable[..., Bench]) -> None:
    with pytest.raises(AnswerLost, match="time limit") as caught:
        bench(hangs, answer(503, {"id": "x"})).run(time_limit=0.4)
    assert "ps:stop run.4821" in caught.value.next_action


def test_an_interrupt_stops_the_dyno(
    peer: StartPeer, connect: Connect, terminal: Callable[[Script], Terminal], ca_file: Path
) -> None:
    stop = threading.Event()
    api = peer(accepted(terminal(hangs).port), answer(202, {}))
    run = Bench(api, connect(api.url, ca_file=ca_file, stop=stop))
    platform = HerokuPlatform(run.client)
    with pytest.raises(Interrupted):
        platform.run_one_off("clinic", "true", time_limit=30, on_started=lambda _: None, on_output=lambda _: stop.set())
    assert run.stopped


def test_a_failing_journal_stops_the_dyno(bench: Callable[..., Bench]) -> None:
    def fail(_: str) -> None:
        raise JournalError("disk full")

    run = bench(hangs)
    with pytest.raises(JournalError):
        HerokuPlatform(run.client).run_one_off("clinic", "true", time_limit=9, on_started=fail)
    assert run.stopped


def test_an_untrusted_terminal_is_not_told_the_secret(
    peer: StartPeer, connect: Connect, terminal: Callable[[Script], Terminal]
) -> None:
    server = terminal(says("rendezvous\r\n"))
    api = peer(accepted(server.port), answer(202, {}))
    run = Bench(api, connect(api.url))
    with pytest.raises(AnswerLost) as caught:
        run.run()
    assert "the certificate is not trusted" in caught.value.why
    assert server.secrets == []
    assert run.stopped


def test_a_terminal_that_cannot_be_reached_leaves_the_outcome_unknown(
    peer: StartPeer, connect: Connect, waits: list[float]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    api = peer(accepted(port), answer(202, {}))
    run = Bench(api, connect(api.url))
    with pytest.raises(AnswerLost, match="but uscdr could not attach to it; its command may have run") as caught:
        run.run()
    assert len(waits) == 5
    assert "canary" not in f"{caught.value!r} {vars(caught.value)}"
    assert run.stopped


@pytest.mark.parametrize("url", ["https://private.space/x", "", "rendezvous://h:notaport/x"])
def test_an_address_that_is_no_rendezvous(url: str, peer: StartPeer, connect: Connect) -> None:
    api = peer(answer(201, {"name": "run.4821", "attach_url": url or None}), answer(202, {}))
    run = Bench(api, connect(api.url))
    with pytest.raises(AnswerLost):
        run.run()
    assert run.stopped


def test_an_app_without_a_release_cannot_run_anything(peer: StartPeer, connect: Connect) -> None:
    api = peer(answer(409, {"id": "conflict", "message": "No release yet."}))
    run = Bench(api, connect(api.url))
    with pytest.raises(Conflict):
        run.run()
    assert len(api.requests) == 1


def test_long_output_is_kept_from_its_end(bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    from uscdr.providers.heroku import one_off

    monkeypatch.setattr(one_off, "KEPT_CHARACTERS", 5)
    run = bench(says("rendezvous\r\n", "0123456789\r\n", f"{MARK}0\r\n"))
    assert run.run().output == "6789\n"
    assert "".join(run.output) == "0123456789\n"


TEXT = st.text(alphabet=st.sampled_from("a\r\n\uffff 0é") | st.sampled_from(MARK), max_size=40)


@given(TEXT, st.integers(0, 255), st.lists(st.integers(1, 9), max_size=30))
def test_however_the_stream_is_cut_output_and_status_are_the_same(printed: str, status: int, cuts: list[int]) -> None:
    whole = f"{printed}\n{MARK}{status}\r\n".encode()
    expected = _ExitMark()
    everything = expected.feed(whole) + expected.finish()
    mark, output, at = _ExitMark(), "", 0
    for size in [*cuts, len(whole)]:
        output += mark.feed(whole[at : at + size])
        at += size
    output += mark.finish()
    assert mark.exit_status == expected.exit_status == status
    assert output == everything


def test_the_wrapped_command_reports_its_own_exit_in_a_real_shell() -> None:
    import subprocess

    for command, status in [("exit 7", 7), ("false", 1), ("cat", 0), ("read x", 1), ("true; exit 3", 3)]:
        done = subprocess.run(["bash", "-c", _with_mark(command)], capture_output=True, timeout=20, check=True)
        mark = _ExitMark()
        mark.feed(done.stdout)
        assert mark.exit_status == status
