"""A run's connection to its team: the lease, the shared journal, and copies of the team's journals."""

from __future__ import annotations

import os
import secrets
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from uscdr.errors import BadInput, JournalError, MachineError, OutcomeUnknown
from uscdr.files import whole
from uscdr.journal.reader import COPY, LARGEST, NAME, Journal
from uscdr.models.base import seconds
from uscdr.settings import SHARED_STATE
from uscdr.shared.journals import RUNS, Arrived, JournalStore, Piece, SharedJournal
from uscdr.shared.lease import TERMS, LeaseRequest, RunLease, Waiting
from uscdr.store.directory import LocalStore
from uscdr.store.lease_records import LEASES, LONGEST, LeaseTerms
from uscdr.store.location import open_store
from uscdr.store.store import ChecksumRefused, NameTaken, NotExclusive, Store
from uscdr.words import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from uscdr.journal.writer import JournalWriter

# Runs that ended here while the store was unreachable: a later command uploads their missing lines.


def _deliver(state: Path, shelf: JournalStore) -> tuple[str, ...]:
    """Upload the last lines of each such run; returns the runs. The copies must be up to date.

    Needs no lease: names are created once, so a process that took over a run meanwhile keeps it. A run of which the
    store has no line was made without the team, and is not uploaded. Raises MachineError and OutcomeUnknown.
    """
    copies = (shelf.copies(state) / "runs").glob(f"*/{COPY}")
    return tuple(copy.parent.name for copy in sorted(copies) if _delivered(state, shelf, copy))


def _delivered(state: Path, shelf: JournalStore, copy: Path) -> bool:
    run, known = copy.parent.name, whole(copy, LARGEST)
    own = _ended(state / "runs" / run / NAME)
    if len(own) <= len(known) or not own.startswith(known):
        return False
    try:
        shelf.put(Piece(run, known.count(b"\n")), own[len(known) :])
    except NameTaken:
        return False
    return True


def _ended(path: Path) -> bytes:
    """The complete journal of a run that recorded its end; empty for other runs."""
    try:
        journal = Journal.read(path)
    except JournalError:
        return b""
    over = bool(journal.records) and journal.records[-1]["event"]["kind"] == "run.finished"
    return path.read_bytes()[: journal.good_bytes] if over else b""


# Tests whether a team can share a store: it must refuse a second create of a name, and show new objects at once.


OTHERS = (
    "Share a directory, or a bucket with conditional writes (S3 itself, Google Cloud Storage, Azure, R2, MinIO). "
    "To work alone, tell your team and put USCDR_SHARED= before the command."
)


def _try(store: Store) -> None:
    """Test the store with a temporary object. Raises BadInput that names the missing ability, MachineError."""
    name = f"{LEASES}/probe-{secrets.token_hex(8)}"
    try:
        store.put_once(name, b"first")
        if _is_given_twice(store, name):
            raise _unfit(store, "The store accepted the same name twice. Two operators could both get the lease.")
        if name not in store.names(LEASES):
            raise _unfit(store, "The store does not show a new object at once. Two operators would not see each other.")
    except (ChecksumRefused, NotExclusive) as error:
        raise _unfit(store, f"The store does not support conditional writes. {error.why}".strip()) from error
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
    return BadInput(f"A team cannot use {store.place} as its shared state.", why=why, next_action=OTHERS)


LEASE = "USCDR_SHARED_LEASE"
SHORTEST = 5.0
"""Seconds; with a shorter one a busy machine would lose its lease."""
LOOKS = 10
"""The least number of looks during the wait for the end of a lease."""
_WITHOUT = f"To continue without the team: uscdr runs resume --without-shared, or {SHARED_STATE}= before any command"


