"""What the commands of `uscdr backup` work with: the platform, the store of copies, and both as one list."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from uscdr.backups import catalog
from uscdr.backups.catalog import BackupEntry, StoredCopies, judged
from uscdr.backups.decrypt import Keys
from uscdr.backups.proofs import Judgement, ProofDocument, Proofs
from uscdr.backups.rpo import Rhythm, RpoState, wheels
from uscdr.commands import run
from uscdr.commands.invocation import Invocation, clear_up, state
from uscdr.commands.recover import lasting, operate
from uscdr.errors import BadInput, ExitCode, ProviderError
from uscdr.installation import origin
from uscdr.journal import runs
from uscdr.models.base import elapsed
from uscdr.models.postgres import LeftOut
from uscdr.scenarios.adapters import Adapters, Request, now
from uscdr.scenarios.backup_inventory import copies_alone, made, scope
from uscdr.scenarios.steps.backups_capture import wanted_schedule
from uscdr.settings import operator
from uscdr.staging import noted
from uscdr.store.lease import WriterQueue
from uscdr.store.store import Store
from uscdr.ui.console import Output
from uscdr.ui.tables import show_table
from uscdr.wiring import stores
from uscdr.wiring.session import process
from uscdr.wiring.stores import open_store
from uscdr.words import duration, first_of, moment, plural, size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from uscdr.models.heroku import Attachment, Schedule
    from uscdr.models.migrations import MigrationsVerdict
    from uscdr.models.transfers import Transfer
    from uscdr.scenarios.adapters import CopiesAccess
    from uscdr.store.store import Store
    from uscdr.ui.console import Output
    from uscdr.wiring.context import RunContext


@dataclass(frozen=True)
class BackupAccess:
    """How a command is wired. `keys`: what opens copies; `writes`: it is not for looking alone.

    `shows`: it never acts on what it finds, so that mistakes in other sections of scenarios.yaml do not matter.
    """

    to: str | None = None
    kit: str | None = None
    identity: Path | None = None
    keys: Keys = field(default_factory=Keys)
    writes: bool = False
    shows: bool = False


@dataclass(frozen=True)
class BackupTools:
    """One command at work."""

    deps: Adapters
    context: RunContext
    store: Store
    output: Output

    def attachment(self) -> Attachment:
        """The database. Raises BadInput when there is no such application."""
        self.deps.describe_app()
        return self.deps.attachment()

    def shelf(self) -> StoredCopies:
        """The copies; what is wrong with any is said."""
        found = catalog.StoredCopies.of(self.store)
        for damage in found.damaged:
            self.output.warn(f"DAMAGE in {self.store.place}: {damage}")
        others = {card.origin.app for card in found.copies} - {self.deps.app}
        if others:
            self.output.detail(f"{self.store.place} also holds copies of {', '.join(sorted(others))}.")
        return found

    def entries(self) -> tuple[BackupEntry, ...]:
        """The platform's backups and all copies, one entry a backup, oldest first."""
        return self._entries(*self._asked())

    def entries_if_it_answers(self) -> tuple[BackupEntry, ...]:
        """The same; when the platform cannot be asked, the copies alone, and that is said."""
        return self.listed()[0]

    def listed(self) -> tuple[tuple[BackupEntry, ...], ProviderError | BadInput | None]:
        """The same, and why the platform could not be asked."""
        try:
            asked = self._asked()
        except (ProviderError, BadInput) as error:
            self.output.warn(f"The platform could not be asked; only copies are known. {error.message} {error.why}")
            return copies_alone(self.deps, self.shelf()), error
        return self._entries(*asked), None

    def _asked(self) -> tuple[Attachment, tuple[Transfer, ...]]:
        attachment = self.attachment()
        return attachment, self.deps.backups.transfers(attachment)

    def _entries(self, attachment: Attachment, transfers: tuple[Transfer, ...]) -> tuple[BackupEntry, ...]:
        return scope(self.deps, attachment).entries(transfers, self.shelf().copies, Proofs(self.store))


@contextmanager
def desk(given: Invocation, output: Output, how: BackupAccess) -> Iterator[BackupTools]:
    """Everything is opened, the platform only to look, and gone at the end."""
    place = given.place(lazily=how.shows)
    if how.writes:
        clear_up(output, place.scratch)
    request = Request("backup", kit=how.kit)
    store = open_store(how.to, place.config, state(), os.environ)
    with process(output, state(), os.environ) as this:
        context = this.on(place, request, runs.new_run_id("backup"), dry_run=True, identity=how.identity)
        with (
            run.opened(context, _writing(how, store, context)) as deps,
            noted(store, deps.work if how.writes else None),  # a turn and a proof are written there, too
        ):
            yield BackupTools(deps, context, store, output)


