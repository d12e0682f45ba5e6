"""The dump and the code for the new application: from the old one while it answers, else from the kit."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

from uscdr.backups.loss import DatabaseState
from uscdr.clock import system_time
from uscdr.errors import BadInput, MachineError, ProviderError
from uscdr.kit.manifest import DUMP
from uscdr.models.base import elapsed
from uscdr.models.heroku import Download
from uscdr.models.migrations import SourceArchive
from uscdr.models.transfers import ahead, warned
from uscdr.scenarios.prover import DumpSource
from uscdr.scenarios.results.db import ChosenBackup
from uscdr.scenarios.steps.choose import Choice
from uscdr.scenarios.walk import judged_against
from uscdr.words import duration, moment

if TYPE_CHECKING:
    from pathlib import Path

    from uscdr.engine.step import Reporter, View
    from uscdr.kit.content import DumpFacts
    from uscdr.kit.reader import KitReader
    from uscdr.models.transfers import Transfer
    from uscdr.providers.ports.progress import Progress
    from uscdr.scenarios.adapters import Adapters
    from uscdr.scenarios.results.db import Proof
    from uscdr.scenarios.results.infra import InfraSeen, OldStopped


TARBALL = "source.tar.gz"
KIT = "kit:"


Settle = Callable[[str, Choice], Choice]
"""Passes over damaged backups of the owning application. Raises Declined."""


def _the_newest(owner: str, choice: Choice) -> Choice:
    """Without looking into them."""
    del owner
    return choice


def choose_dump(deps: Adapters, view: View, settle: Settle = _the_newest) -> ChosenBackup:
    """The named backup, else the newest good one of the old application or the kit.

    Raises BadInput when neither has one.
    """
    stored, why = _stored(deps, view, settle)
    kept = _kept(deps)
    if stored is not None and (kept is None or deps.request.backup or stored.taken_at >= kept.taken_at):
        return stored
    if kept is not None and deps.kit is not None:
        return _as_kept(deps, deps.kit, kept)
    wanted = deps.request.backup
    raise BadInput(
        f"There is no backup “{wanted}” to rebuild from." if wanted else "There is no database dump to rebuild from.",
        why=f"The old application: {why} {_in_kit(deps)}",
        next_action="Name another, or leave --backup out for the newest: uscdr backup list, uscdr kit list"
        if wanted
        else "Rebuild from an escape kit: uscdr recover infra --kit newest (its key: --identity FILE, or "
        "USCDR_AGE_IDENTITY). If the kit is in another store: --kit STORE:newest. To list the kits: uscdr kit list",
    )


def _kept(deps: Adapters) -> DumpFacts | None:
    """The dump of the kit; None when another backup was requested."""
    kept, wanted = deps.kit.dump() if deps.kit else None, deps.request.backup
    return None if kept is None or (wanted and wanted.lower() != kept.backup) else kept


def _in_kit(deps: Adapters) -> str:
    if deps.kit is None:
        return "No kit was named."
    kept = deps.kit.dump()
    return f"The kit holds {kept.backup}." if kept else "The kit holds none."


def _stored(deps: Adapters, view: View, settle: Settle) -> tuple[ChosenBackup | None, str]:
    try:
        addon = deps.old_attachment()
        choice = Choice.pick(deps, deps.backups.transfers(addon), view)
        return settle(addon.owner_app_name, choice).recorded(deps), ""
    except ProviderError as error:
        return None, error.message
    except BadInput as error:
        return None, f"{error.message} {error.why}".strip()


def _as_kept(deps: Adapters, kit: KitReader, kept: DumpFacts) -> ChosenBackup:
    at = system_time()
    old = elapsed(kept.taken_at, at)
    return ChosenBackup(
        backup=f"{KIT}{kit.kit}", transfer_id=kept.sha256, num=0, taken_at=kept.taken_at, finished_at=None,
        age_seconds=old, rpo_met=old <= deps.config.objectives.rpo, bytes=kept.bytes,
        remarks=tuple(filter(None, (warned(kept.warnings), ahead(kept.taken_at, at)))),
    )  # fmt: skip


def dump_source(deps: Adapters, chosen: ChosenBackup) -> DumpSource:
    """Where the chosen dump is fetched from."""
    if not chosen.backup.startswith(KIT):
        owner = deps.old_attachment().owner_app_name
        return DumpSource.stored(deps.backups, owner, deps.backups.transfer(owner, chosen.transfer_id))

    def fetch(destination: Path, progress: Progress) -> Download:
        kit = _need_kit(deps)
        held = kit.dump()
        if held is None or held.sha256 != chosen.transfer_id:
            raise BadInput(f"The kit {kit.kit} is not the one that this run started with.")
        with kit.open_object(DUMP) as plain:
            _copy(plain, destination)
        size = destination.stat().st_size
        progress(size, size)
        return Download(size=size, sha256=chosen.transfer_id)  # the reader compared it with the kit's digest

    return DumpSource("kit", chosen.transfer_id, fetch)


def _need_kit(deps: Adapters) -> KitReader:
    """The kit. Raises BadInput when none was named."""
    if deps.kit is None:
        raise BadInput("This run works from a kit, but none is named.", next_action="Name it: --kit newest")
    return deps.kit


def fetch_code(deps: Adapters, commit: str) -> SourceArchive:
    """The code of `commit`, from the repository or, when that is not available, from the kit.

    Raises BadInput when neither has it.
    """
    why = "no repository is configured (app.source)"
    if deps.source is not None:
        try:
            return deps.source.archive(commit, deps.work)
        except (ProviderError, MachineError) as error:
            why = error.message
    held = deps.kit.source() if deps.kit else None
    if deps.kit is None or held is None or not held.sha256 or held.commit != commit:
        raise BadInput(
            f"The code of {commit[:12]} is not available.",
            why=f"The repository: {why}. " + ("The kit holds other code, or none." if deps.kit else "No kit is named."),
            next_action="Name a kit that holds it (--kit), or another --ref.",
        )
    path = deps.work / "kit-source.tar.gz"
    with deps.kit.open_object(TARBALL) as plain:
        _copy(plain, path)
    return SourceArchive(
        path=str(path), commit=held.commit, sha256=held.sha256, size=path.stat().st_size, files=(),
        procfile=held.procfile, migrations=held.migrations, replaces=held.replaces,
        lacks=held.lacks,
    )  # fmt: skip


def _copy(plain: Path, destination: Path) -> None:
    """Copy into a private file."""
    try:
        with plain.open("rb") as source, destination.open("wb") as target:
            destination.chmod(0o600)
            shutil.copyfileobj(source, target)
    except OSError as error:
        raise MachineError(
            f"{destination.name} could not be written on this machine.", why=error.strerror or type(error).__name__
        ) from error


# The last state of an old application that still answers: whether a run captures it, and why not.


CAPTURED = "what it writes until it is stopped is captured then, and is included if that backup proves good"
OPEN_AGAIN = "Access that was withdrawn there since then is open again here."
LEFT_BEHIND = "later writes are LOST, and access that was withdrawn since then is open again"


def not_captured(deps: Adapters, scope: InfraSeen, stopped: OldStopped | None = None) -> str:
    """Why the old application's last state is not captured; empty when it is. `stopped`: what was seen since."""
    old = deps.old.place(scope.old_app)
    if not (stopped.answers if stopped else scope.old_answers):
        return f"{scope.old_app} does not answer"
    if scope.in_place:
        return f"{scope.old_app} is rebuilt in place"
    if deps.request.backup:
        return f"{deps.request.backup} was named"
    if old.answers and deps.services.heroku.database not in old.config:
        return f"{scope.old_app} no longer has a database"
    return ""


def lost_since(deps: Adapters, chosen: ChosenBackup) -> str:
    """What the old application wrote since the dump, in words: the old database has it, the new one will not."""
    since = f"since {moment(chosen.taken_at)}, {duration(elapsed(chosen.taken_at, system_time()))} ago"
    words = f"What {deps.old_app} wrote {since}, is not in {chosen.backup}"
    return f"{words}: LOST in the new application; the old database still has it. {OPEN_AGAIN}"


def fault_of_capture(
    deps: Adapters, taken: Transfer, chosen: ChosenBackup, proof: Proof, tell: Reporter
) -> tuple[str, tuple[str, ...]]:
    """Why the capture `taken` is not used but the earlier choice, empty when it is good; and what to know of it."""
    owner = deps.old_attachment().owner_app_name
    before = DatabaseState(chosen.backup, chosen.taken_at, {one.name: one.rows for one in proof.tables}, proof.newest)
    return judged_against(deps, owner, taken, before, tell)
