"""The pages of incidents in a real browser: nothing overflows, nothing is asked for, everything is readable."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from browser import Page, browser, program

TEXTS = Path(__file__).parents[2] / "golden" / "texts"
PAGES = ("incident-report", "incident-draft-report", "incident-trend")
WIDTHS = (320, 390, 768, 1024, 1280)
PHONE = 390
"""Below that, words of a picture may be cut; they stand in the table below it, too."""

OVERFLOW = """
(() => {
  const wide = document.documentElement.clientWidth;
  const beyond = [...document.querySelectorAll('body *')].filter(one =>
    !one.closest('svg') && !one.closest('thead') && one.getBoundingClientRect().right > wide + 1);
  return {page: document.documentElement.scrollWidth - wide,
          beyond: beyond.slice(0, 5).map(one => one.tagName + ': ' + one.textContent.trim().slice(0, 60))};
})()
"""
CONTRAST = """
(() => {
  const parts = color => color.match(/[\\d.]+/g).map(Number);
  const linear = part => part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = one => {
    for (; one; one = one.parentElement) {
      const color = getComputedStyle(one).backgroundColor;
      if ((parts(color)[3] ?? 1) > 0) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  const found = {};
  for (const one of document.querySelectorAll('body *')) {
    const own = [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || one.closest('title, desc')) continue;
    const style = getComputedStyle(one);
    const color = one.closest('svg') ? style.fill : style.color;
    const [a, b] = [light(parts(color)), light(parts(ground(one)))].sort((x, y) => y - x);
    found[color + ' on ' + ground(one)] = (a + 0.05) / (b + 0.05);
  }
  return found;
})()
"""
CLIPPED = """
[...document.querySelectorAll('svg.picture > text')].filter(one => {
  const box = one.getBoundingClientRect(), frame = one.closest('svg').getBoundingClientRect();
  return box.right > frame.right + 1 || box.left < frame.left - 1;
}).map(one => one.textContent)
"""
ALTERNATIVES = "[...document.querySelectorAll('svg.picture')].map(one => one.querySelector('title').textContent)"
HEADINGS = "[...document.querySelectorAll('h1, h2, h3, h4')].map(one => Number(one.tagName[1]))"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    if program() is None:
        pytest.skip("chromium not installed: run tests/conformance/install_packages.sh")
    with browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wider_than_the_window(name: str, width: int, page: Page) -> None:
    page.show(TEXTS / f"{name}.html", width)
    assert page.value("innerWidth") == width
    assert page.value(OVERFLOW) == {"page": 0, "beyond": []}
    if width >= PHONE:
        assert page.value(CLIPPED) == []


def test_a_page_that_is_too_wide_is_found(page: Page, tmp_path: Path) -> None:
    """The measure itself."""
    wide = tmp_path / "wide.html"
    wide.write_text("<!doctype html><body><p style='width: 2000px'>wide</p>")
    page.show(wide, 1280)
    assert page.value(OVERFLOW)["beyond"] == ["P: wide"]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", PAGES)
def test_every_word_is_readable(name: str, dark: bool, page: Page) -> None:
    page.show(TEXTS / f"{name}.html", 1280, dark=dark)
    found = page.value(CONTRAST)
    assert len(found) >= 3
    assert {pair: ratio for pair, ratio in found.items() if ratio < 4.5} == {}
    ground = page.value("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, re.findall(r"\d+", ground))) < 60) == dark


@pytest.mark.parametrize("name", PAGES)
def test_only_the_file_itself_is_asked_for(name: str, page: Page) -> None:
    path = TEXTS / f"{name}.html"
    page.show(path, 1280)
    assert page.requested == [path.as_uri()]
    assert page.value("performance.getEntriesByType('resource').length") == 0
    assert page.value("document.scripts.length") == 0


@pytest.mark.parametrize("name", PAGES)
def test_headings_are_in_order_and_pictures_have_words(name: str, page: Page) -> None:
    page.show(TEXTS / f"{name}.html", 1280)
    levels = page.value(HEADINGS)
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.value("document.documentElement.lang") == "en"
    assert page.value("document.title") != ""
    pictures = page.value(ALTERNATIVES)
    assert pictures
    assert all(pictures)


@pytest.mark.parametrize("name", PAGES)
def test_it_prints_as_pages_of_paper(name: str, page: Page) -> None:
    page.show(TEXTS / f"{name}.html", 1280, dark=True)
    paper = base64.b64decode(page.ask("Page.printToPDF", preferCSSPageSize=True, printBackground=False)["data"])
    assert paper.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) >= 1
    box = re.search(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", paper)
    assert box is not None
    assert [round(float(side)) for side in box.groups()] == [595, 842]
