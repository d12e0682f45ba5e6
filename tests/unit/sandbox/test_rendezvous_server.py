"""Rendezvous and terminals, by a real TLS client and real commands."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from uscdr.sandbox import pki, ptyprocess, rendezvous
from uscdr.sandbox.ptyprocess import PtyProcess
from uscdr.sandbox.rendezvous import MarkFraming, RendezvousServer

MARK = "\uffff".encode()
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of these clients send nothing."""
    monkeypatch.setattr(rendezvous, "_LINGER", 0.01)


@dataclass
class Client:
    """A client that sees the chunks as an official one does: one TLS record each."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def rest(self) -> bytes:
        return await asyncio.wait_for(self.reader.read(-1), 60)

    async def until(self, wanted: bytes) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(wanted), 60)


class Service:
    def __init__(self, certificates: pki.Pki, server: RendezvousServer, port: int) -> None:
        self.certificates = certificates
        self.server = server
        self.port = port
        self.started: list[PtyProcess] = []

    def offer(self, script: str, *, secret: str = "s3cret", tty: bool = True) -> None:
        async def run() -> PtyProcess:
            argv = ["/bin/sh", "-c", script]
            process = await ptyprocess.spawn(argv, env=ENVIRONMENT, cwd=Path("/"), tty=tty)
            self.started.append(process)
            return process

        self.server.offer(secret, run)

    async def connect(self, secret: str = "s3cret") -> Client:
        context = ssl.create_default_context(cafile=str(self.certificates.ca_file))
        reader, writer = await asyncio.open_connection("localhost", self.port, ssl=context)
        writer.write(f"{secret}\r\n".encode())
        return Client(reader, writer)


def serve(tmp_path: Path, scenario: Callable[[Service], Awaitable[None]]) -> None:
    async def body() -> None:
        certificates = pki.create(tmp_path)
        server = RendezvousServer(certificates.server_context())
        service = Service(certificates, server, await server.start())
        try:
            await scenario(service)
        finally:
            await server.stop()

    asyncio.run(body())


def test_output_ends_with_the_connection(tmp_path: Path) -> None:
    async def scenario(service: Service) -> None:
        service.offer(f"echo out; echo err >&2; false; printf '{MARK.decode()} status: %s\\n' $?")
        client = await service.connect()
        assert await client.rest() == b"rendezvous\r\nout\r\nerr\r\n" + MARK + b" status: 1\r\n"
        assert await service.started[0].wait() == 0

    serve(tmp_path, scenario)


def records(service: Service) -> list[bytes]:
    """What a blocking client gets chunk by chunk; a TLS library reads one record at a time."""
    context = ssl.create_default_context(cafile=str(service.certificates.ca_file))
    chunks = []
    with (
        socket.create_connection(("localhost", service.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as client,
    ):
        client.sendall(b"s3cret\r\n")
        # Let all of it arrive first: chunks must not depend on how fast the client reads.
        wait_for_pending(client)
        while chunk := client.recv(1 << 20):
            chunks.append(chunk)
    return chunks


def wait_for_pending(client: ssl.SSLSocket) -> None:
    plain = socket.socket(fileno=os.dup(client.fileno()))
    with plain:
        size, deadline = -1, time.monotonic() + 60
        while time.monotonic() < deadline:
            now = len(plain.recv(1 << 20, socket.MSG_PEEK))
            if now == size and now > 3000:
                return
            size = now
            time.sleep(0.05)


def test_banner_and_exit_mark_are_chunks_of_their_own(tmp_path: Path) -> None:
    async def scenario(service: Service) -> None:
        line = "x" * 97
        service.offer(
            f"for i in $(seq 60); do echo {line}; done; printf '%s{MARK.decode()} heroku-command-exit-status: 3\\n' abc"
        )
        chunks = await asyncio.to_thread(records, service)
        assert chunks[0] == b"rendezvous\r\n"
        assert chunks[-1] == MARK + b" heroku-command-exit-status: 3\r\n"
        assert b"".join(chunks).count(b"x" * 97 + b"\r\n") == 60

    serve(tmp_path, scenario)


def test_input_reaches_the_command_and_0x04_ends_it(tmp_path: Path) -> None:
    async def scenario(service: Service) -> None:
        service.offer("stty -echo; echo ready; wc -l; tty; stty size")
        client = await service.connect()
        await client.until(b"ready\r\n")
        client.writer.write(b"one\ntwo\n\x04")
        count, tty, size = (await client.rest()).split(b"\r\n")[:3]
        assert count.strip() == b"2"
        assert tty.startswith(b"/dev/")
        assert size == b"24 80"

    serve(tmp_path, scenario)


def test_without_a_terminal_bytes_stay_as_they_are(tmp_path: Path) -> None:
    async def scenario(service: Service) -> None:
        service.offer("cat; echo err >&2", tty=False)
        client = await service.connect()
        client.writer.write(b"a\nb\r\n")
        client.writer.write(b"c\x04")
        assert await client.rest() == b"rendezvous\r\na\nb\r\ncerr\n"

    serve(tmp_path, scenario)


def test_interrupt_character_interrupts(tmp_path: Path) -> None:
    async def scenario(service: Service) -> None:
        service.offer("echo ready; exec sleep 60")
        client = await service.connect()
        await client.until(b"ready\r\n")
        client.writer.write(b"\x03")
        await client.rest()
        assert await service.started[0].wait() == 128 + signal.SIGINT

    serve(tmp_path, scenario)


def test_a_command_that_ends_at_once_waits_for_the_end_of_the_clients_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The official client says it after the banner, and dies if the connection is closed by then."""
    monkeypatch.setattr(rendezvous, "_LINGER", 60.0)

    async def scenario(service: Service) -> None:
        service.offer("echo done")
        client = await service.connect()
        await client.until(b"done\r\n")
        assert await service.started[0].wait() == 0
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.reader.read(1), 0.3)
        client.writer.write(b"\x04")
        assert await client.rest() == b""

    serve(tmp_path, scenario)


