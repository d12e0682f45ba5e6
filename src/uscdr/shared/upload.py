"""Write a run's journal to this disk and to the team's store. The team sees each intent before its step acts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from uscdr.errors import JournalError, LockHeld, MachineError, OutcomeUnknown, UscdrError
from uscdr.journal.reader import encode
from uscdr.journal.runs import WRITE_EFFECTS
from uscdr.models.events import Payload, RunResumed, Stamped, StepSending, StepSettled, StepStarted
from uscdr.shared.journals import JournalStore, Piece
from uscdr.store.store import NameTaken

if TYPE_CHECKING:
    from collections.abc import Callable

    from uscdr.journal.writer import JournalWriter
    from uscdr.shared.lease import RunLease

AT_ONCE = frozenset(
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
        elif stamped.event.kind in AT_ONCE and self._monotonic() >= self._left_alone_until:
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
