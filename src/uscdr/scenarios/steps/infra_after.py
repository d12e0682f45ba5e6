"""After the switch: collaborators, log drains, public hostnames, and what is left to people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, SecretStr
from typing_extensions import override

from uscdr.engine.step import Action, Effect, Reporter, View
from uscdr.errors import CheckFailed, MachineError, NotFound, ProviderError
from uscdr.models.base import Call, Fact
from uscdr.providers.ports.dns import Pointing
from uscdr.scenarios.results.db import ApplicationChecked, Restored
from uscdr.scenarios.results.infra import CertificatesSeen, DomainsBound, InfraSeen, Materials, Switched
from uscdr.scenarios.steps.base import ScenarioStep, reads, writes
from uscdr.scenarios.steps.infra_domains import ISSUED, state_of
from uscdr.words import first_of, plural

if TYPE_CHECKING:
    from collections.abc import Mapping

    from uscdr.checks.context import CheckContext
    from uscdr.scenarios.adapters import Adapters
    from uscdr.scenarios.results.infra import NameLeft


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
    """The old collaborators that are missing."""

    missing: tuple[str, ...]


class AddPeople(ScenarioStep[_PeopleSeen, _PeopleAdded]):
    """Gives the collaborators of the old application access to the new one."""

    name = "infra.people"
    title = "Add the collaborators"
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
        return Action("change", f"add {plural(len(seen.missing), 'collaborator')}", self.calls())

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
                "Heroku accepted the collaborators, but does not list all of them.",
                next_action=f"See: heroku access --app {self._deps.app}. Then: uscdr runs resume",
            )
        return f"{plural(result.added, 'collaborator')} added"


class OldPlaceLook(ScenarioStep[_OldPlaceSeen, _OldPlaceSeen]):
    """Lists what the old application still has: add-ons, data, hostnames. Deletes nothing."""

    name = "infra.old_place"
    title = "List what the old application still has"
    effect = Effect.READ
    manual = ("heroku addons --app {app}",)
    gives = _OldPlaceSeen
    needs = (Switched,)
    waits = "listed at the end"

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
            return _OldPlaceSeen(holds=(f"{app} no longer exists",))
        except ProviderError as error:
            return _OldPlaceSeen(holds=(f"not known: {error.message}",))
        return _OldPlaceSeen(holds=(*addons, *(f"hostname {name}" for name in names), f"application {app}, stopped"))

    @override
    def plan(self, seen: _OldPlaceSeen, view: View) -> Action:
        app = self._deps.old_app
        calls = (reads("GET", f"/apps/{app}/addons"),)
        words = "; ".join(seen.holds) or "the application was rebuilt in place"
        return Action("read", f"the old application still has: {words}", calls)


# Log drains of the old application, added to the new one. Only their hosts are shown: addresses are secrets.


class _DrainsSeen(Fact):
    """Hosts of drains that are missing, that exist, and whose address neither Heroku nor the kit has."""

    missing: tuple[str, ...]
    there: tuple[str, ...]
    unknown: tuple[str, ...]


class AddDrains(ScenarioStep[_DrainsSeen, _DrainsAdded]):
    """Adds the log drains. An add-on creates its own drains, so these are left out."""

    name = "infra.drains"
    title = "Add the log drains"
    effect = Effect.IDEMPOTENT
    sends = (writes("POST", "/apps/{new_app}/log-drains"),)
    manual = ("heroku drains:add $URL --app {new_app}",)
    gives = _DrainsAdded
    needs = (InfraSeen, Switched)
    waits = "log drains are added after the switch"

    def _wanted(self) -> dict[str, list[SecretStr]]:
        """Host -> addresses; none for a drain of which only the host is known."""
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
        words = f"send the log to {', '.join(seen.missing)} again{_by_hand(seen.unknown)}"
        return Action("change", words, self.calls())

    @override
    def apply(self, seen: _DrainsSeen, view: View, tell: Reporter) -> _DrainsAdded:
        there = self._there()
        for urls in self._wanted().values():
            for url in urls:
                if url not in there:
                    self._deps.provisioning.add_log_drain(self._deps.app, url)
        if seen.unknown:
            tell.warn(
                f"Add these log drains by hand, because uscdr does not know their addresses: {', '.join(seen.unknown)}."
            )
        return _DrainsAdded(added=seen.missing, unknown=seen.unknown)

    @override
    def current(self, seen: _DrainsSeen, view: View) -> _DrainsAdded:
        return _DrainsAdded(added=(), unknown=seen.unknown)

    @override
    def verify(self, result: _DrainsAdded, view: View, tell: Reporter) -> str:
        missing = self.probe(view, tell).missing
        if missing:
            raise CheckFailed(
                f"Heroku accepted the log drains, but does not list {', '.join(missing)}.",
                next_action=f"See: heroku drains --app {self._deps.app}. Then: uscdr runs resume",
            )
        return f"{plural(len(result.added), 'log drain')} added{_by_hand(result.unknown)}"


def _by_hand(unknown: tuple[str, ...]) -> str:
    return f"; add by hand, because uscdr does not know their addresses: {', '.join(unknown)}" if unknown else ""


# Check the new application as its users reach it: by its public hostnames and their certificates.


CHECK = "public address of "
ERRORS, GONE, BROKEN = 400, 404, 500
"""HTTP statuses. The application may refuse a hostname that scenarios.yaml does not list, as it did before."""
VERDICTS: Mapping[str, Literal["pass", "fail", "inconclusive"]] = {
    "good": "pass", "bad": "fail", "unknown": "inconclusive"
}  # fmt: skip
ANY = "any"
"""The label in place of `*`: a wildcard hostname covers it."""


class _PublicSeen(Fact):
    """By verdict: hostname -> the result in words."""

    good: dict[str, str] = Field(default_factory=dict)
    bad: dict[str, str] = Field(default_factory=dict)
    unknown: dict[str, str] = Field(default_factory=dict)
    left: tuple[str, ...] = ()
    """Hostnames that were not checked, because a person has to create their record or certificate."""


class PublicLook(ScenarioStep[_PublicSeen, _PublicSeen]):
    """Connects to the hostname's target, checks TLS for the hostname, and requests the front page."""

    name = "infra.public"
    title = "Check the public hostnames"
    effect = Effect.READ
    manual = ("curl -sSI --connect-to $HOSTNAME:443:$TARGET:443 https://$HOSTNAME/",)
    gives = _PublicSeen
    needs = (DomainsBound, Switched, CertificatesSeen)
    waits = "the public hostnames are requested when they point to the application"

    @override
    def probe(self, view: View, tell: Reporter) -> _PublicSeen:
        left = {one.hostname for one in view.need(Switched).left if _is_led(self._deps, one) is not True}
        left |= set(view.need(CertificatesSeen).left) - {one.hostname for one in view.need(Switched).left}
        seen: dict[str, dict[str, str]] = {"good": {}, "bad": {}, "unknown": {}}
        with self._deps.world() as world:
            for one in view.need(DomainsBound).targets:
                if one.hostname in left:
                    tell.check(CHECK + one.hostname, "not checked", "a person has to create its record or certificate")
                    continue
                tell.progress(f"requesting {one.hostname}")
                verdict, words = self._asked(world, one.hostname, one.target)
                seen[verdict][one.hostname] = words
                tell.check(CHECK + one.hostname, VERDICTS[verdict], words)
        return _PublicSeen(**seen, left=tuple(sorted(left)))

    def _asked(self, world: CheckContext, hostname: str, target: str) -> tuple[str, str]:
        """Resolvers may still have the old address of the hostname, so the request goes to its target."""
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
                f"https://{hostname}/ answers {status}: the application's config may not allow this hostname",
            )
        if status != own and status >= ERRORS:
            return "bad", f"https://{hostname}/ answers {status}, the application's own address {own}"
        return "good", f"https://{hostname}/ answers {status}, its certificate is trusted"

    @override
    def plan(self, seen: _PublicSeen, view: View) -> Action:
        calls = (Call(provider="app", request="GET https://…/ of every hostname", writes=False),)
        wrong = [*seen.bad.values(), *(f"{name}: {words}" for name, words in seen.unknown.items())]
        if wrong:
            return Action(
                "blocked",
                f"Users cannot reach the new application by its public hostnames: {'; '.join(wrong)}. "
                "When that is fixed: uscdr runs resume",
                calls,
            )
        words = [
            *seen.good.values(),
            *(f"{name}: not checked, because a person has to create its record or certificate" for name in seen.left),
        ]
        return Action("read", "; ".join(words) or "no hostname", calls)


