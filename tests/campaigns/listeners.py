"""A stranger's hosts, on this machine's addresses: each takes whatever comes, and keeps every byte."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

_HOST = "127.0.0.{}"
_FIRST = 20
_SILENT = 0.2
"""Seconds after which a connection that says nothing is answered all the same."""
_ANSWER = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass
class Heard:
    """What came to one address: how many connections or datagrams, and all their bytes."""

    name: str
    times: int = 0
    data: bytes = b""


@dataclass
class Listeners:
    """One address for each name, TCP and UDP on the same port."""

    heard: dict[str, Heard] = field(default_factory=dict)
    places: dict[str, tuple[str, int]] = field(default_factory=dict)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def place(self, name: str) -> str:
        """`host:port` of a name; it is listened to from now on."""
        if name not in self.places:
            self._listen(name, _HOST.format(_FIRST + len(self.places)))
        host, port = self.places[name]
        return f"{host}:{port}"

    def take(self) -> list[Heard]:
        """Those that heard something since the last time."""
        with self._lock:
            found = [one for one in self.heard.values() if one.times]
            self.heard = {name: Heard(name) for name in self.heard}
        return found

    def _listen(self, name: str, host: str) -> None:
        stream = socket.create_server((host, 0))
        port = stream.getsockname()[1]
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind((host, port))
        self.places[name] = (host, port)
        with self._lock:
            self.heard[name] = Heard(name)
        self._selector.register(stream, selectors.EVENT_READ, name)
        self._selector.register(datagrams, selectors.EVENT_READ, name)

    def _serve(self) -> None:
        while not self._over.is_set():
            for key, _ in self._selector.select(0.05):
                one = key.fileobj
                if not isinstance(one, socket.socket):
                    continue
                if one.type == socket.SOCK_DGRAM:
                    self._note(key.data, one.recv(65535))
                else:
                    threading.Thread(target=self._converse, args=(key.data, one.accept()[0]), daemon=True).start()

    def _converse(self, name: str, connection: socket.socket) -> None:
        self._note(name, b"")
        with connection, contextlib.suppress(OSError):
            connection.settimeout(_SILENT)
            until = time.monotonic() + 5.0
            while time.monotonic() < until:
                with contextlib.suppress(TimeoutError):
                    if not (piece := connection.recv(65536)):
                        return
                    self._note(name, piece, times=0)
                    continue
                connection.sendall(_ANSWER)
                return

    def _note(self, name: str, data: bytes, times: int = 1) -> None:
        with self._lock:
            self.heard[name].times += times
            self.heard[name].data += data

    def close(self) -> None:
        """Listen no more."""
        self._over.set()
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()


@contextlib.contextmanager
def listening() -> Iterator[Listeners]:
    """Listeners that are gone at the end."""
    made = Listeners()
    threading.Thread(target=made._serve, daemon=True).start()
    try:
        yield made
    finally:
        made.close()
