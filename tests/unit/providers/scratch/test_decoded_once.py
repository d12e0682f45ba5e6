"""A dump is read through once for its decoding and its restore, and anew after any write to it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from uscdr.errors import CheckFailed
from uscdr.providers.postgres import archive
from uscdr.providers.postgres.archive import Archive


def test_an_unchanged_dump_is_listed_once(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dump, listed = Path(shutil.copy(good, tmp_path / "one.dump")), list[Path]()
    plain = archive._listing

    def noted(tool: Any, path: Path) -> Any:
        listed.append(path)
        return plain(tool, path)

    monkeypatch.setattr(archive, "_listing", noted)
    assert Archive.read(dump, None).entries == Archive.read(dump, None).entries
    assert listed == [dump]


def test_a_dump_that_was_cut_meanwhile_is_read_anew(good: Path, tmp_path: Path) -> None:
    dump = Path(shutil.copy(good, tmp_path / "one.dump"))
    assert Archive.read(dump, None).entries
    with dump.open("r+b") as file:
        file.truncate(dump.stat().st_size - 200)
    with pytest.raises(CheckFailed):
        Archive.read(dump, None)