# At the end: tasks that only a person can do. A resumed run checks them again.


class _LeftSeen(Fact):
    """Tasks in words. `open`: without them users cannot reach the new application; `told`: users do not notice."""

    open: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    """What only the old application had, with the command to add it."""


class LeftLook(ScenarioStep[_LeftSeen, _LeftSeen]):
    """Asks name servers and Heroku. An open task is not a success; a resumed run checks again."""

    name = "infra.left"
    title = "List what is left to people"
    effect = Effect.READ
    manual = ("dig $HOSTNAME A; dig $TARGET A   # the same addresses?", "heroku certs:auto --app {new_app}")
    gives = _LeftSeen
    needs = (InfraSeen, Materials, Switched, ApplicationChecked)
    waits = "hostnames whose record a person has to create are checked again at the end"

    @override
    def probe(self, view: View, tell: Reporter) -> _LeftSeen:
        scope, left = view.need(InfraSeen), view.need(Switched).left
        unled = [one for one in left if _is_led(self._deps, one) is not True]
        awaited = view.get(CertificatesSeen)
        mine = {one.hostname for one in left if one not in unled} | (set(awaited.left) if awaited else set())
        certificates = self._without_certificate(mine - {one.hostname for one in unled})
        missed = [one.task for one in unled if one.hostname not in scope.nowhere]
        unmissed = [f"{one.task}; it did not point to the old application either" for one in unled
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
                 "parts of the database": (first_of(parts), "create them by hand; the run's report has the reasons"),
                 "processes": (", ".join(absent), "the deployed code does not have them")}  # fmt: skip
        words = [f"{what} ({names}): {how}" for what, (names, how) in found.items() if names]
        return (*words, *scope.by_hand_after)

    def _without_certificate(self, names: set[str]) -> list[str]:
        every = self._deps.provisioning.domains(self._deps.app) if names else ()
        found = [one for one in every if one.hostname in names]
        return [f"get a certificate for {one.hostname} (now {state_of(one)})" for one in found
                if state_of(one) != ISSUED]  # fmt: skip

    @override
    def plan(self, seen: _LeftSeen, view: View) -> Action:
        calls = (Call(provider="dns", request="QUERY of every authoritative server", writes=False),)
        told = f"to do: {'; '.join(seen.told)}" if seen.told else ""
        told += f"{'. ' if told else ''}NOT restored: {'; '.join(seen.lost)}" if seen.lost else ""
        if seen.open:
            words = (
                f"{self._deps.app} works, but not all hostnames lead to it. To do: {'; '.join(seen.open)}. Then: "
                "uscdr runs resume"
            )
            return Action("blocked", f"{words}. {told}".strip(), calls)
        return Action("read", told or "no task is left to people", calls)


def _is_led(deps: Adapters, left: NameLeft) -> bool | None:
    """Whether every name server leads it there, by comparing addresses; None when that is unknown."""
    if deps.dns is None:
        return None
    try:
        return Pointing.seen(deps.dns.verifier, left.hostname, left.target).at_target
    except (ProviderError, MachineError):
        return None
