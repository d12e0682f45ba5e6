"""A mail server on loopback whose replies are written down beforehand, by verb."""

from __future__ import annotations

import base64
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

CUT, SILENT = "cut", "silent"
"""In place of a reply: the connection is closed; nothing is said until the client goes away."""
BODY = "."
"""The key of the reply to a whole message."""
USUAL = {"hello": "220 mail ready", "EHLO": "250 mail", "DATA": "354 go on", BODY: "250 2.0.0 Ok: queued as 4XyZ9"}


@dataclass
class Script:
    """What it answers, by verb (each a list whose last entry stays), and what it heard."""

    replies: dict[str, list[str]] = field(default_factory=dict)
    offers: tuple[str, ...] = ()
    tls: ssl.SSLContext | None = None
    implicit: bool = False
    cut_after: int | None = None
    """Bytes of a message after which it closes the connection."""
    heard: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    def reply(self, verb: str) -> str:
        given = self.replies.get(verb)
        if not given:
            return USUAL.get(verb, "250 ok")
        return given.pop(0) if len(given) > 1 else given[0]


class _Conversation(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        script = self.server.script
        script.connections += 1
        with suppress(OSError, _Over):
            if script.implicit:
                self._encrypt()
            self.file = self.request.makefile("rb")
            self._say("hello")
            while line := self.file.readline():
                self._answer(line.decode().rstrip("\r\n"))

    def finish(self) -> None:
        with suppress(OSError):
            self.request.close()

    def _answer(self, line: str) -> None:
        script = self.server.script
        script.heard.append(line)
        verb = line.split(" ", maxsplit=1)[0].upper()
        if verb == "EHLO" and script.offers and "EHLO" not in script.replies:
            lines = ["mail", *script.offers]
            self._send("".join(f"250{' ' if one is lines[-1] else '-'}{one}\r\n" for one in lines))
        elif verb == "STARTTLS":
            self._send("220 go\r\n")
            self._encrypt()
            self.file = self.request.makefile("rb")
        elif verb == "AUTH":
            self._say("AUTH", "235 welcome")
        elif verb == "DATA":
            if self._say("DATA").startswith("354"):
                self._take()
        elif verb == "QUIT":
            self._send("221 bye\r\n")
            raise _Over
        else:
            self._say(verb)

    def _take(self) -> None:
        script, message = self.server.script, b""
        if script.cut_after is not None:
            self.request.recv(script.cut_after)
            raise _Over
        while (line := self.file.readline()) not in {b".\r\n", b""}:
            message += line
        if line:
            script.messages.append(message)
            self._say(BODY)

    def _say(self, verb: str, usual: str = "") -> str:
        reply = self.server.script.reply(verb) if not usual or verb in self.server.script.replies else usual
        if reply == CUT:
            raise _Over
        if reply == SILENT:
            self.server.done.wait(60)
            raise _Over
        self._send(f"{reply}\r\n")
        return reply

    def _send(self, text: str) -> None:
        self.request.sendall(text.encode())

    def _encrypt(self) -> None:
        assert self.server.script.tls is not None
        self.request = self.server.script.tls.wrap_socket(self.request, server_side=True)


class _Over(Exception):
    """The end of a connection."""


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.script = script
        self.done = threading.Event()


@contextmanager
def serving(script: Script) -> Iterator[Script]:
    """Serve by the script; `script.port` is set."""
    with _Server(script) as server:
        script.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield script
        finally:
            server.done.set()
            server.shutdown()
            thread.join()


def logins(script: Script) -> list[str]:
    """What AUTH PLAIN said, decoded."""
    return [base64.b64decode(line.split(" ")[2]).decode() for line in script.heard if line.startswith("AUTH PLAIN ")]
