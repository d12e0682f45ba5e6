"""The rebuilt place as its users reach it: by its hostnames, with a certificate for them, and not only by its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field
from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.errors import MachineError, ProviderError
from uscdr.models.base import Fact
from uscdr.models.events import Call
from uscdr.scenarios.infra.names import is_led
from uscdr.scenarios.results_infra import CertificatesSeen, DomainsBound, Switched
from uscdr.scenarios.steps.base import DepsStep
from uscdr.verify.world import World

CHECK = "public address of "
ERRORS, GONE, BROKEN = 400, 404, 500
"""Statuses. A name that scenarios.yaml does not list may be one that the application itself refuses, then as before."""
VERDICTS: Mapping[str, Literal["pass", "fail", "inconclusive"]] = {
    "good": "pass", "bad": "fail", "unknown": "inconclusive"
}  # fmt: skip
ANY = "any"
"""The label that stands for `*`: whoever serves a wildcard serves it."""


class PublicSeen(Fact):
    """Hostname -> what was seen, by verdict."""

    good: dict[str, str] = Field(default_factory=dict)
    bad: dict[str, str] = Field(default_factory=dict)
    unknown: dict[str, str] = Field(default_factory=dict)
    left: tuple[str, ...] = ()
    """Not asked: their record does not lead here yet, or they have no certificate; both are left to a person."""


class PublicLook(DepsStep[PublicSeen, PublicSeen]):
    """Connects to the hostname's target, speaks TLS in the hostname's name, and asks for the front page."""

    name = "infra.public"
    title = "Look through the public names"
    effect = Effect.READ
    manual = ("curl -sSI --connect-to $HOSTNAME:443:$TARGET:443 https://$HOSTNAME/",)
    gives = PublicSeen
    needs = (DomainsBound, Switched, CertificatesSeen)
    waits = "the application is asked through its public names when they lead to it"

    @override
    def probe(self, view: View, tell: Tell) -> PublicSeen:
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
        return PublicSeen(**seen, left=tuple(sorted(left)))

    def _asked(self, world: World, hostname: str, target: str) -> tuple[str, str]:
        """The hostname's own address may still be the old one in resolvers: its target's is asked."""
        try:
            own = world.website().ask("GET", "/").status
            found = self._deps.dns.verifier.addresses(target) if self._deps.dns else None
            status = world.tls.answer(hostname.replace("*", ANY, 1), found[0] if found else "")
        except (ProviderError, MachineError) as error:
            return "unknown", f"{error.message} {error.why}".strip()
        led = self._deps.target.dns.hostnames if self._deps.target.dns else ()
        if hostname not in led and ERRORS <= status < BROKEN and status != GONE:
            return (
                "good",
                f"https://{hostname}/ is answered by the application with {status}: its config may not name it",
            )
        if status != own and status >= ERRORS:
            return "bad", f"https://{hostname}/ answers {status}, the application's own address {own}"
        return "good", f"https://{hostname}/ answers {status}, its certificate is trusted"

    @override
    def plan(self, seen: PublicSeen, view: View) -> Action:
        calls = (Call(provider="app", request="GET https://…/ of every hostname", writes=False),)
        wrong = [*seen.bad.values(), *(f"{name}: {words}" for name, words in seen.unknown.items())]
        if wrong:
            return Action("blocked", f"The new place is not reached as its users reach it: {'; '.join(wrong)}", calls)
        words = [*seen.good.values(), *(f"{name}: not checked, left to a person" for name in seen.left)]
        return Action("read", "; ".join(words) or "no hostname", calls)
