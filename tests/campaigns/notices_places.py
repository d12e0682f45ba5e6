"""A mail server and a chat on loopback that fail as a case says, kill the client, and remember what arrived."""

from __future__ import annotations

import json
import os
import re
import signal
import socketserver
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MOMENTS = ("connected", "recipient", "data", "whole", "answered")
"""Of a mail: before the greeting, before the answer to RCPT, to DATA, to the whole message, and after that answer."""
POSTS = ("connected", "whole", "answered")
"""Of a message to a chat: before it is read, before the answer, after it."""
FAULTS = ("none", "421", "451", "550", "cut-before", "cut-after", "429", "500", "400", "kill")


@dataclass
class Trouble:
    """What one channel does, once, at its message number `at` (from 0); a kill is at a moment."""

    fault: str = "none"
    at: int = 0
    moment: str = "whole"
    count: int = 0
    used: bool = False

    def strikes(self, fault: str) -> bool:
        """Whether this is the message, and the fault is this one; once."""
        if self.used or self.fault != fault or self.count != self.at:
            return False
        self.used = True
        return True

    def kills(self, moment: str) -> bool:
        """Whether the client ends here."""
        return self.moment == moment and self.strikes("kill")


@dataclass
class Places:
    """Both servers. `arrived`: how often each message (its id and recipient) came in whole."""

    kill: Callable[[], None] = lambda: None
    mail: Trouble = field(default_factory=Trouble)
    chat: Trouble = field(default_factory=Trouble)
    arrived: Counter[tuple[str, str]] = field(default_factory=Counter)
    texts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._mail = _MailServer(("127.0.0.1", 0), _Mail)
        self._mail.places = self
        self._chat = ThreadingHTTPServer(("127.0.0.1", 0), _Chat)
        self._chat.places = self  # type: ignore[attr-defined]
        self._threads = [threading.Thread(target=one.serve_forever, args=(0.02,), daemon=True)
                         for one in (self._mail, self._chat)]  # fmt: skip
        for thread in self._threads:
            thread.start()

    @property
    def mail_port(self) -> int:
        return int(self._mail.server_address[1])

    @property
    def chat_url(self) -> str:
        return f"http://127.0.0.1:{self._chat.server_address[1]}/hook/{SECRET}"

    def took(self, name: str, recipient: str, text: str) -> None:
        """A whole message came in."""
        self.arrived[name, recipient] += 1
        self.texts.append(text)

    def close(self) -> None:
        for one in (self._mail, self._chat):
            one.shutdown()
            one.server_close()


SECRET = "T0canary0hook0secret0B1"


def ended(pid: int) -> Callable[[], None]:
    """Kills that process, and waits until the kernel has done so."""

    def kill() -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    return kill


class _MailServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    places: Places


class _Over(Exception):
    """The connection ends."""


class _Mail(socketserver.StreamRequestHandler):
    server: _MailServer

    def handle(self) -> None:
        with suppress(OSError, _Over):
            self._talk()

    def _talk(self) -> None:
        places, trouble = self.server.places, self.server.places.mail
        self._kill("connected")
        self._say("220 mail")
        recipient = ""
        for line in self.rfile:
            verb = line.decode(errors="replace").strip()
            if verb.upper().startswith("RCPT TO:"):
                recipient = verb[8:].strip("<> ").split(">")[0]
                self._kill("recipient")
                if not self._refuse("421", "451", "550"):
                    self._say("250 ok")
                continue
            if verb.upper() == "DATA":
                self._kill("data")
                if trouble.strikes("cut-before"):
                    raise _Over
                self._say("354 go on")
                self._take(places, recipient)
                continue
            if verb.upper() == "QUIT":
                self._say("221 bye")
                return
            self._say("250 ok")

    def _take(self, places: Places, recipient: str) -> None:
        message = b""
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            message += line
        if not line:
            raise _Over
        text = message.decode(errors="replace")
        found = re.search(r"(?mi)^Message-ID:\s*(\S+)", text)
        places.took(found.group(1) if found else "no id", recipient, text)
        self._kill("whole")
        if places.mail.strikes("cut-after"):
            raise _Over
        self._say("250 2.0.0 queued")
        self._kill("answered")
        places.mail.count += 1

    def _refuse(self, *codes: str) -> bool:
        trouble = self.server.places.mail
        for code in codes:
            if trouble.strikes(code):
                trouble.count += 1
                self._say(f"{code} not now" if code != "550" else "550 no such user")
                if code == "421":
                    raise _Over
                return True
        return False

    def _kill(self, moment: str) -> None:
        if self.server.places.mail.kills(moment):
            self.server.places.kill()
            raise _Over

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class _Chat(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        places: Places = self.server.places  # type: ignore[attr-defined]
        trouble = places.chat
        if self._killed("connected") or trouble.strikes("cut-before"):
            return
        body = self.rfile.read(int(self.headers["Content-Length"]))
        for code in ("429", "500", "400"):
            if trouble.strikes(code):
                self._answer(int(code))
                return
        told = json.loads(body)
        places.took(str(told.get("id", "chat")), "chat", body.decode())
        if self._killed("whole") or trouble.strikes("cut-after"):
            return
        self._answer(200)
        self._killed("answered")
        trouble.count += 1

    def _killed(self, moment: str) -> bool:
        places: Places = self.server.places  # type: ignore[attr-defined]
        if places.chat.kills(moment):
            places.kill()
            self.close_connection = True
            return True
        return False

    def _answer(self, code: int) -> None:
        self.send_response(code)
        if code == 429:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Says nothing."""
