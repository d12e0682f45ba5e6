"""`uscdr kit build --capture` looks for the programs of a proof before it captures a backup."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from uscdr.commands import kit_build
from uscdr.commands.kit_build import BuildOptions, build_kit
from uscdr.errors import MachineError
from uscdr.pgserver import cluster


class Captured(Exception):
    """A backup would be captured now."""


@pytest.fixture(autouse=True)
def _bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without PostgreSQL."""

    def take(*_: Any) -> None:
        raise Captured

    monkeypatch.setenv("USCDR_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(cluster, "_in_wheel", lambda name: None)
    monkeypatch.setattr(kit_build, "observe_target", lambda *_: None)
    monkeypatch.setattr("uscdr.wiring.stores.kit_recipients", lambda *_: ())
    monkeypatch.setattr("uscdr.commands.backup_schedule.take", take)


def build(tmp_path: Path, **options: Any) -> None:
    target = SimpleNamespace(config=SimpleNamespace(kit=SimpleNamespace(to=None)), scratch=None)
    wanted = BuildOptions(to=str(tmp_path / "safe"), capture=True, **options)
    build_kit(cast("Any", target), cast("Any", None), wanted, cast("Any", None))


def test_nothing_is_captured_without_the_programs_of_the_proof(tmp_path: Path) -> None:
    with pytest.raises(MachineError) as refused:
        build(tmp_path)
    assert "“proof”" in refused.value.next_action


@pytest.mark.parametrize("options", [{"unproven": True}, {"without": frozenset({"dump"})}])
def test_a_kit_that_proves_nothing_needs_none(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(Captured):
        build(tmp_path, **options)
