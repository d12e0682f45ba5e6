"""Choose the backup: the one asked for, or the newest good one; its age against the RPO in plain words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Reporter, View
from uscdr.errors import BadInput, CheckFailed, Declined, ProviderError
from uscdr.models.transfers import DAMAGED, Transfer, Whose
from uscdr.scenarios.adapters import Adapters, Walk, now
from uscdr.scenarios.backup_questions import encryption_key
from uscdr.scenarios.fitness import another
from uscdr.scenarios.prover import DumpSource
from uscdr.scenarios.results.db import ChosenBackup, SafetyCapture
from uscdr.scenarios.steps.base import ScenarioStep, reads
from uscdr.scenarios.steps.prove import proven, refusal_of, with_key_trouble
from uscdr.scenarios.walk import walk
from uscdr.words import duration, moment, size

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

REPLACED = ". If its database was replaced by a new one: heroku pg:backups:restore, by hand"
"""What is left for a backup of the add-on before a promotion: nothing here can tell that it is the right one."""


class Choose(ScenarioStep[ChosenBackup, ChosenBackup]):
    """Reads the list again, so that a backup that expired meanwhile is noticed. Starts its proof early."""

    name = "backup.choose"
    title = "Choose the backup"
    effect = Effect.READ
    manual = ("heroku pg:backups:info $BACKUP --app {app}",)
    gives = ChosenBackup

    @override
    def probe(self, view: View, tell: Reporter) -> ChosenBackup:
        owner = self._deps.attachment().owner_app_name
        choice = choice_of(self._deps, view, tell)
        if not view.thorough:
            self._refuse_before_the_first_change(owner, choice, view, tell)
        return warn_of(chosen_of(self._deps, choice), tell)

    def _refuse_before_the_first_change(self, owner: str, choice: Choice, view: View, tell: Reporter) -> None:
        """Users are not shut out for a backup that will be refused, as far as that is known or feared."""
        back = put_back(self._deps, choice)
        proven_already = self._deps.candidate.is_proven(choice.chosen.id)
        if not back and not proven_already and not self._key_in_doubt():
            return
        proof = proven(self._deps, DumpSource.stored(self._deps.backups, owner, choice.chosen), tell, damaged=back)
        refusal = refusal_of(self._deps, with_key_trouble(self._deps, proof), view)
        if refusal and not back:
            raise CheckFailed(refusal, next_action="Nothing was changed.")

    def _key_in_doubt(self) -> bool:
        """Whether the key opens nothing of the live rows. Those may be damaged: only the backup itself can tell."""
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
    """The backups that there are to choose from, newest first, and the one that is taken."""

    fit: tuple[Transfer, ...]
    looked_for: bool
    """Whether the operator named none."""
    passed_over: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    damage_since: str = ""

    @property
    def chosen(self) -> Transfer:
        """The first of them."""
        return self.fit[0]

    def after(self, walked: Walk) -> Choice:
        """What is left once the damaged ones are passed over. Raises Declined when a person has to choose."""
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


def choice_of(deps: Adapters, view: View, tell: Reporter) -> Choice:
    """What is chosen now, the proof of it begun or made. Raises as `pick` and `settled`."""
    attachment = deps.attachment()
    choice = pick(deps, deps.backups.transfers(attachment), view)
    return settled(deps, attachment.owner_app_name, choice, tell)


def settled(deps: Adapters, owner: str, choice: Choice, tell: Reporter) -> Choice:
    """What is left of it once damaged ones are passed over; the proof of what is taken is begun or made.

    The same walk as before if the list is the same: a plan's is not made again when its turn comes. Raises Declined
    when a person has to choose, and what a walk raises.
    """
    if not is_walked(deps, choice):
        deps.candidate.prefetch(DumpSource.stored(deps.backups, owner, choice.chosen))
        return choice
    ids = tuple(one.id for one in choice.fit)
    if ids not in deps.walks:
        deps.walks[ids] = walk(deps, owner, choice.fit, tell)
    return choice.after(deps.walks[ids])


def is_walked(deps: Adapters, choice: Choice) -> bool:
    """Whether there is something to compare with, so that proofs decide."""
    return choice.looked_for and (len(choice.fit) > 1 or bool(deps.earlier().states))


def put_back(deps: Adapters, choice: Choice) -> bool:
    """Whether a state that was captured before a recovery is named: it is put back damaged as it is."""
    return deps.request.scenario == "db" and not choice.looked_for and choice.chosen.id in deps.memory.damaged


def chosen_of(deps: Adapters, choice: Choice) -> ChosenBackup:
    """What is known of the backup, once it is chosen."""
    at, transfer = now(), choice.chosen
    damaged = put_back(deps, choice)
    remarks = (*transfer.remarks(at), *choice.remarks, *([DAMAGED] if damaged else []))
    return ChosenBackup(
        backup=transfer.name, transfer_id=transfer.id, num=transfer.num, taken_at=transfer.taken_at,
        finished_at=transfer.finished_at, age_seconds=transfer.age(at),
        rpo_met=transfer.age(at) <= deps.config.objectives.rpo, bytes=transfer.processed_bytes,
        passed_over=choice.passed_over, remarks=remarks,
        damage_since=choice.damage_since, damaged=damaged,
    )  # fmt: skip


def warn_of(chosen: ChosenBackup, tell: Reporter) -> ChosenBackup:
    """The same, once a person was told what should be known of it."""
    for remark in chosen.remarks:
        tell.warn(f"{chosen.backup}: {remark}.")
    return chosen


LATER = "What was written since then is lost"


def summary_of(chosen: ChosenBackup, rpo: float, later: str = LATER) -> str:
    """What it is, what its age means, and what becomes of what was written later."""
    against = "within" if chosen.rpo_met else "BEYOND"
    words = f"{chosen.backup} of {moment(chosen.taken_at)}, {size(chosen.bytes)}, {duration(chosen.age_seconds)} old: "
    words += f"{against} the RPO of {duration(rpo)}. {later}"
    words += "; passed over: " + ", ".join(chosen.passed_over) if chosen.passed_over else ""
    return words + (f"; {chosen.damage_since}" if chosen.damage_since else "")


def with_reasons(transfers: Iterable[Transfer], damaged: Collection[str]) -> Iterator[tuple[Transfer, str]]:
    """The backups, in the same order, each with why it is not chosen: empty for a good one.

    `damaged`: ids of those that were taken of a damaged state.
    """
    for one in transfers:
        if one.is_backup:
            yield one, DAMAGED if one.id in damaged else one.unfit


def pick(deps: Adapters, transfers: tuple[Transfer, ...], view: View) -> Choice:
    """The backups that could be restored, and the newer ones that could not, with reasons. Raises BadInput."""
    wanted = deps.request.backup
    if wanted is not None:
        return Choice((_named(wanted, transfers, deps.old_app),), looked_for=False)
    ours = view.get(SafetyCapture)
    damaged = deps.memory.damaged | ({ours.id} if ours else frozenset())
    listed = list(with_reasons(reversed(transfers), damaged))
    fit = tuple(transfer for transfer, reason in listed if not reason)
    if fit:
        newer = takewhile(lambda line: line[1], listed)
        return Choice(fit, looked_for=True, passed_over=tuple(map(_with_reason, newer)))
    raise BadInput(
        "There is no backup that could be restored.",
        why="; ".join(map(_with_reason, listed)) or "The platform lists none.",
        next_action=another(view),
    )


def _with_reason(line: tuple[Transfer, str]) -> str:
    return f"{line[0].name} ({line[1]})"


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
