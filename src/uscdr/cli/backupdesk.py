"""What the commands of `uscdr backup` work with: the platform, the store of copies, and both as one list."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from uscdr import wiring
from uscdr.assembly.job import Job
from uscdr.assembly.vault import open_store
from uscdr.cli.invocation import Globals, clear_up, state
from uscdr.errors import BadInput, ProviderError
from uscdr.journal import runs
from uscdr.models.heroku import Attachment
from uscdr.models.transfers import Transfer
from uscdr.scenarios.backups.inventory import copies_alone, scope
from uscdr.scenarios.deps import Deps, Request
from uscdr.session import surroundings
from uscdr.settings import operator
from uscdr.ui.console import Output
from uscdr.vault.backups import catalog
from uscdr.vault.backups.catalog import Entry, Shelf
from uscdr.vault.backups.opening import Keys
from uscdr.vault.backups.proofs import Proofs
from uscdr.vault.staging import noted
from uscdr.vault.store import Store
from uscdr.vault.turn import Queue, turn


@dataclass(frozen=True)
class Wiring:
    """How a command is wired. `keys`: what opens copies; `writes`: it is not for looking alone.

    `shows`: it never acts on what it finds, so that mistakes in other sections of scenarios.yaml do not matter.
    """

    to: str | None = None
    kit: str | None = None
    identity: Path | None = None
    keys: Keys = field(default_factory=Keys)
    writes: bool = False
    shows: bool = False


@dataclass(frozen=True)
class Desk:
    """One command at work."""

    deps: Deps
    job: Job
    store: Store
    output: Output

    def turn(self, message: str, say: Callable[[str], None]) -> AbstractContextManager[object]:
        """Be the only one who writes to the store meanwhile. Raises LockHeld."""
        return turn(self.store, Queue(operator(os.environ), self.deps.stop.pause, say), message)

    def attachment(self) -> Attachment:
        """The database. Raises BadInput when there is no such application."""
        self.deps.describe_app()
        return self.deps.attachment()

    def shelf(self) -> Shelf:
        """The copies; what is wrong with any is said."""
        found = catalog.shelf(self.store)
        for words in found.damaged:
            self.output.warn(f"DAMAGE in {self.store.place}: {words}")
        others = {card.origin.app for card in found.copies} - {self.deps.app}
        if others:
            self.output.detail(f"{self.store.place} also holds copies of {', '.join(sorted(others))}.")
        return found

    def entries(self) -> tuple[Entry, ...]:
        """The platform's backups and all copies, one entry a backup, oldest first."""
        return self._entries(*self._asked())

    def entries_if_it_answers(self) -> tuple[Entry, ...]:
        """The same; when the platform cannot be asked, the copies alone, and that is said."""
        return self.listed()[0]

    def listed(self) -> tuple[tuple[Entry, ...], ProviderError | BadInput | None]:
        """The same, and why the platform could not be asked."""
        try:
            asked = self._asked()
        except (ProviderError, BadInput) as error:
            self.output.warn(f"The platform could not be asked; only copies are known. {error.message} {error.why}")
            return copies_alone(self.deps, self.shelf()), error
        return self._entries(*asked), None

    def _asked(self) -> tuple[Attachment, tuple[Transfer, ...]]:
        attachment = self.attachment()
        return attachment, self.deps.backups.transfers(attachment)

    def _entries(self, attachment: Attachment, transfers: tuple[Transfer, ...]) -> tuple[Entry, ...]:
        return catalog.entries(transfers, self.shelf().copies, Proofs(self.store), scope(self.deps, attachment))


@contextmanager
def desk(given: Globals, output: Output, how: Wiring) -> Iterator[Desk]:
    """Everything is opened, the platform only to look, and gone at the end."""
    place = given.place(lazily=how.shows)
    if how.writes:
        clear_up(output, place.scratch)
    request = Request("backup", kit=how.kit)
    job = Job(place, request, runs.new_run_id("backup"), None, dry_run=True, identity=how.identity)
    store = open_store(how.to, place.config, state(), os.environ)
    with surroundings(output, state(), os.environ) as around, wiring.opened(job, around) as (deps, _):
        work = Desk(deps, job, store, output)
        with noted(store, deps.work if how.writes else None):  # a turn and a proof are written there, too
            yield replace(work, deps=_with_store(work, how))


def _with_store(work: Desk, how: Wiring) -> Deps:
    """That the platform is only looked at does not bind the store of copies: `pull` writes there."""
    deps, store = work.deps, work.store
    if deps.vault is None:
        return deps
    vault = replace(deps.vault, to=how.to, store=lambda: store, reading=lambda: how.keys, turn=work.turn)
    return replace(deps, vault=vault)
