"""A notice is written, and looked for at its public address through what caches it; nothing else is changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretStr

from uscdr.engine.wait import Stop
from uscdr.errors import Interrupted, MachineError
from uscdr.incident import maintenance_page
from uscdr.incident.maintenance_page import page_missing, show
from uscdr.pages.maintenance import PageNotice
from uscdr.providers.probes.public_page import PublicPageReader
from uscdr.scenarios.config_page import MaintenancePage
from uscdr.store.location import open_page
from uscdr.wiring.maintenance_page import PageAccess

NOW = datetime(2026, 11, 28, 3, 9, tzinfo=UTC)
NOTICE = PageNotice(title="The system is down", text="We restore the database.", at=NOW)


@dataclass
class Space:
    """A web server with a cache before it: it serves the page as it was `behind` requests ago."""

    directory: Path
    behind: int = 0
    status: int = 200
    served: list[bytes] = field(default_factory=list)
    old: bytes = b"<h1>an old page</h1>"

    def answer(self) -> bytes:
        path = self.directory / "maintenance.html"
        fresh = path.read_bytes() if path.exists() else b""
        self.served.append(fresh if len(self.served) >= self.behind else self.old)
        return self.served[-1]


@contextmanager
def public(space: Space, *, cache_seconds: int = 60) -> Iterator[PageAccess]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = space.answer()
            self.send_response(space.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/maintenance.html"
        settings = MaintenancePage(url=url, to=str(space.directory), cache_seconds=cache_seconds)
        with PublicPageReader(url) as reader:
            yield PageAccess("usc-pis", settings, open_page(settings.folder, settings.name, {}), reader)
    finally:
        server.shutdown()
        server.server_close()


def quiet(_text: str) -> None:
    pass


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance_page, "SPARE", 0.0)


def test_a_notice_and_its_end(tmp_path: Path) -> None:
    with public(Space(tmp_path)) as page:
        first = show(page, NOTICE, now=NOW, stop=Stop(), say=quiet)
        assert first.seen
        assert b"We restore the database." in page.public.look().body
        second = show(page, None, now=NOW, stop=Stop(), say=quiet)
        body = page.public.look().body
    assert second.seen
    assert second.mark != first.mark
    assert b"We restore" not in body
    assert b"No incident is known" in body


def test_a_cache_is_waited_for(tmp_path: Path) -> None:
    space, said = Space(tmp_path, behind=3), list[str]()
    with public(space) as page:
        shown = show(page, NOTICE, now=NOW, stop=Stop(), say=said.append)
    assert shown.seen
    assert len(space.served) == 4
    assert said == [
        f"The page is written to {tmp_path}/maintenance.html. uscdr waits up to 1 min 15 s for {page.settings.url}."
    ]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({"behind": 10**9}, "but its public address still shows the old page. Look: curl --silent http"),
        ({"status": 404}, "but its public address answers with status 404."),
    ],
)
def test_an_address_that_never_shows_it(tmp_path: Path, space: dict[str, Any], words: str) -> None:
    with public(Space(tmp_path, **space), cache_seconds=0) as page:
        shown = show(page, NOTICE, now=NOW, stop=Stop(), say=quiet)
    assert not shown.seen
    assert words in shown.words
    assert (tmp_path / "maintenance.html").exists()


@pytest.mark.usefixtures("impatient")
def test_an_address_that_does_not_answer(tmp_path: Path) -> None:
    with public(Space(tmp_path), cache_seconds=0) as page:
        pass
    with PublicPageReader(page.settings.url) as reader:
        away = PageAccess(page.application, page.settings, page.space, reader)
        shown = show(away, NOTICE, now=NOW, stop=Stop(), say=quiet)
    assert not shown.seen
    assert "but its public address does not answer: uscdr could not reach the maintenance page" in shown.words


def test_a_page_that_cannot_be_written_is_not_waited_for(tmp_path: Path) -> None:
    space = Space(tmp_path / "gone")
    with public(space) as page, pytest.raises(MachineError, match="there is no directory"):
        show(page, NOTICE, now=NOW, stop=Stop(), say=quiet)
    assert space.served == []


def test_an_interrupted_wait_says_that_the_page_is_written(tmp_path: Path) -> None:
    stop = Stop()
    space = Space(tmp_path, behind=10**9)
    with public(space) as page, pytest.raises(Interrupted, match="The page is written") as raised:
        show(page, NOTICE, now=NOW, stop=stop, say=lambda _: stop.event.set())
    assert raised.value.next_action == f"Look: curl --silent {page.settings.url}"
    assert b"We restore" in (tmp_path / "maintenance.html").read_bytes()


class Variables:
    """The platform, as far as names of variables go: reading a value is an error."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def config_vars(self, app: str) -> dict[str, SecretStr]:
        return {name: cast("Any", None) for name in self.names}


def test_the_finding_that_no_page_was_prepared() -> None:
    settings = MaintenancePage(url="https://status.example/m.html", to="/srv/www")
    without, prepared = (cast("Any", Variables(*names)) for names in ((), ("MAINTENANCE_PAGE_URL",)))
    assert page_missing(prepared, "usc-pis", settings) == ""
    words = page_missing(without, "usc-pis", settings)
    assert "restarts every dyno" in words
    assert words.endswith("heroku config:set MAINTENANCE_PAGE_URL=https://status.example/m.html --app usc-pis")
    assert "https://BUCKET.example.org" in page_missing(without, "usc-pis", None)
