"""`uscdr recover db` and `uscdr runs resume` as commands, on the platform in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fakes import Killed
from rehearsal import Rehearsal
from uscdr.cli import main
from uscdr.journal import chain, runs
from uscdr.models.transfers import TransferState


class Shell:
    """Types commands; no terminal is there to be asked."""

    def __init__(self, run: Rehearsal, output: pytest.CaptureFixture[str]) -> None:
        self.run = run
        self._output = output

    def type(self, *arguments: str) -> tuple[int | None, str, str]:
        """Exit code (None when the process was killed), stdout, stderr."""
        with self.run._in_haste():
            try:
                code: int | None = main.run(arguments)
            except Killed:
                code = None
        found = list(runs.LocalRuns(self.run.state).journals())
        self.run.run = max(found, key=lambda path: path.stat().st_mtime_ns).parent.name if found else ""
        return code, *self._output.readouterr()

    def phrase(self) -> str:
        """Read off the dry run's plan, which is one of its objects and one of its events."""
        _, out, _ = self.type("recover", "db", "--dry-run", "--json")
        told = [json.loads(line) for line in out.splitlines()]
        (plan,) = (one for one in told if one["schema"] == "uscdr.plan.v1")
        (event,) = (one["event"] for one in told if one.get("event", {}).get("kind") == "plan.ready")
        assert plan["phrase"] == event["phrase"]
        return str(plan["phrase"])


@pytest.fixture
def shell(quick: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.setenv("USCDR_STATE_DIR", str(quick))
    monkeypatch.setenv("HEROKU_API_KEY", "token-of-the-operator")
    monkeypatch.setenv("USER", "ada")
    monkeypatch.chdir(quick)
    return Shell(Rehearsal(quick), capsys)


def test_dry_run_confirm_done(shell: Shell) -> None:
    phrase = shell.phrase()
    assert shell.run.world.writes == []
    code, _, err = shell.type("recover", "db", "--confirm", phrase)
    assert code == 0, err
    assert shell.type("runs", "list")[0] == 0


def test_without_a_phrase_exit_4_and_nothing_written(shell: Shell) -> None:
    code, _, err = shell.type("recover", "db")
    assert code == 4
    assert "--dry-run" in err
    assert shell.run.world.writes == []


def test_a_killed_run_is_resumed_with_the_phrase_it_was_given(shell: Shell) -> None:
    phrase = shell.phrase()
    shell.run.world.faults["scale", 1] = "kill_after"
    assert shell.type("recover", "db", "--confirm", phrase)[0] is None
    code, _, err = shell.type("runs", "resume")
    assert code == 0, err
    assert len(shell.run.world.restores) == 1
    assert shell.run.world.formation["worker"] == 3


def test_a_failed_restore_is_not_repeated_on_the_strength_of_the_old_phrase(shell: Shell) -> None:
    phrase = shell.phrase()
    shell.run.world.doom = [TransferState.COMPLETED, TransferState.FAILED]
    assert shell.type("recover", "db", "--confirm", phrase)[0] == 3
    code, _, err = shell.type("runs", "resume")
    assert code == 4, err
    assert len(shell.run.world.restores) == 1


def test_a_target_that_is_another_application_now_is_refused(shell: Shell, quick: Path) -> None:
    phrase = shell.phrase()
    shell.run.world.faults["scale", 1] = "kill_after"
    shell.type("recover", "db", "--confirm", phrase)
    writes = list(shell.run.world.writes)
    from uscdr.scenarios.config_file import packaged

    text = packaged().read_text().replace("{app: usc-pis}", "{app: usc-pis-staging}")
    (quick / "other.yaml").write_text(text)
    code, _, err = shell.type("--config", "other.yaml", "runs", "resume")
    assert code == 2
    assert "no longer the application" in err
    assert shell.run.world.writes == writes


def test_a_finished_run_and_a_dry_run_are_not_resumed(shell: Shell) -> None:
    shell.type("recover", "db", "--confirm", shell.phrase())
    code, _, err = shell.type("runs", "resume", shell.run.run)
    assert (code, "is finished" in err) == (2, True)
    assert shell.type("runs", "resume")[0] == 2
    shell.phrase()
    assert shell.type("runs", "resume", shell.run.run)[0] == 2


def test_dumps_left_by_a_run_killed_after_its_end_go_although_there_is_nothing_to_resume(
    shell: Shell, quick: Path
) -> None:
    shell.type("recover", "db", "--confirm", shell.phrase())
    left = quick / "scratch" / "killed" / "b001.dump"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"patients")
    assert shell.type("runs", "resume")[0] == 2
    assert not left.exists()


