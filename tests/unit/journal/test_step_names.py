"""The end, what the next run remembers and the report hang on kinds of steps, not on ids that anybody may change."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fake_media import MediaRun
from fakes import Killed
from rehearsal import Rehearsal
from uscdr.errors import ExitCode
from uscdr.journal import runs
from uscdr.journal.chain import FIRST, encode, line_hash
from uscdr.journal.reader import BY_ID, Journal
from uscdr.report.markdown import to_markdown
from uscdr.report.model import RunReport
from uscdr.report.objectives import build
from uscdr.scenarios.adapters import PastRuns
from uscdr.scenarios.config import Config
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.loader import load
from uscdr.scenarios.registry import STEPS
from uscdr.wiring.past_runs import remember

sys.path += [str(Path(__file__).parents[1] / "scenarios" / room) for room in ("app", "infra")]
from broken_app import broken
from lost_place import Recovery, alive

KEY = "https://api.heroku.com usc-pis"
OLD = Path(__file__).parent / "data" / "version-0.1-db.jsonl"
FORMATION = {"web": 2, "worker": 3, "beat": 1}


def renamed(config: Config) -> Config:
    """The same scenarios, every step under an id of its own."""
    scenarios = {
        name: scenario.model_copy(
            update={
                "steps": tuple(
                    entry.model_copy(update={"id": f"step_{number}"}) for number, entry in enumerate(scenario.steps)
                )
            }
        )
        for name, scenario in config.scenarios.items()
    }
    return config.model_copy(update={"scenarios": scenarios})


def of_db(state: Path) -> Rehearsal:
    return Rehearsal(state)


def of_media(state: Path) -> MediaRun:
    run = MediaRun(state)
    for key in run.fill(6)[:3]:
        run.cloud.delete(key)
    return run


def without_last(state: Path) -> Recovery:
    """A rebuild that takes no last capture of the old place: version 0.1 had no step for it."""
    return alive(state, backup="b001")


MAKERS: list[Callable[[Path], Any]] = [of_db, broken, alive, of_media]
OLD_MAKERS: list[Callable[[Path], Any]] = [of_db, broken, without_last, of_media]


def told(run: Rehearsal) -> dict[str, Any]:
    """What a report says, but for ids, times and what comes from them."""
    report = build(Journal.read(run.journal_path).records)
    found = report.model_dump(
        include={"outcome", "exit_code", "summary", "data", "left", "follow_up"},
        exclude={"data": {"backup_finished_at"}},
    )
    steps = [(step.name, step.title, step.status) for step in report.steps]
    verdicts = [(one.verdict, one.basis, one.achieved_seconds is None) for one in (report.rto, report.rpo)]
    return {**found, "steps": steps, "verdicts": verdicts}


def remembered(run: Rehearsal) -> tuple[object, ...]:
    memory: PastRuns = remember(run.state, KEY)
    return dict(memory.formation), len(memory.damaged), memory.switched, len(memory.own_media)


@pytest.mark.parametrize("make", MAKERS, ids=["db", "app", "infra", "media"])
def test_every_id_renamed_gives_the_same_end_memory_and_report(quick: Path, make: Callable[[Path], Any]) -> None:
    first, second = make(quick / "packaged"), make(quick / "renamed")
    second.config = renamed(second.config)
    endings = [run.begin() for run in (first, second)]
    assert [ending.code for ending in endings if ending] == [ExitCode.DONE, ExitCode.DONE]
    assert {event["step"] for event in second.events("step.started")} >= {"step_3"}
    assert told(first) == told(second)
    assert remembered(first) == remembered(second)
    assert (told(first)["verdicts"][0][0]) == "met"
    if isinstance(first, Recovery):
        assert {name: first.places.apps[name].formation for name in first.places.apps} == {
            name: second.places.apps[name].formation for name in second.places.apps
        }
    else:
        assert first.world.end_state() == second.world.end_state()


def test_what_ran_is_remembered_whatever_the_step_that_stopped_it_is_called(quick: Path) -> None:
    run = Rehearsal(quick)
    run.config = renamed(run.config)

    def crash(seq: int, moment: str) -> None:
        if moment == "after" and run.events("step.succeeded")[-1:] and run.events()[-1].get("name") == "heroku.stop":
            raise Killed

    run.crash = crash
    assert run.begin() is None
    run.crash = lambda seq, moment: None
    run.config, run.request = Rehearsal(quick).config, type(run.request)("db", anew=True)
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert {kind: run.world.formation[kind] for kind in FORMATION} == FORMATION


def aged(path: Path) -> None:
    """The journal as version 0.1 would have written it: without the steps' names."""
    previous, lines = FIRST, []
    for record in Journal.read(path).records:
        event = {key: value for key, value in record["event"].items() if key != "name"}
        if "steps" in event:
            event["steps"] = [{k: v for k, v in step.items() if k != "name"} for step in event["steps"]]
        line = encode({key: value for key, value in {**record, "event": event}.items() if key != "prev"}, previous)
        previous = line_hash(line)
        lines.append(line)
    path.write_bytes(b"".join(lines))
    assert '"name":"backup.' not in path.read_text()


