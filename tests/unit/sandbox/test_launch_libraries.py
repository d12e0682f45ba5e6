"""Without its libraries the sandbox says which, and how to install them, before it starts anything."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from uscdr.errors import ExitCode, MachineError, MissingExtra
from uscdr.installation import install
from uscdr.sandbox import launch
from uscdr.sandbox.boot.request import UpRequest
from uscdr.sandbox.state import StateDir


@pytest.fixture
def lacking(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Libraries that are not to be found."""
    names: set[str] = set()
    find = importlib.util.find_spec

    def found(name: str) -> ModuleSpec | None:
        return None if name in names else find(name)

    monkeypatch.setattr(importlib.util, "find_spec", found)
    return names


@pytest.mark.parametrize("names", [{"trustme"}, {"starlette", "uvicorn", "django", "gunicorn", "trustme"}])
def test_the_extra_and_its_command_are_named(tmp_path: Path, lacking: set[str], names: set[str]) -> None:
    lacking |= names
    with pytest.raises(MissingExtra) as refused:
        launch.up(StateDir(tmp_path / "sandbox"), UpRequest(), lambda text: None)
    assert refused.value.exit_code is ExitCode.FAILED
    assert all(name in refused.value.why for name in names)
    assert install("sandbox") in refused.value.next_action
    assert not (tmp_path / "sandbox").exists()


def test_a_sandbox_that_ends_early_names_its_log_and_no_cause_that_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = StateDir(tmp_path / "sandbox")
    monkeypatch.setattr("sys.executable", "/bin/true")
    with pytest.raises(MachineError, match="ended before it was ready") as failed:
        launch.up(state, UpRequest(), lambda text: None)
    assert failed.value.why == ""
    assert str(state.log) in failed.value.next_action
    assert state.log.exists()


def test_what_only_the_clinic_needs_is_not_asked_of_another_application(
    tmp_path: Path, lacking: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking |= {"django", "gunicorn"}
    monkeypatch.setattr(launch, "_start", lambda *_: {"version": 1})
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Procfile").write_text("web: true\n")
    up = launch.up(StateDir(tmp_path / "sandbox"), UpRequest(app_source=str(tmp_path / "app")), lambda text: None)
    assert up == {"version": 1}
