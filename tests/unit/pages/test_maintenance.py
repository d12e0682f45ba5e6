"""What users read while the application is down: what was given, escaped, and nothing else."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from uscdr.pages.maintenance import PageNotice, PageText

AT = datetime(2026, 11, 28, 3, 9, tzinfo=UTC)
EVIL = "</p><script>alert(1)</script>\"'&{{ 7 * 7 }}"


def notice(**more: Any) -> PageNotice:
    return PageNotice.model_validate(
        {"title": "The clinic's system is down", "text": "We restore it.", "at": AT, **more}
    )


def page(given: PageNotice | None, *, application: str = "usc-pis", timezone: str = "UTC") -> str:
    return PageText(application, given, "mark-1", AT, timezone).html()


def test_a_notice_and_when_it_works_again() -> None:
    html = page(
        notice(
            expected_from=datetime(2026, 11, 28, 4, 0, tzinfo=UTC),
            expected_until=datetime(2026, 11, 28, 6, 30, tzinfo=UTC),
            contact="Call the clinic: extension 123",
        ),
        timezone="Asia/Manila",
    )
    for words in (
        "<h1>The clinic&#39;s system is down</h1>",
        "We restore it.",
        "2026-11-28 11:09 (Asia/Manila)",
        "between 2026-11-28 12:00 (Asia/Manila) and 2026-11-28 14:30 (Asia/Manila)",
        "Call the clinic: extension 123",
        "mark-1",
    ):
        assert words in html, words


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "Not known yet."),
        ({"expected_until": AT}, "by 2026-11-28 03:09 (UTC)"),
        ({"expected_from": AT}, "not before 2026-11-28 03:09 (UTC)"),
    ],
)
def test_half_of_an_expectation(more: dict[str, Any], words: str) -> None:
    assert f"<dd>{words}</dd>" in page(notice(**more))


def test_without_a_notice_nothing_of_one_is_left() -> None:
    html = page(None)
    assert "No incident is known, and nothing is known to be wrong." in html
    assert "usc-pis is under maintenance" in html
    assert "Time of this notice" not in html


@pytest.mark.parametrize("field", ["title", "text", "contact"])
def test_what_is_given_stays_text(field: str) -> None:
    html = page(notice(**{field: EVIL}), application=EVIL)
    assert "<script" not in html
    assert html.count("&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;{{ 7 * 7 }}") >= 2


@pytest.mark.parametrize("given", [None, notice()])
def test_it_stands_alone_and_is_asked_for_again(given: PageNotice | None) -> None:
    html = page(given)
    assert '<meta http-equiv="refresh" content="60">' in html
    assert "prefers-color-scheme: dark" in html
    assert '<meta name="viewport" content="width=device-width">' in html
    assert not re.search(r"https?:|\bsrc=|\bhref=|url\(", html)


@pytest.mark.parametrize(
    "wrong", [{"title": ""}, {"text": ""}, {"at": AT.replace(tzinfo=None)}, {"text": "x" * 5001}, {"patient": "Juan"}]
)
def test_what_a_notice_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        notice(**wrong)
