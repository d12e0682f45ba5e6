"""What is missing is installed from where this came from; no public index is asked for a package of ours."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

import pytest

import uscdr.installation as module
from uscdr.installation import _libraries, install, origin

ROOT = Path(__file__).parents[2]


class Installed:
    """What pip wrote down of an installation."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        self.requires = [
            "httpx<0.29,>=0.28",
            'pyrage>=1.2; extra == "vault"',
            "obstore>=0.8; extra == 'vault'",
            "django<5.3,>=5.2; extra == 'sandbox'",
        ]

    def read_text(self, name: str) -> str | None:
        return None if self._url is None or name != "direct_url.json" else self._url


def installed(monkeypatch: pytest.MonkeyPatch, url: str | None, *, raw: bool = False) -> None:
    text = url if raw or url is None else json.dumps({"url": url})
    monkeypatch.setattr(module, "distribution", lambda name: Installed(text))


def test_from_the_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place = tmp_path / "a checkout"
    place.mkdir()
    installed(monkeypatch, place.as_uri())
    assert install("sandbox") == f"{shlex.quote(sys.executable)} -m pip install -e '{place}[sandbox]'"


def test_from_the_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wheel = tmp_path / "uscdr-0.1.0-py3-none-any.whl"
    wheel.touch()
    installed(monkeypatch, wheel.as_uri())
    assert install("vault") == f"{shlex.quote(sys.executable)} -m pip install '{wheel}[vault]'"


@pytest.mark.parametrize(
    "url", [None, "file:///gone/uscdr.whl", "https://index.example/uscdr.whl", "file:relative", "{", '{"url": 3}', "[]"]
)
def test_where_that_is_gone_the_libraries_are_named_by_their_own_names(
    monkeypatch: pytest.MonkeyPatch, url: str | None
) -> None:
    installed(monkeypatch, url, raw=url is not None and not url.startswith(("file:", "https:")))
    assert origin() is None
    assert _libraries("vault") == ("pyrage>=1.2", "obstore>=0.8")
    assert install("vault").endswith(" -m pip install 'pyrage>=1.2' 'obstore>=0.8'")
    assert "uscdr" not in install("sandbox").removeprefix(shlex.quote(sys.executable))


def test_nothing_tells_anybody_to_install_it_by_its_name() -> None:
    places = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "src" / "uscdr").rglob("*.py")]
    by_name = re.compile(r"pip3? install[^\n`]*?\s['\"]?uscdr\b(?!-)")
    assert [str(one) for one in places if by_name.search(one.read_text())] == []
