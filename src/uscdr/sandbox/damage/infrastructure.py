"""Real loss at the provider: the app, its database with all backups, or the account's good standing."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from uscdr.sandbox.core import Core
from uscdr.sandbox.damage import outage
from uscdr.sandbox.damage.application import Report
from uscdr.sandbox.platform import addons
from uscdr.sandbox.platform.apps import open_app, remove_app
from uscdr.sandbox.platform.domains import new_target
from uscdr.sandbox.web.errors import invalid
from uscdr.sandbox.world.apps import App
from uscdr.sandbox.world.entities import Account, Addon, Domain, now
from uscdr.words import plural

_STRANGER = "webmaster@elsewhere.example"


@dataclass(frozen=True)
class Target:
    """The app to take from its owner. `domain_held`: somebody else takes its hostnames; `undo`: lift the lock."""

    core: Core
    app: App
    report: Report
    domain_held: bool = False
    undo: bool = False


async def _app_gone(target: Target) -> None:
    """App, add-ons, databases, backups and dynos; nothing answers under its name."""
    core, app, done = target.core, target.app, target.report.done
    hostnames = [one.hostname for one in app.domains if one.kind == "custom"]
    names = [one.name for one in core.world.addons if one.app_id == app.id]
    backups = sum(one.is_backup for one in app.transfers)
    with core.world.acting(app.owner):
        await remove_app(core, app)
    done.append(f"removed the app with {', '.join(names) or 'no add-on'} and {plural(backups, 'backup')}")
    if target.domain_held:
        holder = await _hold(core, hostnames)
        done.append(f"{', '.join(hostnames) or 'no hostname'} taken by {holder.name}, an app of another account")


async def _hold(core: Core, hostnames: list[str]) -> App:
    stranger = Account(_STRANGER)
    core.world.accounts.append(stranger)
    with core.world.acting(stranger):
        app = await open_app(core, f"elsewhere-{secrets.token_hex(3)}")
    app.domains += [Domain(name, "custom", new_target()) for name in hostnames]
    return app


def _database(core: Core, app: App) -> Addon:
    for one in core.world.attachments_of(app):
        if one.name == "DATABASE":
            return core.world.database(one.addon_id)
    raise invalid(f"{app.name} has no database.")


async def _addon_gone(target: Target) -> None:
    """The database add-on with its data and every backup; the app stays."""
    core, app = target.core, target.app
    addon = _database(core, app)
    lost = [one for one in app.transfers if one.addon_id == addon.id]
    with core.world.acting(app.owner):
        await core.transfers.delete_all(app, lost)
        await addons.destroy(core, addon)
    backups = plural(sum(one.is_backup for one in lost), "backup")
    target.report.done.append(f"removed {addon.name} with its data and {backups}")
    release = app.releases[-1]
    await release.done.wait()
    target.report.releases.append(release.version)
    target.report.done.append(f"{release.description}: v{release.version} {release.status}")
    if release.status == "succeeded":
        await outage.until_running(app, release)
    target.report.see(outage.LOGIN, await outage.status(app, outage.LOGIN))


async def _account_locked(target: Target) -> None:
    """Every call with the owner's token is refused; what runs goes on running."""
    owner = target.app.owner
    owner.suspended_at = None if target.undo else now()
    target.report.done.append(f"account {owner.email} {'unlocked' if target.undo else 'suspended'}")


KINDS: dict[str, Callable[[Target], Awaitable[None]]] = {
    "app-gone": _app_gone,
    "addon-gone": _addon_gone,
    "account-locked": _account_locked,
}


async def damage(core: Core, app: App, how: str, *, domain_held: bool, undo: bool) -> Report:
    """Do it. Raises 422 for options that do not belong together."""
    if undo and how != "account-locked":
        raise invalid("Only account-locked can be undone; what is gone is gone.")
    if domain_held and how != "app-gone":
        raise invalid("Only app-gone leaves hostnames that somebody else could hold.")
    report = Report(how, app.name)
    await KINDS[how](Target(core, app, report, domain_held, undo))
    return report
