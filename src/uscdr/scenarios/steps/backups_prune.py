"""Removing the copies that retention does not keep; cut off half way, the rest of what was approved still goes."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from uscdr.engine.step import Action, Blast, Effect, Tell, View
from uscdr.errors import CheckFailed, Outdated
from uscdr.models.base import Fact
from uscdr.models.events import Call
from uscdr.scenarios.backups.inventory import vault_of
from uscdr.scenarios.backups.prunable import prunable
from uscdr.scenarios.results_backups import CopiesRemoved
from uscdr.scenarios.steps.base import DepsStep
from uscdr.vault.backups import catalog, pruning
from uscdr.vault.backups.manifest import BACKUPS

LOOK_AGAIN = "Look again: uscdr backup prune"


class CopiesSeen(Fact):
    """The ids of copies to remove, and what is said of them before."""

    place: str
    ids: tuple[str, ...]
    kept: int
    phrase: str
    facts: dict[str, str]
    stays: str = ""
    approved: tuple[str, ...] | None = None
    """Ids that an earlier process began to remove; None when none did."""


class PruneCopies(DepsStep[CopiesSeen, CopiesRemoved]):
    """Never the newest proven one. What came or went since it was approved stops it before anything is removed."""

    name = "backup.prune"
    title = "Remove copies that retention does not keep"
    effect = Effect.IDEMPOTENT
    destructive = True
    manual = ("rm -r $VAULT/backups/$COPY   # its manifest first; never the newest proven copy",)
    gives = CopiesRemoved

    @override
    def probe(self, view: View, tell: Tell) -> CopiesSeen:
        begun = view.intents.get(self.id)
        if begun is None:
            return self._look(None)
        seen = self._look(begun.texts("ids"))
        return seen.model_copy(update={"phrase": begun.text("phrase")})

    def _look(self, approved: tuple[str, ...] | None) -> CopiesSeen:
        store = vault_of(self._deps).store()
        there = catalog.shelf(store)
        planned = prunable(self._deps, there)
        ids = planned.ids
        if approved is not None:
            whole = {card.id for card in there.copies}
            approved = tuple(one for one in approved if one in planned.ids or one not in whole)
            ids = tuple(one for one in approved if one in {*whole, *there.unfinished})
        return CopiesSeen(
            place=store.place, ids=ids, kept=planned.kept, phrase=planned.phrase, facts=planned.facts,
            stays=planned.stays, approved=approved,
        )  # fmt: skip

    @override
    def plan(self, seen: CopiesSeen, view: View) -> Action:
        if not seen.ids:
            return Action("noop", f"nothing to remove from {seen.place}")
        calls = (Call(provider="vault", request=f"delete the parts of {' '.join(seen.ids)}", writes=True),)
        return Action("change", seen.phrase, calls, approved={"copies": seen.phrase})

    @override
    def blast(self, seen: CopiesSeen, view: View) -> Blast:
        return Blast(facts=seen.facts, phrases=(seen.phrase,))

    @override
    def baseline(self, seen: CopiesSeen) -> dict[str, Any]:
        return {"ids": list(seen.approved or seen.ids), "phrase": seen.phrase}

    @override
    def apply(self, seen: CopiesSeen, view: View, tell: Tell) -> CopiesRemoved:
        vault = vault_of(self._deps)
        with vault.turn("removing copies", tell.progress):
            now = self._look(seen.approved)
            if now.ids != seen.ids or (seen.approved is None and now.phrase != seen.phrase):
                raise Outdated(
                    "What is in the store changed since this was shown; nothing was removed.", next_action=LOOK_AGAIN
                )
            held = pruning.carry_out(vault.store(), seen.ids)
        gone = tuple(one for one in seen.approved or seen.ids if one not in held)
        return CopiesRemoved(ids=gone, kept=seen.kept + len(held), held=held, stays=seen.stays)

    @override
    def unchanged(self, seen: CopiesSeen, view: View) -> CopiesRemoved:
        return CopiesRemoved(ids=seen.approved or seen.ids, kept=seen.kept, stays=seen.stays)

    @override
    def confirm_effect(self, result: CopiesRemoved, view: View, tell: Tell) -> str:
        store = vault_of(self._deps).store()
        left = [one for one in result.ids if store.names(f"{BACKUPS}/{one}")]
        if left:
            raise CheckFailed(f"Still there: {', '.join(left)}.", next_action=LOOK_AGAIN)
        held = f", of them {len(result.held)} that the store's own retention holds" if result.held else ""
        stays = f"; {result.stays}" if result.stays and result.ids else ""
        return f"copies removed: {len(result.ids)}, kept: {result.kept}{held}{stays}"
