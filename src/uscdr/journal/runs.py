"""All runs that this machine knows, from their journals: its own, and copies of the team's. Import-light: JSON only."""

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
"""States of a run that carried out every step."""
UNKNOWN = "?"
DAMAGED = "damaged"
"""The state of a run whose journal cannot be read, or not to its end: it counts as unfinished."""
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
    """Of a run that another machine has: `user on machine`."""
    wrote: bool
    """Whether a step that changes something was begun."""


def new_run_id(scenario: str) -> str:
    """A run id that sorts by time, e.g. `20261123T031500Z-db-4f2a9c`."""
    return f"{datetime.now(UTC):{STAMP}}-{scenario}-{os.urandom(3).hex()}"


def begun_at(run: str) -> datetime | None:
    """The moment that a run's id tells; None for what is no run's id."""
    try:
        return datetime.strptime(run.partition("-")[0], STAMP).replace(tzinfo=UTC) if _ID.fullmatch(run) else None
    except ValueError:
        return None


def journals(state: Path) -> Iterator[Path]:
    """Every journal, oldest first; of a run that another machine went on with, the copy of the team's.

    One that cannot be read is among them. Raises JournalError when not even their names can be had.
    """
    known = {path.parent.name: path for path in _below(state / "runs", NAME)}
    for store in _names(state / SHARED):
        for copy in _below(state / SHARED / store / "runs", COPY):
            own = known.get(copy.parent.name)
            if own is None or _is_elsewhere(own, copy):
                known[copy.parent.name] = copy
    return iter([known[run] for run in sorted(known)])


def _below(place: Path, name: str) -> list[Path]:
    """`place/*/name`, for all that has one or may have one: a directory that may not be looked into may."""
    return [path for run in _names(place) if _may_be(path := place / run / name)]


def _names(place: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in place.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise JournalError(
            f"{place} cannot be looked at, and so nobody knows which runs are not finished.",
            why=error.strerror or type(error).__name__,
            next_action="Mend its permissions, or set USCDR_STATE_DIR to the place that was used before.",
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
    """Whether another machine went on with the run: `own` is this machine's journal of it, `shared` the team's.

    Whoever takes a run up says so first. An intent that the team alone has is ours: cut off before it acted.
    """
    if own.startswith(shared):
        return False
    return not own or not shared.startswith(own) or TAKEN_UP in shared[len(own) :]


def is_copy(path: Path) -> bool:
    """Whether the journal is a copy: another machine has the run."""
    return path.name == COPY


def summaries(state: Path) -> list[RunSummary]:
    """Every run, oldest first; a damaged journal is listed as such."""
    return [summary_of(look(path)) for path in journals(state)]


def summary_of(found: Look) -> RunSummary:
    """One line of a journal, or of what can be read of it: then nobody knows what else the run did."""
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
    """Fold a journal into one line."""
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
    """Who began the run or took it up last, and on which machine."""
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
    """What stood on the command line that began the run, and its target's `key`; empty when nothing can be read."""
    return dict(events[0]["request"]) if events and events[0]["kind"] == "run.started" else {}


def find(state: Path, wanted: str | None, *, of_others: bool = False) -> Path:
    """The journal of run `wanted` (a unique prefix will do), or of the newest run that can be resumed.

    That is one of this machine, or with `of_others` of any.
    """
    if wanted is None:
        return _newest_resumable(state, of_others=of_others)
    matches = [path for path in journals(state) if path.parent.name.startswith(wanted)]
    if len(matches) != 1:
        what = "No run" if not matches else f"{len(matches)} runs"
        raise BadInput(f"{what} on this machine match “{wanted}”.", next_action="See: uscdr runs list")
    return matches[0]


def resumable(summary: RunSummary) -> bool:
    """Whether `uscdr runs resume` has something to do."""
    return not only_looks(summary) and summary.state not in (*OVER, "dry run", DAMAGED)


def only_looks(summary: RunSummary) -> bool:
    """Whether the run is one of `uscdr verify` or `uscdr watch`."""
    return kinds.only_looks(summary.scenario)


def touches_application(summary: RunSummary) -> bool:
    """Whether the run may leave the application half done: not one that only looked, or that made backups."""
    return kinds.recovers(summary.scenario) and summary.scenario != "backups"


def of_operation(path: Path) -> bool:
    """Whether the journal is that of a single write, by the run's id: what it holds is of no use to another run."""
    return any(f"-{scenario}-" in path.parent.name for scenario in kinds.OPERATIONS)


def _newest_resumable(state: Path, *, of_others: bool) -> Path:
    """The newest that changed something. Not one that was followed by a finished run on its target.

    A run that may have left the application half done comes before a newer one that did not touch it; the latter is
    followed by any of its own scenario. A journal that cannot be read is such a run; where it does not even tell its
    target, a finished run that was begun beside it on purpose follows it. One that was cut off before it changed
    anything comes after all others.
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
        raise BadInput("There is no unfinished run on this machine.", next_action="See: uscdr runs list")
    return waiting


def _waits(summary: RunSummary) -> bool:
    """Whether it can be resumed, and changed something or was cut off before its process could say how it ended."""
    if summary.state == DAMAGED:
        return summary.wrote
    return resumable(summary) and (summary.wrote or summary.state in ("unfinished", "interrupted"))
