"""A mail server on loopback that keeps the recipients of what it gets."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Sink(socketserver.ThreadingTCPServer):
    """`recipients` grows by one an accepted message."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.recipients: list[str] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class Conversation(socketserver.StreamRequestHandler):
    """The few verbs that a client needs."""

    server: Sink

    def handle(self) -> None:
        self.say("220 sink")
        recipient = ""
        for line in self.rfile:
            verb = line.decode().strip()
            if verb.upper().startswith("RCPT TO:"):
                recipient = verb[8:].strip("<> ")
            if verb.upper() == "DATA":
                self.say("354 go on")
                while self.rfile.readline() not in {b".\r\n", b""}:
                    pass
                self.server.recipients.append(recipient)
            self.say("221 bye" if verb.upper() == "QUIT" else "250 ok")

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def sink() -> Iterator[Sink]:
    with Sink() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
