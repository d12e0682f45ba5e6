"""Programs are run from where the PATH says, never from where the command happens to be given."""

from __future__ import annotations

from pathlib import Path

import pytest

from uscdr.settings import program


def put(directory: Path, name: str = "git") -> Path:
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    "path", [":{sound}", "{sound}:", ".:{sound}", "here:{sound}", "::{sound}", "../{here}:{sound}"]
)
def test_the_current_directory_is_passed_over(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = put(tmp_path / "sound")
    put(tmp_path / "work")
    put(tmp_path / "work" / "here")
    monkeypatch.chdir(tmp_path / "work")
    assert program("git", {"PATH": path.format(sound=sound.parent, here="work")}) == sound


@pytest.mark.parametrize("path", [":", "."])
def test_without_a_directory_there_is_no_program(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert program("git", {"PATH": path}) is None


def test_without_a_path_it_is_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PATH")
    assert program("sh") in (Path("/bin/sh"), Path("/usr/bin/sh"))


def test_an_empty_path_is_the_systems_and_never_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path).rename(tmp_path / "only-here")
    monkeypatch.chdir(tmp_path)
    assert program("sh", {"PATH": ""}) in (Path("/bin/sh"), Path("/usr/bin/sh"))
    assert program("only-here", {"PATH": ""}) is None