def _writing(how: BackupAccess, store: Store, context: RunContext) -> Callable[[CopiesAccess], CopiesAccess]:
    """That the platform is only looked at does not bind the store of copies: `pull` writes there."""

    def turn(message: str, say: Callable[[str], None]) -> AbstractContextManager[object]:
        return WriterQueue(operator(os.environ), context.stop.pause, say).turn(store, message)

    return lambda usual: replace(usual, to=how.to, store=lambda: store, reading=lambda: how.keys, turn=turn)


# Listing and capturing backups, on the same ports that a recovery uses.


def show(given: Invocation, to: str | None, *, as_json: bool) -> None:
    """The list, oldest first, on stdout: platform and copies together.

    Raises ProviderError or BadInput after it, when the platform could not be asked: the list is not whole.
    """
    output = given.output(json_lines=as_json)
    with desk(given, output, BackupAccess(to, shows=True)) as work:
        known, unasked = work.listed()
        graded = judged(known, now(), work.deps.config.objectives.rpo)
    row = _backup_record if output.json_lines else _row
    nothing = "No copy. What the platform has is not known." if unasked else "No backup."
    show_table([row(entry, verdict) for entry, verdict in graded], output, empty=nothing)
    if unasked is not None:
        raise unasked


def _row(entry: BackupEntry, verdict: Judgement) -> dict[str, object]:
    return {
        "name": entry.name,
        "kind": entry.kind,
        "taken": moment(entry.taken_at),
        "age": duration(entry.age(now())),
        "size": size(entry.size),
        "where": "-" if entry.where == "nowhere" else entry.where,
        "grade": verdict.grade.value,
        "proven": f"{duration(_since_proof(entry))} ago" if entry.proof else "never",
        "why_no_better": "; ".join(filter(None, (verdict.why, *verdict.remarks))),
    }


def _backup_record(entry: BackupEntry, verdict: Judgement) -> dict[str, object]:
    transfer, proof = entry.transfer, entry.proof
    return {
        "name": entry.name,
        "kind": entry.kind,
        "state": transfer.state.value if transfer else "completed",
        "created_at": (transfer.created_at if transfer else entry.copies[0].origin.created_at).isoformat(),
        "taken_at": entry.taken_at.isoformat(),
        "finished_at": entry.finished_at.isoformat() if entry.finished_at else None,
        "age_seconds": entry.age(now()),
        "bytes": entry.size,
        "warnings": entry.warnings,
        "expired": transfer.expired if transfer else False,
        "where": entry.where,
        "grade": verdict.grade.value,
        "why": verdict.why,
        "remarks": verdict.remarks,
        "proven_at": proof.proven_at.isoformat() if proof else None,
        "sha256": proof.sha256 if proof else entry.copies[0].dump.plain_sha256 if entry.copies else None,
        "copies": [card.id for card in entry.copies],
    }


def _since_proof(entry: BackupEntry) -> float:
    return elapsed(entry.proof.proven_at, now()) if entry.proof else 0.0


def capture(given: Invocation, to: str | None = None, *, evict: bool = False, as_json: bool) -> None:
    """Start a backup, wait, say its name."""
    output = given.output(json_lines=as_json)
    made = take(given, output, to, evict=evict)
    if output.json_lines:
        output.record(made["line"])
    else:
        output.result(f"{made['name']}  {size(made['bytes'])}")


def take(given: Invocation, output: Output, to: str | None = None, *, evict: bool = False) -> dict[str, Any]:
    """A fresh backup once it is complete, as the journal of its run has it."""
    place, _ = lasting(to)
    return operate(given, output, Request("capture", to=place, evict=evict))


# Whether the recovery point objective is met, with the arithmetic.


def status(given: Invocation, to: str | None, *, as_json: bool) -> int:
    """One object with --json; 1 when the objective is missed, 0 when it is met."""
    output = given.output(json_lines=as_json)
    with desk(given, output, BackupAccess(to, shows=True)) as work:
        entries, attachment, at = work.entries(), work.deps.attachment(), now()
        found = made(entries, Proofs(work.store), scope(work.deps, attachment), at)
        schedules = work.deps.backups.schedules(attachment.addon_id)
        standing = RpoState.of(found, schedules, at, work.deps.config.objectives.rpo)
    if output.json_lines:
        output.record({**standing.model_dump(mode="json"), "words": list(_lines(standing))})
    else:
        for line in _lines(standing):
            output.result(line)
    return int(ExitCode.DONE if standing.met else ExitCode.CHECK_FAILED)


