"""The pictures of the pages: up to date, each shown by a page, and none loads anything from elsewhere."""

from __future__ import annotations

import re

import pytest

from tools.pictures import PICTURES, drawn, outdated

PAGES = PICTURES.parent


def test_every_picture_is_up_to_date() -> None:
    assert outdated(drawn()) == [], "run make pages"


def test_one_that_differs_and_one_too_many_are_found() -> None:
    pictures = dict(drawn())
    left = pictures.pop("plan.svg")
    assert left
    assert outdated({**pictures, "done.svg": "<svg/>", "new.svg": "<svg/>"}) == ["done.svg", "new.svg", "plan.svg"]


def test_every_picture_is_shown_with_words_for_it() -> None:
    texts = [page.read_text() for page in PAGES.glob("*.md")]
    shown = {name for text in texts for name in re.findall(r"!\[.{20,}\]\(pictures/(.+?)\)", text)}
    assert shown == set(drawn())


@pytest.mark.parametrize("name", drawn())
def test_it_loads_nothing_and_names_no_place_of_this_machine(name: str) -> None:
    text = drawn()[name]
    assert set(re.findall(r"https?://[^\s\"<>)]+", text)) <= {"http://www.w3.org/2000/svg", "https://www.textualize.io"}
    assert "@font-face" not in text
    assert "/root" not in text
    assert "/tmp" not in text
