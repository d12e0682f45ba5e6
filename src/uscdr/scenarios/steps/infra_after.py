"""After the switch: the people, and what the old place still holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, SecretStr
from typing_extensions import override

from uscdr.engine.step import Action, Effect, Reporter, View
from uscdr.errors import CheckFailed, MachineError, NotFound, ProviderError
from uscdr.models.base import Fact
from uscdr.models.events import Call
from uscdr.scenarios.infra.names import is_led
from uscdr.scenarios.results.db import ApplicationChecked, Restored
from uscdr.scenarios.results.infra import CertificatesSeen, DomainsBound, InfraSeen, Materials, Switched
from uscdr.scenarios.steps.base import ScenarioStep, reads, writes
from uscdr.scenarios.steps.infra_domains import ISSUED, state_of
from uscdr.words import first_of, plural

if TYPE_CHECKING:
    from collections.abc import Mapping

    from uscdr.checks.context import CheckContext


class _PeopleAdded(Fact):
    """Collaborators that were added."""

    added: int


class _DrainsAdded(Fact):
    """Hosts of log drains: those that were added, and those whose address nobody knows, for a person to add."""

    added: tuple[str, ...]
    unknown: tuple[str, ...] = ()


class _OldPlaceSeen(Fact):
    """What the old place still holds."""

    holds: tuple[str, ...]


class _PeopleSeen(Fact):
    """Which of the old collaborators are missing."""

    missing: tuple[str, ...]


class AddPeople(ScenarioStep[_PeopleSeen, _PeopleAdded]):
    """Those who could work on the old place can work on the new one."""

    name = "infra.people"
    title = "Collaborators"
    effect = Effect.IDEMPOTENT
    sends = (writes("POST", "/apps/{new_app}/collaborators"),)
    manual = ("heroku access:add $EMAIL --app {new_app}",)
    gives = _PeopleAdded
    needs = (InfraSeen, Switched)
    waits = "collaborators are added after the switch"

    @override
    def probe(self, view: View, tell: Reporter) -> _PeopleSeen:
        scope, there = view.need(InfraSeen), self._deps.provisioning.collaborators(self._deps.app)
        return _PeopleSeen(missing=tuple(one for one in scope.collaborators if one not in there))

    @override
    def plan(self, seen: _PeopleSeen, view: View) -> Action:
        if not seen.missing:
            return Action("noop", "no collaborator is missing")
        return Action("change", f"added: {plural(len(seen.missing), 'collaborator')}", self.calls())

    @override
    def apply(self, seen: _PeopleSeen, view: View, tell: Reporter) -> _PeopleAdded:
        for email in seen.missing:
            self._deps.provisioning.add_collaborator(self._deps.app, email)
        return _PeopleAdded(added=len(seen.missing))

    @override
    def current(self, seen: _PeopleSeen, view: View) -> _PeopleAdded:
        return _PeopleAdded(added=0)

    @override
    def verify(self, result: _PeopleAdded, view: View, tell: Reporter) -> str:
        if self.probe(view, tell).missing:
            raise CheckFailed(
                "Not every collaborator is in the new place.",
                next_action=f"See: heroku access --app {self._deps.app}; then: uscdr runs resume",
            )
        return f"{plural(result.added, 'collaborator')} added"


class OldPlaceLook(ScenarioStep[_OldPlaceSeen, _OldPlaceSeen]):
    """What is left there: costs, data, names. Nothing of it is deleted."""

    name = "infra.old_place"
    title = "What the old place holds"
    effect = Effect.READ
    manual = ("heroku addons --app {app}",)
    gives = _OldPlaceSeen
    needs = (Switched,)
    waits = "what the old place still holds is listed at the end"

    @override
    def probe(self, view: View, tell: Reporter) -> _OldPlaceSeen:
        app = self._deps.old_app
        if app == self._deps.app:
            return _OldPlaceSeen(holds=())
        try:
            self._deps.platform.app(app)
            addons = [f"{one.name} ({one.plan})" for one in self._deps.platform.addons(app)]
            names = [d.hostname for d in self._deps.provisioning.domains(app) if d.kind == "custom"]
        except NotFound:
            return _OldPlaceSeen(holds=(f"{app} is gone",))
        except ProviderError as error:
            return _OldPlaceSeen(holds=(f"not known: {error.message}",))
        return _OldPlaceSeen(holds=(*addons, *(f"hostname {name}" for name in names), f"application {app}, stopped"))

    @override
    def plan(self, seen: _OldPlaceSeen, view: View) -> Action:
        app = self._deps.old_app
        calls = (reads("GET", f"/apps/{app}/addons"),)
        words = "; ".join(seen.holds) or "the application was rebuilt in place"
        return Action("read", f"the old place still holds: {words}", calls)


# After the switch: the new place's log goes where the old one's went. Addresses are secrets but for their hosts.


class _DrainsSeen(Fact):
    """Hosts: of drains that are missing, that are there, and whose address neither platform nor kit gives."""

    missing: tuple[str, ...]
    there: tuple[str, ...]
    unknown: tuple[str, ...]


class AddDrains(ScenarioStep[_DrainsSeen, _DrainsAdded]):
    """Those that an add-on brings along come with it, and are left alone."""

    name = "infra.drains"
    title = "Log drains"
    effect = Effect.IDEMPOTENT
    sends = (writes("POST", "/apps/{new_app}/log-drains"),)
    manual = ("heroku drains:add $URL --app {new_app}",)
    gives = _DrainsAdded
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
    def probe(self, view: View, tell: Reporter) -> _DrainsSeen:
        wanted, there = self._wanted(), self._there()
        lost = set(view.need(InfraSeen).log_drains) - wanted.keys()
        return _DrainsSeen(
            missing=tuple(sorted(host for host, urls in wanted.items() for url in urls if url not in there)),
            there=tuple(sorted(host for host, urls in wanted.items() for url in urls if url in there)),
            unknown=tuple(sorted({host for host, urls in wanted.items() if not urls} | lost)),
        )

    @override
    def plan(self, seen: _DrainsSeen, view: View) -> Action:
        if not seen.missing:
            return Action("noop", f"no log drain is missing{_by_hand(seen.unknown)}")
        words = f"the log goes to {', '.join(seen.missing)} again{_by_hand(seen.unknown)}"
        return Action("change", words, self.calls())

    @override
    def apply(self, seen: _DrainsSeen, view: View, tell: Reporter) -> _DrainsAdded:
        there = self._there()
        for urls in self._wanted().values():
            for url in urls:
                if url not in there:
                    self._deps.provisioning.add_log_drain(self._deps.app, url)
        if seen.unknown:
            tell.warn(f"Add by hand, their addresses are not known: log drains to {', '.join(seen.unknown)}.")
        return _DrainsAdded(added=seen.missing, unknown=seen.unknown)

    @override
    def current(self, seen: _DrainsSeen, view: View) -> _DrainsAdded:
        return _DrainsAdded(added=(), unknown=seen.unknown)

    @override
    def verify(self, result: _DrainsAdded, view: View, tell: Reporter) -> str:
        missing = self.probe(view, tell).missing
        if missing:
            raise CheckFailed(
                f"The log does not go to {', '.join(missing)}.",
                next_action=f"See: heroku drains --app {self._deps.app}; then: uscdr runs resume",
            )
        return f"{plural(len(result.added), 'log drain')} added{_by_hand(result.unknown)}"


def _by_hand(unknown: tuple[str, ...]) -> str:
    return f"; to be added by hand, their addresses are not known: {', '.join(unknown)}" if unknown else ""


# The rebuilt place as its users reach it: by its hostnames, with a certificate for them, and not only by its own.


CHECK = "public address of "
ERRORS, GONE, BROKEN = 400, 404, 500
"""Statuses. A name that scenarios.yaml does not list may be one that the application itself refuses, then as before."""
VERDICTS: Mapping[str, Literal["pass", "fail", "inconclusive"]] = {
    "good": "pass", "bad": "fail", "unknown": "inconclusive"
}  # fmt: skip
ANY = "any"
"""The label that stands for `*`: whoever serves a wildcard serves it."""


class _PublicSeen(Fact):
    """Hostname -> what was seen, by verdict."""

    good: dict[str, str] = Field(default_factory=dict)
    bad: dict[str, str] = Field(default_factory=dict)
    unknown: dict[str, str] = Field(default_factory=dict)
    left: tuple[str, ...] = ()
    """Not asked: their record does not lead here yet, or they have no certificate; both are left to a person."""


class PublicLook(ScenarioStep[_PublicSeen, _PublicSeen]):
    """Connects to the hostname's target, speaks TLS in the hostname's name, and asks for the front page."""

    name = "infra.public"
    title = "Look through the public names"
    effect = Effect.READ
    manual = ("curl -sSI --connect-to $HOSTNAME:443:$TARGET:443 https://$HOSTNAME/",)
    gives = _PublicSeen
    needs = (DomainsBound, Switched, CertificatesSeen)
    waits = "the application is asked through its public names when they lead to it"

    @override
    def probe(self, view: View, tell: Reporter) -> _PublicSeen:
        left = {one.hostname for one in view.need(Switched).left if is_led(self._deps, one) is not True}
        left |= set(view.need(CertificatesSeen).left) - {one.hostname for one in view.need(Switched).left}
        seen: dict[str, dict[str, str]] = {"good": {}, "bad": {}, "unknown": {}}
        with self._deps.world() as world:
            for one in view.need(DomainsBound).targets:
                if one.hostname in left:
                    tell.check(CHECK + one.hostname, "not checked", "its record or its certificate is left to a person")
                    continue
                tell.progress(f"asking {one.hostname}")
                verdict, words = self._asked(world, one.hostname, one.target)
                seen[verdict][one.hostname] = words
                tell.check(CHECK + one.hostname, VERDICTS[verdict], words)
        return _PublicSeen(**seen, left=tuple(sorted(left)))

    def _asked(self, world: CheckContext, hostname: str, target: str) -> tuple[str, str]:
        """The hostname's own address may still be the old one in resolvers: its target's is asked."""
        try:
            own = world.website().ask("GET", "/").status
            found = self._deps.dns.verifier.addresses(target) if self._deps.dns else None
            status = world.tls.answer(hostname.replace("*", ANY, 1), found[0] if found else "")
        except (ProviderError, MachineError) as error:
            return "unknown", f"{error.message} {error.why}".strip()
        led = self._deps.services.dns.hostnames if self._deps.services.dns else ()
        if hostname not in led and ERRORS <= status < BROKEN and status != GONE:
            return (
                "good",
                f"https://{hostname}/ is answered by the application with {status}: its config may not name it",
            )
        if status != own and status >= ERRORS:
            return "bad", f"https://{hostname}/ answers {status}, the application's own address {own}"
        return "good", f"https://{hostname}/ answers {status}, its certificate is trusted"

    @override
    def plan(self, seen: _PublicSeen, view: View) -> Action:
        calls = (Call(provider="app", request="GET https://…/ of every hostname", writes=False),)
        wrong = [*seen.bad.values(), *(f"{name}: {words}" for name, words in seen.unknown.items())]
        if wrong:
            return Action("blocked", f"The new place is not reached as its users reach it: {'; '.join(wrong)}", calls)
        words = [*seen.good.values(), *(f"{name}: not checked, left to a person" for name in seen.left)]
        return Action("read", "; ".join(words) or "no hostname", calls)


# The end of a rebuilt place: what only a person can do, looked at anew each time, so that it can be seen done.


class _LeftSeen(Fact):
    """Tasks in words: those without which users do not reach the new place, and those that change nothing for them."""

    open: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    """What the old place had and this one has not, with what a person does."""


class LeftLook(ScenarioStep[_LeftSeen, _LeftSeen]):
    """Asks the name servers and the platform; an open task is no success, and a resumed run looks again."""

    name = "infra.left"
    title = "What is left to people"
    effect = Effect.READ
    manual = ("dig $HOSTNAME A; dig $TARGET A   # the same addresses?", "heroku certs:auto --app {new_app}")
    gives = _LeftSeen
    needs = (InfraSeen, Materials, Switched, ApplicationChecked)
    waits = "names whose record a person has to make are looked at again at the end"

    @override
    def probe(self, view: View, tell: Reporter) -> _LeftSeen:
        scope, left = view.need(InfraSeen), view.need(Switched).left
        unled = [one for one in left if is_led(self._deps, one) is not True]
        awaited = view.get(CertificatesSeen)
        mine = {one.hostname for one in left if one not in unled} | (set(awaited.left) if awaited else set())
        certificates = self._without_certificate(mine - {one.hostname for one in unled})
        missed = [one.task for one in unled if one.hostname not in scope.nowhere]
        unmissed = [f"{one.task}; it did not lead to the old place either" for one in unled
                    if one.hostname in scope.nowhere]  # fmt: skip
        return _LeftSeen(open=(*missed, *certificates), told=tuple(unmissed), lost=self._lost(scope, view))

    def _lost(self, scope: InfraSeen, view: View) -> tuple[str, ...]:
        there, drains = {one.type for one in self._deps.platform.formation(self._deps.app)}, view.get(_DrainsAdded)
        absent = sorted(kind for kind, number in scope.formation.items() if number and kind not in there)
        unknown = drains.unknown if drains else ()
        unset, loaded = view.need(Materials).left, view.get(Restored)
        parts = [one.what for one in loaded.left_out if not one.of_platform] if loaded else []
        found = {"add-ons": (", ".join(scope.left_out), f"heroku addons:create PLAN --app {self._deps.app}"),
                 "log drains": (", ".join(unknown), f"heroku drains:add URL --app {self._deps.app}"),
                 "variables": (", ".join(unset), f"heroku config:set NAME=… --app {self._deps.app}"),
                 "parts of the database": (first_of(parts), "see why in the run's report, and make them by hand"),
                 "processes": (", ".join(absent), "the deployed code does not name them")}  # fmt: skip
        words = [f"{what} ({names}): {how}" for what, (names, how) in found.items() if names]
        return (*words, *scope.by_hand_after)

    def _without_certificate(self, names: set[str]) -> list[str]:
        every = self._deps.provisioning.domains(self._deps.app) if names else ()
        found = [one for one in every if one.hostname in names]
        return [f"see that {one.hostname} gets its certificate: {state_of(one)}" for one in found
                if state_of(one) != ISSUED]  # fmt: skip

    @override
    def plan(self, seen: _LeftSeen, view: View) -> Action:
        calls = (Call(provider="dns", request="QUERY of every authoritative server", writes=False),)
        told = f"to do: {'; '.join(seen.told)}" if seen.told else ""
        told += f"{'. ' if told else ''}NOT brought back: {'; '.join(seen.lost)}" if seen.lost else ""
        if seen.open:
            words = f"{self._deps.app} works, and is not reached by every name. To do: {'; '.join(seen.open)}"
            return Action("blocked", f"{words}. {told}".strip(), calls)
        return Action("read", told or "nothing is left to people", calls)