@pytest.mark.parametrize("make", OLD_MAKERS, ids=["db", "app", "infra", "media"])
def test_a_journal_without_names_gives_the_same_memory_and_report(quick: Path, make: Callable[[Path], Any]) -> None:
    run = make(quick)
    run.begin()
    before, memory = told(run), remembered(run)
    aged(run.journal_path)
    after = told(run)
    assert remembered(run) == memory
    assert {key: after[key] for key in after if key != "steps"} == {
        key: before[key] for key in before if key != "steps"
    }


@pytest.mark.parametrize("last", ["heroku.stop", "backup.prove", "backup.restore", "data.verify"])
def test_a_run_that_version_0_1_began_is_taken_up_and_ends_well(quick: Path, last: str) -> None:
    run = Rehearsal(quick)

    def crash(seq: int, moment: str) -> None:
        if moment == "after" and run.events() and run.events()[-1].get("name") == last:
            raise Killed

    run.crash = crash
    assert run.begin() is None
    run.crash = lambda seq, moment: None
    aged(run.journal_path)
    ending = run.resume()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert len([write for write in run.world.writes if write.startswith("restore")]) == 1
    assert {kind: run.world.formation[kind] for kind in FORMATION} == FORMATION
    assert told(run)["verdicts"][0][0] == "met"


def old_report(tmp_path: Path) -> tuple[RunReport, Path]:
    path = tmp_path / "runs" / "20261128T090341Z-db-7b6994" / "journal.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(OLD.read_bytes())
    return build(Journal.read(path).records), path


def test_a_journal_that_version_0_1_wrote_is_shown_and_reported(tmp_path: Path) -> None:
    report, path = old_report(tmp_path)
    assert not any(record["event"].get("name") for record in Journal.read(path).records)
    summary = runs.RunSummary.of(Journal.read(path))
    assert (summary.scenario, summary.state, summary.wrote) == ("db", "done", True)
    assert (report.outcome, report.rto.verdict, report.rpo.verdict) == ("done", "met", "met")
    assert report.rto.basis.startswith("from the start of the run, 2026-")
    assert report.rto.basis.endswith("UTC, until: Check the application")
    assert report.data.rows_lost == 17
    assert report.data.invariants_held == report.data.invariants == 9
    assert "| Service back (RTO) |" in to_markdown(report)


def test_and_its_target_is_remembered(tmp_path: Path) -> None:
    _, path = old_report(tmp_path)
    key = json.loads(path.read_text().splitlines()[0])["event"]["request"]["key"]
    memory = remember(tmp_path, key)
    assert dict(memory.formation) == {"beat": 1, "web": 1, "worker": 1}
    assert len(memory.damaged) == 1


def test_every_name_of_the_old_ids_is_one_there_is() -> None:
    assert set(BY_ID.values()) <= STEPS.keys()
    ids = {entry.id for one in load(packaged()).config.scenarios.values() for entry in one.steps if entry.id}
    defaults = {step.default_id for step in STEPS.values()}
    assert BY_ID.keys() <= ids | defaults
