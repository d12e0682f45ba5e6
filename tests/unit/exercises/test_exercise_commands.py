"""`uscdr drill due`, `list` and `record` as they are typed; the day is given."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from exercise_world import CONFIG, at_noon, attested, day, drilled, proof
from icalendar import Calendar

from uscdr.cli import main
from uscdr.commands import exercises
from uscdr.errors import ExitCode
from uscdr.exercises.records import keep, read, store_of
from uscdr.scenarios.config_file import packaged
from uscdr.store.directory import LocalStore
from uscdr.store.store import Store, StoreUnreachable

Captured = pytest.CaptureFixture[str]
GOOD = packaged().read_text()
FIT = (
    GOOD.replace("{role: System Administrator}", "{role: System Administrator, name: Ada, how: '+63'}")
    .replace("{role: Database Administrator}", "{role: Database Administrator, name: Ada, how: '+63'}")
    .replace("{role: Network Administrator}", "{role: Network Administrator, name: Ada, how: '+63'}")
    .replace("{role: Project Lead}", "{role: Project Lead, name: Ada, how: '+63'}")
    .replace("{role: Domain Provider}", "{role: Domain Provider, name: Ada, how: '+63'}")
)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory; no token, no target named, and no scenarios.yaml near. It is the 20th of November."""
    monkeypatch.setenv("USCDR_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("HEROKU_API_KEY", "USCDR_TARGET", "USCDR_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(exercises, "system_time", lambda: at_noon("2026-11-20"))
    return tmp_path / "state"


@pytest.fixture
def given(state: Path, tmp_path: Path) -> Callable[..., list[str]]:
    """Global options that name a file with this text."""

    def write(text: str = FIT) -> list[str]:
        path = tmp_path / "named.yaml"
        path.write_text(text)
        return ["--config", str(path)]

    return write


def fill(state: Path, on: str = "2026-11-02") -> None:
    """Everything that is required was done on that day."""
    store = store_of(state)
    for name in ("db", "app", "media", "infra", "backups"):
        keep(store, drilled(name, on))
    for exercise in CONFIG.exercises:
        if exercise.done_by not in ("drill", "proof"):
            keep(store, attested(exercise.name, on))
    for supply in CONFIG.supplies:
        keep(store, attested(supply.name, on, kind="supply"))
    keep(store, attested("document-approval", on, kind="approval"))
    proof(on).keep(LocalStore(state / "vault"))


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_at_first_everything_is_owed_and_the_command_says_what_to_do(state: Path, capsys: Captured) -> None:
    assert main.run(["drill", "due"]) == ExitCode.CHECK_FAILED
    said = capsys.readouterr()
    assert "database-restore      monthly    overdue" in said.out
    assert "Nobody has approved version 1.0" in said.out
    assert "nobody can be reached as System Administrator" in said.out
    assert "  uscdr drill record contacts-review --by WHO" in said.err
    assert "4 due, 11 overdue." in said.err
    assert not state.exists(), "it only looks"


def test_when_all_is_done_it_ends_with_0(state: Path, given: Callable[..., list[str]], capsys: Captured) -> None:
    fill(state)
    assert main.run([*given(), "drill", "due"]) == ExitCode.DONE
    said = capsys.readouterr()
    assert ("Finding" in said.out, "Nothing is due." in said.err, "15 done." in said.err) == (False, True, True)


def test_what_is_only_due_ends_with_0(state: Path, given: Callable[..., list[str]], capsys: Captured) -> None:
    fill(state, "2026-10-31")
    assert main.run([*given(), "drill", "due"]) == ExitCode.DONE
    assert "3 due" in capsys.readouterr().err


def test_what_is_missing_and_not_overdue_ends_with_0(state: Path, capsys: Captured) -> None:
    fill(state)
    assert main.run(["drill", "due"]) == ExitCode.DONE, "contacts are a finding"
    assert "nobody can be reached" in capsys.readouterr().out


def test_a_review_that_is_overdue_ends_with_1(state: Path, given: Callable[..., list[str]], capsys: Captured) -> None:
    fill(state)
    once = FIT.replace("reviews: [procedures-review, documentation-review]", "reviews: []")
    assert main.run([*given(once), "drill", "due"]) == ExitCode.CHECK_FAILED
    assert "was due on 2025-11-14" in capsys.readouterr().out


def test_json_has_every_exercise_and_finding(state: Path, capsys: Captured) -> None:
    main.run(["drill", "due", "--json"])
    found = lines(capsys.readouterr().out)
    assert [one["kind"] for one in found].count("exercise") == 15
    assert {one["subject"] for one in found if one["kind"] == "finding"} == {"document", "approval", "contacts"}
    first = found[0]
    assert (first["name"], first["state"], first["last"], first["until"]) == (
        "backup-verification", "overdue", None, "2025-09-30",
    )  # fmt: skip
    assert first["do"] == "uscdr backup prove newest"


def test_a_changed_record_is_named_and_ends_with_1(
    state: Path, given: Callable[..., list[str]], capsys: Captured
) -> None:
    fill(state)
    path = keep(store_of(state), drilled("db", "2026-11-10", sound=False))
    Path(path).write_text(Path(path).read_text().replace('"sound": false', '"sound": true'))
    for command in ("due", "list"):
        capsys.readouterr()
        assert main.run([*given(), "drill", command]) == ExitCode.CHECK_FAILED, command
        said = capsys.readouterr()
        assert path in said.out + said.err
        assert "move it out of the directory" in said.err
    main.run([*given(), "drill", "due", "--json"])
    assert [one["message"].count(path) for one in lines(capsys.readouterr().out) if one["kind"] == "refused"] == [1]


def test_a_store_that_cannot_be_read_is_unknown_and_ends_with_1(
    state: Path, given: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def silent(*_: object) -> Store:
        raise StoreUnreachable("s3://safe does not answer.")

    fill(state)
    monkeypatch.setattr(exercises, "open_store", silent)
    assert main.run([*given(), "drill", "due", "--json"]) == ExitCode.CHECK_FAILED
    found = {one["name"]: one for one in lines(capsys.readouterr().out)}
    assert found.pop("backup-verification")["state"] == "unknown"
    assert {one["state"] for one in found.values()} == {"done"}


def test_the_calendar_file_is_one(state: Path, tmp_path: Path, capsys: Captured) -> None:
    main.run(["drill", "due", "--ics", str(tmp_path / "a.ics")])
    found = Calendar.from_ical((tmp_path / "a.ics").read_bytes())
    assert len(found.walk("VEVENT")) == 15 + 11 + 1
    capsys.readouterr()
    assert main.run(["drill", "due", "--ics", str(tmp_path / "no" / "a.ics")]) == ExitCode.FAILED
    assert "--ics" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD[: GOOD.index("# The calendar:")] + GOOD[GOOD.index("\nconfig:\n") :], "lists no exercises"),
        (GOOD.replace("\nrecovery:\n", "\nrecovery:\n  backup_timezone: Manila/Asia\n", 1), "is not a time zone"),
    ],
)
def test_without_a_calendar_or_a_zone_it_is_refused(
    state: Path, given: Callable[..., list[str]], text: str, words: str, capsys: Captured
) -> None:
    assert main.run([*given(text), "drill", "due"]) == ExitCode.BAD_INPUT
    assert words in capsys.readouterr().err


