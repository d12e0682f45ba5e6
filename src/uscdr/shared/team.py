"""What a run needs of the team: who else is at it, its journal for all to see, and the copies of theirs."""

from __future__ import annotations

import os
import secrets
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from uscdr.errors import BadInput, JournalError, LockHeld, MachineError, OutcomeUnknown
from uscdr.files import whole
from uscdr.journal.reader import LARGEST, NAME, read
from uscdr.journal.runs import COPY
from uscdr.models.base import seconds
from uscdr.models.events import StepProgress
from uscdr.shared import journals
from uscdr.shared import lease as claims
from uscdr.shared.journals import RUNS, Arrived, JournalStore, Piece, count, home
from uscdr.shared.lease import LeaseRequest, RunLease, Waiting
from uscdr.shared.upload import SharedJournal
from uscdr.store.lease_records import LEASES, LONGEST, LeaseTerms
from uscdr.store.location import open_store
from uscdr.store.store import ChecksumRefused, LocalStore, NameTaken, NotExclusive, Store
from uscdr.words import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from uscdr.engine.gate import Asker
    from uscdr.engine.wait import Stop
    from uscdr.events import Bus
    from uscdr.journal.writer import JournalWriter

# Runs that ended here while the store was away: what the team lacks of them is delivered by a later command.


def _deliver(state: Path, shelf: JournalStore) -> tuple[str, ...]:
    """Store the last lines of each such run; the runs. The copies must be up to date.

    Needs no lease: names are created once, so whoever took a run over meanwhile keeps it. A run of which the team has
    no line was made without it, and stays so. Raises MachineError and OutcomeUnknown.
    """
    copies = (home(state, shelf) / "runs").glob(f"*/{COPY}")
    return tuple(copy.parent.name for copy in sorted(copies) if _delivered(state, shelf, copy))


def _delivered(state: Path, shelf: JournalStore, copy: Path) -> bool:
    run, known = copy.parent.name, whole(copy, LARGEST)
    own = _ended(state / "runs" / run / NAME)
    if len(own) <= len(known) or not own.startswith(known):
        return False
    try:
        shelf.put(Piece(run, count(known)), own[len(known) :])
    except NameTaken:
        return False
    return True


def _ended(path: Path) -> bytes:
    """The whole journal of a run whose process said how it ended; nothing of others."""
    try:
        journal = read(path)
    except JournalError:
        return b""
    over = bool(journal.records) and journal.records[-1]["event"]["kind"] == "run.finished"
    return path.read_bytes()[: journal.good_bytes] if over else b""


# Whether a store can be shared: a name that exists is never given twice, and what was stored is seen at once.


OTHERS = (
    "Share a directory, or a bucket with conditional writes (S3 itself, Google Cloud Storage, Azure, R2, MinIO). "
    "Alone, and tell the others: USCDR_SHARED= before the command"
)


def require_fit(store: Store) -> None:
    """Try it, with an object that is removed again. Raises BadInput saying what the store lacks, MachineError."""
    name = f"{LEASES}/probe-{secrets.token_hex(8)}"
    try:
        store.put_once(name, b"first")
        if _is_given_twice(store, name):
            raise _unfit(store, "It let one name be created twice: two operators would both hear that they are alone.")
        if name not in store.names(LEASES):
            raise _unfit(store, "It does not show at once what was stored: two operators would not see each other.")
    except (ChecksumRefused, NotExclusive) as error:
        raise _unfit(store, f"It cannot create a name only once. {error.why}".strip()) from error
    finally:
        with suppress(MachineError):
            store.delete(name)


def _is_given_twice(store: Store, name: str) -> bool:
    try:
        store.put_once(name, b"second")
    except NameTaken:
        return False
    return True


def _unfit(store: Store, why: str) -> BadInput:
    return BadInput(f"{store.place} cannot be the shared state of a team.", why=why, next_action=OTHERS)


VARIABLE, LEASE = "USCDR_SHARED", "USCDR_SHARED_LEASE"
SHORTEST = 5.0
"""Seconds. Below, a busy machine would lose its lease."""
LOOKS = 10
"""How many looks, at least, a wait for the end of a lease is divided into."""
WAITING = "take over"
"""The name of that wait where progress is shown."""
_WITHOUT = f"To go on without the team: uscdr runs resume --without-shared, or {VARIABLE}= before any command"


