"""Choose the backup: the one that the operator named, or the newest good one. Compares its age with the RPO."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING

from typing_extensions import override

from uscdr.clock import system_time
from uscdr.engine.step import Action, Effect, Reporter, View
from uscdr.errors import BadInput, CheckFailed, Declined, ProviderError
from uscdr.models.transfers import DAMAGED, Transfer, Whose
from uscdr.scenarios.fitness import another
from uscdr.scenarios.prover import DumpSource
from uscdr.scenarios.results.db import ChosenBackup, SafetyCapture
from uscdr.scenarios.steps.base import ScenarioStep, reads
from uscdr.scenarios.steps.prove import proven, refusal_of
from uscdr.words import duration, moment, size

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from uscdr.scenarios.adapters import Adapters, Walk

REPLACED = ". If a new database replaced the one of this backup, restore it by hand: heroku pg:backups:restore"
"""The advice for a backup of another add-on. After a promotion it may be the right one, but uscdr cannot tell."""


class Choose(ScenarioStep[ChosenBackup, ChosenBackup]):
    """Reads the list again, to notice a backup that has expired since. Starts the proof early."""

    name = "backup.choose"
    title = "Choose the backup"
    effect = Effect.READ
    manual = ("heroku pg:backups:info $BACKUP --app {app}",)
    gives = ChosenBackup

    @override
    def probe(self, view: View, tell: Reporter) -> ChosenBackup:
        owner = self._deps.attachment().owner_app_name
        choice = Choice.now(self._deps, view, tell)
        if not view.thorough:
            self._refuse_before_the_first_change(owner, choice, view, tell)
        return warn_of(choice.recorded(self._deps), tell)

    def _refuse_before_the_first_change(self, owner: str, choice: Choice, view: View, tell: Reporter) -> None:
        """Refuse a bad backup before maintenance mode, if it is already proven or the key is in doubt."""
        back = choice.is_damaged(self._deps)
        proven_already = self._deps.candidate.is_proven(choice.chosen.id)
        if not back and not proven_already and not self._key_in_doubt():
            return
        proof = proven(self._deps, DumpSource.stored(self._deps.backups, owner, choice.chosen), tell, damaged=back)
        refusal = refusal_of(self._deps, proof, view)
        if refusal and not back:
            raise CheckFailed(refusal, next_action="Nothing was changed.")

    def _key_in_doubt(self) -> bool:
        """Whether the key opens none of the live rows. These may be damaged, so only the backup itself can tell."""
        from uscdr.scenarios.backup_questions import encryption_key

        config = self._deps.config
        key = encryption_key(config, self._deps.platform, self._deps.old_app, self._deps.kit)
        try:
            return key.tried(self._deps.database(), config.recovery.canaries).opens_nothing
        except (ProviderError, BadInput):
            return False

    @override
    def plan(self, seen: ChosenBackup, view: View) -> Action:
        words = summary_of(seen, self._deps.config.objectives.rpo)
        calls = (reads("GET", f"/client/v11/apps/{self._deps.app}/transfers"),)
        return Action("read", words, calls, {"BACKUP": seen.backup})


@dataclass(frozen=True)
class Choice:
    """The usable backups, newest first; the first one is chosen."""

    fit: tuple[Transfer, ...]
    looked_for: bool
    """Whether uscdr chooses; False if the operator named a backup."""
    passed_over: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    damage_since: str = ""

    @classmethod
    def pick(cls, deps: Adapters, transfers: tuple[Transfer, ...], view: View) -> Choice:
        """The backups that can be restored, and the newer ones that cannot, with reasons.

        Raises:
            BadInput: no backup can be restored, or not the one that the operator named.
        """
        wanted = deps.request.backup
        if wanted is not None:
            return cls((_named(wanted, transfers, deps.old_app),), looked_for=False)
        ours = view.get(SafetyCapture)
        damaged = deps.memory.damaged | ({ours.id} if ours else frozenset())
        listed = list(with_reasons(reversed(transfers), damaged))
        fit = tuple(transfer for transfer, reason in listed if not reason)
        if fit:
            newer = takewhile(lambda line: line[1], listed)
            return cls(fit, looked_for=True, passed_over=tuple(map(_with_reason, newer)))
        raise BadInput(
            "No backup can be restored.",
            why="; ".join(map(_with_reason, listed)) or "Heroku lists no backup.",
            next_action=another(view),
        )

    @classmethod
    def now(cls, deps: Adapters, view: View, tell: Reporter) -> Choice:
        """The choice from the list as it is now; starts or makes the proof. Raises as `pick` and `settled`."""
        attachment = deps.attachment()
        return cls.pick(deps, deps.backups.transfers(attachment), view).settled(deps, attachment.owner_app_name, tell)

    @property
    def chosen(self) -> Transfer:
        """The newest one."""
        return self.fit[0]

    def settled(self, deps: Adapters, owner: str, tell: Reporter) -> Choice:
        """The choice without damaged backups; starts or makes the proof of the chosen one.

        For the same list it returns the result of the earlier search, so that a plan's search is not repeated in the
        run. Raises Declined when a person has to choose, and the errors of `walk`.
        """
        if not self.by_proof(deps):
            deps.candidate.prefetch(DumpSource.stored(deps.backups, owner, self.chosen))
            return self
        ids = tuple(one.id for one in self.fit)
        if ids not in deps.walks:
            from uscdr.scenarios.walk import walk

            deps.walks[ids] = walk(deps, owner, self.fit, tell)
        return self.after(deps.walks[ids])

    def by_proof(self, deps: Adapters) -> bool:
        """Whether proofs decide: there is another backup or an earlier state to compare with."""
        return self.looked_for and (len(self.fit) > 1 or bool(deps.earlier().states))

    def is_damaged(self, deps: Adapters) -> bool:
        """Whether the operator named a capture of a damaged state: it is restored as it is, damage included."""
        return deps.request.scenario == "db" and not self.looked_for and self.chosen.id in deps.memory.damaged

    def recorded(self, deps: Adapters) -> ChosenBackup:
        """The chosen backup as a result of this step."""
        at, transfer = system_time(), self.chosen
        damaged = self.is_damaged(deps)
        remarks = (*transfer.remarks(at), *self.remarks, *([DAMAGED] if damaged else []))
        return ChosenBackup(
            backup=transfer.name, transfer_id=transfer.id, num=transfer.num, taken_at=transfer.taken_at,
            finished_at=transfer.finished_at, age_seconds=transfer.age(at),
            rpo_met=transfer.age(at) <= deps.config.objectives.rpo, bytes=transfer.processed_bytes,
            passed_over=self.passed_over, remarks=remarks,
            damage_since=self.damage_since, damaged=damaged,
        )  # fmt: skip

    def after(self, walked: Walk) -> Choice:
        """The choice without the damaged backups. Raises Declined when a person has to choose."""
        passed_over = (*self.passed_over, *walked.passed_over)
        if walked.chosen is None:
            reasons = f" Passed over: {'; '.join(passed_over)}." if passed_over else ""
            raise Declined(
                "No backup was chosen.", why=f"{walked.undecided[:1].upper()}{walked.undecided[1:]}.{reasons}",
                next_action=walked.advice,
            )  # fmt: skip
        fit = self.fit[self.fit.index(walked.chosen) :]
        return replace(
            self, fit=fit, passed_over=passed_over, remarks=(*self.remarks, *walked.doubts), damage_since=walked.since
        )


def warn_of(chosen: ChosenBackup, tell: Reporter) -> ChosenBackup:
    """Shows the remarks on the backup as warnings, and returns it."""
    for remark in chosen.remarks:
        tell.warn(f"{chosen.backup}: {remark}.")
    return chosen


LATER = "All later writes are lost"


def summary_of(chosen: ChosenBackup, rpo: float, later: str = LATER) -> str:
    """One sentence: the backup, its age against the RPO, and what happens to later writes."""
    against = "within" if chosen.rpo_met else "EXCEEDS"
    words = f"{chosen.backup} of {moment(chosen.taken_at)}, {size(chosen.bytes)}, {duration(chosen.age_seconds)} old: "
    words += f"{against} the RPO of {duration(rpo)}. {later}"
    words += "; passed over: " + ", ".join(chosen.passed_over) if chosen.passed_over else ""
    return words + (f"; {chosen.damage_since}" if chosen.damage_since else "")


def with_reasons(transfers: Iterable[Transfer], damaged: Collection[str]) -> Iterator[tuple[Transfer, str]]:
    """The backups in the same order, each with the reason against it; empty for a good one.

    `damaged`: ids of backups of a damaged state.
    """
    for one in transfers:
        if one.is_backup:
            yield one, DAMAGED if one.id in damaged else one.unfit


def _with_reason(line: tuple[Transfer, str]) -> str:
    return f"{line[0].name} ({line[1]})"


def _named(wanted: str, transfers: tuple[Transfer, ...], app: str) -> Transfer:
    found = next((t for t in transfers if t.answers_to(wanted)), None)
    known = ", ".join(t.name for t in transfers if t.is_backup) or "none"
    if found is None or not found.is_backup:
        what = f"“{wanted}” is a {found.kind.value}, not a backup" if found else f"There is no backup “{wanted}”"
        raise BadInput(
            f"{what} of {app}.", why=f"Available backups: {known}.", next_action="List the backups: uscdr backup list"
        )
    if found.unusable:
        raise BadInput(
            f"{wanted} cannot be restored: {found.unusable}.", why=f"Available backups: {known}.",
            next_action="Choose another one: uscdr backup list" + (REPLACED if found.whose is Whose.OTHER else ""),
        )  # fmt: skip
    return found
