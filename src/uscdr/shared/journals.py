"""Journals in the team's store, as pieces of complete lines; each piece is created once and named by its first line.

Two processes that continue from the same line need the same name, and only one gets it. So a run cannot fork.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from uscdr import files as reading
from uscdr.errors import CheckFailed, Declined, JournalError, LockHeld, MachineError, OutcomeUnknown, UscdrError
from uscdr.files import disk_errors, private_directory, write_whole
from uscdr.journal.chain import encode
from uscdr.journal.reader import COPY, LARGEST, NAME, Journal
from uscdr.journal.runs import SHARED, WRITE_EFFECTS, is_elsewhere
from uscdr.models.events import Payload, RunResumed, Stamped, StepSending, StepSettled, StepStarted
from uscdr.store.store import NameTaken
from uscdr.threads import run_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from uscdr.journal.writer import JournalWriter
    from uscdr.shared.lease import RunLease
    from uscdr.store.store import Store


RUNS = "runs"
READERS = 8
"""Pieces that are read in parallel."""
_NAME = re.compile(
    r"(?P<room>[a-z]+)/(?P<run>\d{8}T\d{6}Z-[a-z0-9_-]+-[0-9a-f]{6})/(?P<first>\d{8})\.jsonl"
)  # fmt: skip
"""Ids that may become a path of this machine. Other people can write into the store."""


@dataclass(frozen=True)
class Piece:
    """Some lines of a journal; `first` is the number of the first one, from 0."""

    run: str
    first: int
    room: str = RUNS

    @property
    def name(self) -> str:
        """The object's name in the store."""
        return f"{self.room}/{self.run}/{self.first:08d}.jsonl"


@dataclass(frozen=True)
class JournalStore:
    """All journals of the team, of runs or of another kind (`room`).

    Every method raises MachineError and OutcomeUnknown as the store does.
    """

    store: Store
    room: str = RUNS

    def pieces(self, run: str | None = None) -> tuple[Piece, ...]:
        """The pieces of one journal or of all, in order."""
        names = self.store.names(self.room if run is None else f"{self.room}/{run}")
        found = (_NAME.fullmatch(name) for name in names)
        return tuple(Piece(match["run"], int(match["first"]), self.room) for match in found if match)

    def lines(self, pieces: Sequence[Piece]) -> list[bytes]:
        """The content of each piece."""
        try:
            return run_all([partial(self.store.read, piece.name) for piece in pieces], workers=READERS)
        except CheckFailed as error:
            raise MachineError(
                error.message, why="Somebody removed a piece of a run's journal.", next_action="Run the command again."
            ) from error

    def joined(self, pieces: Sequence[Piece], first: int = 0) -> Iterator[bytes]:
        """The content of each piece, up to the first gap after line `first`.

        A listing made during a write may contain a later piece and not yet the one before it.
        """
        for piece, there in zip(pieces, self.lines(pieces), strict=True):
            if piece.first != first:
                return
            first += there.count(b"\n")
            yield there

    def journal(self, run: str) -> bytes:
        """All lines of a run; empty if the store has no such run. Raises MachineError for a gap."""
        pieces = self.pieces(run)
        found = list(self.joined(pieces))
        if len(found) < len(pieces):
            raise MachineError(
                f"{self.store.place} has {pieces[len(found)].name}, but not the lines before it.",
                why=f"Somebody removed a piece of the journal of {run}, or the store does not show it yet.",
                next_action="Run the command again. If it fails again, finish that run by hand.",
            )
        return b"".join(found)

    def put(self, piece: Piece, lines: bytes) -> None:
        """Store a piece. Raises NameTaken if another process continued the run."""
        self.store.put_once(piece.name, lines)

    def copies(self, state: Path) -> Path:
        """The directory of this machine with copies of these journals."""
        return state / SHARED / hashlib.sha256(self.store.place.encode()).hexdigest()[:16]

    def refresh(self, state: Path) -> None:
        """Update the copies. Stored pieces never change, so only new ones are fetched."""
        for run, pieces in groupby(self.pieces(), key=lambda piece: piece.run):
            _refresh_one(self.copies(state) / "runs" / run / COPY, self, tuple(pieces))

    def bring(self, state: Path, run: str, *, take_over: bool) -> Arrived:
        """Replace `<state>/runs/<run>` by the team's journal of the run. The caller must hold the lease.

        Lines that only this machine has are kept at its end. If the two journals differ, the team's counts: an intent
        is stored there before it is written here, so the lines set aside contain no forgotten write.

        Raises Declined if another machine continued the run and `take_over` is false. Raises JournalError for damage,
        and for writes that were begun without the team's knowledge.
        """
        own, shared = state / "runs" / run / NAME, self.journal(run)
        here = _whole(own)
        if here.startswith(shared):
            return Arrived(own, shared.count(b"\n"), here[len(shared) :])
        journal = _checked(own.with_name(ARRIVING), shared)
        if not take_over and is_elsewhere(here, shared):
            raise Declined(
                f"Another machine continued run {run}: {journal.operator}. It no longer holds the lease.",
                why="That machine resumed the run after this one. Its journal in the shared state counts.",
                next_action=f"Resume the run on this machine: uscdr runs resume {run} --take-over",
            )
        aside = None if shared.startswith(here) else _set_aside(own, here, shared)
        write_whole(own, shared)
        return Arrived(own, shared.count(b"\n"), b"", aside)


