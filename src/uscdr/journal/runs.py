"""All runs on this machine, from their journals. Import-light: JSON only."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from uscdr.errors import BadInput, JournalError
from uscdr.journal.reader import NAME, Journal, read

WRITE_EFFECTS = frozenset({"idempotent", "findable", "once"})


@dataclass(frozen=True)
class RunSummary:
    """One line of `uscdr runs list`."""

    run: str
    scenario: str
    target: str
    started: str
    state: str
    """`done`, `failed`, `declined`, `unknown`, `interrupted`, `unfinished`, `dry run` or `damaged`."""
    step: str
    user: str
    wrote: bool
    """Whether a step that changes something was begun."""


def new_run_id(scenario: str) -> str:
    """A run id that sorts by time, e.g. `20261123T031500Z-db-4f2a9c`."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{scenario}-{secrets.token_hex(3)}"


def journals(state: Path) -> Iterator[Path]:
    """Every journal, oldest first."""
    return iter(sorted((state / "runs").glob(f"*/{NAME}")))


def summaries(state: Path) -> list[RunSummary]:
    """Every run, oldest first; a damaged journal is listed as such."""
    return [_summary_of(path) for path in journals(state)]


def _summary_of(path: Path) -> RunSummary:
    try:
        return summarize(read(path))
    except JournalError:
        return RunSummary(path.parent.name, "?", "?", "", "damaged", "", "", wrote=False)


def summarize(journal: Journal) -> RunSummary:
    """Fold a journal into one line."""
    first: dict[str, Any] = next(journal.events(), {})
    state, step, wrote = "unfinished", "", False
    for event in journal.events():
        kind = event["kind"]
        if kind == "run.finished":
            state = event["outcome"]
        elif kind == "run.resumed":
            state = "unfinished"
        elif kind == "step.started":
            step, wrote = event["step"], wrote or event["effect"] in WRITE_EFFECTS
        elif kind == "plan.ready" and event["dry_run"]:
            state = "dry run"
    started = journal.records[0]["at"] if journal.records else ""
    return RunSummary(
        journal.run,
        first.get("scenario", "?"),
        first.get("target", "?"),
        started,
        state,
        step,
        first.get("user", ""),
        wrote,
    )


def find(state: Path, wanted: str | None) -> Path:
    """The journal of run `wanted` (a unique prefix will do), or of the newest run that can be resumed."""
    if wanted is None:
        return _newest_resumable(state)
    matches = [path for path in journals(state) if path.parent.name.startswith(wanted)]
    if len(matches) != 1:
        what = "No run" if not matches else f"{len(matches)} runs"
        raise BadInput(f"{what} on this machine match “{wanted}”.", next_action="See: uscdr runs list")
    return matches[0]


def resumable(summary: RunSummary) -> bool:
    """Whether `uscdr runs resume` has something to do."""
    return summary.state not in ("done", "dry run", "damaged", "?")


def _newest_resumable(state: Path) -> Path:
    for path in reversed(list(journals(state))):
        if resumable(_summary_of(path)):
            return path
    raise BadInput("There is no unfinished run on this machine.", next_action="See: uscdr runs list")
