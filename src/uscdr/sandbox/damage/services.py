"""Damage to what stands around an app: its broker, mail account, certificate, backup schedule, background dynos."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from uscdr.sandbox.core import Core
from uscdr.sandbox.damage import outage
from uscdr.sandbox.damage.application import Report
from uscdr.sandbox.data.schedules import daily
from uscdr.sandbox.platform import issuer
from uscdr.sandbox.platform.dynos import scale
from uscdr.sandbox.web.errors import invalid
from uscdr.sandbox.world.apps import App
from uscdr.sandbox.world.entities import Addon


@dataclass(frozen=True)
class Target:
    """The app whose service it is. `undo`: put it back."""

    core: Core
    app: App
    report: Report
    undo: bool = False

    def attached(self, name: str) -> Addon | None:
        """The add-on that the app sees under a name."""
        found = {one.addon_id for one in self.core.world.attachments_of(self.app) if one.name == name}
        return next((one for one in self.core.world.addons if one.id in found), None)

    def tell(self, done: str, undone: str) -> None:
        """Note what happened."""
        self.report.done.append(undone if self.undo else done)


async def _broker_gone(target: Target) -> None:
    """Connections are refused; what was queued there is lost."""
    addon = target.attached("REDIS")
    if addon is None or addon.broker is None:
        raise invalid(f"{target.app.name} has no broker.")
    if target.undo:
        await addon.broker.start()
    else:
        addon.broker.stop()
    target.tell(f"{addon.name} refuses connections", f"{addon.name} answers again, empty")


async def _mail_revoked(target: Target) -> None:
    """The mail provider gives no access token for the refresh token any more."""
    account = target.core.mail_account
    account.revoked = not target.undo
    target.tell(f"the refresh token of {account.client_id} is revoked", f"{account.client_id} may send again")


def _certificate(certificate: str) -> Callable[[Target], Awaitable[None]]:
    async def damage(target: Target) -> None:
        """The hostname is served with another certificate."""
        hostname = next((one.hostname for one in target.app.domains if one.kind == "custom"), "")
        serve(target.core, target.app, hostname, issuer.GOOD if target.undo else certificate)
        bad, good = f"{hostname} is served with a certificate that is {certificate}", f"{hostname} has a good one again"
        target.tell(bad, good)

    return damage


def serve(core: Core, app: App, hostname: str, certificate: str) -> None:
    """Serve an app's hostname with a certificate of that kind. Raises 422 if it has none to be replaced."""
    for domain in app.domains:
        for one in app.certificates:
            if domain.hostname == hostname and one.id == domain.sni_endpoint:
                core.certificates.replace(one, hostname, certificate)
                return
    raise invalid(f"{app.name} serves no certificate for {hostname or 'any hostname of its own'}.")


async def _schedule_gone(target: Target) -> None:
    """No backup is made by itself any more."""
    addon = target.attached("DATABASE")
    if addon is None:
        raise invalid(f"{target.app.name} has no database.")
    addon.schedules[:] = [daily()] if target.undo else []
    target.tell(f"{addon.name} has no backup schedule", f"{addon.name} is backed up daily again")


def _stopped(kind: str) -> Callable[[Target], Awaitable[None]]:
    async def damage(target: Target) -> None:
        """The process type is scaled to nothing."""
        quantity = 1 if target.undo else 0
        with target.core.world.acting(target.app.owner):
            scale(target.core, target.app, [{"type": kind, "quantity": quantity}])
        await outage.until(lambda: _states(target.app, kind) == ["up"] * quantity, f"{kind} at {quantity}")
        target.tell(f"{kind} is scaled to 0", f"{kind} is scaled to 1")

    return damage


def _states(app: App, kind: str) -> list[str]:
    return [one.state for one in app.dynos if one.type == kind]


KINDS: dict[str, Callable[[Target], Awaitable[None]]] = {
    "broker-gone": _broker_gone,
    "mail-revoked": _mail_revoked,
    "certificate-expired": _certificate(issuer.EXPIRED),
    "certificate-wrong-name": _certificate(issuer.WRONG_NAME),
    "certificate-untrusted": _certificate(issuer.UNTRUSTED),
    "schedule-gone": _schedule_gone,
    "worker-stopped": _stopped("worker"),
    "beat-stopped": _stopped("beat"),
}


async def damage(core: Core, app: App, how: str, *, undo: bool) -> Report:
    """Do it, or put it back; returns when it can be seen. Raises 422 where the app has no such service."""
    report = Report(how, app.name)
    await KINDS[how](Target(core, app, report, undo))
    return report
