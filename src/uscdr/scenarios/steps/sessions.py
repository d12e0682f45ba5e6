"""End other clients' sessions, which would hold locks against the restore or write behind its back."""

from __future__ import annotations

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.errors import ProviderError
from uscdr.models.base import Fact
from uscdr.scenarios.results import Drained, SessionsEnded
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.words import sql
from uscdr.words import plural


class SessionsSeen(Fact):
    """Other sessions now; `reachable` is False when the database does not answer."""

    reachable: bool
    others: int = 0


class EndSessions(DepsStep[SessionsSeen, SessionsEnded]):
    """Ends them through the database itself."""

    name = "postgres.end_sessions"
    title = "End other sessions"
    default_id = "sessions"
    effect = Effect.IDEMPOTENT
    manual = ("heroku pg:killall --app {app}",)
    gives = SessionsEnded
    needs = (Drained,)
    plans_with = ()

    @override
    def probe(self, view: View, tell: Tell) -> SessionsSeen:
        try:
            return SessionsSeen(reachable=True, others=len(self._deps.database().sessions()))
        except ProviderError:
            return SessionsSeen(reachable=False)

    @override
    def plan(self, seen: SessionsSeen, view: View) -> Action:
        if not seen.reachable:
            return Action("skip", "the database does not answer, so nobody is connected through it")
        if not seen.others:
            return Action("noop", "nobody else is connected")
        calls = (sql("SELECT pg_terminate_backend(…) for every other session", changes=True),)
        return Action("change", f"{plural(seen.others, 'other session')} will be ended", calls)

    @override
    def apply(self, seen: Fact, view: View, tell: Tell) -> SessionsEnded:
        database = self._deps.database()
        ended = database.end_sessions()
        return SessionsEnded(ended=ended, left=len(database.sessions()))

    @override
    def unchanged(self, seen: Fact, view: View) -> SessionsEnded:
        return SessionsEnded(ended=0)

    @override
    def confirm_effect(self, result: SessionsEnded, view: View, tell: Tell) -> str:
        if result.left:
            tell.warn(f"{plural(result.left, 'session')} of other roles cannot be ended by us.")
        return f"{plural(result.ended, 'session')} ended"
