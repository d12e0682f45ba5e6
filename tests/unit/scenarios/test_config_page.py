"""The section `maintenance_page`: a page that browsers show, and where it is written."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from uscdr.models.base import Destination
from uscdr.scenarios.config_page import MaintenancePage

URL = "https://status.example/pages/maintenance.html"


def section(**more: Any) -> MaintenancePage:
    return MaintenancePage.model_validate({"url": URL, "to": "s3://usc-pis-status", **more})


@pytest.mark.parametrize(
    ("more", "folder", "name"),
    [
        ({}, "s3://usc-pis-status", "maintenance.html"),
        ({"to": "s3://usc-pis-status/a/b.html"}, "s3://usc-pis-status/a", "b.html"),
        ({"to": "/srv/www"}, "/srv/www", "maintenance.html"),
        ({"to": "/srv/www/down.htm"}, "/srv/www", "down.htm"),
        ({"url": "https://status.example/", "to": "/srv/www"}, "/srv/www", "index.html"),
        ({"url": "https://status.example", "to": "/srv/www"}, "/srv/www", "index.html"),
    ],
)
def test_where_it_is_written(more: dict[str, Any], folder: str, name: str) -> None:
    assert (section(**more).folder, section(**more).name) == (folder, name)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/m.html", "http://localhost/m.html", URL])
def test_addresses_that_browsers_show(url: str) -> None:
    assert section(url=url).url == url


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://status.example/m.html"},
        {"url": "https://ada:secret@status.example/m.html"},
        {"url": "https://status.example/m.html?v=1"},
        {"url": "status.example/m.html"},
        {"url": "https://status.example/a b.html"},
        {"url": "https://status.example/a%20b.html"},
        {"to": ""},
        {"cache_seconds": -1},
        {"cache_seconds": 601},
        {"timezone": "Mars/Olympus"},
        {"timezone": ""},
        {"timezone": "../etc"},
    ],
)
def test_what_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        section(**wrong)


def test_a_file_of_anybody_does_not_decide_where_notices_go() -> None:
    assert set(Destination.paths_in(section())) == {("url",), ("to",)}
