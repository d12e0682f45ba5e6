"""What `uscdr backup schedule` builds its wheels from: named, known, or asked for; never a name on an index."""

from __future__ import annotations

from pathlib import Path

import pytest

from uscdr.commands import backup_schedule
from uscdr.errors import BadInput


def test_from_what_is_named(tmp_path: Path) -> None:
    wheel = tmp_path / "uscdr-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    made = backup_schedule._wheels(str(wheel))
    assert f"'uscdr[proof,vault] @ {wheel.as_uri()}#sha256=" in made


def test_from_an_environment_without_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_schedule, "has_pip", lambda: False)
    assert "python3 -m pip wheel" in backup_schedule._wheels(str(tmp_path))


def test_from_where_this_came_from_or_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_schedule, "direct_url", dict)
    asked = backup_schedule._wheels(None)
    assert "--install-from PATH" in asked
    assert "pip" not in asked


@pytest.mark.parametrize("text", ["uscdr", "uscdr[proof]", "PATH-OF-THE-WHEEL", "https://host.example/uscdr.whl"])
def test_a_name_is_refused(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="--install-from names no checkout"):
        backup_schedule._wheels(text)