class Team:
    """One process's connection to the team. `behind`: journal lines that were not uploaded at the end of a run."""

    def __init__(self, store: Store, terms: LeaseTerms = TERMS) -> None:
        self.shelf = JournalStore(store)
        self.terms = terms
        self.behind = 0
        self._is_fit = False

    @classmethod
    def open(cls, env: Mapping[str, str], *, without: bool = False) -> Team | None:
        """The team that `$USCDR_SHARED` names; None if it is not set, or if the operator works without it.

        Raises BadInput for an invalid location or lease duration, MachineError for a directory that is missing, or that
        contains files which this user may not read.
        """
        named = env.get(SHARED_STATE, "").strip()
        if not named or without:
            return None
        store, terms = open_store(named, env), _terms_of(env)
        if isinstance(store, LocalStore):
            _refuse_unusable(Path(store.place))
        return cls(store, terms)

    @property
    def place(self) -> str:
        """The location of the shared state."""
        return self.shelf.store.place

    def refresh(self, state: Path) -> None:
        """Update this machine's copies of all journals. Raises MachineError and OutcomeUnknown."""
        with self._explained():
            self.shelf.refresh(state)

    def settle(self, state: Path) -> tuple[str, ...]:
        """Update the copies, and upload missing lines of runs that ended here; returns those runs."""
        self.require_fit()
        self.refresh(state)
        with self._explained():
            delivered = _deliver(state, self.shelf)
        if delivered:
            self.refresh(state)
        return delivered

    @contextmanager
    def claim(self, state: Path, request: LeaseRequest, waiting: Waiting) -> Iterator[RunLease]:
        """Hold the team's lease of the requested target; see `RunLease.claim`."""
        self.require_fit()
        notes = self.shelf.copies(state) / "claims"
        with ExitStack() as stack:
            with self._explained():
                held = RunLease.claim(self.shelf.store, notes, request, waiting, terms=self.terms)
                claim = stack.enter_context(held)
            yield claim

    def bring(self, state: Path, run: str, *, take_over: bool) -> Arrived:
        """Fetch the team's journal of the run to this machine; see `JournalStore.bring`."""
        return self.shelf.bring(state, run, take_over=take_over)

    @contextmanager
    def ledger(
        self, own: JournalWriter, claim: RunLease, run: str, arrived: Arrived | None = None
    ) -> Iterator[SharedJournal]:  # fmt: skip
        """The journal of the run. At the end it uploads the lines that it still can."""
        shipped, unseen = (arrived.shipped, arrived.unseen) if arrived else (0, b"")
        ledger = SharedJournal(own, self.shelf, claim, run, shipped=shipped, unseen=unseen)
        try:
            yield ledger
        finally:
            ledger.close()
            self.behind = ledger.unseen

    def require_fit(self) -> None:
        """Test the store before the first write. Raises BadInput if two operators could both get a lease."""
        if not self._is_fit:
            with self._explained():
                _try(self.shelf.store)
            self._is_fit = True

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Explain an unreachable store, before the run has done anything."""
        try:
            yield
        except (MachineError, OutcomeUnknown) as error:
            raise MachineError(
                f"uscdr cannot use the shared state in {self.place}. It did nothing.",
                why=error.reason,
                next_action=f"{error.next_action} {_WITHOUT}. Then your team does not see your run, and can begin the "
                "same one.",
            ) from error


def _terms_of(env: Mapping[str, str]) -> LeaseTerms:
    """The duration of a lease without renewal: a minute, or the value of `$USCDR_SHARED_LEASE`. Raises BadInput."""
    text = env.get(LEASE, "").strip()
    if not text:
        return TERMS
    try:
        wanted = seconds(text)
    except ValueError as error:
        raise BadInput(
            f"{LEASE} is “{text}”.", why="That is not a duration.", next_action=f"{error}.".capitalize()
        ) from None
    if not SHORTEST <= wanted <= LONGEST:
        raise BadInput(
            f"{LEASE} is “{text}”. A lease must last between {duration(SHORTEST)} and {duration(LONGEST)}.",
            why="A busy machine would lose a shorter lease. A longer one delays the takeover from a dead machine.",
            next_action=f"Use the default of one minute: unset {LEASE}",
        )
    return LeaseTerms(seconds=wanted, look=min(LeaseTerms.look, wanted / LOOKS))


def _refuse_unusable(root: Path) -> None:
    """Refuse a missing directory, and one whose files this user may not read."""
    if not root.is_dir():
        raise MachineError(
            f"The shared state {root} does not exist.",
            why=f"{SHARED_STATE} names it. uscdr does not create it: the directory may only be unmounted.",
            next_action=f"Mount it, or create it once: mkdir {root}. {_WITHOUT}.",
        )
    for path in (root, root / RUNS, root / LEASES):
        if path.exists() and not os.access(path, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
            raise MachineError(
                f"This user may not read and write the shared state {path}.",
                why="Another user owns it, and only the owner can read stored files.",
                next_action=f"Use one account for all operators on that disk, or use a bucket. {_WITHOUT}.",
            )
