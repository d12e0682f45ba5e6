"""A database disaster, from the healthy state to the report, on a sandbox of its own."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uscdr import wiring
from uscdr.assembly.job import Job
from uscdr.drills.account import Drill, Losses, drill_json, drill_markdown, drill_summary
from uscdr.engine.conduct import Ending
from uscdr.errors import ExitCode, MachineError
from uscdr.journal import runs
from uscdr.journal.reader import NAME, read
from uscdr.place import Place
from uscdr.report.build import build
from uscdr.sandbox import audit, client, launch
from uscdr.sandbox.boot.request import UpRequest
from uscdr.sandbox.state import StateDir
from uscdr.scenarios.deps import Request
from uscdr.session import surroundings
from uscdr.settings import PRIVATE_FILE, private_directory
from uscdr.targets import find_place, load_config
from uscdr.ui.console import Output
from uscdr.ui.errors import render_error

BACKUP = "b001"


@dataclass(frozen=True)
class DrillRequest:
    """What to rehearse: the damage, the number of patients; where the report and the journal go."""

    how: str
    patients: int
    report: Path
    state: Path
    config: Path | None


class Unattended:
    """Confirms in a drill: what is destroyed is a sandbox made for it."""

    interactive = True
    manner = "the drill"

    def confirm_phrase(self, facts: Mapping[str, str], phrase: str) -> bool:
        """Always: the facts are in the journal."""
        del facts, phrase
        return True

    def choose(self, question: str, options: tuple[str, ...]) -> str:
        """Begin; a lost write that cannot be found ends the drill."""
        del question
        return "begin" if "begin" in options else "abort"


def drill(request: DrillRequest, output: Output) -> int:
    """Baseline, break, recover, verify, report; the exit code of the recovery, or 1 when the data differ."""
    run = runs.new_run_id("db")
    with _sandbox(request, output) as (directory, env):
        place = find_place(load_config(request.config, os.environ), "sandbox", env)
        before = _rows(request, place, output)
        output.say(f"Breaking the database: {request.how}")
        damage = client.ask(directory, "POST", "break", {"how": request.how, "app": place.target.heroku.app})
        ending = _recover(request, place, run, output)
        after = _rows(request, place, output) if ending.code is ExitCode.DONE else {}
        restores = _restores(directory)
    done = _account(request, run, (before, after), damage, restores)
    _publish(done, request.report, output)
    if ending.error is not None:
        render_error(ending.error, output)
    return int(ending.code) if ending.code else (0 if done.sound else int(ExitCode.CHECK_FAILED))


@contextmanager
def _sandbox(request: DrillRequest, output: Output) -> Iterator[tuple[StateDir, Mapping[str, str]]]:
    """A sandbox in a directory of its own, gone at the end whatever happens."""
    home = private_directory(request.state / "drills" / secrets.token_hex(4))
    directory = StateDir(home / "sandbox")
    try:
        launch.up(directory, UpRequest(patients=request.patients), output.say)
        env = {name: value for name, value in os.environ.items() if name != "HEROKU_API_KEY"}
        yield directory, {**env, "USCDR_STATE_DIR": str(home)}
    finally:
        launch.down(directory, output.say)
        home.rmdir()


def _rows(request: DrillRequest, place: Place, output: Output) -> dict[str, int]:
    """Exact counts of every table, asked of the live database."""
    job = Job(place, Request("db"), "baseline", None, dry_run=True)
    with (
        surroundings(output, request.state, os.environ, asker=Unattended()) as around,
        wiring.opened(job, around) as (deps, _),
    ):
        database = deps.database()
        volatile = place.config.app.volatile_tables
        return dict(database.counts([t.name for t in database.tables() if t.name not in volatile]))


def _recover(request: DrillRequest, place: Place, run: str, output: Output) -> Ending:
    job = Job(place, Request("db", BACKUP), run, None, dry_run=False)
    with surroundings(output, request.state, os.environ, asker=Unattended()) as around:
        return wiring.begin(job, around)


def _restores(directory: StateDir) -> int:
    """How many restores the provider received."""
    records = audit.read(directory.audit)
    return len([one for one in records if one["method"] == "POST" and one["path"].endswith("/restores")])


def _account(
    request: DrillRequest, run: str, rows: tuple[dict[str, int], dict[str, int]], damage: dict[str, Any], restores: int
) -> Drill:
    journal = read(request.state / "runs" / run / NAME)
    report = build(journal.records, last_hash=journal.last_hash)
    before, after = rows
    losses = tuple(
        Losses(table, count, after.get(table, 0))
        for table, count in sorted(before.items())
        if after.get(table, 0) != count
    )
    return Drill(
        scenario="db",
        how=request.how,
        patients=request.patients,
        damage=damage,
        rows_before=sum(before.values()),
        rows_after=sum(after.values()),
        losses=losses,
        restores=restores,
        journal=str(journal.path),
        report=report,
    )


def _publish(done: Drill, directory: Path, output: Output) -> None:
    text, data = drill_markdown(done), drill_json(done)
    _write(directory, f"drill-{done.scenario}.md", text)
    _write(directory, f"drill-{done.scenario}.json", data)
    if output.json_lines:
        output.result(data)
    else:
        output.result(drill_summary(done, directory))


def _write(directory: Path, name: str, text: str) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text + "\n", encoding="utf-8")
        (directory / name).chmod(PRIVATE_FILE)
    except OSError as error:
        raise MachineError(
            f"The report could not be written to {directory}.",
            why=error.strerror or "",
            next_action="Name another place with --report; the run itself is in: uscdr runs report",
        ) from error
