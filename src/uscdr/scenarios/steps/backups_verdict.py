"""The end: whether the backup system is what was promised, part by part, and what to do about what is not."""

from __future__ import annotations

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.errors import CheckFailed
from uscdr.models.events import Call
from uscdr.scenarios.backups.inventory import take, vault_of
from uscdr.scenarios.backups.standing import Objective, cron_for, objectives, platform_alone, stand
from uscdr.scenarios.deps import now
from uscdr.scenarios.results_backups import BackupsVerdict, CopyMade, CopyProven
from uscdr.scenarios.steps.backups_pull import HOW_TO_NAME
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.words import reads
from uscdr.words import duration


class BackupsJudged(DepsStep[BackupsVerdict, BackupsVerdict]):
    """A fresh look, and the arithmetic of `uscdr backup status`. What is missed ends the run with exit 1."""

    name = "backups.verdict"
    title = "Is the objective met?"
    effect = Effect.READ
    manual = (
        "heroku pg:backups --app {app}   # the longest time between two + the time that one takes <= RPO?",
        "crontab -e   # more often than the RPO: heroku pg:backups:capture; daily backups alone lose up to a day",
    )
    gives = BackupsVerdict
    needs = (CopyProven,)
    waits = "the objective is reckoned anew when the new backup is proven"

    @override
    def probe(self, view: View, tell: Tell) -> BackupsVerdict:
        known, cron = take(self._deps), cron_for(self._deps)
        standing = stand(self._deps, known, now())
        parts = objectives(standing, cron)
        for one in parts:
            tell.check(one.name, one.verdict, one.evidence)
        missed = [one for one in parts if one.verdict != "pass"]
        if missed or not standing.met:
            raise self._missed(missed, view)
        if not platform_alone(standing):
            tell.warn(
                f"Met by what was captured today. The platform alone makes daily backups: without `crontab -e` it is "
                f"missed again in {duration(standing.objective)}: {cron}"
            )
        return BackupsVerdict(standing=standing, parts=len(parts), cron=cron)

    def _missed(self, missed: list[Objective], view: View) -> CheckFailed:
        limit = duration(self._deps.config.objectives.rpo)
        mends = list(dict.fromkeys(one.mend for one in missed if one.mend))
        if view.get(CopyMade) is None and vault_of(self._deps).keyring() is None:
            mends.insert(0, f"Name who can open copies: {HOW_TO_NAME}")
        return CheckFailed(
            f"Backups can be made and restored, but the RPO of {limit} is missed: "
            + "; ".join(f"{one.name}: {one.evidence}" for one in missed),
            next_action=f"{'. '.join(mends)}. Then judge again: uscdr runs resume",
        )

    @override
    def plan(self, seen: BackupsVerdict, view: View) -> Action:
        proven = view.need(CopyProven)
        words = f"the backup system is operational: {proven.backup} restores ({proven.grade}), RPO met"
        return Action("read", words, self.calls())

    @override
    def calls(self) -> tuple[Call, ...]:
        return (
            reads("GET", f"/client/v11/apps/{self._deps.app}/transfers"),
            reads("GET", "/client/v11/databases/…/transfer-schedules"),
            Call(provider="vault", request=f"list {vault_of(self._deps).store().place}", writes=False),
        )
