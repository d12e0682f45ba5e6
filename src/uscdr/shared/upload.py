"""A run's journal on this disk and in the team's store: no step acts whose intent the team cannot see."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from uscdr.errors import JournalError, LockHeld, MachineError, OutcomeUnknown, UscdrError
from uscdr.journal.reader import encode
from uscdr.journal.runs import WRITE_EFFECTS
from uscdr.models.events import Payload, RunResumed, Stamped, StepSending, StepSettled, StepStarted
from uscdr.shared.journals import JournalStore, Piece, count
from uscdr.store.store import NameTaken

if TYPE_CHECKING:
    from collections.abc import Callable

    from uscdr.journal.writer import JournalWriter
    from uscdr.shared.lease import RunLease

AT_ONCE = frozenset(
    {"run.started", "plan.ready", "gate.asked", "gate.answered", "step.accepted", "step.succeeded", "step.failed",
     "run.finished"}
)  # fmt: skip
"""What others shall see soon. The rest goes with it, or with the next intent."""
PATIENCE = 60.0
"""Seconds for which a store that could not be reached is left alone, until a step needs it."""


class SharedJournal:
    """Writes both. After a failure that leaves it open who goes on, nothing is written any more."""

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
        """How many lines the team does not have yet."""
        return count(self._unseen)

    def record(self, stamped: Stamped) -> None:
        """Append one event. An intent to write is in the store first, and the lease is looked at last of all.

        Raises:
            LockHeld: another machine took the run over; nothing was or is written.
            MachineError: the store cannot be had, and the step was not begun.
            JournalError: the same, and nothing can be written after it.
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
        elif stamped.event.kind in AT_ONCE and self._monotonic() >= self._left_alone_until:
            self._try_to_ship()

    def close(self) -> None:
        """Give the team what it does not have yet, if that can be done; the journal on this disk is whole anyway."""
        if self._over is None and self._unseen and self._monotonic() >= self._left_alone_until:
            try:
                self._try_to_ship()
            except (LockHeld, JournalError):
                return

    def _intend(self, stamped: Stamped, line: bytes) -> None:
        self._look()
        self._final(lambda: self._ship(line))  # it may arrive after all: nothing else may get its number
        self._own.record(stamped)
        self._final(self._claim.check)

    def _take_up(self) -> None:
        """The line that says who goes on must be the team's next one."""
        self._final(self._ship)

    def _look(self) -> None:
        """Whether the store can be had, and is still ours to write, while that can be recorded as any failure."""
        try:
            self._claim.check()
        except LockHeld as error:
            raise self._ended(error) from error
        except (MachineError, OutcomeUnknown) as error:
            self._left_alone_until = self._monotonic() + PATIENCE
            raise _blind(MachineError, self._shelf, error) from error

    def _final(self, work: Callable[[], None]) -> None:
        """What leaves open who goes on, if it fails."""
        try:
            work()
        except (LockHeld, JournalError) as error:
            raise self._ended(error) from error
        except (MachineError, OutcomeUnknown) as error:
            raise self._ended(_blind(JournalError, self._shelf, error)) from error

    def _try_to_ship(self) -> None:
        """As a process that was stopped, and continued when another has the run, must not."""
        try:
            self._claim.leave()
            self._ship()
        except (LockHeld, JournalError) as error:
            raise self._ended(error) from error
        except (MachineError, OutcomeUnknown):
            self._left_alone_until = self._monotonic() + PATIENCE

    def _ship(self, line: bytes = b"") -> None:
        """Store what the team does not have, with `line` behind it."""
        while lines := self._unseen + line:
            piece = Piece(self._run, self._shipped)
            try:
                self._shelf.put(piece, lines)
                there = lines
            except NameTaken:
                there = self._own_piece(piece, lines)
            self._shipped += count(there)
            if len(there) > len(self._unseen):
                self._unseen, line = b"", b""
            else:
                self._unseen = self._unseen[len(there) :]

    def _own_piece(self, piece: Piece, lines: bytes) -> bytes:
        """A piece that was stored before this process heard of it. Raises LockHeld or JournalError for another's."""
        (there,) = self._shelf.lines([piece])
        if there and lines.startswith(there):
            return there
        self._claim.check()
        raise JournalError(
            f"Run {self._run} went on in {self._shelf.store.place} while it was being taken up here.",
            why="The process that had it wrote one more line.",
            next_action="Give the command again: it begins from that line. No step was begun from here.",
        )

    def _ended(self, error: UscdrError) -> UscdrError:
        self._over = error
        return error


def _acts(event: Payload) -> bool:
    """Whether a write follows: a step begins, sends, or one that was looked for and is not there is sent again."""
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
        f"The shared state in {shelf.store.place} cannot be had, so the step was not begun.",
        why=f"{error.message} {error.why}".strip(),
        next_action="When it can be reached again: uscdr runs resume. To go on although nobody would see it, "
        "and another machine might begin the same: uscdr runs resume --without-shared",
    )
