"""Status pages of the Statuspage kind."""

from __future__ import annotations

import httpx
import pytest
import respx

from uscdr.errors import ProviderError
from uscdr.providers.http.retry import RetryingCaller, RetryPolicy
from uscdr.providers.probes.status_pages import STATUSPAGE, StatusPage

URL = "https://status.example.org"


def page(client: httpx.Client) -> StatusPage:
    patience = RetryingCaller(
        policy=RetryPolicy(attempts=2, seconds=5, first=0.001, longest=0.001), sleep=lambda _: None
    )
    return StatusPage(client, STATUSPAGE, service="Cloudinary", patience=patience)


def body(indicator: str, component: str) -> dict[str, object]:
    return {
        "status": {"indicator": indicator, "description": "words"},
        "components": [{"name": "Upload API", "status": component}, {"name": "Admin API", "status": "operational"}],
        "incidents": [{"name": "Elevated errors", "status": "investigating"}],
    }


@pytest.mark.parametrize(
    ("indicator", "component", "colours"),
    [
        ("none", "operational", ["green"]),
        ("minor", "degraded_performance", ["yellow", "yellow"]),
        ("critical", "major_outage", ["red", "red"]),
        ("something new", "something new", ["yellow", "yellow"]),
    ],
)
@respx.mock
def test_colours(indicator: str, component: str, colours: list[str]) -> None:
    respx.get(f"{URL}/api/v2/summary.json").respond(json=body(indicator, component))
    with httpx.Client(base_url=URL) as client:
        report = page(client).current()
    assert [system.status for system in report.systems] == colours
    assert report.systems[0].system == "Cloudinary"
    assert report.incidents == ("Elevated errors",)
    assert report.healthy == (indicator == "none")


@respx.mock
def test_an_unusable_page_is_asked_once_more() -> None:
    route = respx.get(f"{URL}/api/v2/summary.json").respond(200, html="<html>")
    with httpx.Client(base_url=URL) as client, pytest.raises(ProviderError) as caught:
        page(client).current()
    assert route.call_count == 2
    assert "status.example.org" in caught.value.next_action
