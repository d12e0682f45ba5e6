"""After the switch: the people, and what the old place still holds."""

from __future__ import annotations

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.errors import CheckFailed, NotFound, ProviderError
from uscdr.models.base import Fact
from uscdr.scenarios.results_infra import InfraSeen, OldPlaceSeen, PeopleAdded, Switched
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.words import reads, writes
from uscdr.words import plural


class PeopleSeen(Fact):
    """Which of the old collaborators are missing."""

    missing: tuple[str, ...]


class AddPeople(DepsStep[PeopleSeen, PeopleAdded]):
    """Those who could work on the old place can work on the new one."""

    name = "infra.people"
    title = "Collaborators"
    effect = Effect.IDEMPOTENT
    sends = (writes("POST", "/apps/{new_app}/collaborators"),)
    manual = ("heroku access:add $EMAIL --app {new_app}",)
    gives = PeopleAdded
    needs = (InfraSeen, Switched)
    waits = "collaborators are added after the switch"

    @override
    def probe(self, view: View, tell: Tell) -> PeopleSeen:
        scope, there = view.need(InfraSeen), self._deps.provisioning.collaborators(self._deps.app)
        return PeopleSeen(missing=tuple(one for one in scope.collaborators if one not in there))

    @override
    def plan(self, seen: PeopleSeen, view: View) -> Action:
        if not seen.missing:
            return Action("noop", "no collaborator is missing")
        return Action("change", f"added: {plural(len(seen.missing), 'collaborator')}", self.calls())

    @override
    def apply(self, seen: PeopleSeen, view: View, tell: Tell) -> PeopleAdded:
        for email in seen.missing:
            self._deps.provisioning.add_collaborator(self._deps.app, email)
        return PeopleAdded(added=len(seen.missing))

    @override
    def unchanged(self, seen: PeopleSeen, view: View) -> PeopleAdded:
        return PeopleAdded(added=0)

    @override
    def confirm_effect(self, result: PeopleAdded, view: View, tell: Tell) -> str:
        if self.probe(view, tell).missing:
            raise CheckFailed(
                "Not every collaborator is in the new place.",
                next_action=f"See: heroku access --app {self._deps.app}; then: uscdr runs resume",
            )
        return f"{plural(result.added, 'collaborator')} added"


class OldPlaceLook(DepsStep[OldPlaceSeen, OldPlaceSeen]):
    """What is left there: costs, data, names. Nothing of it is deleted."""

    name = "infra.old_place"
    title = "What the old place holds"
    effect = Effect.READ
    manual = ("heroku addons --app {app}",)
    gives = OldPlaceSeen
    needs = (Switched,)
    waits = "what the old place still holds is listed at the end"

    @override
    def probe(self, view: View, tell: Tell) -> OldPlaceSeen:
        app = self._deps.old_app
        if app == self._deps.app:
            return OldPlaceSeen(holds=())
        try:
            self._deps.platform.app(app)
            addons = [f"{one.name} ({one.plan})" for one in self._deps.platform.addons(app)]
            names = [d.hostname for d in self._deps.provisioning.domains(app) if d.kind == "custom"]
        except NotFound:
            return OldPlaceSeen(holds=(f"{app} is gone",))
        except ProviderError as error:
            return OldPlaceSeen(holds=(f"not known: {error.message}",))
        return OldPlaceSeen(holds=(*addons, *(f"hostname {name}" for name in names), f"application {app}, stopped"))

    @override
    def plan(self, seen: OldPlaceSeen, view: View) -> Action:
        app = self._deps.old_app
        calls = (reads("GET", f"/apps/{app}/addons"),)
        words = "; ".join(seen.holds) or "the application was rebuilt in place"
        return Action("read", f"the old place still holds: {words}", calls)