def _lines(seen: RpoState) -> Iterator[str]:
    """The arithmetic in words."""
    limit = f"objective {duration(seen.objective)}"
    named = f" ({seen.proven})" if seen.proven else ""
    yield f"newest proven copy off the platform: {_old(seen.proven_age)}{named}, {limit}: " + _verdict(
        seen.proven_age, seen.objective
    )
    yield f"newest copy off the platform: {_old(seen.copy_age)}; newest backup at all: {_old(seen.newest_age)}"
    if seen.largest_gap is not None:
        gap = seen.largest_gap
        yield f"largest gap in the last 7 days: {duration(gap.seconds)}, {moment(gap.begin)} to {moment(gap.end)}"
    yield _schedule(seen, limit)
    if seen.day_gap is not None:
        yield (
            f"as seen in the last 24 h: at most {duration(seen.day_gap)} between backups "
            f"+ {duration(seen.capture)} for one = up to {duration(seen.day_gap + seen.capture)}, {limit}: "
            + _verdict(seen.day_gap + seen.capture, seen.objective)
        )
    yield _next(seen)
    yield f"RPO {'met' if seen.met else 'MISSED'}" + ("" if seen.met else f": {_why(seen)}")


def _schedule(seen: RpoState, limit: str) -> str:
    """What the platform alone would lose at worst."""
    if not seen.schedules:
        return f"the platform schedules no backup, {limit}: missed by the platform alone"
    if seen.schedule_gap is None:
        return f"{', '.join(seen.schedules)}: when that is, is not known here"
    worst = seen.schedule_gap + seen.capture
    return (
        f"{', '.join(seen.schedules)} + {duration(seen.capture)} for the capture = up to {duration(worst)}, {limit}: "
        + _verdict(worst, seen.objective)
    )


def _next(seen: RpoState) -> str:
    due = "a proven copy is due now"
    if seen.due is not None and seen.due > seen.at:
        due = f"the next proven copy is due by {moment(seen.due)}, in {duration((seen.due - seen.at).total_seconds())}"
    if seen.next_scheduled is None:
        return f"{due}; the platform's next backup: none is scheduled"
    wait = duration((seen.next_scheduled - seen.at).total_seconds())
    return f"{due}; the platform's next backup: {moment(seen.next_scheduled)}, in {wait}"


def _why(seen: RpoState) -> str:
    if seen.proven_age is None:
        return "there is no proven copy off the platform (uscdr backup pull, uscdr backup prove)"
    if seen.proven_age > seen.objective:
        return "the newest proven copy is too old (uscdr backup capture, pull, prove)"
    return "backups are not made often enough (uscdr backup schedule prints what to run)"


def _old(seconds: float | None) -> str:
    return "none" if seconds is None else f"{duration(seconds)} old"


def _verdict(seconds: float | None, objective: float) -> str:
    return "met" if seconds is not None and seconds <= objective else "missed"


# The platform's schedules of backups, and what else must run to keep the objective.


def schedule(given: Invocation, to: str | None, *, apply: bool, as_json: bool) -> int:
    """Show, with `apply` create what is missing; 1 when no daily backup is scheduled."""
    output = given.output(json_lines=as_json)
    with desk(given, output, BackupAccess(to)) as work:
        addon = work.attachment().addon_id
        found, made = work.deps.backups.schedules(addon), False
        if apply and not found:
            made = bool(operate(given, output, Request("schedule"))["created"])
            found = work.deps.backups.schedules(addon)
        _tell(work, found, work.store.place if to else None, made=made)  # cron runs in another directory
    return int(ExitCode.DONE if found else ExitCode.CHECK_FAILED)


