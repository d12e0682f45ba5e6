"""Pages escape every value, refuse a gap, load nothing, and cost nothing until one is rendered."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.resources import files

import pytest
from jinja2 import DictLoader, UndefinedError

from uscdr.pages import rendering
from uscdr.pages.rendering import rendered

TEMPLATES = {one.name: one.read_text("utf-8") for one in (files("uscdr.pages") / "templates").iterdir()}
EVIL = "</style><script>alert(1)</script>\"'&{{ 7 * 7 }}"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Templates of the test beside those of the package, rendered as these are."""
    templates = dict(TEMPLATES)
    made = rendering._templates().overlay(loader=DictLoader(templates))
    monkeypatch.setattr(rendering, "_templates", lambda: made)
    return templates


def test_what_it_is_given_stays_text(written: dict[str, str]) -> None:
    written["a.html.j2"] = '{% extends "page.html.j2" %}{% block body %}{{ value }}{% endblock %}'
    page = rendered("a", title=EVIL, value=EVIL)
    escaped = "&lt;/style&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;{{ 7 * 7 }}"
    assert page.count(escaped) == 3
    assert page.count("</style>") == 1
    assert "<script" not in page


@pytest.mark.parametrize(
    "gap", ["{{ absent }}", "{{ value.absent }}", "{% if absent %}{% endif %}", "{{ absent|size }}"]
)
def test_a_gap_is_an_error(written: dict[str, str], gap: str) -> None:
    written["a.html.j2"] = gap
    with pytest.raises(UndefinedError):
        rendered("a", value="there")


def test_every_page_forbids_what_is_not_in_it() -> None:
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    assert f'http-equiv="Content-Security-Policy" content="{policy}"' in TEMPLATES["page.html.j2"]
    others = {name: text for name, text in TEMPLATES.items() if name != "page.html.j2" and not name.startswith("_")}
    assert others
    for text in others.values():
        (base,) = re.findall(r'\{% extends "([^"]+)" %\}', text)
        assert base == "page.html.j2" or '{% extends "page.html.j2" %}' in others[base]


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_template_goes_round_escaping(name: str) -> None:
    """A value stands between tags alone: what is harmless there is not so in a style, a script or an attribute."""
    text = re.sub(r"\{#.*?#\}", "", TEMPLATES[name], flags=re.DOTALL)
    assert not re.search(r"\bsafe\b|autoescape|<script|\bon\w+=|\bsrc=|\bhref=|url\(|@import", text)
    assert not re.search(r"<[^>]*\{[{%]", text)
    assert all("{{" not in style for style in re.findall(r"<style>.*?</style>", text, re.DOTALL))


def test_the_templates_are_loaded_with_the_first_page() -> None:
    code = "import sys, uscdr.kit.card; sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
