"""The calendar of exercises: what is due, what was recorded, and a record of what a person did."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from typing_extensions import TypedDict

from uscdr.backups.catalog import Scope
from uscdr.backups.proofs import Proofs, demands_digest
from uscdr.clock import system_time
from uscdr.commands.housekeeping import state
from uscdr.errors import BadInput, ExitCode, UscdrError
from uscdr.exercises import records
from uscdr.exercises.attest import attested
from uscdr.exercises.evidence import KnownFacts
from uscdr.exercises.periods import zone_of
from uscdr.exercises.readiness import findings, reviewed
from uscdr.exercises.records import AttestedRecord, DrillRecord
from uscdr.exercises.standing import State, of_all
from uscdr.files import publish
from uscdr.incident.screening import Screening
from uscdr.settings import Operator
from uscdr.ui.schemas import Schema
from uscdr.ui.tables import draw_table
from uscdr.wiring.stores import open_store
from uscdr.wiring.targets import application_of
from uscdr.words import duration, first_of, moment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date, datetime
    from pathlib import Path

    from uscdr.backups.proofs import ProofDocument
    from uscdr.exercises.attest import Attestation
    from uscdr.exercises.readiness import ReadinessFinding
    from uscdr.exercises.records import ExerciseLog
    from uscdr.exercises.standing import ExerciseStanding
    from uscdr.scenarios.config import Config
    from uscdr.ui.console import Output
    from uscdr.wiring.targets import Targets


@dataclass(frozen=True)
class _ExerciseReport:
    """What is due on a day, and what is wrong with the document."""

    today: date
    standings: tuple[ExerciseStanding, ...]
    findings: tuple[ReadinessFinding, ...]
    refused: tuple[UscdrError, ...]

    @property
    def code(self) -> ExitCode:
        """1 when something is overdue or unknown, or when a record was refused."""
        late = any(one.fails for one in self.standings) or any(one.overdue for one in self.findings)
        return ExitCode.CHECK_FAILED if late or self.refused else ExitCode.DONE


def due(targets: Targets, output: Output, calendar: Path | None) -> int:
    """Print the state of every exercise, then the findings; write the calendar file if one is named."""
    loaded = targets.loaded(lazily=True)
    config, now = loaded.config, system_time()
    if not config.exercises:
        raise BadInput(
            f"{loaded.path} lists no exercises.",
            next_action="Add the section `exercises`. The packaged scenarios.yaml shows one: see docs/exercises.md",
        )
    known = known_facts(config, application_of(loaded, targets.name, os.environ), state(), output.warn_once)
    report = _report_on(known, now)
    _show(report, output)
    if calendar is not None:
        _write_calendar(calendar, report, known, now)
        output.say(f"Calendar written to {calendar}.")
    return int(report.code)


def known_facts(
    config: Config, of: tuple[str, str], directory: Path, warn: Callable[[str], None]
) -> KnownFacts:  # fmt: skip
    """The records of a state directory and of the team, and the proofs of the application `of` (`application_of`).

    Raises MachineError.
    """
    zone, (app, identity) = zone_of(config), of
    log = records.TeamRecords(directory, os.environ, warn).read()
    proofs, unread = _proofs(config, directory)
    scope = Scope(app, demands=demands_digest(config.invariants))
    return KnownFacts(config, zone, log, proofs, unread, scope, identity)


def _proofs(config: Config, directory: Path) -> tuple[tuple[ProofDocument, ...] | None, str]:
    """All proofs; None and why when the store cannot be read, or when nothing asks for them."""
    if not any(one.done_by == "proof" for one in config.exercises):
        return (), ""
    try:
        return Proofs(open_store(None, config, directory, os.environ)).all(), ""
    except UscdrError as error:
        return None, error.reason


def _report_on(known: KnownFacts, now: datetime) -> _ExerciseReport:
    """The report of the day that it is at `now` in the target's time zone."""
    today = now.astimezone(known.zone).date()
    found = findings(known.config, known.log.attested, today)
    return _ExerciseReport(today, of_all(known, today), found, known.log.refused)


def _show(report: _ExerciseReport, output: Output) -> None:
    if output.json_lines:
        _show_json(report, output)
        return
    draw_table([_row(one) for one in report.standings], output)
    lines = [f"Finding: {one.message}" for one in report.findings] + [error.message for error in report.refused]
    if lines:
        output.result("\n".join(("", *lines)))
    owed = (one.do for one in report.standings if one.state is not State.DONE)
    lacking = (one.do for one in report.findings)
    todo = dict.fromkeys((*owed, *lacking, *(error.next_action for error in report.refused)))
    output.say("\n".join(("", "To do:", *(f"  {one}" for one in todo))) if todo else "Nothing is due.")
    output.say(_tally(report.standings))


class _ExerciseObject(TypedDict):
    kind: Literal["exercise"]
    name: str
    title: str
    every: str
    done_by: str
    state: str
    last: date | None
    since: date | None
    until: date | None
    why: str
    do: str


