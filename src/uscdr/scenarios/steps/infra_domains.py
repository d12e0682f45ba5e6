"""Move hostnames, each to its own DNS target, and get certificates for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Reporter, View
from uscdr.engine.wait import WaitLimit, until
from uscdr.errors import CheckFailed, Conflict, CredentialsRefused, MachineError, NotFound, ProviderError
from uscdr.models.base import Call, Fact
from uscdr.models.dns import Caution
from uscdr.scenarios.results.db import ApplicationChecked
from uscdr.scenarios.results.infra import AppMade, CertificatesSeen, DomainsBound, DomainTarget, InfraSeen, Switched
from uscdr.scenarios.steps.base import ASSESS, ScenarioStep, writes

if TYPE_CHECKING:
    from uscdr.models.heroku import Domain

TARGET_LIMIT = 300.0
CERTIFICATE_LIMIT = 3600.0
ISSUED = "cert issued"
HOPELESS = "failed"


class _Cautions(Fact):
    """What will make the switch of a hostname fail or mislead."""

    found: tuple[Caution, ...] = ()


class _CertificatesOn(Fact):
    """Automated certificate management is on."""

    hostnames: tuple[str, ...]


class _DomainsSeen(Fact):
    """Which hostnames the new application has, and which of them the old one still holds."""

    bound: tuple[str, ...]
    missing: tuple[str, ...]
    held_by_old: tuple[str, ...]


class BindDomains(ScenarioStep[_DomainsSeen, DomainsBound]):
    """Moves the hostnames. Between delete and add, requests get “no such app”."""

    name = "infra.domains"
    title = "Move the hostnames"
    effect = Effect.IDEMPOTENT
    sends = (writes("POST", "/apps/{new_app}/domains"),)
    manual = (
        "heroku domains:remove {hostname} --app {app}",
        "heroku domains:add {hostname} --app {new_app}",
        "heroku domains --app {new_app}   # the new DNS target",
    )
    gives = DomainsBound
    needs = (InfraSeen, ApplicationChecked)
    checked_by = (Switched,)
    waits = "hostnames move when the new application passes its checks"

    @override
    def probe(self, view: View, tell: Reporter) -> _DomainsSeen:
        wanted = view.need(InfraSeen).hostnames
        mine = {domain.hostname for domain in self._deps.provisioning.domains(self._deps.app)}
        missing = tuple(name for name in wanted if name not in mine)
        theirs = self._old() if missing and self._deps.app != self._deps.old_app else set()
        return _DomainsSeen(
            bound=tuple(name for name in wanted if name in mine),
            missing=missing,
            held_by_old=tuple(name for name in missing if name in theirs),
        )

    def _old(self) -> set[str]:
        try:
            return {domain.hostname for domain in self._deps.provisioning.domains(self._deps.old_app)}
        except (NotFound, CredentialsRefused):
            return set()  # if it still holds them, Heroku refuses the add with a reason

    @override
    def plan(self, seen: _DomainsSeen, view: View) -> Action:
        app, old = self._deps.app, self._deps.old_app
        manual = (*(f"heroku domains:remove {name} --app {old}" for name in seen.held_by_old),
                  *(f"heroku domains:add {name} --app {app}" for name in seen.missing))  # fmt: skip
        if not seen.missing:
            return Action(
                "noop",
                f"already on the new application: {', '.join(seen.bound)}" if seen.bound else "there is no hostname",
            )
        calls = (*(writes("DELETE", f"/apps/{old}/domains/{name}") for name in seen.held_by_old),
                 *(writes("POST", f"/apps/{app}/domains {name}") for name in seen.missing))  # fmt: skip
        return Action("change", f"move {', '.join(seen.missing)} to {app}", calls, manual=manual)

    @override
    def apply(self, seen: _DomainsSeen, view: View, tell: Reporter) -> DomainsBound:
        provisioning, left = self._deps.provisioning, self.probe(view, tell)  # an earlier answer may have been lost
        for name in left.missing:
            if name in left.held_by_old:
                provisioning.remove_domain(self._deps.old_app, name)
            self._take(name, view)
        return self._targets(view, tell)

    def _take(self, name: str, view: View) -> None:
        try:
            self._deps.provisioning.add_domain(self._deps.app, name)
        except Conflict as error:
            made = view.get(AppMade)
            raise Conflict(
                error.message, provider=error.provider, status=error.status, why=error.why,
                next_action=f"Let its owner remove it: heroku domains:remove {name} --app THE_OTHER_APP. If you "
                "cannot reach them, open a ticket at https://help.heroku.com, with proof that you own the domain. "
                "Until "
                f"then, the new application answers at {made.web_url if made else 'its own address'}. Then: "
                "uscdr runs resume",
            ) from error  # fmt: skip

    def _targets(self, view: View, tell: Reporter) -> DomainsBound:
        wanted = view.need(InfraSeen).hostnames
        patience = WaitLimit("the DNS targets of the hostnames", TARGET_LIMIT, f"heroku domains --app {self._deps.app}")

        def look() -> dict[str, str]:
            tell.progress("waiting for the DNS targets")
            found = self._deps.provisioning.domains(self._deps.app)
            return {domain.hostname: domain.cname for domain in found if domain.cname and domain.hostname in wanted}

        targets = until(look, lambda found: len(found) == len(wanted), patience, self._deps.stop)
        return DomainsBound(targets=tuple(DomainTarget(hostname=h, target=t) for h, t in sorted(targets.items())))

    @override
    def current(self, seen: _DomainsSeen, view: View) -> DomainsBound:
        found = {domain.hostname: domain.cname or "" for domain in self._deps.provisioning.domains(self._deps.app)}
        targets = tuple(DomainTarget(hostname=name, target=found[name]) for name in seen.bound)
        return DomainsBound(targets=targets)

    @override
    def verify(self, result: DomainsBound, view: View, tell: Reporter) -> str:
        without = [one.hostname for one in result.targets if not one.target]
        if without:
            raise CheckFailed(
                f"Heroku has not assigned a DNS target to {', '.join(without)}.", next_action="uscdr runs resume"
            )
        return "; ".join(f"{one.hostname} -> {one.target}" for one in result.targets) or "there is no hostname"


class _CertificatesSeenNow(Fact):
    """Whether certificates are managed for every hostname."""

    managed: bool
    hostnames: tuple[str, ...]


class EnableCertificates(ScenarioStep[_CertificatesSeenNow, _CertificatesOn]):
    """Requests certificates before the switch; Heroku validates them only after DNS points to the application."""

    name = "infra.certificates"
    title = "Request certificates"
    effect = Effect.IDEMPOTENT
    sends = (writes("POST", "/apps/{new_app}/acm"),)
    manual = ("heroku certs:auto:enable --app {new_app}",)
    gives = _CertificatesOn
    needs = (DomainsBound,)
    waits = "certificates are requested when the hostnames have moved"

    @override
    def probe(self, view: View, tell: Reporter) -> _CertificatesSeenNow:
        custom = _custom(self._deps.provisioning.domains(self._deps.app))
        return _CertificatesSeenNow(
            managed=all(domain.acm_status is not None for domain in custom),
            hostnames=tuple(domain.hostname for domain in custom),
        )

    @override
    def plan(self, seen: _CertificatesSeenNow, view: View) -> Action:
        if seen.managed:
            return Action("noop", "automated certificates are already on" if seen.hostnames else "there is no hostname")
        return Action("change", "turn on automated certificates", self.calls())

    @override
    def apply(self, seen: _CertificatesSeenNow, view: View, tell: Reporter) -> _CertificatesOn:
        self._deps.provisioning.enable_certificates(self._deps.app)
        return _CertificatesOn(hostnames=seen.hostnames)

    @override
    def current(self, seen: _CertificatesSeenNow, view: View) -> _CertificatesOn:
        return _CertificatesOn(hostnames=seen.hostnames)

    @override
    def verify(self, result: _CertificatesOn, view: View, tell: Reporter) -> str:
        custom = _custom(self._deps.provisioning.domains(self._deps.app))
        without = [domain.hostname for domain in custom if domain.acm_status is None]
        if without:
            raise CheckFailed(
                f"Heroku is not issuing a certificate for {', '.join(without)}.", next_action="uscdr runs resume"
            )
        return ", ".join(f"{domain.hostname}: {domain.acm_status}" for domain in custom) or "there is no hostname"


class AwaitCertificates(ScenarioStep[CertificatesSeen, CertificatesSeen]):
    """Waits for the certificates. The application sends HSTS, so users cannot bypass a missing one."""

    name = "infra.await_certificates"
    title = "Wait for the certificates"
    effect = Effect.READ
    manual = ("heroku certs:auto --app {new_app}",)
    gives = CertificatesSeen
    needs = (InfraSeen, Switched)
    waits = "uscdr waits for the certificates after the switch"

    @override
    def probe(self, view: View, tell: Reporter) -> CertificatesSeen:
        left = {one.hostname for one in view.need(Switched).left} | self._forbidden(view)
        names = set(view.need(InfraSeen).hostnames) - left  # these are issued after a person has created the record
        patience = WaitLimit("the certificates", CERTIFICATE_LIMIT, f"heroku certs:auto --app {self._deps.app}")

        def look() -> tuple[Domain, ...]:
            found = [d for d in _custom(self._deps.provisioning.domains(self._deps.app)) if d.hostname in names]
            tell.progress(", ".join(f"{domain.hostname}: {state_of(domain)}" for domain in found))
            return tuple(found)

        ended = until(look, _settled, patience, self._deps.stop)
        return CertificatesSeen(states={d.hostname: state_of(d) for d in ended}, left=tuple(sorted(left)))

    def _forbidden(self, view: View) -> set[str]:
        """Names whose zone forbids a certificate: uscdr does not wait for them, so that mail and workers start."""
        cautions = view.get(_Cautions)
        names = {one.name for one in cautions.found if one.no_certificate} if cautions else set()
        there = _custom(self._deps.provisioning.domains(self._deps.app)) if names else []
        return names - {one.hostname for one in there if state_of(one) == ISSUED}

    @override
    def plan(self, seen: CertificatesSeen, view: View) -> Action:
        bad = {name: state for name, state in seen.states.items() if state != ISSUED}
        if bad:
            words = "; ".join(f"{name}: {state}" for name, state in bad.items())
            return Action(
                "blocked",
                f"There is no certificate: {words}. Check that DNS points to the target, "
                "that no CAA record forbids it, and "
                f"that no AAAA record remains. Then: heroku certs:auto:refresh --app {self._deps.app}, or upload one",
            )
        states = [f"{name}: {state}" for name, state in seen.states.items()]
        states += [f"{name}: not checked, because a person has to create its record" for name in seen.left]
        return Action("read", ", ".join(states) or "no hostname")


def _custom(domains: tuple[Domain, ...]) -> list[Domain]:
    return [domain for domain in domains if domain.kind == "custom"]


def _settled(domains: tuple[Domain, ...]) -> bool:
    return all(domain.acm_status in (ISSUED, HOPELESS) or domain.sni_endpoint for domain in domains)


def state_of(domain: Domain) -> str:
    """The state of its certificate in Heroku's words; ISSUED also for an uploaded one."""
    if domain.acm_status == ISSUED or (domain.sni_endpoint and domain.acm_status != HOPELESS):
        return ISSUED
    return f"{domain.acm_status}{f' ({domain.acm_reason})' if domain.acm_reason else ''}"


