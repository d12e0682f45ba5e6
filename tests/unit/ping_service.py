"""A monitoring service on loopback, which notes who called what, and answers as the test says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from typing_extensions import override

SECRET = "5f0c1d9e-uuid-of-the-check"


@dataclass
class PingService:
    """`heard` has one line for each request: method and path."""

    port: int = 0
    heard: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    statuses: list[int] = field(default_factory=list)
    """Of the next answers; 200 afterwards."""
    silent: bool = False
    """Whether nothing is answered until the test ends."""
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/ping/{SECRET}"

    @property
    def parts(self) -> list[str]:
        """What came after the address of the check; empty for the address itself."""
        return [one.rpartition(SECRET)[2] for one in self.heard]


@contextmanager
def listening() -> Iterator[PingService]:
    service = PingService()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            service.heard.append(f"{self.command} {self.path}")
            service.agents.add(self.headers.get("User-Agent", ""))
            service.bodies.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            if service.silent:
                service.over.wait(60)
                return
            status = service.statuses.pop(0) if service.statuses else 200
            self.send_response(status)
            if status in (301, 302):
                self.send_header("Location", f"http://127.0.0.1:{service.port}/elsewhere")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"OK")

        do_POST = do_GET  # noqa: N815 - the library's name

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        service.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