class _FindingObject(TypedDict):
    kind: Literal["finding"]
    subject: str
    message: str
    overdue: bool
    do: str


class _RefusedObject(TypedDict):
    kind: Literal["refused"]
    message: str
    do: str


def _show_json(report: _ExerciseReport, output: Output) -> None:
    for one in report.standings:
        exercise = one.exercise
        standing: _ExerciseObject = {
            "kind": "exercise", "name": exercise.name, "title": exercise.title, "every": exercise.every,
            "done_by": exercise.done_by, "state": one.state.value, "last": one.last, "since": one.since,
            "until": one.until, "why": one.why, "do": one.do,
        }  # fmt: skip
        output.record(Schema.EXERCISE, standing)
    for each in report.findings:
        finding: _FindingObject = {"kind": "finding", "subject": each.subject, "message": each.message,
                                   "overdue": each.overdue, "do": each.do}  # fmt: skip
        output.record(Schema.EXERCISE_FINDING, finding)
    for error in report.refused:
        refused: _RefusedObject = {"kind": "refused", "message": error.message, "do": error.next_action}
        output.record(Schema.EXERCISE_REFUSED, refused)


def _row(one: ExerciseStanding) -> dict[str, object]:
    return {
        "exercise": one.exercise.name,
        "every": one.exercise.every,
        "state": one.state.value,
        "last": one.last,
        "in time until": one.until,
        "why": one.why,
    }


def _tally(standings: Sequence[ExerciseStanding]) -> str:
    counts: dict[str, int] = {}
    for one in standings:
        counts[one.state.value] = counts.get(one.state.value, 0) + 1
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items())) + "."


def _write_calendar(path: Path, report: _ExerciseReport, known: KnownFacts, now: datetime) -> None:
    from uscdr.exercises.ics import calendar

    document = known.config.document
    review = reviewed(document, [one for one in known.log.attested if one.on <= report.today]) if document else None
    data = calendar(known.config.app.name, report.standings, review, now, report.today)
    publish(path, data, "Pass another path with --ics.")


def show_records(output: Output) -> int:
    """Print every record, oldest first; return 1 when one was refused."""
    log = records.TeamRecords(state(), os.environ, output.warn_once).read()
    if output.json_lines:
        for one in log.records:
            output.record(Schema.EXERCISE_RECORD, one.model_dump(mode="json"))
    else:
        draw_table([_line(one) for one in log.records], output, empty="No records.")
    _warn_refused(log, output)
    return int(ExitCode.CHECK_FAILED if log.refused else ExitCode.DONE)


def _warn_refused(log: ExerciseLog, output: Output) -> None:
    for error in log.refused:
        output.warn(f"{error.message} {error.next_action}")


def _line(one: DrillRecord | AttestedRecord) -> dict[str, object]:
    if isinstance(one, DrillRecord):
        result = f"{'passed' if one.sound else 'FAILED'}: {one.how}, {one.patients:,} patients"
        rto = f", RTO {one.rto_verdict}" + (f" ({duration(one.rto_seconds)})" if one.rto_seconds is not None else "")
        return {"when": moment(one.ended_at), "kind": "drill", "name": one.scenario, "by": one.by,
                "result": f"{result}{rto}"}  # fmt: skip
    there = f"{len(one.attendees)} attended: {first_of(one.attendees)}" if one.attendees else ""
    shown = "; ".join(filter(None, (one.note, there, first_of([part.text for part in one.evidence]))))
    return {"when": one.on, "kind": one.kind, "name": one.name, "by": one.by, "result": shown}


def _require_clean(option: str, text: str, config: Config) -> None:
    """Raises BadInput for a text with what looks like a secret or a patient's data; it does not repeat it."""
    allowed = tuple(one.how for one in config.contacts)
    if found := Screening(str, allowed=allowed).findings("", text):
        raise BadInput(
            f"uscdr does not write this {option}: it has {', '.join(sorted({one.kind for one in found}))}.",
            why="A record must not have secrets or patients' data.",
            next_action="Say it in other words, without keys, numbers of persons, names and diagnoses.",
        )


class _RecordedObject(TypedDict):
    path: str


def record(targets: Targets, output: Output, given: Attestation) -> None:
    """Write what a person attests. Raises BadInput for what cannot be attested, MachineError."""
    config = targets.loaded(lazily=True).config
    for option, text in (("--note", given.note), *(("--evidence", one) for one in given.evidence)):
        _require_clean(option, text, config)
    made = attested(config, given, str(Operator.of(os.environ)), system_time())
    path = records.TeamRecords(state(), os.environ, output.warn_once).keep(made)
    if output.json_lines:
        kept: _RecordedObject = {"path": path}
        output.record(Schema.EXERCISE_RECORDED, {**kept, **made.model_dump(mode="json")})
        return
    output.result(f"Recorded: {made.name} on {made.on} by {made.by}.")
    for one in made.evidence:
        output.say(f"Evidence: file {one.text}, SHA-256 {one.sha256}" if one.sha256 else f"Evidence: {one.text}")
    output.detail(path)