# Check the domain before anything is built.


class Preflight(ScenarioStep[_Cautions, _Cautions]):
    """Reports what would make the switch fail or hide its result, before anything is built."""

    name = "dns.preflight"
    title = "Check the domain before the switch"
    phase = ASSESS
    effect = Effect.READ
    manual = ("dig {hostname} CNAME; dig {zone} CAA; dig {hostname} AAAA   # note the record and its TTL",)
    gives = _Cautions
    needs = (InfraSeen,)
    waits = "checked when the hostnames are known"

    @override
    def probe(self, view: View, tell: Reporter) -> _Cautions:
        if self._deps.dns is None:
            return _Cautions()
        found: list[Caution] = []
        for name in view.need(InfraSeen).hostnames:
            held = next((r for r in view.need(InfraSeen).records if r.name == name), None)
            try:
                found += self._deps.dns.verifier.cautions(name, held.values[0] if held else "")
            except (ProviderError, MachineError) as error:
                found.append(Caution(name=name, what=error.message, so="uscdr could not verify the switch."))
        return _Cautions(found=tuple(one for one in found if not one.blocks))

    @override
    def plan(self, seen: _Cautions, view: View) -> Action:
        calls = (Call(provider="dns", request="QUERY of every authoritative server", writes=False),)
        words = "; ".join(f"{one.name}: {one.what.rstrip('.')}. {one.so.rstrip('.')}" for one in seen.found)
        return Action("read", words or "no problem found for the switch of the domain", calls)