# Copies of the team's journals on this machine.


def _refresh_one(path: Path, shelf: JournalStore, pieces: Sequence[Piece]) -> None:
    known = _known(path)
    lines = known.count(b"\n")
    new = b"".join(shelf.joined([piece for piece in pieces if piece.first >= lines], lines))
    if new:
        private_directory(path.parent)
        _make_way(path)
        write_whole(path, known + new)


def _known(path: Path) -> bytes:
    """The copy if it is intact, else nothing: a damaged copy is fetched again."""
    found = Journal.salvage(path)
    if found.damage is not None or found.torn_bytes:
        return b""
    try:
        return reading.whole(path, LARGEST)
    except OSError:
        return b""


def _make_way(path: Path) -> None:
    """Rename anything but a regular file at the path of a copy."""
    if path.is_dir():
        with disk_errors(f"{path} is not a copy of a journal, and uscdr cannot rename it."):
            path.rename(path.with_name(f"aside-{secrets.token_hex(4)}"))


# Moves a run to the machine that resumes it: decides which journal counts, and keeps the other one aside.


ARRIVING = "arriving.jsonl"
"""The fetched journal before its check; a damaged one stays there as evidence."""


@dataclass(frozen=True)
class Arrived:
    """The journal at `path` is the one that counts.

    `unseen`: its last lines, which the team does not have yet. `aside`: the file with lines of this machine that no
    longer belong to the run.
    """

    path: Path
    shipped: int
    unseen: bytes
    aside: Path | None = None


def _checked(arriving: Path, shared: bytes) -> Journal:
    """Verify the whole chain of the team's journal before it replaces another. Raises JournalError."""
    private_directory(arriving.parent)
    write_whole(arriving, shared)
    journal = Journal.read(arriving)
    arriving.unlink()
    return journal


def _whole(path: Path) -> bytes:
    """A journal's intact lines; empty if there is no journal."""
    return path.read_bytes()[: Journal.read(path).good_bytes] if path.is_file() else b""


def _set_aside(own: Path, here: bytes, shared: bytes) -> Path:
    pairs = zip(here.splitlines(), shared.splitlines(), strict=False)
    same = next((number for number, (mine, theirs) in enumerate(pairs) if mine != theirs), 0)
    begun = [
        record["event"]["step"]
        for record in Journal.read(own).records[same:]
        if record["event"]["kind"] == "step.started" and record["event"]["effect"] in WRITE_EFFECTS
    ]
    if begun:
        raise JournalError(
            f"Two machines continued run {own.parent.name}: this one without the shared state, and another one.",
            why=f"This machine began steps that the team does not know: {', '.join(dict.fromkeys(begun))}.",
            next_action="Check the application at the provider and finish the step by hand. Then begin a new run: "
            "uscdr recover … --new",
        )
    aside = own.with_name(f"aside-{secrets.token_hex(4)}.jsonl")
    with disk_errors(f"uscdr cannot rename {own}."):
        own.rename(aside)
    return aside


# Write a run's journal to this disk and to the team's store. The team sees each intent before its step acts.


SOON = frozenset(
    {"run.started", "plan.ready", "gate.asked", "gate.answered", "step.accepted", "step.succeeded", "step.failed",
     "run.finished"}
)  # fmt: skip
"""Events that are uploaded soon. The others are uploaded with them, or with the next intent."""
PATIENCE = 60.0
"""Seconds before an unreachable store is asked again, unless a step needs it."""


