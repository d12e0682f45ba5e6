"""One operator's machine with a mail server and a chat on loopback, and a clock that the test sets."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scripted_mail import Script
from uscdr.cli import main
from uscdr.wiring.target import Target
from uscdr.wiring.targets import Targets

Captured = pytest.CaptureFixture[str]
T0 = datetime(2026, 11, 28, 2, 50, tzinfo=UTC)


class Chat:
    """What a webhook got, and its answers (status, headers) by turn; the last one stays."""

    def __init__(self) -> None:
        self.posts: list[dict[str, object]] = []
        self.answers: list[tuple[int, dict[str, str]]] = [(200, {})]
        self.url = self.platform = ""


@contextmanager
def chatting(chat: Chat) -> Iterator[Chat]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers = chat.answers.pop(0) if len(chat.answers) > 1 else chat.answers[0]
            if status == 200:
                chat.posts.append(json.loads(body))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "2"}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"ok")

        def do_GET(self) -> None:
            """The platform's config variables: none is set."""
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        chat.platform = f"http://127.0.0.1:{server.server_address[1]}"
        chat.url = f"http://127.0.0.1:{server.server_address[1]}/hook/planted-secret"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield chat
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def web_space(directory: Path) -> Iterator[str]:
    """A web server of the operator's own for that directory; its address."""
    directory.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(directory))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class World:
    """One operator's machine."""

    def __init__(self, root: Path, mail: Script, chat: Chat, capsys: Captured) -> None:
        self.mail, self.chat, self._capsys = mail, chat, capsys
        self.at = T0
        self.state = root / "state"
        self.err = ""

    def call(self, *arguments: str, code: int = 0) -> str:
        """What the command printed; stderr is in `err`."""
        found = main.run(["incident", *arguments])
        shown = self._capsys.readouterr()
        self.err = shown.err
        assert found == code, f"{found}: {shown.err}"
        return shown.out

    def drill(self, *arguments: str, code: int = 0) -> str:
        """The same of `uscdr drill`."""
        found = main.run(["drill", *arguments])
        shown = self._capsys.readouterr()
        self.err = shown.err
        assert found == code, f"{found}: {shown.err}"
        return shown.out

    def pass_by(self, **span: float) -> None:
        self.at += timedelta(**span)

    def mails(self) -> list[tuple[str, str, str]]:
        """Recipient, subject and text of every mail that was accepted."""
        found = [message_from_bytes(one, policy=policy.default) for one in self.mail.messages]
        return [(str(one["To"]), str(one["Subject"]), one.get_content()) for one in found]

    def everything(self) -> str:
        """All that left this machine or was kept on it."""
        kept = b"".join(path.read_bytes() for path in self.state.rglob("*") if path.is_file())
        return f"{kept!r} {self.chat.posts} {self.mail.messages}"


CONFIG = """
communication:
  contact: the nurse on duty, +63 32 555 0142
  channels:
    mail:
      {{kind: smtp, audience: [team, users], server: "127.0.0.1:{mail}", security: none, sender: status@clinic.example}}
    chat: {{kind: webhook, form: json, audience: team, url_from: USCDR_CHAT_URL}}
"""


def opened(world: World) -> None:
    world.call("open", "--since", "02:10", "--what", "the database is damaged", "--lead", "Ada")


CONTACTS = """contacts:
  - {role: System Administrator, name: Ada Reyes, how: +63 32 555 0101}
  - {role: Database Administrator, name: Ben Cruz, how: +63 32 555 0102}
  - {role: Network Administrator}
"""


def with_contacts(root: Path) -> None:
    config = root / "config" / "uscdr" / "scenarios.yaml"
    before, _, rest = config.read_text().partition("contacts:\n")
    config.write_text(before + CONTACTS + rest[rest.index("\n#") :])


def found_target() -> Target:
    return Targets(lambda _: None).find()
