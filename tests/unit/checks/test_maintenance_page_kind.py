"""The maintenance page: named beforehand, the configured one, and one that browsers show inside the platform's page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from fake_surroundings import HOST, PLANTED, Place, verdict, world
from uscdr.checks.context import CheckContext
from uscdr.errors import ProviderError, RateLimited
from uscdr.models.heroku import App
from uscdr.models.probes import WebAnswer

URL = "https://status.clinic.example/maintenance.html"
GOOD = WebAnswer(status=200, content_type="text/html; charset=utf-8", body=b"<h1>Maintenance</h1>")
SET = f"heroku config:set MAINTENANCE_PAGE_URL={URL} --app clinic"


@dataclass
class Site:
    """Answers for public addresses."""

    answer: WebAnswer | ProviderError = GOOD
    asked: list[str] = field(default_factory=list)

    def fetch(self, address: str) -> WebAnswer:
        self.asked.append(address)
        if isinstance(self.answer, ProviderError):
            raise self.answer
        return self.answer


class AtAnAddress(Place):
    def app(self, app: str) -> App:
        return App(id=app, name=app, maintenance=True, web_url="https://clinic.herokuapp.example/")


def seen(value: str | None, site: Site, *, configured: str = URL) -> CheckContext:
    place = AtAnAddress()
    if value is not None:
        place.vars["MAINTENANCE_PAGE_URL"] = value
    given: Any = site
    return replace(world(place, maintenance_page=configured), website=lambda: given)


@pytest.mark.parametrize(
    ("value", "configured", "words"),
    [
        (URL, URL, "MAINTENANCE_PAGE_URL is set, and the page answers"),
        (URL.removeprefix("https:"), URL, "the page answers"),
        (URL, "", "without `maintenance_page` in scenarios.yaml uscdr writes no notice to it"),
        ("http://127.0.0.1:8000/maintenance.html", "", "the page answers"),
    ],
)
def test_a_page_that_was_prepared(value: str, configured: str, words: str) -> None:
    site = Site()
    found, evidence = verdict(seen(value, site, configured=configured), "maintenance_page")
    assert (found, words in evidence) == ("pass", True), evidence
    assert site.asked == [value if "http" in value else URL]


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_page_that_was_not_prepared(value: str | None) -> None:
    """The fix is one to paste, and says what it does to every dyno."""
    site = Site()
    found, evidence = verdict(seen(value, site), "maintenance_page")
    assert found == "fail"
    assert evidence.startswith("MAINTENANCE_PAGE_URL is not set")
    assert "a release that restarts every dyno" in evidence
    assert evidence.endswith(SET)
    assert not site.asked


def test_without_a_configured_page_the_fix_has_an_example() -> None:
    _, evidence = verdict(seen(None, Site(), configured=""), "maintenance_page")
    assert "MAINTENANCE_PAGE_URL=https://BUCKET.example.org/maintenance.html --app clinic" in evidence


@pytest.mark.parametrize(
    ("value", "configured", "words"),
    [
        (f"https://other.example/{PLANTED}.html", URL, f"names another page than `maintenance_page.url`, so .*{SET}"),
        (f"ftp://other.example/{PLANTED}", "", "is not a web address"),
        (f"{PLANTED}", "", "is not a web address"),
        ("https://[::1", "", "is not a web address"),
        (f"http://other.example/{PLANTED}.html", "", "http:// address, which browsers block"),
        ("https://clinic.herokuapp.example/down.html", "", "a page of the application itself"),
        (f"//{HOST}/static/down.html", "", "a page of the application itself"),
    ],
)
def test_an_address_that_cannot_work_is_not_asked(value: str, configured: str, words: str) -> None:
    site = Site()
    found, evidence = verdict(seen(value, site, configured=configured), "maintenance_page")
    assert found == "fail"
    assert re.search(words, evidence), evidence
    assert not site.asked


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": 404}, "answers with status 404"),
        ({"status": 301}, "answers with status 301"),
        ({"content_type": "application/octet-stream"}, "is sent as application/octet-stream"),
        ({"content_type": ""}, "is sent as no type"),
        ({"headers": {"x-frame-options": "DENY"}}, "forbids that the platform shows it in a frame"),
        ({"headers": {"content-security-policy": "default-src *; frame-ancestors 'self'"}}, "in a frame"),
    ],
)
def test_a_page_that_users_would_not_see(change: Mapping[str, Any], words: str) -> None:
    answer = GOOD.model_copy(update=dict(change))
    found, evidence = verdict(seen(URL, Site(answer)), "maintenance_page")
    assert (found, words in evidence) == ("fail", True), evidence


@pytest.mark.parametrize("policy", ["default-src 'none'", "frame-ancestors *"])
def test_a_policy_that_allows_frames(policy: str) -> None:
    answer = GOOD.model_copy(update={"headers": {"content-security-policy": policy}})
    assert verdict(seen(URL, Site(answer)), "maintenance_page")[0] == "pass"


@pytest.mark.parametrize(
    "error",
    [
        ProviderError("Nobody answers.", provider="p", why="GET /: connection refused.", retryable=True),
        RateLimited("Too many requests.", provider="p", why="GET /: connection refused."),
    ],
)
def test_a_silent_page_is_a_doubt(error: ProviderError) -> None:
    found, evidence = verdict(seen(URL, Site(error)), "maintenance_page")
    assert found == "inconclusive"
    assert evidence == "the maintenance page does not answer: GET /: connection refused."
