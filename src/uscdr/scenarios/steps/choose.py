"""Choose the backup: the one asked for, or the newest good one; its age against the RPO in plain words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.errors import BadInput
from uscdr.models.heroku import DAMAGED, Transfer, Whose
from uscdr.scenarios.candidate import stored_dump
from uscdr.scenarios.deps import Deps, now
from uscdr.scenarios.results import ChosenBackup, SafetyCapture
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.words import reads
from uscdr.words import duration, moment, size

REPLACED = ". If its database was replaced by a new one: heroku pg:backups:restore, by hand"
"""What is left for a backup of the add-on before a promotion: nothing here can tell that it is the right one."""


class Choose(DepsStep[ChosenBackup, ChosenBackup]):
    """Reads the list again, so that a backup that expired meanwhile is noticed. Starts its proof early."""

    name = "backup.choose"
    title = "Choose the backup"
    effect = Effect.READ
    manual = ("heroku pg:backups:info $BACKUP --app {app}",)
    gives = ChosenBackup

    @override
    def probe(self, view: View, tell: Tell) -> ChosenBackup:
        attachment = self._deps.attachment()
        chosen, passed_over = pick(self._deps, self._deps.backups.transfers(attachment), view)
        self._deps.candidate.prefetch(stored_dump(self._deps.backups, attachment.owner_app_name, chosen))
        return warn_of(chosen_of(self._deps, chosen, passed_over), tell)

    @override
    def plan(self, seen: ChosenBackup, view: View) -> Action:
        words = summary_of(seen, self._deps.config.objectives.rpo)
        calls = (reads("GET", f"/client/v11/apps/{self._deps.app}/transfers"),)
        return Action("read", words, calls, {"BACKUP": seen.backup})


def chosen_of(deps: Deps, transfer: Transfer, passed_over: tuple[str, ...] = ()) -> ChosenBackup:
    """What is known of a backup that the platform keeps, once it is chosen."""
    at = now()
    return ChosenBackup(
        backup=transfer.name, transfer_id=transfer.id, num=transfer.num, taken_at=transfer.taken_at,
        finished_at=transfer.finished_at, age_seconds=transfer.age(at),
        rpo_met=transfer.age(at) <= deps.config.objectives.rpo, bytes=transfer.processed_bytes,
        passed_over=passed_over, remarks=transfer.remarks(at),
    )  # fmt: skip


def warn_of(chosen: ChosenBackup, tell: Tell) -> ChosenBackup:
    """The same, once a person was told what should be known of it."""
    for remark in chosen.remarks:
        tell.warn(f"{chosen.backup}: {remark}.")
    return chosen


def summary_of(chosen: ChosenBackup, rpo: float) -> str:
    """What it is, and what its age means."""
    against = "within" if chosen.rpo_met else "BEYOND"
    words = f"{chosen.backup} of {moment(chosen.taken_at)}, {size(chosen.bytes)}, {duration(chosen.age_seconds)} old: "
    words += f"{against} the RPO of {duration(rpo)}. What was written since then is lost"
    return words + ("; passed over: " + ", ".join(chosen.passed_over) if chosen.passed_over else "")


def with_reasons(transfers: Iterable[Transfer], damaged: Collection[str]) -> Iterator[tuple[Transfer, str]]:
    """The backups, in the same order, each with why it is not chosen: empty for a good one.

    `damaged`: ids of those that were taken of a damaged state.
    """
    for one in transfers:
        if one.is_backup:
            yield one, DAMAGED if one.id in damaged else one.unfit


def pick(deps: Deps, transfers: tuple[Transfer, ...], view: View) -> tuple[Transfer, tuple[str, ...]]:
    """The backup to restore, and the newer ones that were passed over, with reasons. Raises BadInput."""
    wanted = deps.request.backup
    if wanted is not None:
        return _named(wanted, transfers, deps.old_app), ()
    ours = view.get(SafetyCapture)
    damaged = deps.memory.damaged | ({ours.id} if ours else frozenset())
    passed_over: list[str] = []
    for transfer, reason in with_reasons(reversed(transfers), damaged):
        if not reason:
            return transfer, tuple(passed_over)
        passed_over.append(f"{transfer.name} ({reason})")
    raise BadInput(
        "There is no backup that could be restored.",
        why="; ".join(passed_over) or "The platform lists none.",
        next_action="Look for an off-platform copy (uscdr kit check); ask the platform's support: https://help.heroku.com",
    )


def _named(wanted: str, transfers: tuple[Transfer, ...], app: str) -> Transfer:
    found = next((t for t in transfers if t.answers_to(wanted)), None)
    known = ", ".join(t.name for t in transfers if t.is_backup) or "none"
    if found is None or not found.is_backup:
        what = f"“{wanted}” is a {found.kind.value}, not a backup" if found else f"There is no backup “{wanted}”"
        raise BadInput(f"{what} of {app}.", why=f"Backups there are: {known}.", next_action="See: uscdr backup list")
    if found.unusable:
        raise BadInput(
            f"{wanted} cannot be restored: {found.unusable}.", why=f"Backups there are: {known}.",
            next_action="Choose another: uscdr backup list" + (REPLACED if found.whose is Whose.OTHER else ""),
        )  # fmt: skip
    return found
