"""What `verify` and `watch` share: from options to a run, its result and its files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from uscdr.assembly.job import Job
from uscdr.cli.invocation import Globals, clear_up, state
from uscdr.errors import BadInput
from uscdr.files import publish
from uscdr.journal import runs
from uscdr.journal.reader import NAME, read
from uscdr.models.duration import seconds
from uscdr.place import Place
from uscdr.report.build import build
from uscdr.report.checks_markdown import to_checks_markdown
from uscdr.report.junit import to_junit
from uscdr.scenarios.deps import Request
from uscdr.scenarios.model_targets import APP
from uscdr.session import surroundings
from uscdr.ui.checkresult import show_result
from uscdr.ui.console import Output
from uscdr.ui.errors import render_error
from uscdr.verification.rounds import told
from uscdr.verification.run import verify
from uscdr.verification.wanted import Verification, Verified

ANSWERS = {"yes": True, "no": False}


def duration(option: str, text: str) -> float:
    """`5m` as seconds, more than none. Raises BadInput."""
    try:
        found = seconds(text)
    except ValueError as error:
        raise BadInput(f"{option} is “{text}”.", next_action=f"{error}.".capitalize()) from None
    if found <= 0:
        raise BadInput(f"{option} is no time at all.", next_action="Write for example 5m.")
    return found


def answers_of(given: Sequence[str]) -> dict[str, bool]:
    """`NAME=yes` -> True. Raises BadInput."""
    found: dict[str, bool] = {}
    for text in given:
        name, _, answer = text.partition("=")
        if answer not in ANSWERS or name in found:
            raise BadInput(f"--answer “{text}” is no answer.", next_action="Write NAME=yes or NAME=no, each name once.")
        found[name] = ANSWERS[answer]
    return found


@dataclass(frozen=True)
class Asked:
    """What stands on the command line of `verify` or `watch`."""

    scenario: str
    wanted: Verification
    app: str | None = None
    junit: Path | None = None
    markdown: Path | None = None


def carry_out(given: Globals, asked: Asked, *, as_json: bool) -> int:
    """A verification; its exit code."""
    for path in filter(None, (asked.junit, asked.markdown)):
        _writable(path)
    place = _of_app(given.place(), asked.app)
    run = runs.new_run_id(asked.scenario.partition(" ")[0])
    job = Job(place, Request(asked.scenario), run, None, dry_run=True)
    output = given.output(json_lines=as_json)
    if asked.wanted.wish.allow_writes or asked.wanted.save_baseline:
        clear_up(output, place.scratch)
    with surroundings(output, state(), os.environ) as around:
        verified = verify(job, around, asked.wanted)
    _show(verified, output)
    _files(job.run, asked.junit, asked.markdown)
    return int(verified.code)


def _of_app(place: Place, app: str | None) -> Place:
    """The same place, but another application of it, at its own address. Raises BadInput for what is no name."""
    if app is not None and not APP.fullmatch(app):
        raise BadInput(f"“{app}” is no application's name.", next_action="Name it as the platform does: usc-pis")
    return place.of_app(app)


def _show(verified: Verified, output: Output) -> None:
    if verified.last is not None and not output.json_lines:
        show_result(verified.last.finished, map(told, verified.last.results), output)
    if verified.error is not None:
        render_error(verified.error, output)


def _files(run: str, junit: Path | None, markdown: Path | None) -> None:
    journal = read(state() / "runs" / run / NAME)
    report = build(journal.records, last_hash=journal.last_hash)
    for path, text in ((junit, to_junit), (markdown, to_checks_markdown)):
        if path is not None:
            _write(path, text(report))


def _writable(path: Path) -> None:
    if not path.absolute().parent.is_dir():
        raise BadInput(f"{path}: there is no such directory.", next_action="Make it, or name another file.")


def _write(path: Path, text: str) -> None:
    publish(path, text.encode(), "The result is in the journal: uscdr runs report")
