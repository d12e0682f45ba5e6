"""Listing and capturing backups, on the same ports that a recovery uses."""

from __future__ import annotations

from typing import Any

from uscdr.cli.backupdesk import Wiring, desk
from uscdr.cli.conduct import operate
from uscdr.cli.invocation import Globals
from uscdr.cli.wishes import lasting
from uscdr.models.duration import elapsed
from uscdr.scenarios.deps import Request, now
from uscdr.ui.console import Output
from uscdr.ui.tables import show_table
from uscdr.vault.backups.catalog import Entry, judged
from uscdr.vault.backups.grade import Judgement
from uscdr.words import duration, moment, size


def show(given: Globals, to: str | None, *, as_json: bool) -> None:
    """The list, oldest first, on stdout: platform and copies together.

    Raises ProviderError or BadInput after it, when the platform could not be asked: the list is not whole.
    """
    output = given.output(json_lines=as_json)
    with desk(given, output, Wiring(to, shows=True)) as work:
        known, unasked = work.listed()
        graded = judged(known, now(), work.deps.config.objectives.rpo)
    row = _record if output.json_lines else _row
    nothing = "No copy. What the platform has is not known." if unasked else "No backup."
    show_table([row(entry, verdict) for entry, verdict in graded], output, empty=nothing)
    if unasked is not None:
        raise unasked


def _row(entry: Entry, verdict: Judgement) -> dict[str, object]:
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


def _record(entry: Entry, verdict: Judgement) -> dict[str, object]:
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


def _since_proof(entry: Entry) -> float:
    return elapsed(entry.proof.proven_at, now()) if entry.proof else 0.0


def capture(given: Globals, to: str | None = None, *, evict: bool = False, as_json: bool) -> None:
    """Start a backup, wait, say its name."""
    output = given.output(json_lines=as_json)
    made = take(given, output, to, evict=evict)
    if output.json_lines:
        output.record(made["line"])
    else:
        output.result(f"{made['name']}  {size(made['bytes'])}")


def take(given: Globals, output: Output, to: str | None = None, *, evict: bool = False) -> dict[str, Any]:
    """A fresh backup once it is complete, as the journal of its run has it."""
    place, _ = lasting(to)
    return operate(given, output, Request("capture", to=place, evict=evict))