def _tell(work: BackupTools, found: Sequence[Schedule], to: str | None, *, made: bool) -> None:
    config, place, output = work.deps.config, work.context.target.name, work.output
    every, wanted = Rhythm.even(stores.settings(config).every, config.objectives.rpo), wanted_schedule(work.deps)
    if output.json_lines:
        output.record(_schedule_record(work, found, every, (to, made)))
        return
    for one in found:
        output.result(f"the platform: {one.words}{' (created now)' if made else ''}")
    if not found:
        output.result(f"the platform: NO schedule; create {wanted} with: uscdr backup schedule --apply")
    elif wanted not in (one.words for one in found):
        output.warn(f"scenarios.yaml wants it {wanted}; what is there is left as it is.")
    limit, often = duration(config.objectives.rpo), duration(every.seconds)
    output.result(f"\ndaily backups alone lose up to a day. For at most {limit}: every {often} by cron\n")
    output.result(every.cron_line(place, to))
    output.result("\nor as a GitHub workflow, .github/workflows/backups.yml:\n")
    output.result(every.workflow(place, to).rstrip("\n"))
    output.result(
        "\nit installs from wheels in the repository; made once, on Linux with Python 3.12 as the runner has:\n"
    )
    output.result(_wheels())
    _hint(output)


def _wheels() -> str:
    return wheels(sys.executable, str(origin() or "PATH-OF-THE-WHEEL-OR-CHECKOUT"))


def _hint(output: Output) -> None:
    output.say("The environment file exports HEROKU_API_KEY and the recipients (mode 0600). Watch: uscdr backup status")


def _schedule_record(
    work: BackupTools, found: Sequence[Schedule], every: Rhythm, rest: tuple[str | None, bool]
) -> dict[str, object]:
    to, made = rest
    place = work.context.target.name
    return {
        "schedules": [one.model_dump(mode="json") for one in found],
        "created": made,
        "wanted": wanted_schedule(work.deps),
        "every_seconds": every.seconds,
        "cron": every.cron_line(place, to),
        "workflow": every.workflow(place, to),
        "wheels": _wheels(),
    }


# A proof in words.


SHOWN = 3
"""Names of migrations in a line."""


def show_proof(proof: ProofDocument, name: str | None, output: Output) -> None:
    """Grade and SHA-256 first, then what was seen; the whole document with --json."""
    if output.json_lines:
        output.record({**proof.model_dump(mode="json"), "document": name})
        return
    output.result(f"{proof.backup}: {proof.grade}")
    output.result(f"  SHA-256     {proof.sha256}")
    for line in _proof_lines(proof):
        output.result(f"  {line}")


def _proof_lines(proof: ProofDocument) -> Iterator[str]:
    if proof.why:
        yield f"no better   {proof.why}"
    yield f"bytes       {size(proof.bytes)}, {_source(proof)}"
    if proof.server:
        held = sum(one.holds is True for one in proof.invariants)
        yield f"content     {plural(proof.tables, 'table')}, {plural(proof.rows, 'row')}"
        yield f"invariants  {held} of {len(proof.invariants)} hold"
        yield f"key         {_key(proof)}"
        yield f"extensions  {', '.join(proof.extensions)}"
        yield f"migrations  {_migrations(proof.migrations)}"
    if proof.left_out:
        yield f"NOT PROVEN  {LeftOut.words_of(proof.left_out)}"
    made = f"uscdr {proof.uscdr}" + (f", pg_restore {proof.pg_restore}" if proof.pg_restore else "")
    made += f", PostgreSQL {proof.server}" if proof.server else ""
    yield f"by          {made}, in {duration(proof.seconds)}"


def _source(proof: ProofDocument) -> str:
    if proof.source == "kit":
        return f"from the kit {proof.copy_id}, with its own key and code"
    if proof.source == "vault":
        return f"from the copy {proof.copy_id}"
    if proof.copy_id:
        return f"from the platform; the copy {proof.copy_id} is intact and of the same bytes, but was not opened"
    return "from the platform; there is no copy off it"


def _key(proof: ProofDocument) -> str:
    canary = proof.canary
    if canary.verdict != "pass":
        return f"{'DOES NOT FIT' if canary.wrong else 'NOT TRIED' if not canary.columns else 'NOT SHOWN'}: {canary.why}"
    words = f"reads {canary.matching} of {canary.sampled} sampled values in {plural(canary.columns, 'column')}"
    return words + (f"; {plural(canary.unencrypted, 'value')} in plain text only" if canary.unencrypted else "")


def _migrations(found: MigrationsVerdict) -> str:
    if not found.known:
        return f"NOT COMPARED: {found.why}"
    words = []
    if found.ahead:
        words.append(f"{len(found.ahead)} that {found.against} does not know: {first_of(found.ahead)}")
    if found.pending:
        named = first_of(found.pending)
        words.append(f"{len(found.pending)} of {found.against} would be applied after a restore: {named}")
    return "; ".join(words) or f"those of {found.against}"
