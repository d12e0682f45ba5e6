"""Links of the runbook against a server on loopback: alive, dead, moved, silent."""

from __future__ import annotations

import io
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from uscdr.cli import main
from uscdr.commands.links import look_at_links
from uscdr.errors import ExitCode
from uscdr.models.probes import LinkAnswer
from uscdr.providers.probes.links import LinkProbe
from uscdr.scenarios.config import Config, ReferenceLink
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.loader import load
from uscdr.ui.console import Output

CONFIG = load(packaged(), lazily=True).config
PAGES: dict[str, tuple[int, str]] = {
    "/good": (200, ""), "/login": (401, ""), "/gone": (404, ""), "/broken": (500, ""),
    "/moved": (301, "/good"), "/moved-to-nothing": (302, "/gone"), "/loop": (302, "/loop"),
    "/elsewhere": (302, "ftp://example.org/"), "/nowhere": (302, ""),
}  # fmt: skip


@contextmanager
def serving(heard: list[tuple[str, str, Any]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            heard.append((self.command, self.path, self.headers.get("Authorization") or self.headers.get("Cookie")))
            status, place = PAGES.get(self.path, (404, ""))
            if self.path == "/no-head":
                status = 405 if self.command == "HEAD" else 200
            self.send_response(status)
            if place:
                self.send_header("Location", place)
            self.send_header("Set-Cookie", "a=b")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET = do_POST = _answer  # noqa: N815 - names of the library

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("path", "alive", "words"),
    [
        ("/good", True, "alive (200)"),
        ("/login", True, "alive (401)"),
        ("/no-head", True, "alive (200)"),
        ("/gone", False, "dead (404)"),
        ("/broken", False, "dead (500)"),
        ("/moved", True, "alive (200), now at BASE/good"),
        ("/moved-to-nothing", False, "dead (404), now at BASE/gone"),
        ("/loop", False, "no answer: more than 5 redirects"),
        ("/elsewhere", False, "no answer: it redirects to an address that is no web page"),
        ("/nowhere", True, "alive (302)"),
    ],
)
def test_a_page_is_alive_or_dead(path: str, alive: bool, words: str) -> None:
    heard: list[tuple[str, str, Any]] = []
    with serving(heard) as base:
        found = LinkProbe().look(base + path)
    assert (found.alive, found.words) == (alive, words.replace("BASE", base))
    assert {method for method, _, _ in heard} <= {"HEAD", "GET"}
    assert {credentials for _, _, credentials in heard} == {None}


def test_what_does_not_answer_is_not_alive() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens, and nobody else gets the port
        found = LinkProbe().look(f"http://127.0.0.1:{taken.getsockname()[1]}/")
    assert (found.alive, found.status) == (False, None)
    assert found.words.startswith("no answer: connection refused")


class Told:
    """Answers by address."""

    def __init__(self, answers: dict[str, int | None]) -> None:
        self.answers = answers

    def look(self, url: str) -> LinkAnswer:
        status = self.answers[url]
        return LinkAnswer(url=url, at=url, status=status, problem="" if status else "no connection")


def links(*found: ReferenceLink) -> Config:
    return CONFIG.model_copy(update={"links": found})


def shown(config: Config, answers: dict[str, int | None], *, json_lines: bool = False) -> tuple[int, str]:
    out = io.StringIO()
    code = look_at_links(config, Told(answers), Output(json_lines=json_lines, stdout=out, stderr=io.StringIO()))
    return code, out.getvalue()


GOOD, DEAD = "https://docs.djangoproject.com/good", "https://docs.djangoproject.com/dead"


@pytest.mark.parametrize(
    ("note", "status", "code"), [("", 404, 1), ("known to be dead", 404, 0), ("", None, 1), ("", 200, 0)]
)
def test_a_dead_link_without_a_note_is_a_failure(note: str, status: int | None, code: int) -> None:
    config = links(
        ReferenceLink(title="Good", url=GOOD),
        ReferenceLink(title="Dead", url=DEAD, note=note),
        ReferenceLink(title="Command", command="uscdr backup status"),
    )
    found, text = shown(config, {GOOD: 200, DEAD: status})
    assert found == (ExitCode.CHECK_FAILED if code else ExitCode.DONE)
    assert "- Good: alive (200)\n" in text
    assert (note in text, "Command" in text) == (True, False)
    lines = [json.loads(line) for line in shown(config, {GOOD: 200, DEAD: status}, json_lines=True)[1].splitlines()]
    assert [(one["link"], one["status"]) for one in lines] == [("Good", 200), ("Dead", status)]


def test_without_links_there_is_nothing_to_say() -> None:
    assert shown(links(), {}) == (0, "")


def test_the_dead_page_of_the_runbook_is_named_as_dead() -> None:
    found = next(one for one in CONFIG.links if one.url and "djangoproject" in one.url)
    assert "has no such page" in found.note
    assert [one.kind for one in CONFIG.links].count("monitoring") == 4
    assert len(CONFIG.links) == 7


SMALL = """\
version: 1
objectives: {rpo: 4h, rto: 2h}
app: {name: usc-pis}
targets: {production: {heroku: {app: usc-pis}}}
scenarios: {dns: {title: Domain, budget: {assess: 10m, recover: 60m}, steps: [{use: dns.rollback}]}}
"""


def test_the_runbook_opens_its_links_only_when_it_is_asked_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heard: list[tuple[str, str, Any]] = []
    path = tmp_path / "named.yaml"
    with serving(heard) as base:
        path.write_text(f"{SMALL}links: [{{title: Good, url: '{base}/good'}}, {{title: Gone, url: '{base}/gone'}}]\n")
        assert main.run(["--config", str(path), "runbook"]) == ExitCode.DONE
        assert heard == []
        assert f"- Gone: {base}/gone\n" in capsys.readouterr().out
        assert main.run(["--config", str(path), "runbook", "--online"]) == ExitCode.CHECK_FAILED
    said = capsys.readouterr().out
    assert "- Good: alive (200)\n- Gone: dead (404)\n" in said
    assert {path for _, path, _ in heard} == {"/good", "/gone"}
