"""The colours of pages for a screen: every pair that meets is readable (WCAG 2.2, AA), in light, dark and on paper."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

STYLE = (files("uscdr.pages") / "templates" / "screen.html.j2").read_text("utf-8")
ROOTS = re.findall(r":root \{([^}]*)\}", STYLE)
SCHEMES = {
    name: dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", root))
    for name, root in zip(("light", "dark", "print"), ROOTS, strict=True)
}
TEXTS, GRAPHICS = ("ink", "soft", "good", "bad", "open"), ("good", "bad", "open", "bar", "pale", "ink")
GROUNDS = ("paper", "panel")


def luminance(color: str) -> float:
    def linear(part: int) -> float:
        share = part / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(color[place : place + 2], 16)) for place in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_measure_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_words_have_a_contrast_of_at_least_four_and_a_half(scheme: str) -> None:
    colors = SCHEMES[scheme]
    found = {(text, ground): contrast(colors[text], colors[ground]) for text in TEXTS for ground in GROUNDS}
    assert {pair: ratio for pair, ratio in found.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_bars_and_marks_have_a_contrast_of_at_least_three(scheme: str) -> None:
    colors = SCHEMES[scheme]
    found = {(mark, ground): contrast(colors[mark], colors[ground]) for mark in GRAPHICS for ground in GROUNDS}
    assert {pair: ratio for pair, ratio in found.items() if ratio < 3} == {}


def test_every_colour_is_one_of_the_palette() -> None:
    rest = STYLE
    for root in ROOTS:
        rest = rest.replace(root, "")
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(|\bhsl", rest)
    used = set(re.findall(r"var\(--(\w+)\)", rest))
    assert all(used <= set(colors) for colors in SCHEMES.values())
