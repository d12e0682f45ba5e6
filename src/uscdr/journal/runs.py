"""All runs that this machine knows: its own journals, and copies of the team's. Imports little: JSON only."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from uscdr import files
from uscdr.errors import BadInput, JournalError
from uscdr.journal.reader import LARGEST, NAME, Journal, Look, look
from uscdr.models import runs as kinds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

OVER = ("done", "objective missed")
"""States of a run that completed every step."""
UNKNOWN = "?"
DAMAGED = "damaged"
"""The state of a run whose journal is not readable to its end; such a run counts as unfinished."""
STAMP = "%Y%m%dT%H%M%SZ"
_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-(?P<scenario>.+)-[0-9a-f]{6}")
SHARED, COPY = "shared", "copy.jsonl"
"""Below the state directory: `shared/<store>/runs/<run>/copy.jsonl`, copies of journals in stores of a team."""
TAKEN_UP = b'"kind":"run.resumed"'
WRITE_EFFECTS = frozenset({"idempotent", "findable", "once"})


@dataclass(frozen=True)
class RunSummary:
    """One line of `uscdr runs list`."""

    run: str
    scenario: str
    target: str
    started: str
    state: str
    """`done`, `objective missed` (every step done, but too late or with too old a backup), `failed`, `declined`,
    `unknown`, `interrupted`, `unfinished`, `dry run` or `damaged`."""
    step: str
    user: str
    """`user on machine` for a run of another machine, else empty."""
    wrote: bool
    """Whether the run began a step that changes something."""


def new_run_id(scenario: str) -> str:
    """A run id that sorts by time, e.g. `20261123T031500Z-db-4f2a9c`."""
    return f"{datetime.now(UTC):{STAMP}}-{scenario}-{os.urandom(3).hex()}"


def begun_at(run: str) -> datetime | None:
    """The time in a run's id; None if the text is not a run's id."""
    try:
        return datetime.strptime(run.partition("-")[0], STAMP).replace(tzinfo=UTC) if _ID.fullmatch(run) else None
    except ValueError:
        return None


def journals(state: Path) -> Iterator[Path]:
    """Every journal, oldest first; for a run that another machine continued, the copy of the team's journal.

    Includes unreadable journals. Raises JournalError if the directory cannot be listed.
    """
    known = {path.parent.name: path for path in _below(state / "runs", NAME)}
    for store in _names(state / SHARED):
        for copy in _below(state / SHARED / store / "runs", COPY):
            own = known.get(copy.parent.name)
            if own is None or _is_elsewhere(own, copy):
                known[copy.parent.name] = copy
    return iter([known[run] for run in sorted(known)])


def _below(place: Path, name: str) -> list[Path]:
    """`place/*/name`, for every directory that has the file or may have it: an unreadable directory may."""
    return [path for run in _names(place) if _may_be(path := place / run / name)]


def _names(place: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in place.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise JournalError(
            f"uscdr cannot read {place}, so it does not know which runs are unfinished.",
            why=error.strerror or type(error).__name__,
            next_action=f"Fix its permissions: chmod u+rwx {place}. Or set USCDR_STATE_DIR to the previous directory.",
        ) from error


def _may_be(path: Path) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _is_elsewhere(own: Path, copy: Path) -> bool:
    shared = _bytes(copy)
    return shared is not None and is_elsewhere(_bytes(own) or b"", shared)


def _bytes(path: Path) -> bytes | None:
    try:
        return files.whole(path, LARGEST)
    except OSError:
        return None


def is_elsewhere(own: bytes, shared: bytes) -> bool:
    """Whether another machine continued the run: `own` is this machine's journal of it, `shared` the team's.

    A machine that resumes a run records that first. An intent that only the team has is this machine's: the process
    ended before it acted.
    """
    if own.startswith(shared):
        return False
    return not own or not shared.startswith(own) or TAKEN_UP in shared[len(own) :]


def is_copy(path: Path) -> bool:
    """Whether the journal is a copy of another machine's run."""
    return path.name == COPY


def summaries(state: Path) -> list[RunSummary]:
    """Every run, oldest first; a damaged journal has its own state."""
    return [summary_of(look(path)) for path in journals(state)]


def summary_of(found: Look) -> RunSummary:
    """The summary of a journal, or of its readable part: then it is unknown what else the run did."""
    journal = found.journal
    if found.damage is None:
        return summarize(journal)
    named = _ID.fullmatch(journal.run)
    scenario = named["scenario"] if named else UNKNOWN
    nothing = RunSummary(journal.run, scenario, UNKNOWN, "", "", "", "", wrote=True)
    known = summarize(journal) if journal.records else nothing
    harmless = known.state == "dry run" or only_looks(known)
    return replace(known, state=DAMAGED, wrote=not harmless)