def test_a_run_that_lost_its_first_line_is_not_resumed(shell: Shell, quick: Path) -> None:
    place = quick / "runs" / "20261123T000000Z-db-000000"
    place.mkdir(parents=True)
    (place / "journal.jsonl").write_bytes(b'{"prev":"torn')
    code, _, err = shell.type("runs", "resume")
    assert code == 3
    assert "cannot read the journal" in err
    assert "uscdr runs show 20261123T000000Z-db-000000" in err
    assert "uscdr recover … --new" in err


def test_what_can_be_read_of_a_damaged_journal_is_shown(shell: Shell) -> None:
    shell.type("recover", "db", "--confirm", shell.phrase())
    path = shell.run.journal_path
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:5], b"nonsense\n", *lines[6:]]))
    for command in ("show", "report"):
        code, out, err = shell.type("runs", command, path.parent.name)
        assert (code, "usc-pis" in out) == (3, True)
        assert "only what comes before the damage: 5 lines" in err
        assert "damaged at line 6" in err
    writes = list(shell.run.world.writes)
    code, _, err = shell.type("recover", "db", "--confirm", "x")
    assert (code, "is damaged: uscdr does not know" in err, "--new" in err) == (4, True, True)
    assert shell.run.world.writes == writes


def odd(path: Path, kind: str, **said: object) -> None:
    """Other contents in a right chain: the last event of this kind says something else."""
    records = [json.loads(line) for line in path.read_bytes().splitlines()]
    changed = next(one for one in reversed(records) if one["event"]["kind"] == kind)
    changed["event"].update(said)
    previous, data = chain.FIRST, b""
    for record in records:
        line = chain.encode({name: value for name, value in record.items() if name not in ("prev", "sum")}, previous)
        previous, data = chain.line_hash(line), data + line
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("run.started", {"request": {"scenario": "db", "key": "k", "recipients": 5}}),
        ("run.started", {"request": {"scenario": "db", "key": 5}}),
        ("run.started", {"request": {"scenario": "app", "key": "k"}}),
        ("run.started", {"request": {"scenario": "db", "key": "k", "new_wish": True}}),
        ("run.started", {"request": {}}),
        ("step.succeeded", {"result": {"formation": "many"}}),
        ("step.succeeded", {"result": {"backup": 5, "unheard": "of"}}),
        ("step.succeeded", {"seconds": -5.0}),
        ("step.started", {"baseline": {"formation": [1, 2]}}),
        ("step.started", {"effect": 5}),
        ("plan.ready", {"steps": [{"id": "choose"}]}),
        ("plan.ready", {"budgets": {"assess": 1e300}}),
    ],
)
def test_foreign_contents_are_bad_input_and_send_nothing(shell: Shell, kind: str, said: dict[str, object]) -> None:
    shell.run.world.faults["scale", 1] = "kill_after"
    shell.type("recover", "db", "--confirm", shell.phrase())
    odd(shell.run.journal_path, kind, **said)
    writes = list(shell.run.world.writes)
    code, out, err = shell.type("runs", "resume")
    assert "defect" not in out + err
    assert (code, shell.run.world.writes) == (2, writes), err
    for command in (("runs", "show"), ("runs", "report"), ("runs", "list"), ("recover", "db", "--dry-run")):
        code, out, err = shell.type(*command)
        assert code in (0, 1, 2), err
        assert "defect" not in out + err
    code, _, err = shell.type("recover", "db", "--confirm", "x")
    assert code == 4
    assert shell.run.world.writes == writes


def test_a_scenario_that_the_file_lacks_is_bad_input(shell: Shell, quick: Path) -> None:
    from uscdr.scenarios.config_file import packaged

    text = packaged().read_text()
    begin, end = text.index("  db:\n    title: Database corruption"), text.index("  app:\n    title: Complete")
    (quick / "scenarios.yaml").write_text(text[:begin] + text[end:])
    code, _, err = shell.type("--config", str(quick / "scenarios.yaml"), "recover", "db", "--dry-run")
    assert (code, "no scenario “db”" in err) == (2, True), err
    assert list(runs.LocalRuns(quick).journals()) == []


def test_an_operator_whose_name_is_no_utf8_can_recover(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "ad\udce4")
    assert shell.type("recover", "db", "--confirm", shell.phrase())[0] == 0


@pytest.mark.parametrize("argument", ["\udcff\udcfe phrase", "a\x00b", "\u202egnimrifnoc", "x" * 100_000])
def test_odd_phrases_are_declined_not_crashed_on(shell: Shell, argument: str) -> None:
    code, _, err = shell.type("recover", "db", "--confirm", argument)
    assert code in (2, 4), err
    assert "defect" not in err
    assert shell.run.world.writes == []
