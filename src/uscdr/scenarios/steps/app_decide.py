"""Choose a remedy for a failed application; the operator confirms it by a phrase."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from uscdr.engine.step import Action, BlastRadius, Effect, Reporter, View
from uscdr.errors import BadInput
from uscdr.models.base import Fact
from uscdr.models.migrations import Lack
from uscdr.phrase import short_phrase
from uscdr.scenarios.code import RESTORE, DeployedCode, without
from uscdr.scenarios.diagnosis import config_changes, remedy
from uscdr.scenarios.results.app import AppSeen, DataProbed, Remedy
from uscdr.scenarios.results.db import ApplicationChecked, VerifiedData
from uscdr.scenarios.steps.base import ASSESS, ScenarioStep
from uscdr.words import first_of, plural

if TYPE_CHECKING:
    from uscdr.models.migrations import MigrationsVerdict

CHANGES = ("rollback", "migrate", "redeploy")
_NAMED = "To roll back all the same: uscdr recover app --release vN. To deploy: uscdr recover app --ref REF"


class _AppDecideSeen(Fact):
    """The chosen remedy, and the facts for it."""

    remedy: Remedy
    running: str
    ref: str
    ref_commit: str
    ref_lacks: tuple[Lack, ...] = ()
    refused: str = ""
    """Why the remedy is refused: it would fail, or needs a person's decision."""


class AppDecide(ScenarioStep[_AppDecideSeen, Remedy]):
    """Chooses between rollback, migration and deployment; changes nothing itself."""

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
    def probe(self, view: View, tell: Reporter) -> _AppDecideSeen:
        seen = view.need(AppSeen)
        judged = remedy(seen, wanted=self._deps.request.release, ref=self._deps.request.ref)
        if judged.what == "redeploy" and not seen.ref_commit:
            raise BadInput(f"{seen.ref or 'The source'} cannot be deployed.", why=seen.source)
        judged = judged.model_copy(update={"code": self._code(judged, seen)})
        refused = self._refused(judged.code, seen) if judged.what in CHANGES else ""
        return _AppDecideSeen(
            remedy=judged, running=f"v{seen.current}", ref=seen.ref, ref_commit=seen.ref_commit,
            ref_lacks=seen.ref_lacks, refused=refused,
        )  # fmt: skip

    def _code(self, judged: Remedy, seen: AppSeen) -> MigrationsVerdict:
        """The database against the code that the remedy would run."""
        if judged.to is not None:
            return DeployedCode(self._deps).judge(judged.to.slug_id)
        return seen.ref_code if judged.what == "redeploy" else seen.code

    def _refused(self, found: MigrationsVerdict, seen: AppSeen) -> str:
        """Why the remedy is refused before maintenance mode: it would fail later; empty if it would not."""
        if found.stuck:
            open_still = "" if seen.maintenance else " uscdr did not enable maintenance mode."
            way = DeployedCode(self._deps).way_on(found)
            return f"The code's migrations cannot be applied: {found.stuck[0]}.{open_still} {way}"
        gone = [one for one in self._deps.config.app.expected_tables if one in (*found.lacking, *seen.code.lacking)]
        if gone:
            return f"The database lacks {', '.join(gone)}. A release cannot restore tables. {RESTORE}"
        words = self._deps.config.app.danger_in(found.pending)
        return f"The migration {words} Decide with the developers." if words else ""

    @override
    def plan(self, seen: _AppDecideSeen, view: View) -> Action:
        what = seen.remedy
        if what.what == "none":
            return Action(
                "blocked",
                f"There is nothing to recover: {what.why}.",
                way=f"To look at everything: uscdr verify all. {_NAMED}",
            )
        if what.what == "impossible":
            way = DeployedCode(self._deps).way_on(what.code) or _NAMED
            return Action("blocked", f"uscdr cannot choose a remedy: {what.why}.", way=way)
        if seen.refused:
            return Action("blocked", seen.refused)
        words = "; ".join(f"{name}: {fact}" for name, fact in self._facts(seen).items())
        approved = {"from": seen.running, "to": _goal(seen), "deploy": seen.ref_commit[:12]}
        return Action("change", words, approved=approved)

    def _facts(self, seen: _AppDecideSeen) -> dict[str, str]:
        what = seen.remedy
        facts = {"why": what.why, "application": self._deps.app, "runs now": seen.running, "will be done": _goal(seen)}
        if what.to is not None:
            facts["undone by that"] = "; ".join(what.undone) or "nothing"
            changes = config_changes(what.undone)
            facts["config variables"] = f"changed back: {'; '.join(changes)}" if changes else "stay as they are"
        facts["database"] = _schema(what)
        if what.code.lacking:
            facts["NOT restored"] = f"{first_of(what.code.lacking)}. {RESTORE}"
        if seen.ref_commit and what.what != "redeploy":
            facts["if that does not help"] = f"{seen.ref} ({seen.ref_commit[:12]}) is deployed{without(seen.ref_lacks)}"
        elif what.what == "redeploy" and seen.ref_lacks:
            facts["deployed"] = f"{seen.ref_commit[:12]}{without(seen.ref_lacks)}"
        return facts

    @override
    def blast(self, seen: _AppDecideSeen, view: View) -> BlastRadius:
        return BlastRadius(self._facts(seen), short_phrase(self._deps.app, _goal(seen)))

    @override
    def apply(self, seen: _AppDecideSeen, view: View, tell: Reporter) -> Remedy:
        return seen.remedy

    @override
    def verify(self, result: Remedy, view: View, tell: Reporter) -> str:
        if result.code.ahead:
            tell.warn(f"{plural(len(result.code.ahead), 'applied migration')} unknown to the code will stay applied.")
        return f"decided: {result.what}, because {result.why}"


def _schema(what: Remedy) -> str:
    """How the database differs from the code that will run; the last step checks it again."""
    found = what.code
    if not found.known:
        return "it is NOT KNOWN which migrations were applied since; a rollback undoes none"
    words = [f"AHEAD of that code by {', '.join(found.ahead)}; a rollback does not undo them"] if found.ahead else []
    if found.unfillable:
        words.append(f"that code CANNOT SAVE rows: it does not fill {first_of(found.unfillable)}")
    if found.lacking:
        words.append(f"LACKS {first_of(found.lacking)}, which that code reads")
    if found.pending:
        words.append(f"{plural(len(found.pending), 'migration')} will be applied: {', '.join(found.pending)}")
    if found.runs_code:
        words.append(f"not tried beforehand, because they run Python code: {', '.join(found.runs_code)}")
    return "; ".join(words) or "no migration was applied since"


def _goal(seen: _AppDecideSeen) -> str:
    what = seen.remedy
    if what.to is not None:
        return f"roll back to v{what.to.version}"
    if what.what == "migrate":
        return "apply pending migrations"
    return f"deploy {seen.ref_commit[:12]}"