def summarize(journal: Journal) -> RunSummary:
    """Reduce a journal to one line."""
    events = list(journal.events())
    first: dict[str, Any] = events[0] if events else {}
    begun = [event for event in events if event["kind"] == "step.started"]
    return RunSummary(
        journal.run,
        first.get("scenario", UNKNOWN),
        first.get("target", UNKNOWN),
        journal.records[0]["at"] if events else "",
        _state(events),
        begun[-1]["step"] if begun else "",
        hand(events) if is_copy(journal.path) else first.get("user", ""),
        any(event["effect"] in WRITE_EFFECTS for event in begun),
    )


def hand(events: Sequence[Mapping[str, Any]]) -> str:
    """The user and machine that began the run or resumed it last."""
    taken = [event for event in events if event["kind"] in ("run.started", "run.resumed")]
    return f"{taken[-1]['user']} on {taken[-1]['host']}" if taken else "another machine"


def _state(events: list[dict[str, Any]]) -> str:
    plans = [event for event in events if event["kind"] == "plan.ready"]
    if any(plan["dry_run"] for plan in plans) or (events and asked(events).get("dry_run") is True):
        return "dry run"
    ends = [event for event in events if event["kind"] in ("run.finished", "run.resumed")]
    if not ends or ends[-1]["kind"] == "run.resumed":
        return "unfinished"
    ended = {event["step"] for event in events if event["kind"] in ("step.succeeded", "step.skipped")}
    whole = bool(plans) and ended >= {step["id"] for step in plans[-1]["steps"]}
    return "objective missed" if ends[-1]["outcome"] == "failed" and whole else str(ends[-1]["outcome"])


def asked(events: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The options of the command that began the run, and its target's `key`; empty if the journal is unreadable."""
    return dict(events[0]["request"]) if events and events[0]["kind"] == "run.started" else {}


def find(state: Path, wanted: str | None, *, of_others: bool = False) -> Path:
    """The journal of run `wanted` (or a unique prefix), or of the newest run that can be resumed.

    Searches this machine's runs, with `of_others` also those of other machines.
    """
    if wanted is None:
        return _newest_resumable(state, of_others=of_others)
    matches = [path for path in journals(state) if path.parent.name.startswith(wanted)]
    if len(matches) != 1:
        what = "No run" if not matches else f"{len(matches)} runs"
        raise BadInput(f"{what} on this machine match “{wanted}”.", next_action="See: uscdr runs list")
    return matches[0]


def resumable(summary: RunSummary) -> bool:
    """Whether `uscdr runs resume` can continue the run."""
    return not only_looks(summary) and summary.state not in (*OVER, "dry run", DAMAGED)


def only_looks(summary: RunSummary) -> bool:
    """Whether the run is a `uscdr verify` or `uscdr watch`."""
    return kinds.RunKind(summary.scenario).only_looks


def touches_application(summary: RunSummary) -> bool:
    """Whether the run may leave the application half changed: not a run that only reads, or only makes backups."""
    return kinds.RunKind(summary.scenario).recovers and summary.scenario != "backups"


def of_operation(path: Path) -> bool:
    """Whether the run's id is that of a single write, whose journal no other run needs."""
    return any(f"-{scenario}-" in path.parent.name for scenario in kinds.OPERATIONS)


def _newest_resumable(state: Path, *, of_others: bool) -> Path:
    """The newest run that changed something and was not followed by a finished run on its target.

    A run that may have left the application half changed comes before a newer run that did not touch it; for the
    latter, a finished run of its own scenario is enough. An unreadable journal counts as such a run. If it does not
    name its target, any finished run that was begun beside it with `--new` follows it. A run that stopped before it
    changed anything comes last.
    """
    over: set[tuple[str, str]] = set()
    harmless: Path | None = None
    idle: Path | None = None
    for path in reversed(list(journals(state))):
        found = look(path)
        summary = summary_of(found)
        touches = touches_application(summary)
        what = (summary.target, "" if touches else summary.scenario)
        if summary.state == "done":
            over.add(what)
            if asked(list(found.journal.events())).get("anew") is True:
                over.add((UNKNOWN, ""))
        elif is_copy(path) and not of_others:
            continue
        elif _waits(summary) and what not in over:
            if touches and summary.wrote:
                return path
            if summary.wrote:
                harmless = harmless or path
            else:
                idle = idle or path
    waiting = harmless or idle
    if waiting is None:
        raise BadInput("This machine has no unfinished run.", next_action="See: uscdr runs list")
    return waiting


def _waits(summary: RunSummary) -> bool:
    """Whether it can be resumed, and changed something or stopped without a recorded end."""
    if summary.state == DAMAGED:
        return summary.wrote
    return resumable(summary) and (summary.wrote or summary.state in ("unfinished", "interrupted"))
