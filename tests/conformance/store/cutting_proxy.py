"""A TCP proxy on loopback that cuts connections: in the middle of an upload, or before the answer comes back."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

CHUNK = 1 << 14


@dataclass
class Cuts:
    """What is cut. `after`: bytes of all uploads that pass before the line goes dead for good (None: never).

    `stall_at`: bytes of all uploads after which nothing moves until `let_go`.

    `answers_to`: a request whose head holds all of these (method, path, header) is passed on, and its answer is not;
    `times` of them, and with `then_dead` nothing passes afterwards. `download_after`: one answer is cut after so many
    bytes of all answers.
    """

    after: int | None = None
    answers_to: tuple[bytes, ...] = ()
    times: int = 1
    stall_at: int | None = None
    then_dead: bool = False
    download_after: int | None = None
    lost: list[bytes] = field(default_factory=list)
    cut: int = 0


class Proxy:
    """Passes on to `port` what `cuts` lets pass."""

    def __init__(self, port: int, cuts: Cuts) -> None:
        self.cuts = cuts
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.passed = 0
        self._turn = threading.Condition()

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.let_go()
        self._listener.shutdown(socket.SHUT_RDWR)  # or a thread in `accept` would take one connection more
        self._listener.close()

    def let_go(self) -> None:
        """End a stall."""
        with self._turn:
            self.cuts.stall_at = None
            self._turn.notify_all()

    def wait_for(self, count: int) -> None:
        """Until so many bytes of uploads have passed."""
        with self._turn:
            assert self._turn.wait_for(lambda: self.passed >= count, timeout=60)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pair, args=(client,), daemon=True).start()

    def _pair(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._to))
        mute = threading.Event()
        ends = (client, server)
        threading.Thread(target=self._pump, args=(client, server, ends, self._up(mute)), daemon=True).start()
        threading.Thread(target=self._pump, args=(server, client, ends, self._down(mute)), daemon=True).start()

    def _pump(
        self, source: socket.socket, target: socket.socket, ends: tuple[socket.socket, ...],
        passes: Callable[[bytes], bool],
    ) -> None:  # fmt: skip
        try:
            while data := source.recv(CHUNK):
                if not passes(data):
                    self.cuts.cut += 1
                    break
                target.sendall(data)
        except OSError:
            pass
        for end in ends:
            _reset(end)

    def _up(self, mute: threading.Event) -> Callable[[bytes], bool]:
        def passes(data: bytes) -> bool:
            cuts = self.cuts
            with self._turn:
                self.passed += len(data)
                self._turn.notify_all()
                if cuts.then_dead and len(cuts.lost) >= cuts.times and not mute.is_set():
                    return False
                if cuts.answers_to and all(part in data for part in cuts.answers_to) and len(cuts.lost) < cuts.times:
                    cuts.lost.append(data.split(b"\r\n", 1)[0])
                    mute.set()
                self._turn.wait_for(lambda: cuts.stall_at is None or self.passed <= cuts.stall_at)
                return cuts.after is None or self.passed <= cuts.after

        return passes

    def _down(self, mute: threading.Event) -> Callable[[bytes], bool]:
        def passes(data: bytes) -> bool:
            cuts = self.cuts
            with self._turn:
                if cuts.download_after is not None:
                    cuts.download_after -= len(data)
                    if cuts.download_after < 0:
                        cuts.download_after = None
                        return False
            return not mute.is_set()

        return passes


def _reset(end: socket.socket) -> None:
    try:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    end.close()
