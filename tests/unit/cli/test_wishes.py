"""Options that cannot be meant: refused before a run is begun, whatever stands on the other side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from uscdr.cli import main
from uscdr.commands.recover import RecoverOptions
from uscdr.errors import BadInput, ExitCode
from uscdr.scenarios.adapters import Request

WISH: Mapping[str, Callable[[str], Request]] = {
    "release": lambda text: Request("app", release=text),
    "backup": lambda text: Request("infra", backup=text),
    "cloud": lambda text: Request("media", cloud=text),
    "ref": lambda text: Request("infra", ref=text),
}
WRONG = {
    "release": ["v0", "v-1", "latest", "v1 ", "v1\n", "\u0663", "v99999999999", "../v1", "\x1b[2J"],
    "backup": ["b", "001", "b001;", "b001\n", "B001", "b\u0660\u0661", "kit:x", "../b001"],
    "cloud": ["a/b", "../other", "a b", "-a", "a\n", "ü", "a" * 101],
    "ref": ["--upload-pack=x", "a..b", "a b", "/etc", "main\n", "main~1", "x.lock", "@{1}"],
}


@pytest.mark.parametrize(("option", "text"), [(option, text) for option, texts in WRONG.items() for text in texts])
def test_it_is_refused(option: str, text: str) -> None:
    with pytest.raises(BadInput):
        RecoverOptions(WISH[option](text), confirm=None, dry_run=True)


@pytest.mark.parametrize(
    ("option", "text"),
    [("release", "v12"), ("release", "7"), ("backup", "b001"), ("backup", "a002"), ("cloud", "usc-pis_2"),
     ("ref", "main"), ("ref", "feature/x"), ("ref", "e736f0877315")],
)  # fmt: skip
def test_these_may_be_meant(option: str, text: str) -> None:
    RecoverOptions(WISH[option](text), confirm=None, dry_run=True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["recover", "media", "--from", ""],
        ["recover", "media", "--from="],
        ["kit", "build", "--to", ""],
        ["recover", "app", "--ref="],
        ["recover", "infra", "--app", "", "--dry-run"],
        ["--target", "", "recover", "db"],
        ["kit", "check", ""],
    ],
)
def test_an_empty_text_is_neither_this_directory_nor_the_default(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("USCDR_STATE_DIR", str(tmp_path / "state"))
    assert main.run(arguments) == ExitCode.BAD_INPUT
    said = capsys.readouterr().err
    assert "is empty" in said
    assert "variable" in said
    assert not (tmp_path / "state").exists()
