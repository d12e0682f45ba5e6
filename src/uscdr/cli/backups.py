"""Listing and capturing backups, on the same ports that a recovery uses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from uscdr import wiring
from uscdr.assembly.job import Job
from uscdr.cli.context import Globals, state
from uscdr.engine.step import Intent
from uscdr.errors import AnswerLost, BadInput, OutcomeUnknown
from uscdr.journal import lock, runs
from uscdr.models.heroku import Transfer, TransferKind
from uscdr.scenarios.deps import Deps, Request
from uscdr.scenarios.steps import transfers
from uscdr.scenarios.steps.assess import backup_line
from uscdr.scenarios.steps.words import age, clock, size
from uscdr.session import surroundings
from uscdr.settings import operator
from uscdr.ui.console import Output
from uscdr.ui.tables import show_table


@contextmanager
def _ports(given: Globals, output: Output, *, read_only: bool) -> Iterator[tuple[Deps, Job]]:
    place = given.place()
    job = Job(place, Request("backup"), runs.new_run_id("backup"), None, dry_run=read_only)
    with surroundings(output, state(), os.environ) as around, wiring.opened(job, around) as (deps, _):
        yield deps, job


def show(given: Globals, *, as_json: bool) -> None:
    """The list, oldest first, on stdout."""
    output = given.output(json_lines=as_json)
    with _ports(given, output, read_only=True) as (deps, _):
        deps.describe_app()
        found = deps.backups.transfers(deps.attachment().owner_app_name)
    show_table([_row(transfer, output) for transfer in found if transfer.is_backup], output, empty="No backup.")


def _row(transfer: Transfer, output: Output) -> dict[str, object]:
    line = backup_line(transfer)
    if output.json_lines:
        return line.model_dump(mode="json")
    return {
        "name": line.name,
        "kind": line.kind,
        "state": "expired" if line.expired else line.state,
        "taken": clock(line.created_at),
        "age": age(line.age_seconds),
        "size": size(line.bytes),
        "warnings": line.warnings,
    }


class _Narrator:
    """Says on stderr how a capture goes."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._last = ""

    def accepted(self, provider_id: str) -> None:
        """The platform took it."""
        self._output.detail(f"accepted as {provider_id}")

    def progress(self, note: str, done: float | None = None, total: float | None = None, unit: str = "") -> None:
        """Say a new state once."""
        del done, total, unit
        if note != self._last:
            self._output.say(note)
        self._last = note

    def warn(self, text: str) -> None:
        """Must be seen."""
        self._output.warn(text)

    def check(self, name: str, verdict: str, evidence: str) -> None:
        """A capture has no checks."""
        self._output.detail(f"{name}: {verdict}: {evidence}")


def capture(given: Globals, *, as_json: bool) -> None:
    """Start a backup, wait, say its name. A lost answer is looked for, never repeated."""
    output = given.output(json_lines=as_json)
    done = take(given, output)
    if output.json_lines:
        output.record(backup_line(done).model_dump(mode="json"))
    else:
        output.result(f"{done.name}  {size(done.processed_bytes)}")


def take(given: Globals, output: Output) -> Transfer:
    """A fresh backup once it is complete; says on stderr how it goes."""
    narrator = _Narrator(output)
    with _ports(given, output, read_only=False) as (deps, job):
        deps.describe_app()
        with lock.hold(state(), job.place.key, operator(os.environ), "uscdr backup capture"):
            return _capture(deps, narrator)


def _capture(deps: Deps, narrator: _Narrator) -> Transfer:
    attachment = deps.attachment()
    owner = attachment.owner_app_name
    before = deps.backups.transfers(owner)
    running = next((t for t in before if not t.ended), None)
    if running is not None:
        raise BadInput(f"{running.name} is under way.", next_action="Wait for its end: uscdr backup list")
    intent = Intent("", {"newest_transfer": transfers.newest_number(before)}, None)
    try:
        accepted = deps.backups.capture(attachment.addon_id)
    except AnswerLost as error:
        found = transfers.find(deps, owner, (TransferKind.MANUAL_BACKUP,), intent, narrator)
        if found.provider_id is None:
            raise OutcomeUnknown(
                "It is not known whether the backup was started.", why=error.message,
                next_action="Look: uscdr backup list",
            ) from error  # fmt: skip
        return transfers.adopt(deps, owner, found.provider_id, narrator)
    return transfers.follow(deps, owner, accepted, narrator)
