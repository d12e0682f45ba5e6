"""All runs that this machine knows: its own journals, and copies of the team's. Imports little: JSON only."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from uscdr import files
from uscdr.errors import BadInput, JournalError
from uscdr.journal.reader import COPY, LARGEST, NAME, Journal
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
SHARED = "shared"
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
    """Whether a step of the run may have changed something."""

    @classmethod
    def of(cls, journal: Journal) -> RunSummary:
        """Reduce a journal to one line. Of a damaged one it is unknown what else the run did."""
        known = cls._of_records(journal)
        if journal.damage is None:
            return known
        harmless = known.state == "dry run" or known.only_looks
        return replace(known, state=DAMAGED, wrote=not harmless)

    @classmethod
    def _of_records(cls, journal: Journal) -> RunSummary:
        events = list(journal.events())
        if not events and journal.damage is not None:
            return cls(journal.run, scenario_in(journal.run), UNKNOWN, "", "", "", "", wrote=True)
        first: dict[str, Any] = events[0] if events else {}
        begun = [event for event in events if event["kind"] == "step.started"]
        return cls(
            journal.run,
            first.get("scenario", UNKNOWN),
            first.get("target", UNKNOWN),
            journal.records[0]["at"] if events else "",
            _state(journal),
            begun[-1]["step"] if begun else "",
            journal.operator if journal.is_copy else first.get("user", ""),
            bool(_touched(events)),
        )

    @property
    def resumable(self) -> bool:
        """Whether `uscdr runs resume` can continue the run."""
        return not self.only_looks and self.state not in (*OVER, "dry run", DAMAGED)

    @property
    def only_looks(self) -> bool:
        """Whether the run is a `uscdr verify` or `uscdr watch`."""
        return kinds.RunKind(self.scenario).only_looks

    @property
    def touches_application(self) -> bool:
        """Whether the run may leave the application half changed: not a run that only reads, or only makes backups."""
        return kinds.RunKind(self.scenario).recovers and self.scenario != "backups"


def new_run_id(scenario: str, now: datetime | None = None) -> str:
    """A run id that sorts by time, e.g. `20261123T031500Z-db-4f2a9c`.

    Its last six digits: the 4096th of the second (so a dry run sorts before the run that follows it at once), and
    three by chance. Two of 4096 runs in the same 4096th are alike: the second cannot create its journal.
    """
    now = now or datetime.now(UTC)
    return f"{now:{STAMP}}-{scenario}-{now.microsecond * 4096 // 1_000_000:03x}{os.urandom(2).hex()[:3]}"


def begun_at(run: str) -> datetime | None:
    """The time in a run's id; None if the text is not a run's id."""
    try:
        return datetime.strptime(run.partition("-")[0], STAMP).replace(tzinfo=UTC) if _ID.fullmatch(run) else None
    except ValueError:
        return None


def scenario_in(run: str) -> str:
    """The scenario in a run's id; UNKNOWN if the text is not a run's id."""
    named = _ID.fullmatch(run)
    return named["scenario"] if named else UNKNOWN


@dataclass(frozen=True)
class LocalRuns:
    """The runs that this machine's state directory has journals of."""

    state: Path

    def journals(self) -> Iterator[Path]:
        """Every journal, oldest first; for a run that another machine continued, the copy of the team's journal.

        Includes unreadable journals. Raises JournalError if the directory cannot be listed.
        """
        known = {path.parent.name: path for path in _below(self.state / "runs", NAME)}
        for store in _names(self.state / SHARED):
            for copy in _below(self.state / SHARED / store / "runs", COPY):
                own = known.get(copy.parent.name)
                if own is None or _is_elsewhere(own, copy):
                    known[copy.parent.name] = copy
        return iter([known[run] for run in sorted(known)])

    def summaries(self) -> list[RunSummary]:
        """Every run, oldest first; a damaged journal has its own state."""
        return [RunSummary.of(Journal.salvage(path)) for path in self.journals()]

    def find(self, wanted: str | None, *, of_others: bool = False) -> Path:
        """The journal of run `wanted` (or a unique prefix), or of the newest run that can be resumed.

        Searches this machine's runs, with `of_others` also those of other machines.
        """
        if wanted is None:
            return self._newest_resumable(of_others=of_others)
        matches = [path for path in self.journals() if path.parent.name.startswith(wanted)]
        if len(matches) != 1:
            what = "No run" if not matches else f"{len(matches)} runs"
            raise BadInput(f"{what} on this machine match “{wanted}”.", next_action="See: uscdr runs list")
        return matches[0]

    def _newest_resumable(self, *, of_others: bool) -> Path:
        """The newest run that changed something and was not followed by a finished run on the same target.

        A run that may have left the application half changed comes before a newer run that did not touch the
        application. For the latter, a finished run of the same scenario is enough. An unreadable journal counts as a
        run that changed something. If it does not name its target, any later run started with `--new` that finished
        follows it. A run that stopped before it changed anything comes last.
        """
        over: set[tuple[str, str]] = set()
        harmless: Path | None = None
        idle: Path | None = None
        for path in reversed(list(self.journals())):
            found = Journal.salvage(path)
            summary = RunSummary.of(found)
            touches = summary.touches_application
            what = (summary.target, "" if touches else summary.scenario)
            if summary.state == "done":
                over.add(what)
                if found.request.get("anew") is True:
                    over.add((UNKNOWN, ""))
            elif found.is_copy and not of_others:
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


def _state(journal: Journal) -> str:
    events = list(journal.events())
    plans = [event for event in events if event["kind"] == "plan.ready"]
    if any(plan["dry_run"] for plan in plans) or journal.request.get("dry_run") is True:
        return "dry run"
    ends = [event for event in events if event["kind"] in ("run.finished", "run.resumed")]
    if not ends or ends[-1]["kind"] == "run.resumed":
        return "unfinished"
    ended = {event["step"] for event in events if event["kind"] in ("step.succeeded", "step.skipped")}
    whole = bool(plans) and ended >= {step["id"] for step in plans[-1]["steps"]}
    return "objective missed" if ends[-1]["outcome"] == "failed" and whole else str(ends[-1]["outcome"])


def _touched(events: Sequence[Mapping[str, Any]]) -> set[str]:
    """The steps that may have changed something: not those that sent nothing, or whose only request was refused."""
    touched: set[str] = set()
    for event in events:
        if event["kind"] == "step.started" and event["effect"] in WRITE_EFFECTS:
            touched.add(event["step"])
        elif event["kind"] == "step.failed" and not event["changed"]:
            touched.discard(event["step"])
    return touched


def _waits(summary: RunSummary) -> bool:
    """Whether it can be resumed, and may have changed something or stopped without a recorded end."""
    if summary.state == DAMAGED:
        return summary.wrote
    return summary.resumable and (summary.wrote or summary.state in ("unfinished", "interrupted", "unknown"))
