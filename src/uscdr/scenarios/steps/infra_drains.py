"""After the switch: the new place's log goes where the old one's went. Addresses are secrets but for their hosts."""

from __future__ import annotations

from pydantic import SecretStr
from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.errors import CheckFailed
from uscdr.models.base import Fact
from uscdr.scenarios.results_infra import DrainsAdded, InfraSeen, Switched
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.words import writes
from uscdr.words import plural


class DrainsSeen(Fact):
    """Hosts: of drains that are missing, that are there, and whose address neither platform nor kit gives."""

    missing: tuple[str, ...]
    there: tuple[str, ...]
    unknown: tuple[str, ...]


class AddDrains(DepsStep[DrainsSeen, DrainsAdded]):
    """Those that an add-on brings along come with it, and are left alone."""

    name = "infra.drains"
    title = "Log drains"
    effect = Effect.IDEMPOTENT
    sends = (writes("POST", "/apps/{new_app}/log-drains"),)
    manual = ("heroku drains:add $URL --app {new_app}",)
    gives = DrainsAdded
    needs = (InfraSeen, Switched)
    waits = "log drains are added after the switch"

    def _wanted(self) -> dict[str, list[SecretStr]]:
        """Host -> addresses; none for a drain of which only the host was kept."""
        facts, wanted = self._deps.old.place(self._deps.old_app).facts, dict[str, list[SecretStr]]()
        for drain in facts.log_drains if facts else ():
            if not drain.addon:
                wanted.setdefault(drain.host, []).extend([drain.url] if drain.url is not None else [])
        return wanted

    def _there(self) -> set[SecretStr]:
        drains = self._deps.provisioning.log_drains(self._deps.app)
        return {one.url for one in drains if one.url is not None}

    @override
    def probe(self, view: View, tell: Tell) -> DrainsSeen:
        wanted, there = self._wanted(), self._there()
        lost = set(view.need(InfraSeen).log_drains) - wanted.keys()
        return DrainsSeen(
            missing=tuple(sorted(host for host, urls in wanted.items() for url in urls if url not in there)),
            there=tuple(sorted(host for host, urls in wanted.items() for url in urls if url in there)),
            unknown=tuple(sorted({host for host, urls in wanted.items() if not urls} | lost)),
        )

    @override
    def plan(self, seen: DrainsSeen, view: View) -> Action:
        if not seen.missing:
            return Action("noop", f"no log drain is missing{_by_hand(seen.unknown)}")
        words = f"the log goes to {', '.join(seen.missing)} again{_by_hand(seen.unknown)}"
        return Action("change", words, self.calls())

    @override
    def apply(self, seen: DrainsSeen, view: View, tell: Tell) -> DrainsAdded:
        there = self._there()
        for urls in self._wanted().values():
            for url in urls:
                if url not in there:
                    self._deps.provisioning.add_log_drain(self._deps.app, url)
        if seen.unknown:
            tell.warn(f"Add by hand, their addresses are not known: log drains to {', '.join(seen.unknown)}.")
        return DrainsAdded(added=seen.missing, unknown=seen.unknown)

    @override
    def unchanged(self, seen: DrainsSeen, view: View) -> DrainsAdded:
        return DrainsAdded(added=(), unknown=seen.unknown)

    @override
    def confirm_effect(self, result: DrainsAdded, view: View, tell: Tell) -> str:
        missing = self.probe(view, tell).missing
        if missing:
            raise CheckFailed(
                f"The log does not go to {', '.join(missing)}.",
                next_action=f"See: heroku drains --app {self._deps.app}; then: uscdr runs resume",
            )
        return f"{plural(len(result.added), 'log drain')} added{_by_hand(result.unknown)}"


def _by_hand(unknown: tuple[str, ...]) -> str:
    return f"; to be added by hand, their addresses are not known: {', '.join(unknown)}" if unknown else ""
