"""What the `uscdr backup` commands work with: the platform, the store of copies, and one list of both."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from uscdr.backups.catalog import BackupEntry, StoredCopies, judged, last_proof, newest
from uscdr.backups.copy import Keys
from uscdr.backups.proofs import Proofs
from uscdr.backups.rpo import RpoState, due
from uscdr.clock import system_time
from uscdr.commands.housekeeping import clear_up, observe_target, state
from uscdr.errors import BadInput, ExitCode, ProviderError
from uscdr.journal import runs
from uscdr.report.backups import show_backups, show_rpo
from uscdr.scenarios.adapters import Adapters, Request
from uscdr.scenarios.backup_inventory import copies_alone, made, scope
from uscdr.settings import Operator
from uscdr.staging import noted
from uscdr.store.lease import WriterQueue
from uscdr.wiring import adapters
from uscdr.wiring.session import looking
from uscdr.wiring.stores import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

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
    """How a command is wired. `keys` decrypt copies; `writes`: the command changes the store or the state directory."""

    to: str | None = None
    kit: str | None = None
    identity: Path | None = None
    keys: Keys = field(default_factory=Keys)
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
        self.deps.describe_app()
        return self.deps.attachment()

    def shelf(self) -> StoredCopies:
        """The copies in the store; warns of every damaged one."""
        found = StoredCopies.of(self.store)
        for damage in found.damaged:
            self.output.warn(f"DAMAGE in {self.store.place}: {damage}")
        others = {card.origin.app for card in found.copies} - {self.deps.app}
        if others:
            self.output.detail(f"{self.store.place} also holds copies of {', '.join(sorted(others))}.")
        return found

    def entries(self) -> tuple[BackupEntry, ...]:
        """The platform's backups and all copies, one entry per backup, oldest first."""
        return self._entries(*self._asked())

    def listed(self) -> tuple[tuple[BackupEntry, ...], ProviderError | BadInput | None]:
        """The same; when the platform does not answer, only the copies, with a warning, and the platform's error."""
        try:
            asked = self._asked()
        except (ProviderError, BadInput) as error:
            words = f"uscdr could not ask the platform and lists only the copies. {error.message} {error.why}"
            self.output.warn(words.rstrip())
            return copies_alone(self.deps, self.shelf()), error
        return self._entries(*asked), None

    def observe(self, entries: tuple[BackupEntry, ...], seen: Observed) -> None:
        """Tell monitoring of the newest backup and proof, and of when a newer proven copy is due."""
        good, proof = newest(entries), last_proof(entries)
        points = made(entries, None, scope(self.deps, None), system_time())
        seen.newest_backup = good.taken_at if good else None
        seen.newest_proof = proof.proven_at if proof else None
        seen.due = due(points, self.deps.config.objectives.rpo)

    def _asked(self) -> tuple[Attachment, tuple[Transfer, ...]]:
        attachment = self.attachment()
        return attachment, self.deps.backups.transfers(attachment)

    def _entries(self, attachment: Attachment, transfers: tuple[Transfer, ...]) -> tuple[BackupEntry, ...]:
        return scope(self.deps, attachment).entries(transfers, self.shelf().copies, Proofs(self.store))


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
        return WriterQueue(Operator.of(os.environ), context.stop.pause, say).turn(store, message)

    return lambda usual: replace(usual, to=how.to, store=lambda: store, reading=lambda: how.keys, turn=turn)


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
        entries, attachment, at = work.entries(), work.deps.attachment(), system_time()
        found = made(entries, Proofs(work.store), scope(work.deps, attachment), at)
        schedules = work.deps.backups.schedules(attachment.addon_id)
        standing = RpoState.of(found, schedules, at, work.deps.config.objectives.rpo)
        work.observe(entries, seen)
        seen.met = standing.met
    show_rpo(standing, output)
    return int(ExitCode.DONE if standing.met else ExitCode.CHECK_FAILED)
