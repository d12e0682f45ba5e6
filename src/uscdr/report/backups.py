"""Shows backups: the list, the RPO with its calculation, and the result of a proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import TypedDict

from uscdr.models.base import elapsed
from uscdr.models.postgres import LeftOut
from uscdr.ui.schemas import Schema
from uscdr.ui.tables import draw_table, show_table
from uscdr.words import duration, first_of, moment, plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from uscdr.backups.catalog import BackupEntry, Judgement
    from uscdr.backups.proofs import ProofDocument
    from uscdr.backups.rpo import RpoState
    from uscdr.models.migrations import MigrationsVerdict
    from uscdr.ui.console import Output


def show_backups(graded: Sequence[tuple[BackupEntry, Judgement]], at: datetime, output: Output, *, empty: str) -> None:
    """Print the list on stdout, oldest first; print `empty` for an empty list."""
    if output.json_lines:
        show_table(Schema.BACKUP, [_backup_object(entry, verdict, at) for entry, verdict in graded], output)
    else:
        draw_table([_row(entry, verdict, at) for entry, verdict in graded], output, empty=empty)


def _row(entry: BackupEntry, verdict: Judgement, at: datetime) -> dict[str, object]:
    return {
        "name": entry.name,
        "kind": entry.kind,
        "taken": moment(entry.taken_at),
        "age": duration(entry.age(at)),
        "size": size(entry.size),
        "where": "-" if entry.where == "nowhere" else entry.where,
        "grade": verdict.grade.value,
        "proven": f"{duration(_since_proof(entry, at))} ago" if entry.proof else "never",
        "remarks": "; ".join(filter(None, (verdict.why, *verdict.remarks))),
    }


class _BackupObject(TypedDict):
    name: str
    kind: str
    state: str
    created_at: datetime
    taken_at: datetime
    finished_at: datetime | None
    age_seconds: float
    bytes: int
    warnings: int
    expired: bool
    where: str
    grade: str
    why: str
    remarks: Sequence[str]
    proven_at: datetime | None
    sha256: str | None
    copies: Sequence[str]


def _backup_object(entry: BackupEntry, verdict: Judgement, at: datetime) -> _BackupObject:
    transfer, proof = entry.transfer, entry.proof
    return {
        "name": entry.name,
        "kind": entry.kind,
        "state": transfer.state.value if transfer else "completed",
        "created_at": transfer.created_at if transfer else entry.copies[0].origin.created_at,
        "taken_at": entry.taken_at,
        "finished_at": entry.finished_at,
        "age_seconds": entry.age(at),
        "bytes": entry.size,
        "warnings": entry.warnings,
        "expired": transfer.expired if transfer else False,
        "where": entry.where,
        "grade": verdict.grade.value,
        "why": verdict.why,
        "remarks": verdict.remarks,
        "proven_at": proof.proven_at if proof else None,
        "sha256": proof.sha256 if proof else entry.copies[0].dump.plain_sha256 if entry.copies else None,
        "copies": [card.id for card in entry.copies],
    }


def _since_proof(entry: BackupEntry, at: datetime) -> float:
    return elapsed(entry.proof.proven_at, at) if entry.proof else 0.0


class _RpoObject(TypedDict):
    words: Sequence[str]


def show_rpo(standing: RpoState, output: Output) -> None:
    """Print one object with --json, otherwise the calculation as text."""
    if output.json_lines:
        more: _RpoObject = {"words": list(_lines(standing))}
        output.record(Schema.RPO, {**standing.model_dump(mode="json"), **more})
        return
    for line in _lines(standing):
        output.result(line)


def _lines(seen: RpoState) -> Iterator[str]:
    """The calculation as text."""
    limit = f"objective {duration(seen.objective)}"
    named = f" ({seen.proven})" if seen.proven else ""
    yield f"Newest proven copy off the platform: {_old(seen.proven_age)}{named}, {limit}: " + _verdict(
        seen.proven_age, seen.objective
    )
    yield f"Newest copy off the platform: {_old(seen.copy_age)}; newest backup anywhere: {_old(seen.newest_age)}"
    if seen.largest_gap is not None:
        gap = seen.largest_gap
        yield f"Largest gap in the last 7 days: {duration(gap.seconds)}, {moment(gap.begin)} to {moment(gap.end)}"
    yield _schedule(seen, limit)
    if seen.day_gap is not None:
        yield (
            f"In the last 24 h: at most {duration(seen.day_gap)} between backups "
            f"+ {duration(seen.capture)} for a capture = up to {duration(seen.day_gap + seen.capture)}, {limit}: "
            + _verdict(seen.day_gap + seen.capture, seen.objective)
        )
    yield _next(seen)
    yield f"RPO {'met' if seen.met else 'MISSED'}" + ("" if seen.met else f": {_why(seen)}")


def _schedule(seen: RpoState, limit: str) -> str:
    """The largest possible loss with the platform's schedule alone."""
    if not seen.schedules:
        return f"The platform has no backup schedule, {limit}: missed by the platform alone"
    if seen.schedule_gap is None:
        return f"{', '.join(seen.schedules)}: this machine does not know the time zone"
    worst = seen.schedule_gap + seen.capture
    return (
        f"{', '.join(seen.schedules)} + {duration(seen.capture)} for the capture = up to {duration(worst)}, {limit}: "
        + _verdict(worst, seen.objective)
    )