class SharedJournal:
    """Writes both journals. After a failure that leaves the owner of the run open, it writes nothing more."""

    def __init__(
        self, own: JournalWriter, shelf: JournalStore, claim: RunLease, run: str, *,
        shipped: int = 0, unseen: bytes = b"",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._own = own
        self._shelf = shelf
        self._claim = claim
        self._run = run
        self._shipped = shipped
        self._unseen = unseen
        self._monotonic = monotonic
        self._left_alone_until = 0.0
        self._over: UscdrError | None = None

    @property
    def unseen(self) -> int:
        """The number of lines that the team does not have yet."""
        return self._unseen.count(b"\n")

    def record(self, stamped: Stamped) -> None:
        """Append one event. An intent to write goes to the store first; the lease is checked last.

        Raises:
            LockHeld: another machine took over the run; nothing is written.
            MachineError: the store is unreachable, and the step was not begun.
            JournalError: the same, and this journal accepts no more events.
        """
        if self._over is None and self._claim.over is not None:
            self._over = self._claim.over
        if self._over is not None:
            raise self._over
        line = encode(stamped.model_dump(mode="json"), self._own.last_hash)
        if _acts(stamped.event):
            self._intend(stamped, line)
            return
        self._own.record(stamped)
        self._unseen += line
        if isinstance(stamped.event, RunResumed):
            self._take_up()
        elif stamped.event.kind in SOON and self._monotonic() >= self._left_alone_until:
            self._try_to_ship()

    def close(self) -> None:
        """Upload the missing lines if possible; the journal on this disk is complete in any case."""
        if self._over is None and self._unseen and self._monotonic() >= self._left_alone_until:
            try:
                self._try_to_ship()
            except (LockHeld, JournalError):
                return

    def _intend(self, stamped: Stamped, line: bytes) -> None:
        self._look()
        self._final(lambda: self._ship(line))  # the upload may still arrive: no other line may use its number
        self._own.record(stamped)
        self._final(self._claim.check)

    def _take_up(self) -> None:
        """Upload the line that names the new owner as the team's next line."""
        self._final(self._ship)

    def _look(self) -> None:
        """Check the store and the lease while a failure can still be recorded."""
        try:
            self._claim.check()
        except LockHeld as error:
            raise self._ended(error) from error
        except (MachineError, OutcomeUnknown) as error:
            self._left_alone_until = self._monotonic() + PATIENCE
            raise _blind(MachineError, self._shelf, error) from error

    def _final(self, work: Callable[[], None]) -> None:
        """Do work whose failure leaves the owner of the run open, and then write nothing more."""
        try:
            work()
        except (LockHeld, JournalError) as error:
            raise self._ended(error) from error
        except (MachineError, OutcomeUnknown) as error:
            raise self._ended(_blind(JournalError, self._shelf, error)) from error

    def _try_to_ship(self) -> None:
        """Upload if the lease is still held: a process that was suspended may have lost the run."""
        try:
            self._claim.leave()
            self._ship()
        except (LockHeld, JournalError) as error:
            raise self._ended(error) from error
        except (MachineError, OutcomeUnknown):
            self._left_alone_until = self._monotonic() + PATIENCE

    def _ship(self, line: bytes = b"") -> None:
        """Upload the missing lines followed by `line`."""
        while lines := self._unseen + line:
            piece = Piece(self._run, self._shipped)
            try:
                self._shelf.put(piece, lines)
                there = lines
            except NameTaken:
                there = self._own_piece(piece, lines)
            self._shipped += there.count(b"\n")
            if len(there) > len(self._unseen):
                self._unseen, line = b"", b""
            else:
                self._unseen = self._unseen[len(there) :]

    def _own_piece(self, piece: Piece, lines: bytes) -> bytes:
        """Accept a piece of this process whose answer was lost. Raises LockHeld or JournalError for another's."""
        (there,) = self._shelf.lines([piece])
        if there and lines.startswith(there):
            return there
        self._claim.check()
        raise JournalError(
            f"Another process continued run {self._run} in {self._shelf.store.place} while this one took it over.",
            why="The previous holder wrote one more line.",
            next_action="Run the command again: it continues from that line. This process began no step.",
        )

    def _ended(self, error: UscdrError) -> UscdrError:
        self._over = error
        return error


def _acts(event: Payload) -> bool:
    """Whether a write follows: a step begins or sends, or a step that was not found is sent again."""
    match event:
        case StepSending():
            return True
        case StepStarted():
            return event.effect in WRITE_EFFECTS
        case StepSettled():
            return event.decision == "redo"
        case _:
            return False


def _blind(kind: type[MachineError], shelf: JournalStore, error: UscdrError) -> MachineError:
    return kind(
        f"uscdr cannot use the shared state in {shelf.store.place}, so it did not begin the step.",
        why=error.reason,
        next_action="Resume when the shared state is reachable: uscdr runs resume. To continue without it, although "
        "another machine might begin the same steps: uscdr runs resume --without-shared",
    )
