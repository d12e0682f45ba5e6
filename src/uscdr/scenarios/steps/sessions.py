"""End other clients' sessions, which would hold locks against the restore or write behind its back."""

from __future__ import annotations

from uscdr.engine.step import Action, Tell, View
from uscdr.errors import ProviderError
from uscdr.models.base import Fact
from uscdr.scenarios.results import SessionsEnded
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.words import plural, sql


class SessionsSeen(Fact):
    """Other sessions now; `reachable` is False when the database does not answer."""

    reachable: bool
    others: int = 0


class EndSessions(DepsStep[SessionsSeen, SessionsEnded]):
    """Ends them through the database itself."""

    result = SessionsEnded

    def probe(self, view: View, tell: Tell) -> SessionsSeen:
        """Count them."""
        try:
            return SessionsSeen(reachable=True, others=len(self._deps.database().sessions()))
        except ProviderError:
            return SessionsSeen(reachable=False)

    def plan(self, seen: SessionsSeen, view: View) -> Action:
        """Skip when the database does not answer."""
        manual = (f"heroku pg:killall --app {self._deps.app}",)
        if not seen.reachable:
            return Action("skip", "the database does not answer, so nobody is connected through it", (), manual)
        if not seen.others:
            return Action("noop", "nobody else is connected", (), manual)
        calls = (sql("SELECT pg_terminate_backend(…) for every other session", changes=True),)
        return Action("change", f"{plural(seen.others, 'other session')} will be ended", calls, manual)

    def apply(self, seen: Fact, view: View, tell: Tell) -> SessionsEnded:
        """End them; those of other roles cannot be ended and are counted."""
        database = self._deps.database()
        ended = database.end_sessions()
        return SessionsEnded(ended=ended, left=len(database.sessions()))

    def unchanged(self, seen: Fact, view: View) -> SessionsEnded:
        """Nobody was there."""
        return SessionsEnded(ended=0)

    def confirm_effect(self, result: SessionsEnded, view: View, tell: Tell) -> str:
        """Say how many remain."""
        if result.left:
            tell.warn(f"{plural(result.left, 'session')} of other roles cannot be ended by us.")
        return f"{plural(result.ended, 'session')} ended"
