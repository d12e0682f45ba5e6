"""What names the shared state, what is refused, and what is seen of it while others write."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from clocked_store import Clocked
from team_machines import LONG_AFTER, Pair, middle

from uscdr.cli import main
from uscdr.errors import BadInput, ExitCode, MachineError
from uscdr.journal.reader import COPY
from uscdr.models.events import StepProgress
from uscdr.shared.journals import JournalStore, Piece
from uscdr.shared.team import Team

RUN = "20260102T030405Z-db-abc123"
NOBODY = 65534


def opened(place: Path, **env: str) -> Any:
    return Team.open({"USCDR_SHARED": str(place), **env})


def test_there_is_no_team_unless_it_is_named(tmp_path: Path) -> None:
    assert Team.open({}) is None
    assert Team.open({"USCDR_SHARED": " "}) is None
    assert Team.open({"USCDR_SHARED": str(tmp_path)}, without=True) is None
    assert opened(tmp_path).place == str(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_place_is_refused_without_repeating_it() -> None:
    with pytest.raises(BadInput) as told:
        Team.open({"USCDR_SHARED": "s3://canary-key:canary-secret@bucket/team"})
    assert "canary" not in f"{told.value.message} {told.value.why} {told.value.next_action}"


def test_a_directory_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="does not exist") as told:
        opened(tmp_path / "unmounted")
    assert "--without-shared" in told.value.next_action
    assert not (tmp_path / "unmounted").exists()


@pytest.fixture
def of_another_user() -> Iterator[Path]:
    """A shared directory whose `runs` this user may not read, whoever that is."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o777)
        (Path(place) / "runs").mkdir(mode=0o000)
        before = os.geteuid()
        if before == 0:
            os.seteuid(NOBODY)
        try:
            yield Path(place)
        finally:
            os.seteuid(before)


def test_what_others_wrote_and_this_user_may_not_read_is_not_overlooked(of_another_user: Path) -> None:
    with pytest.raises(MachineError, match="may not read and write") as told:
        opened(of_another_user)
    assert "one account" in told.value.next_action


@pytest.mark.parametrize(("text", "terms"), [("", (60.0, 2.0)), ("5s", (5.0, 0.5)), ("15m", (900.0, 2.0))])
def test_how_long_a_lease_lasts(tmp_path: Path, text: str, terms: tuple[float, float]) -> None:
    found = opened(tmp_path, USCDR_SHARED_LEASE=text).terms
    assert (found.seconds, found.look) == terms


@pytest.mark.parametrize("text", ["0s", "4.9s", "16m", "1d", "-5s", "60", "soon", "nan", "1e9s"])
def test_a_lease_of_an_absurd_length_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput, match="USCDR_SHARED_LEASE is"):
        opened(tmp_path, USCDR_SHARED_LEASE=text)


def test_waiting_for_a_dead_machine_shows_how_far_it_is_and_for_whom(whole: Pair, quick: Path, store: Clocked) -> None:
    pair = Pair(quick, store)
    pair.ada.at(middle(whole, "step.accepted", "restore"), "after", pair.ada.dies)
    assert pair.ada.begin() is None
    store.down = False
    ending = pair.bob.resume(take_over=True)
    assert ending is not None
    assert ending.code is ExitCode.DONE
    told = [one for one in pair.bob.seen if isinstance(one.event, StepProgress) and one.event.step == "take over"]
    shown = [(one.event.done, one.event.total) for one in told if isinstance(one.event, StepProgress)]
    assert shown == [(float(done), 95.0) for done in range(0, len(shown) * 2, 2)]
    assert 93 <= len(shown) * 2 <= LONG_AFTER + 2
    assert all("ada on adas-desk (process 4711)" in one.event.note for one in told)  # type: ignore[union-attr]
    assert {(one.seq, one.run) for one in told} == {(None, pair.bob.run)}


def test_a_piece_that_is_seen_before_the_one_before_it_waits_for_it(tmp_path: Path, store: Clocked) -> None:
    shelf = JournalStore(cast("Any", store))
    copy = shelf.copies(tmp_path) / "runs" / RUN / COPY
    shelf.put(Piece(RUN, 0), b"0\n1\n")
    shelf.put(Piece(RUN, 3), b"3\n")
    shelf.refresh(tmp_path)
    assert copy.read_bytes() == b"0\n1\n"
    with pytest.raises(MachineError, match="00000003"):
        shelf.journal(RUN)
    shelf.put(Piece(RUN, 2), b"2\n")
    shelf.refresh(tmp_path)
    assert copy.read_bytes() == shelf.journal(RUN) == b"0\n1\n2\n3\n"


def test_a_copy_that_was_damaged_here_is_fetched_anew(whole: Pair, tmp_path: Path) -> None:
    shelf, state = JournalStore(cast("Any", whole.store)), tmp_path
    shelf.refresh(state)
    copy = shelf.copies(state) / "runs" / whole.ada.run / COPY
    right = copy.read_bytes()
    for damaged in (right[:99] + b"x" + right[100:], b""):
        copy.write_bytes(damaged)
        shelf.refresh(state)
        assert copy.read_bytes() == right == shelf.journal(whole.ada.run)
    copy.unlink()
    copy.mkdir()
    shelf.refresh(state)
    assert copy.read_bytes() == right


def test_names_that_lead_elsewhere_become_no_path_of_this_machine(tmp_path: Path, store: Clocked) -> None:
    for name in ("runs/../../x/00000000.jsonl", f"runs/{RUN}/../00000000.jsonl", "runs/other/00000000.jsonl"):
        store.put_once(name, b"x\n")
    JournalStore(cast("Any", store)).refresh(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["--version"], ["runs", "list"]])
def test_who_shares_nothing_loads_nothing_of_it(tmp_path: Path, arguments: list[str]) -> None:
    script = (
        "import sys; sys.argv[1:] = " + repr(arguments) + "\n"
        "from uscdr.cli.main import main\n"
        "import atexit; atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        "main()"
    )
    env = {name: value for name, value in os.environ.items() if name != "USCDR_SHARED"}
    done = subprocess.run(
        [sys.executable, "-c", script], env={**env, "USCDR_STATE_DIR": str(tmp_path)}, check=True,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    loaded = set(done.stderr.split())
    assert "uscdr.cli.main" in loaded
    assert loaded & {"httpx", "psycopg", "obstore", "cloudinary", "dns", "pydantic", "uscdr.shared.team"} == set()


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_the_list_of_runs_looks_at_the_team_with_options_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    monkeypatch.setenv("USCDR_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("USCDR_SHARED", str(tmp_path / "unmounted"))
    assert main.run(["runs", "list", *options]) == 0
    assert "may be out of date" in capsys.readouterr().err