def _next(seen: RpoState) -> str:
    due = "A proven copy is due now"
    if seen.due is not None and seen.due > seen.at:
        due = f"The next proven copy is due by {moment(seen.due)}, in {duration((seen.due - seen.at).total_seconds())}"
    if seen.next_scheduled is None:
        return f"{due}; next backup of the platform: none is scheduled"
    wait = duration((seen.next_scheduled - seen.at).total_seconds())
    return f"{due}; next backup of the platform: {moment(seen.next_scheduled)}, in {wait}"


def _why(seen: RpoState) -> str:
    if seen.proven_age is None:
        return "there is no proven copy off the platform. Next: uscdr backup pull && uscdr backup prove"
    if seen.proven_age > seen.objective:
        return (
            "the newest proven copy is too old. Next: uscdr backup capture && uscdr backup pull && uscdr backup prove"
        )
    return "the gaps between backups are too long. For a cron line that meets the RPO: uscdr backup schedule"


def _old(seconds: float | None) -> str:
    return "none" if seconds is None else f"{duration(seconds)} old"


def _verdict(seconds: float | None, objective: float) -> str:
    return "met" if seconds is not None and seconds <= objective else "missed"


class _ProofObject(TypedDict):
    document: str | None


def show_proof(proof: ProofDocument, name: str | None, output: Output) -> None:
    """Print the grade and the SHA-256 first, then the findings; with --json the whole document."""
    if output.json_lines:
        more: _ProofObject = {"document": name}
        output.record(Schema.PROOF, {**proof.model_dump(mode="json"), **more})
        return
    output.result(f"{proof.backup}: {proof.grade}")
    output.result(f"  SHA-256     {proof.sha256}")
    for line in _proof_lines(proof):
        output.result(f"  {line}")


def _proof_lines(proof: ProofDocument) -> Iterator[str]:
    if proof.why:
        yield f"reason      {proof.why}"
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
        return f"from the platform; the copy {proof.copy_id} has the same bytes, but uscdr did not decrypt it"
    return "from the platform; there is no copy off the platform"


def _key(proof: ProofDocument) -> str:
    canary = proof.canary
    if canary.verdict != "pass":
        return f"{'DOES NOT FIT' if canary.wrong else 'NOT TRIED' if not canary.columns else 'NOT SHOWN'}: {canary.why}"
    words = f"decrypts {canary.matching} of {canary.sampled} sampled values in {plural(canary.columns, 'column')}"
    return words + (f"; {plural(canary.unencrypted, 'value')} only in plain text" if canary.unencrypted else "")


def _migrations(found: MigrationsVerdict) -> str:
    if not found.known:
        return f"NOT COMPARED: {found.why}"
    words = []
    if found.ahead:
        words.append(f"{len(found.ahead)} unknown to {found.against}: {first_of(found.ahead)}")
    if found.pending:
        named = first_of(found.pending)
        words.append(f"{len(found.pending)} of {found.against} pending after a restore: {named}")
    return "; ".join(words) or f"the same as in {found.against}"
