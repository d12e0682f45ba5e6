"""Records of exercises in a shared state: both machines read them; what cannot be shared waits, and says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from exercise_world import attested, drilled

from uscdr.cli import main
from uscdr.errors import ExitCode
from uscdr.exercises.records import TeamRecords, store_of
from uscdr.store.directory import LocalStore

TRAINING = attested("staff-training", "2026-11-03", kind="training", attendees=("Ben", "Cora"))
DRILL = drilled("db", "2026-11-02")


class Desk:
    """One machine of the team, and what it was warned of."""

    def __init__(self, place: Path, name: str, shared: Path | str) -> None:
        self.state, self.told = place / name, list[str]()
        self.env = {"USCDR_SHARED": str(shared)} if shared else {}

    @property
    def records(self) -> TeamRecords:
        return TeamRecords(self.state, self.env, self.told.append)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    (tmp_path / "shared").mkdir()
    return tmp_path / "shared"


def test_what_one_machine_keeps_the_other_reads(tmp_path: Path, shared: Path) -> None:
    ada, ben = (Desk(tmp_path, name, shared) for name in ("ada", "ben"))
    path = ada.records.keep(DRILL)
    ben.records.keep(TRAINING)
    assert Path(path).is_relative_to(ada.state)
    for desk in (ada, ben):
        log = desk.records.read()
        assert (log.records, log.refused, desk.told) == ((DRILL, TRAINING), (), [])
    assert len(list(shared.rglob("*.json"))) == 2


def test_alone_nothing_is_shared(tmp_path: Path, shared: Path) -> None:
    ada = Desk(tmp_path, "ada", "")
    ada.records.keep(DRILL)
    assert ada.records.read().records == (DRILL,)
    assert (list(shared.iterdir()), ada.told) == ([], [])


def test_a_record_waits_while_the_shared_state_is_away_and_is_shared_later(tmp_path: Path, shared: Path) -> None:
    ada = Desk(tmp_path, "ada", tmp_path / "unmounted")
    ada.records.keep(DRILL)
    (told,) = ada.told
    assert told.startswith("The team cannot see this record yet: ")
    assert "does not exist" in told
    assert ada.records.read().records == (DRILL,)
    assert "may be missing" in ada.told[1]
    again, ben = Desk(tmp_path, "ada", shared), Desk(tmp_path, "ben", shared)
    assert ben.records.read().records == ()
    again.records.read()
    assert ben.records.read().records == (DRILL,)
    assert again.told == ben.told == []


def test_a_record_is_created_once_and_a_damaged_one_counts_for_nothing(tmp_path: Path, shared: Path) -> None:
    ada, ben = (Desk(tmp_path, name, shared) for name in ("ada", "ben"))
    own = Path(ada.records.keep(DRILL))
    (there,) = shared.rglob("*.json")
    assert there.read_bytes() == own.read_bytes()
    there.write_bytes(there.read_bytes().replace(b'"db"', b'"dd"', 1))
    log = ben.records.read()
    assert log.records == ()
    assert str(there) in log.refused[0].message
    ada.records.read()
    assert b'"dd"' in there.read_bytes(), "nothing that is there is overwritten"


def test_a_record_that_was_changed_here_is_not_shared(tmp_path: Path, shared: Path) -> None:
    ada = Desk(tmp_path, "ada", "")
    own = Path(ada.records.keep(DRILL))
    own.write_bytes(own.read_bytes().replace(b'"db"', b'"dd"', 1))
    log = Desk(tmp_path, "ada", shared).records.read()
    assert (log.records, len(log.refused)) == ((), 1)
    assert list(shared.rglob("*.json")) == []


def test_names_of_others_lead_nowhere_else(tmp_path: Path, shared: Path) -> None:
    """Whoever writes into the store chooses names; they are read there, and never become paths of this machine."""
    LocalStore(shared).put_once("exercises/records/odd/name.json", b"{}")
    ada = Desk(tmp_path, "ada", shared)
    log = ada.records.read()
    assert (log.records, len(log.refused)) == ((), 1)
    assert not ada.state.exists()


def test_the_commands_share_and_show_them(
    tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("USCDR_SHARED", str(shared))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("HEROKU_API_KEY", "USCDR_TARGET", "USCDR_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("USCDR_STATE_DIR", str(tmp_path / "ada"))
    assert main.run(["drill", "record", "contacts-review", "--by", "Ada Reyes"]) == ExitCode.DONE
    monkeypatch.setenv("USCDR_STATE_DIR", str(tmp_path / "ben"))
    capsys.readouterr()
    assert main.run(["drill", "list"]) == ExitCode.DONE
    assert "Ada Reyes" in capsys.readouterr().out
    assert list(store_of(tmp_path / "ben").names("records")) == []