def test_an_unknown_target_is_refused(state: Path, capsys: Captured) -> None:
    assert main.run(["--target", "nowhere", "drill", "due"]) == ExitCode.BAD_INPUT
    assert main.run(["--target", "sandbox", "drill", "due"]) == ExitCode.BAD_INPUT
    assert "No sandbox is running" in capsys.readouterr().err


def test_a_record_is_written_shown_and_counts(state: Path, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "list.pdf").write_bytes(b"x")
    words = ["--by", "Ada Reyes", "--on", "2026-11-18", "--note", "All there.", "--evidence", "list.pdf"]
    people = ["--attendee", "Ben Cruz", "--attendee", "Cora Lim"]
    assert main.run(["drill", "record", "staff-training", *words, *people]) == ExitCode.DONE
    assert "Recorded: staff-training on 2026-11-18 by Ada Reyes." in capsys.readouterr().out
    (found,) = read(store_of(state)).attested
    assert (found.on, found.note, found.attendees) == (day("2026-11-18"), "All there.", ("Ben Cruz", "Cora Lim"))
    assert [one.text for one in found.evidence] == ["list.pdf"]
    main.run(["drill", "list"])
    assert "2 attended: Ben Cruz, Cora Lim" in capsys.readouterr().out
    main.run(["drill", "due", "--json"])
    assert [one["state"] for one in lines(capsys.readouterr().out) if one.get("name") == "staff-training"] == ["done"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing", "--by", "Ada"],
        ["complete-drill", "--by", "Ada"],
        ["backup-verification", "--by", "Ada"],
        ["contacts-review", "--by", ""],
        ["contacts-review", "--by", "Ada", "--on", "2026-11-21"],
        ["staff-training", "--by", "Ada"],
    ],
)
def test_what_cannot_be_recorded_is_bad_input_and_leaves_nothing(
    state: Path, arguments: list[str], capsys: Captured
) -> None:
    assert main.run(["drill", "record", *arguments]) == ExitCode.BAD_INPUT
    assert not state.exists()
    assert "Next:" in capsys.readouterr().err


@pytest.mark.parametrize("note", ["patient 10442 was told", "the token is ghp_abcdefghij0123456789"])
def test_a_note_with_a_secret_or_a_patients_data_is_refused_and_not_repeated(
    note: str, state: Path, capsys: Captured
) -> None:
    arguments = ["drill", "record", "contacts-review", "--by", "Ada Reyes", "--note", note]
    assert main.run(arguments) == ExitCode.BAD_INPUT
    assert note not in capsys.readouterr().err
    assert not list((state / "exercises").rglob("*.json"))


def test_records_are_listed_oldest_first(state: Path, capsys: Captured) -> None:
    assert main.run(["drill", "list"]) == ExitCode.DONE
    assert "No records." in capsys.readouterr().out
    keep(store_of(state), attested("contacts-review", "2026-11-09"))
    keep(store_of(state), drilled("db", datetime.fromisoformat("2026-11-03T04:00:00+00:00"), sound=False, exit_code=1))
    main.run(["drill", "list"])
    _, first, second = capsys.readouterr().out.splitlines()
    assert first.split()[:2] == ["2026-11-03", "04:00"]
    assert "FAILED: drop-table, 40 patients, RTO met (1 min)" in first
    assert "contacts-review" in second
    main.run(["drill", "list", "--json"])
    assert [one["kind"] for one in lines(capsys.readouterr().out)] == ["drill", "review"]
