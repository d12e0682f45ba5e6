"""What a living old place wrote until it was stopped: captured, proven, and taken along unless it is damaged."""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.errors import NotFound, ProviderError
from uscdr.models.duration import elapsed
from uscdr.models.heroku import Attachment
from uscdr.models.transfers import Whose, under_way
from uscdr.scenarios.candidate import stored_dump
from uscdr.scenarios.deps import now
from uscdr.scenarios.infra.last import lost_since, not_captured, wanting_in
from uscdr.scenarios.results import ChosenBackup, Proof
from uscdr.scenarios.results_infra import InfraSeen, LastCapture, OldStopped
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.capture import Capture, CaptureSeen
from uscdr.scenarios.steps.choose import Choice, chosen_of, summary_of, warn_of
from uscdr.scenarios.steps.infra_dump import InfraProve
from uscdr.scenarios.steps.transfers import said_no, seen_now


class CaptureLast(Capture[LastCapture]):
    """Nothing writes there any more. A platform that cannot capture does not end the recovery; the loss is told."""

    name = "infra.capture_last"
    title = "Capture what it wrote last"
    gives = LastCapture
    needs = (InfraSeen, OldStopped, ChosenBackup)
    plans_with = (InfraSeen,)
    kind = LastCapture

    @override
    def attachment(self) -> Attachment:
        return self._deps.old_attachment()

    @override
    def probe(self, view: View, tell: Tell) -> CaptureSeen:
        why = not_captured(self._deps, view.need(InfraSeen), view.get(OldStopped))
        if why:
            return CaptureSeen(addon_id="", owner_app="", reachable=False, why=why)
        try:
            attachment = self.attachment()
        except NotFound as error:
            return CaptureSeen(addon_id="", owner_app="", reachable=False, why=error.message)
        transfers, chosen = self._deps.backups.transfers(attachment), view.get(ChosenBackup)
        return CaptureSeen(
            addon_id=attachment.addon_id,
            owner_app=attachment.owner_app_name,
            **seen_now(self._deps, transfers),
            reachable=True,
            pushes_out=self.pushed_out(transfers),
            wanted=chosen.backup if chosen else "",
            running=under_way(transfers, attachment.owner_app_name),
        )

    @override
    def plan(self, seen: CaptureSeen, view: View) -> Action:
        if not seen.reachable:
            return Action("skip", f"no last capture: {seen.why}")
        if seen.running:
            return Action("blocked", seen.running)
        if seen.pushes_out and seen.pushes_out == seen.wanted:
            return Action(
                "blocked",
                f"A last capture of {self._deps.old_app} would push out {seen.wanted}, the very backup that was chosen "
                "(the platform keeps a fixed number). Delete another manual backup first: "
                f"heroku pg:backups:delete bNNN --app {self._deps.old_app}",
            )
        return self._change(seen, f"the database of {self._deps.old_app} as it is once nothing writes to it")

    @override
    def apply(self, seen: CaptureSeen, view: View, tell: Tell) -> LastCapture:
        try:
            return super().apply(seen, view, tell)
        except ProviderError as error:
            if not said_no(error):
                raise
            return LastCapture(id="", num=0, name="", bytes=0, why=f"{error.message} {error.why}".strip())

    @override
    def confirm_effect(self, result: LastCapture, view: View, tell: Tell) -> str:
        if result.why:
            tell.warn(f"The last state of {self._deps.old_app} could not be captured. {result.why}")
            return f"not captured: {result.why}"
        words, owner = super().confirm_effect(result, view, tell), self.attachment().owner_app_name
        transfer = self._deps.backups.transfer(owner, result.id)
        self._deps.candidate.also(stored_dump(self._deps.backups, owner, transfer))  # while add-ons are made ready
        return words


class ChooseLast(DepsStep[ChosenBackup, ChosenBackup]):
    """The last capture, or what was chosen at first where that one is damaged or was not to be had."""

    name = "infra.choose_last"
    title = "Choose the dump that is loaded"
    effect = Effect.READ
    manual = ("heroku pg:backups --app {app}",)
    gives = ChosenBackup
    needs = (InfraSeen, OldStopped, ChosenBackup, Proof)
    waits = "the last capture is taken if it restores, holds what must hold and has lost nothing since the first choice"

    @override
    def probe(self, view: View, tell: Tell) -> ChosenBackup:
        chosen, taken = view.need(ChosenBackup), view.get(LastCapture)
        if taken is None or taken.why:
            return self._as_before(chosen, view, tell)
        transfer = self._deps.backups.transfer(self._owner(), taken.id)
        transfer = transfer.model_copy(update={"whose": Whose.OURS})  # this run took it of that very add-on
        wrong, doubts = wanting_in(self._deps, transfer, chosen, view.need(Proof), tell)
        if wrong:
            tell.warn(f"The last state of {self._deps.old_app}, {transfer.name}, is not taken: {wrong}.")
            passed_over = (*chosen.passed_over, f"{transfer.name} ({wrong})")
            return self._as_before(chosen.model_copy(update={"passed_over": passed_over}), view, tell)
        return warn_of(chosen_of(self._deps, Choice((transfer,), looked_for=True, remarks=doubts)), tell)

    def _owner(self) -> str:
        return self._deps.old_attachment().owner_app_name

    def _as_before(self, chosen: ChosenBackup, view: View, tell: Tell) -> ChosenBackup:
        """The first choice; how old it is by now, where the old place wrote on."""
        if not view.need(OldStopped).answers or view.need(InfraSeen).in_place:
            return chosen
        tell.warn(lost_since(self._deps, chosen))
        age = elapsed(chosen.taken_at, now())
        met = age <= self._deps.config.objectives.rpo
        return chosen.model_copy(update={"age_seconds": age, "rpo_met": met})

    @override
    def plan(self, seen: ChosenBackup, view: View) -> Action:
        return Action("read", summary_of(seen, self._deps.config.objectives.rpo))


class ProveLast(InfraProve):
    """Of the dump that is loaded; proven a moment ago if it is the one that was chosen at first."""

    name = "infra.prove_last"
    title = "Prove the dump that is loaded"
    needs = (OldStopped, ChosenBackup, Proof)
    waits = "proven when it is chosen"
    phase = DepsStep.phase
    slow: ClassVar[bool] = False

    @override
    def probe(self, view: View, tell: Tell) -> Proof:
        proof = view.need(Proof)
        return proof if proof.transfer_id == view.need(ChosenBackup).transfer_id else super().probe(view, tell)
