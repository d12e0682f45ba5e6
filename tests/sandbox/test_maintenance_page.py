"""What users read while the application is down: each notice on the operator's page, and nothing of it afterwards."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from live_sandbox import Live
from uscdr.engine.wait import Stop
from uscdr.incident.maintenance_page import PageShown, show
from uscdr.pages.maintenance import PageNotice
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.loader import load
from uscdr.wiring.maintenance_page import page_access
from uscdr.wiring.sandbox_target import target_of

NOW = datetime(2026, 11, 28, 3, 9, tzinfo=UTC)
FRAME = re.compile(r'<iframe src="([^"]+)"')


def users_see(live: Live) -> tuple[int, str]:
    """The status at the application's address, and what a browser shows: the answer, or the page in its frame."""
    answer = httpx.get(live.contract["web_url"])
    frame = FRAME.search(answer.text)
    return answer.status_code, httpx.get(html.unescape(frame[1])).text if frame else answer.text


def shown(live: Live, notice: PageNotice | None) -> PageShown:
    with page_access(target_of(load(packaged()), {}, live.contract), {}) as page:
        assert page is not None
        return show(page, notice, now=NOW, stop=Stop(), say=lambda _: None)


def maintenance(live: Live, *, enabled: bool) -> None:
    live.send("PATCH", f"/apps/{live.app}", {"maintenance": enabled})


def test_users_read_each_notice_while_it_is_down(live: Live) -> None:
    live.settled()
    release = live.release_over()["version"]
    maintenance(live, enabled=True)
    assert users_see(live)[0] == 503
    assert "The clinic is under maintenance." in users_see(live)[1]
    for words in ("We look for the cause.", "The database is restored; we check it."):
        assert shown(live, PageNotice(title="The system is down", text=words, at=NOW)).seen
        status, text = users_see(live)
        assert (status, words in text) == (503, True)
    assert "We look for the cause." not in users_see(live)[1]
    assert shown(live, None).seen
    assert "The system is down" not in users_see(live)[1]
    maintenance(live, enabled=False)
    assert users_see(live) == (200, "hello from the web dyno")
    assert live.release_over()["version"] == release, "a notice is no release"


@pytest.fixture
def variables(live: Live) -> Iterator[None]:
    """Variables as they were, afterwards."""
    before = live.get(f"/apps/{live.app}/config-vars")
    yield
    mended = {"MAINTENANCE_PAGE_URL": before["MAINTENANCE_PAGE_URL"], "ERROR_PAGE_URL": None}
    live.send("PATCH", f"/apps/{live.app}/config-vars", mended)
    live.release_over()


@pytest.mark.usefixtures("variables")
def test_without_the_variable_the_platform_shows_its_own_page(live: Live) -> None:
    live.send("PATCH", f"/apps/{live.app}/config-vars", {"MAINTENANCE_PAGE_URL": None})
    maintenance(live, enabled=True)
    answer = httpx.get(live.contract["web_url"])
    assert (answer.status_code, "<h1>Offline for Maintenance</h1>" in answer.text) == (503, True)
    assert not FRAME.search(answer.text)


@pytest.mark.usefixtures("variables")
def test_an_error_page_is_shown_for_a_crash_and_an_address_stays_an_attribute(live: Live) -> None:
    space = Path(live.contract["web_space"]["directory"])
    page = live.contract["web_space"]["page_url"].replace("maintenance.html", "error.html")
    (space / "error.html").write_text("<p>Something broke.</p>")
    live.send("PATCH", f"/apps/{live.app}/config-vars", {"ERROR_PAGE_URL": f'{page}?a="><b>'})
    live.release_over()
    live.send("PATCH", f"/apps/{live.app}/formation", {"updates": [{"type": "web", "quantity": 0}]})
    answer = httpx.get(live.contract["web_url"])
    assert answer.status_code == 503
    assert "<b>" not in answer.text
    assert users_see(live) == (503, "<p>Something broke.</p>")
