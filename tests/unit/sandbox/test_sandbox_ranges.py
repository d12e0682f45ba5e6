"""List pagination: tolerant headers, opaque continuation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uscdr.sandbox.web.errors import ApiError
from uscdr.sandbox.web.ranges import LARGEST_PAGE, Window, paginate, parse


@pytest.mark.parametrize(
    ("header", "window"),
    [
        (None, Window()),
        ("version ..; max=15, order=desc", Window("version", limit=15, descending=True)),
        ("version ..; order=desc,max=1", Window("version", limit=1, descending=True)),
        ("version ..; order=desc;max=10;", Window("version", limit=10, descending=True)),
        ("id ..; max=1000;", Window("id", limit=1000)),
        ("id ]abc..; max=2", Window("id", start="abc", after=True, limit=2)),
        ("name web.1..web.9", Window("name", start="web.1", end="web.9")),
        ("id ..; max=999999", Window("id", limit=LARGEST_PAGE)),
    ],
)
def test_headers_as_clients_write_them(header: str | None, window: Window) -> None:
    assert parse(header) == window


@pytest.mark.parametrize("header", ["", " "])
def test_an_empty_header_is_none(header: str) -> None:
    assert parse(header) == Window()


@pytest.mark.parametrize("header", ["bytes", "=..", "ID .."])
def test_a_header_that_says_nothing_is_refused(header: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse(header)
    assert caught.value.status == 416


def _follow(items: list[dict[str, Any]], header: str | None) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    while True:
        page = paginate(items, header)
        seen += page.items
        header = page.headers.get("Next-Range")
        assert page.status == (206 if header else 200)
        if not header:
            return seen


@given(
    count=st.integers(0, 30),
    size=st.integers(1, 12),
    attribute=st.sampled_from(["id", "version", "name"]),
    descending=st.booleans(),
)
def test_following_next_range_gives_every_item_once_in_order(
    count: int, size: int, attribute: str, descending: bool
) -> None:
    items = [{"id": f"u{(n * 7) % 31}", "version": n, "name": f"web.{n}"} for n in range(count)]
    order = ", order=desc" if descending else ""
    seen = _follow(items, f"{attribute} ..; max={size}{order}")
    assert len(seen) == len(items)
    key = (lambda item: str(item["name"])) if attribute == "name" else (lambda item: item["version"])
    assert seen == sorted(items, key=key, reverse=descending)


def test_an_end_is_kept_over_pages() -> None:
    items = [{"id": str(n), "version": n} for n in range(20)]
    assert [one["version"] for one in _follow(items, "version 3..11; max=4")] == list(range(3, 12))


def test_the_default_page_holds_two_hundred() -> None:
    items = [{"id": str(n)} for n in range(450)]
    page = paginate(items, None)
    assert (len(page.items), page.status) == (200, 206)
    assert _follow(items, None) == items


def test_an_attribute_that_items_do_not_have_is_refused() -> None:
    with pytest.raises(ApiError):
        paginate([{"id": "1"}], "colour ..")
