"""Heroku's public status page."""

import ssl
from collections.abc import Callable

import httpx
import pytest
import respx

from uscdr.errors import ProviderError
from uscdr.providers.http.retry import RetryingCaller
from uscdr.providers.http.transport import open_client
from uscdr.providers.probes.status_pages import HEROKU, StatusPage

BASE = "https://status.heroku.com"
PAGE = {
    "status": [{"system": "Apps", "status": "green"}, {"system": "Data", "status": "red"}],
    "incidents": [{"title": "Data is slow", "created_at": "x", "updates": []}],
    "scheduled": [],
}


@pytest.fixture
def ask() -> Callable[[], StatusPage]:
    client = open_client(BASE, provider="status", verify=ssl.create_default_context(), read_only=True)
    return lambda: StatusPage(client, HEROKU, service="Heroku", patience=RetryingCaller(sleep=lambda _: None))


def test_colours_and_incidents(ask: Callable[[], StatusPage]) -> None:
    with respx.mock:
        route = respx.get(f"{BASE}/api/v4/current-status").respond(json=PAGE)
        report = ask().current()
    assert {line.system: line.status for line in report.systems} == {"Apps": "green", "Data": "red"}
    assert report.incidents == ("Data is slow",)
    assert report.healthy is False
    assert "Authorization" not in route.calls.last.request.headers


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(503, html="<html>"),
        httpx.Response(200, html="<html>"),
        httpx.Response(200, json={"status": "green"}),
        httpx.Response(200, json={}),
        httpx.Response(200, content=b'{"status": ['),
    ],
)
def test_a_page_that_tells_nothing_is_an_error_after_retries(
    answer: httpx.Response, ask: Callable[[], StatusPage]
) -> None:
    with respx.mock:
        route = respx.get(f"{BASE}/api/v4/current-status").mock(
            side_effect=lambda _: httpx.Response(answer.status_code, content=answer.content)
        )
        with pytest.raises(ProviderError, match="no usable answer"):
            ask().current()
    assert route.call_count == 6


def test_a_page_that_is_not_there_is_asked_once(ask: Callable[[], StatusPage]) -> None:
    with respx.mock:
        route = respx.get(f"{BASE}/api/v4/current-status").respond(404)
        with pytest.raises(ProviderError):
            ask().current()
    assert route.call_count == 1