class Team:
    """One process's part in the team. `behind`: journal lines that the team did not get, at the end of a run."""

    def __init__(self, store: Store, terms: LeaseTerms = claims.TERMS) -> None:
        self.shelf = JournalStore(store)
        self.terms = terms
        self.behind = 0
        self._is_fit = False

    @property
    def place(self) -> str:
        """Where the shared state is."""
        return self.shelf.store.place

    def refresh(self, state: Path) -> None:
        """Bring this machine's copies of all journals up to date. Raises MachineError and OutcomeUnknown."""
        with self._explained():
            journals.refresh(state, self.shelf)

    def settle(self, state: Path) -> tuple[str, ...]:
        """Bring the copies up to date, and give the team what it lacks of runs that ended here; those runs."""
        self._require_fit()
        self.refresh(state)
        with self._explained():
            delivered = _deliver(state, self.shelf)
        if delivered:
            self.refresh(state)
        return delivered

    @contextmanager
    def claim(self, state: Path, wish: LeaseRequest, waiting: Waiting) -> Iterator[RunLease]:
        """Be the only one in the team who works on the wish's target; see `claim.claim`."""
        self._require_fit()
        notes = journals.home(state, self.shelf) / "claims"
        with ExitStack() as stack:
            with self._explained():
                held = claims.claim(self.shelf.store, notes, wish, waiting, terms=self.terms)
                claim = stack.enter_context(held)
            yield claim

    def bring(self, state: Path, run: str, *, take_over: bool) -> Arrived:
        """The run's journal on this machine, as the team has it; see `homecoming.bring`."""
        return journals.bring(state, run, self.shelf, take_over=take_over)

    @contextmanager
    def ledger(
        self, own: JournalWriter, claim: RunLease, run: str, arrived: Arrived | None = None
    ) -> Iterator[SharedJournal]:  # fmt: skip
        """Where the run is written. What could be given to the team by its end was given."""
        shipped, unseen = (arrived.shipped, arrived.unseen) if arrived else (0, b"")
        ledger = SharedJournal(own, self.shelf, claim, run, shipped=shipped, unseen=unseen)
        try:
            yield ledger
        finally:
            ledger.close()
            self.behind = ledger.unseen

    def _require_fit(self) -> None:
        """Before anything is written. Raises BadInput for a store that tells two operators that they are alone."""
        if not self._is_fit:
            with self._explained():
                require_fit(self.shelf.store)
            self._is_fit = True

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """A store that cannot be had, before anything is done."""
        try:
            yield
        except (MachineError, OutcomeUnknown) as error:
            raise MachineError(
                f"The shared state in {self.place} cannot be had. Nothing was done.",
                why=f"{error.message} {error.why}".strip(),
                next_action=f"{error.next_action} {_WITHOUT}: nobody sees it then, and nobody is kept from the same.",
            ) from error


def open_team(env: Mapping[str, str], *, without: bool = False) -> Team | None:
    """The team that `$USCDR_SHARED` names; None when there is none, or the operator goes without.

    Raises BadInput for what is no place or no length of a lease, MachineError for a directory that is not there, or
    that holds what this user may not read.
    """
    named = env.get(VARIABLE, "").strip()
    if not named or without:
        return None
    store, terms = open_store(named, env), _terms_of(env)
    if isinstance(store, LocalStore):
        _refuse_unusable(Path(store.place))
    return Team(store, terms)


def _terms_of(env: Mapping[str, str]) -> LeaseTerms:
    """How long a lease lasts without renewal: a minute, or what `$USCDR_SHARED_LEASE` says. Raises BadInput."""
    text = env.get(LEASE, "").strip()
    if not text:
        return claims.TERMS
    try:
        wanted = seconds(text)
    except ValueError as error:
        raise BadInput(
            f"{LEASE} is “{text}”.", why="That is no duration.", next_action=f"{error}.".capitalize()
        ) from None
    if not SHORTEST <= wanted <= LONGEST:
        raise BadInput(
            f"{LEASE} is “{text}”: a lease lasts {duration(SHORTEST)} at least and {duration(LONGEST)} at most.",
            why="A shorter one is lost by a busy machine; with a longer one a dead machine's run waits for too long.",
            next_action="Leave it out: a minute suits most.",
        )
    return LeaseTerms(seconds=wanted, look=min(LeaseTerms.look, wanted / LOOKS))


def _refuse_unusable(root: Path) -> None:
    """A directory that is not there, or in which others' files would be overlooked."""
    if not root.is_dir():
        raise MachineError(
            f"The shared state {root} is not there.",
            why=f"{VARIABLE} names it. A directory that is not mounted must not become one of this machine's own.",
            next_action=f"Mount it, or make it once: mkdir. {_WITHOUT}.",
        )
    for path in (root, root / RUNS, root / LEASES):
        if path.exists() and not os.access(path, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
            raise MachineError(
                f"The shared state {path} belongs to somebody else: this user may not read and write it.",
                why="What is stored is readable for its owner alone.",
                next_action=f"Use one account for all operators on that disk, or a bucket. {_WITHOUT}.",
            )


def waiting(asker: Asker, stop: Stop, bus: Bus, *, take_over: bool) -> Waiting:
    """Waiting for another's lease, and taking it over by an operator who can be asked, or not.

    `bus` has viewers and no ledger: the run is not ours yet.
    """

    def tell(waited: float, longest: float, words: str) -> None:
        bus.emit(StepProgress(step=WAITING, note=words, done=min(waited, longest), total=longest, unit="s"))

    def asks(facts: Mapping[str, str], phrase: str, refusal: LockHeld) -> bool:
        if not asker.interactive:
            raise LockHeld(
                refusal.message,
                why=f"It is alive: it renewed its lease just now. {refusal.why}",
                next_action=f"Talk to that person. At a terminal you can take it over by typing: {phrase}",
            )
        return asker.confirm_phrase(facts, phrase)

    return Waiting(asks, stop.pause, tell, take_over)
