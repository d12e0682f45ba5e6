"""Choose the backup: the one asked for, or the newest good one; its age against the RPO in plain words."""

from __future__ import annotations

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.errors import BadInput
from uscdr.models.heroku import Transfer, TransferState
from uscdr.scenarios.candidate import stored_dump
from uscdr.scenarios.deps import Deps, now
from uscdr.scenarios.results import ChosenBackup, SafetyCapture
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.words import reads
from uscdr.words import duration, moment, size


class Choose(DepsStep[ChosenBackup, ChosenBackup]):
    """Reads the list again, so that a backup that expired meanwhile is noticed. Starts its proof early."""

    name = "backup.choose"
    title = "Choose the backup"
    default_id = "choose"
    effect = Effect.READ
    manual = ("heroku pg:backups:info $BACKUP --app {app}",)
    gives = ChosenBackup

    @override
    def probe(self, view: View, tell: Tell) -> ChosenBackup:
        owner = self._deps.attachment().owner_app_name
        chosen, passed_over = pick(self._deps, self._deps.backups.transfers(owner), view)
        if chosen.warnings:
            tell.warn(f"{chosen.name} finished with {chosen.warnings} warnings.")
        self._deps.candidate.prefetch(stored_dump(self._deps.backups, owner, chosen))
        finished = chosen.finished_at or chosen.created_at
        old = max(0.0, (now() - chosen.created_at).total_seconds())
        return ChosenBackup(
            backup=chosen.name,
            transfer_id=chosen.id,
            num=chosen.num,
            created_at=chosen.created_at,
            finished_at=finished,
            age_seconds=old,
            rpo_met=old <= self._deps.config.objectives.rpo,
            bytes=chosen.processed_bytes,
            passed_over=passed_over,
        )

    @override
    def plan(self, seen: ChosenBackup, view: View) -> Action:
        rpo = self._deps.config.objectives.rpo
        against = "within" if seen.rpo_met else "BEYOND"
        words = f"{seen.backup} of {moment(seen.created_at)}, {size(seen.bytes)}, {duration(seen.age_seconds)} old: "
        words += f"{against} the RPO of {duration(rpo)}. What was written since then is lost by the restore"
        if seen.passed_over:
            words += "; passed over: " + ", ".join(seen.passed_over)
        calls = (reads("GET", f"/client/v11/apps/{self._deps.app}/transfers"),)
        return Action("read", words, calls, (f"heroku pg:backups:info {seen.backup} --app {self._deps.app}",))


def pick(deps: Deps, transfers: tuple[Transfer, ...], view: View) -> tuple[Transfer, tuple[str, ...]]:
    """The backup to restore, and the newer ones that were passed over, with reasons. Raises BadInput."""
    wanted = deps.request.backup
    if wanted is not None:
        return _named(wanted, transfers, deps.old_app), ()
    ours = view.get(SafetyCapture)
    damaged = deps.memory.damaged | ({ours.id} if ours else frozenset())
    passed_over: list[str] = []
    for transfer in reversed([t for t in transfers if t.is_backup]):
        reason = "taken of a damaged state" if transfer.id in damaged else unfit(transfer)
        if reason is None:
            return transfer, tuple(passed_over)
        passed_over.append(f"{transfer.name} ({reason})")
    raise BadInput(
        "There is no backup that could be restored.",
        why="; ".join(passed_over) or "The platform lists none.",
        next_action="Look for an off-platform copy (uscdr kit check); ask the platform's support: https://help.heroku.com",
    )


def _named(wanted: str, transfers: tuple[Transfer, ...], app: str) -> Transfer:
    found = next((t for t in transfers if wanted.lower() in (t.name, t.id)), None)
    known = ", ".join(t.name for t in transfers if t.is_backup) or "none"
    if found is None or not found.is_backup:
        what = f"“{wanted}” is a {found.kind.value}, not a backup" if found else f"There is no backup “{wanted}”"
        raise BadInput(f"{what} of {app}.", why=f"Backups there are: {known}.", next_action="See: uscdr backup list")
    reason = unfit(found)
    if reason is not None:
        raise BadInput(
            f"{wanted} cannot be restored: it is {reason}.", why=f"Backups there are: {known}.",
            next_action="Choose another: uscdr backup list",
        )  # fmt: skip
    return found


def unfit(transfer: Transfer) -> str | None:
    """Why a backup cannot be restored, None when it can."""
    if transfer.expired:
        return "expired (the platform has dropped the file)"
    if transfer.state is not TransferState.COMPLETED:
        return transfer.state.value
    return "empty" if transfer.processed_bytes == 0 else None