@pytest.mark.parametrize("secret", ["wrong", "x" * 5000])
def test_unknown_secret_is_closed_without_a_word(tmp_path: Path, secret: str) -> None:
    async def scenario(service: Service) -> None:
        service.offer("echo hello")
        assert await (await service.connect(secret)).rest() == b""
        assert service.started == []

    serve(tmp_path, scenario)


def test_an_offer_is_taken_once_and_can_be_withdrawn(tmp_path: Path) -> None:
    async def scenario(service: Service) -> None:
        service.offer("echo hello")
        assert b"hello" in await (await service.connect()).rest()
        assert await (await service.connect()).rest() == b""
        service.offer("echo hello")
        service.server.withdraw("s3cret")
        assert await (await service.connect()).rest() == b""

    serve(tmp_path, scenario)


@pytest.mark.parametrize(
    ("script", "status"),
    [("echo ready; exec sleep 60", signal.SIGHUP), ("trap '' HUP; echo ready; sleep 60", signal.SIGKILL)],
    ids=["hung up", "killed"],
)
def test_a_dropped_client_ends_the_command(tmp_path: Path, script: str, status: signal.Signals) -> None:
    async def scenario(service: Service) -> None:
        service.offer(script)
        client = await service.connect()
        await client.until(b"ready\r\n")
        client.writer.transport.abort()
        assert await asyncio.wait_for(service.started[0].wait(), 60) == 128 + status

    serve(tmp_path, scenario)


def test_stop_ends_connected_commands(tmp_path: Path) -> None:
    async def scenario(service: Service) -> None:
        service.offer("echo ready; exec sleep 60")
        client = await service.connect()
        await client.until(b"ready\r\n")
        await service.server.stop()
        assert await service.started[0].wait() == 128 + signal.SIGHUP

    serve(tmp_path, scenario)


def test_what_the_command_left_running_dies_with_it(tmp_path: Path) -> None:
    async def scenario(service: Service) -> None:
        service.offer("sleep 60 & echo pid=$!")
        client = await service.connect()
        output = await client.rest()
        pid = int(output.partition(b"pid=")[2])
        assert await asyncio.to_thread(ends, pid)

    serve(tmp_path, scenario)


def ends(pid: int) -> bool:
    deadline = time.monotonic() + 60
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid)


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] != "Z"
    return False


def test_much_output_arrives_whole(tmp_path: Path) -> None:
    async def scenario(service: Service) -> None:
        service.offer("seq 100000", tty=True)
        client = await service.connect()
        expected = b"".join(b"%d\r\n" % n for n in range(1, 100001))
        assert await client.rest() == b"rendezvous\r\n" + expected

    serve(tmp_path, scenario)


def test_detached_output_goes_by_lines() -> None:
    async def body() -> None:
        said: list[str] = []
        script = "echo out; echo err >&2; head -c 25000 /dev/zero | tr '\\0' z; echo; printf last; exit 3"
        argv = ["/bin/sh", "-c", script]
        process = await ptyprocess.spawn_detached(argv, env=ENVIRONMENT, cwd=Path("/"), on_line=said.append)
        assert await process.wait() == 3
        assert said[:2] == ["out", "err"]
        assert [len(line) for line in said[2:-1]] == [10000, 10000, 5000]
        assert said[-1] == "last"

    asyncio.run(body())


def test_detached_command_is_ended_by_hang_up() -> None:
    async def body() -> None:
        lines: asyncio.Queue[str] = asyncio.Queue()
        argv = ["/bin/sh", "-c", "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.05 2>/dev/null; done"]
        process = await ptyprocess.spawn_detached(argv, env=ENVIRONMENT, cwd=Path("/"), on_line=lines.put_nowait)
        assert await lines.get() == "ready"
        assert await process.hang_up(first=signal.SIGTERM, grace=5) == 7
        assert "bye" in [lines.get_nowait() for _ in range(lines.qsize())]
        assert await process.hang_up() == 7

    asyncio.run(body())


@pytest.mark.parametrize("tty", [True, False])
def test_a_command_that_cannot_start_leaves_nothing_open(tty: bool) -> None:
    async def body() -> None:
        before = open_descriptors()
        with pytest.raises(FileNotFoundError):
            await ptyprocess.spawn(["true"], env=ENVIRONMENT, cwd=Path("/nowhere"), tty=tty)
        assert open_descriptors() <= before, "an object of another test may be closed meanwhile"

    asyncio.run(body())


def open_descriptors() -> int:
    directory = Path("/proc/self/fd")
    return len(list(directory.iterdir())) if directory.exists() else 0


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_the_mark_is_never_split_however_output_comes(size: int) -> None:
    line = MARK + b" heroku-command-exit-status: 12\r\n"
    data = b"before\r\n\xef\xbb\xbf" + line + b"after\xef"
    framing = MarkFraming()
    pieces = [piece for i in range(0, len(data), size) for piece in framing.feed(data[i : i + size])]
    pieces.append(framing.flush())
    assert b"".join(pieces) == data
    assert line in pieces


def test_an_endless_mark_line_is_let_go() -> None:
    framing = MarkFraming()
    assert b"".join(framing.feed(MARK + b"x" * 500)) == MARK + b"x" * 500
