"""What the `uscdr backup` commands work with: the platform, the store of copies, and one list of both."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from uscdr.backups.catalog import BackupEntry, StoredCopies, judged, last_proof, newest
from uscdr.backups.proofs import Proofs
from uscdr.backups.rpo import RpoState, due
from uscdr.clock import system_time
from uscdr.commands.housekeeping import clear_up, observe_target, state
from uscdr.errors import BadInput, ExitCode, ProviderError
from uscdr.journal import runs
from uscdr.report.backups import show_backups, show_rpo
from uscdr.scenarios.adapters import Adapters, Request
from uscdr.scenarios.backup_inventory import copies_alone, made, scope
from uscdr.staging import noted
from uscdr.threads import Ahead
from uscdr.wiring import adapters
from uscdr.wiring.session import looking
from uscdr.wiring.stores import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from uscdr.backups.copy import Keys
    from uscdr.models.heroku import Attachment
    from uscdr.models.transfers import Transfer
    from uscdr.monitoring.observed import Observed
    from uscdr.scenarios.adapters import CopiesAccess
    from uscdr.store.store import Store
    from uscdr.ui.console import Output
    from uscdr.wiring.context import RunContext
    from uscdr.wiring.target import Target


@dataclass(frozen=True)
class BackupAccess:
    """How a command is wired. `keys` decrypt copies; `writes`: it changes the store or the state directory."""

    to: str | None = None
    kit: str | None = None
    identity: Path | None = None
    keys: Keys | None = None
    writes: bool = False


@dataclass(frozen=True)
class BackupTools:
    """What one command works with while it runs."""

    deps: Adapters
    context: RunContext
    store: Store
    output: Output

    def attachment(self) -> Attachment:
        """The database's attachment. Raises BadInput when the application does not exist."""
        _ = self.deps.platform
        attachment = Ahead(self.deps.attachment)
        self.deps.describe_app()
        return attachment.result()

    def shelf(self) -> StoredCopies:
        """The copies in the store; warns of every damaged one."""
        return self._looked_over(self._copies())

    def _looked_over(self, found: StoredCopies) -> StoredCopies:
        for damage in found.damaged:
            self.output.warn(f"DAMAGE in {self.store.place}: {damage}")
        others = {card.origin.app for card in found.copies} - {self.deps.app}
        if others:
            self.output.detail(f"{self.store.place} also holds copies of {', '.join(sorted(others))}.")
        return found

    def entries(self) -> tuple[BackupEntry, ...]:
        """The platform's backups and all copies, one entry per backup, oldest first."""
        copies = self._begin()
        attachment = self.attachment()
        return self._entries(attachment, self.deps.backups.transfers(attachment), copies, Proofs(self.store))

    def with_proofs(self, attachment: Attachment) -> tuple[tuple[BackupEntry, ...], Proofs]:
        """The same for a known attachment, and the proofs, which are read once for both."""
        copies = self._begin()
        transfers, proofs = self.deps.backups.transfers(attachment), Proofs(self.store)
        return self._entries(attachment, transfers, copies, proofs), proofs

    def listed(self) -> tuple[tuple[BackupEntry, ...], ProviderError | BadInput | None]:
        """The same; when the platform does not answer, only the copies, with a warning, and the platform's error."""
        copies = self._begin()
        try:
            attachment = self.attachment()
            transfers = self.deps.backups.transfers(attachment)
        except (ProviderError, BadInput) as error:
            words = f"uscdr could not ask the platform and lists only the copies. {error.message} {error.why}"
            self.output.warn(words.rstrip())
            return copies_alone(self.deps, self._looked_over(copies.result())), error
        return self._entries(attachment, transfers, copies, Proofs(self.store)), None

    def observe(self, entries: tuple[BackupEntry, ...], seen: Observed) -> None:
        """Tell monitoring of the newest backup and proof, and of when a newer proven copy is due."""
        good, proof = newest(entries), last_proof(entries)
        points = made(entries, None, scope(self.deps, None), system_time())
        seen.newest_backup = good.taken_at if good else None
        seen.newest_proof = proof.proven_at if proof else None
        seen.due = due(points, self.deps.config.objectives.rpo)

    def _begin(self) -> Ahead[StoredCopies]:
        """Read what this machine and the store know while the platform is asked; what fails there is told later."""
        Ahead(lambda: self.deps.memory)
        return Ahead(self._copies)

    def _copies(self) -> StoredCopies:
        return StoredCopies.of(self.store)

    def _entries(
        self, attachment: Attachment, transfers: tuple[Transfer, ...], copies: Ahead[StoredCopies], proofs: Proofs
    ) -> tuple[BackupEntry, ...]:
        shelf = self._looked_over(copies.result())
        return scope(self.deps, attachment).entries(transfers, shelf.copies, proofs)


@contextmanager
def desk(target: Target, output: Output, how: BackupAccess) -> Iterator[BackupTools]:
    """Open everything for one command, the platform read-only; close it at the end."""
    if how.writes:
        clear_up(output, target.scratch)
    request = Request("backup", kit=how.kit)
    store = open_store(how.to, target.config, state(), os.environ)
    with looking(output, state(), os.environ) as this:
        context = this.on(target, request, runs.new_run_id("backup"), dry_run=True, identity=how.identity)
        with (
            adapters.opened(context, _writing(how, store, context)) as deps,
            noted(store.place, deps.work if how.writes else None),  # a writer's turn and a proof are written there too
        ):
            yield BackupTools(deps, context, store, output)


def _writing(how: BackupAccess, store: Store, context: RunContext) -> Callable[[CopiesAccess], CopiesAccess]:
    """The platform is read-only, but the store of copies is not: `pull` writes there."""

    def turn(message: str, say: Callable[[str], None]) -> AbstractContextManager[object]:
        from uscdr.settings import Operator
        from uscdr.store.lease import WriterQueue

        return WriterQueue(Operator.of(os.environ), context.stop.pause, say).turn(store, message)

    def keys() -> Keys:
        from uscdr.backups.copy import Keys

        return how.keys or Keys()

    return lambda usual: replace(usual, to=how.to, store=lambda: store, reading=keys, turn=turn)


def show(target: Target, output: Output, to: str | None) -> None:
    """Print the list on stdout, oldest first: the platform's backups and the copies.

    Raises ProviderError or BadInput after the list, when the platform could not be asked: the list is incomplete.
    """
    with desk(target, output, BackupAccess(to)) as work:
        known, unasked = work.listed()
        graded = judged(known, system_time(), work.deps.config.objectives.rpo)
    nothing = "No copies. The platform's backups are not known." if unasked else "No backups."
    show_backups(graded, system_time(), output, empty=nothing)
    if unasked is not None:
        raise unasked


def status(target: Target, output: Output, to: str | None, seen: Observed) -> int:
    """Print whether the backups meet the recovery point objective; return 0, or 1 when they miss it."""
    observe_target(target, seen)
    with desk(target, output, BackupAccess(to)) as work:
        attachment = work.attachment()
        schedules = Ahead(partial(work.deps.backups.schedules, attachment.addon_id))
        (entries, proofs), at = work.with_proofs(attachment), system_time()
        found = made(entries, proofs, scope(work.deps, attachment), at)
        standing = RpoState.of(found, schedules.result(), at, work.deps.config.objectives.rpo)
        work.observe(entries, seen)
        seen.met = standing.met
    show_rpo(standing, output)
    return int(ExitCode.DONE if standing.met else ExitCode.CHECK_FAILED)
