"""What is to be done about a failed application: judged, shown, confirmed by a phrase, recorded."""

from __future__ import annotations

from typing_extensions import override

from uscdr.engine.step import Action, Blast, Effect, Tell, View
from uscdr.errors import BadInput, MachineError, ProviderError
from uscdr.models.base import Fact
from uscdr.models.migrations import compare
from uscdr.models.provision import Lack
from uscdr.scenarios.code import commit_of, without
from uscdr.scenarios.remedy import config_changes, remedy
from uscdr.scenarios.results import ApplicationChecked, VerifiedData
from uscdr.scenarios.results_app import AppSeen, DataProbed, Remedy
from uscdr.scenarios.steps.base import ASSESS, DepsStep
from uscdr.words import plural

NOTHING_TO_DO = "There is nothing to recover: {why}. To go back anyway: --release vN; to deploy: --ref REF."


class DecideSeen(Fact):
    """The judgement, and what it rests on."""

    remedy: Remedy
    running: str
    ref: str
    ref_commit: str
    ref_lacks: tuple[Lack, ...] = ()


class Decide(DepsStep[DecideSeen, Remedy]):
    """Chooses between going back, migrating and deploying; changes nothing itself."""

    name = "app.decide"
    title = "Decide"
    phase = ASSESS
    effect = Effect.IDEMPOTENT
    destructive = True
    manual = ("heroku releases:info $RELEASE --app {app}   # what came just before the failure?",)
    gives = Remedy
    needs = (AppSeen,)
    checked_by = (DataProbed, VerifiedData, ApplicationChecked)

    @override
    def probe(self, view: View, tell: Tell) -> DecideSeen:
        seen = view.need(AppSeen)
        judged = remedy(seen, wanted=self._deps.request.release, ref=self._deps.request.ref)
        if judged.what == "redeploy" and not seen.ref_commit:
            raise BadInput(f"{seen.ref or 'The source'} cannot be deployed.", why=seen.source)
        if judged.what == "rollback":
            judged = self._with_migrations(judged, tell)
        return DecideSeen(
            remedy=judged, running=f"v{seen.current}", ref=seen.ref, ref_commit=seen.ref_commit,
            ref_lacks=seen.ref_lacks,
        )  # fmt: skip

    def _with_migrations(self, judged: Remedy, tell: Tell) -> Remedy:
        """Which applied migrations the older code does not know."""
        commit = commit_of(self._deps, judged.to.slug_id if judged.to else None)
        if not commit or self._deps.source is None:
            return judged
        try:
            code = self._deps.source.archive(commit, self._deps.work)
            found = compare(code, self._deps.database().migrations())
        except (ProviderError, MachineError, BadInput) as error:
            tell.warn(f"Which migrations were applied since is not known: {error.message}")
            return judged
        return judged.model_copy(update={"ahead": found.ahead, "ahead_known": found.known})

    @override
    def plan(self, seen: DecideSeen, view: View) -> Action:
        what = seen.remedy
        if what.what == "none":
            return Action("blocked", NOTHING_TO_DO.format(why=what.why))
        if what.what == "impossible":
            return Action("blocked", f"No remedy can be chosen: {what.why}. Name one: --release vN or --ref REF.")
        words = "; ".join(f"{name}: {fact}" for name, fact in self._facts(seen).items())
        approved = {"from": seen.running, "to": _goal(seen), "deploy": seen.ref_commit[:12]}
        return Action("change", words, approved=approved)

    def _facts(self, seen: DecideSeen) -> dict[str, str]:
        what = seen.remedy
        facts = {"why": what.why, "application": self._deps.app, "runs now": seen.running, "will be done": _goal(seen)}
        if what.to is not None:
            facts["undone by that"] = "; ".join(what.undone) or "nothing"
            changes = config_changes(what.undone)
            facts["config variables"] = f"changed back: {'; '.join(changes)}" if changes else "stay as they are"
            facts["database"] = _schema(what)
        if seen.ref_commit and what.what != "redeploy":
            facts["if that does not help"] = f"{seen.ref} ({seen.ref_commit[:12]}) is deployed{without(seen.ref_lacks)}"
        elif what.what == "redeploy" and seen.ref_lacks:
            facts["deployed"] = f"{seen.ref_commit[:12]}{without(seen.ref_lacks)}"
        return facts

    @override
    def blast(self, seen: DecideSeen, view: View) -> Blast:
        spare = f", else deploy {seen.ref_commit[:12]}" if seen.ref_commit and seen.remedy.what != "redeploy" else ""
        return Blast(facts=self._facts(seen), phrases=(f"{self._deps.app} {seen.running}: {_goal(seen)}{spare}",))

    @override
    def apply(self, seen: DecideSeen, view: View, tell: Tell) -> Remedy:
        return seen.remedy

    @override
    def confirm_effect(self, result: Remedy, view: View, tell: Tell) -> str:
        if result.ahead:
            tell.warn(f"{plural(len(result.ahead), 'migration')} stay applied that the older code does not know.")
        return f"decided: {result.what}, because {result.why}"


def _schema(what: Remedy) -> str:
    if not what.ahead_known:
        return "which migrations were applied since is NOT KNOWN; a rollback undoes none"
    if not what.ahead:
        return "no migration was applied since"
    return f"AHEAD of that code by {', '.join(what.ahead)}; a rollback does not undo them"


def _goal(seen: DecideSeen) -> str:
    what = seen.remedy
    if what.to is not None:
        return f"roll back to v{what.to.version}"
    if what.what == "migrate":
        return "apply pending migrations"
    return f"deploy {seen.ref_commit[:12]}"
