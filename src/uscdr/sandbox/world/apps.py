"""Apps and the registry that finds everything by name or uuid, as the real APIs do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from uscdr.sandbox.web.errors import ApiError, not_found
from uscdr.sandbox.world.entities import (
    REGION,
    STACK,
    Account,
    Addon,
    Attachment,
    Build,
    Collaborator,
    Domain,
    FormationEntry,
    LogDrain,
    Release,
    SniEndpoint,
    new_id,
    now,
)
from uscdr.sandbox.world.transfer import Transfer

if TYPE_CHECKING:
    from uscdr.sandbox.dynos.dyno import Dyno
    from uscdr.sandbox.logplex import LogBuffer


_ACTING: ContextVar[Account | None] = ContextVar("acting", default=None)


@dataclass(slots=True)
class App:
    """One app with everything that belongs to it."""

    name: str
    logs: LogBuffer
    owner: Account
    region: str = REGION["name"]
    stack: str = STACK["name"]
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)
    maintenance: bool = False
    gone: bool = False
    acm: bool = False
    config: dict[str, str] = field(default_factory=dict, repr=False)
    releases: list[Release] = field(default_factory=list)
    current: Release | None = None
    formation: dict[str, FormationEntry] = field(default_factory=dict)
    dynos: list[Dyno] = field(default_factory=list)
    domains: list[Domain] = field(default_factory=list)
    certificates: list[SniEndpoint] = field(default_factory=list)
    collaborators: list[Collaborator] = field(default_factory=list)
    drains: list[LogDrain] = field(default_factory=list)
    builds: list[Build] = field(default_factory=list)
    buildpacks: list[str] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    transfer_count: int = 0
    port: int = 0
    release_lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    @property
    def web_url(self) -> str:
        """Where the router serves this app."""
        return f"http://127.0.0.1:{self.port}/"

    def release(self, key: str) -> Release:
        """By version, `v` version or uuid. Raises 404."""
        wanted = key.removeprefix("v")
        for release in self.releases:
            if wanted in (str(release.version), release.id):
                return release
        raise not_found("release")

    def transfer(self, key: str) -> Transfer:
        """By number or uuid. Raises 404."""
        for transfer in self.transfers:
            if key in (str(transfer.num), transfer.uuid):
                return transfer
        raise not_found("transfer")

    def build(self, key: str) -> Build:
        """By uuid. Raises 404."""
        for build in self.builds:
            if build.id == key:
                return build
        raise not_found("build")

    def dyno(self, key: str) -> Dyno:
        """By name or uuid. Raises 404."""
        for dyno in self.dynos:
            if key in (dyno.name, dyno.id):
                return dyno
        raise not_found("dyno")


@dataclass(slots=True)
class World:
    """Everything at the provider. The first account owns the clinic, the second nothing yet."""

    accounts: list[Account] = field(
        default_factory=lambda: [Account("oncall@usc-pis.example"), Account("spare@usc-pis.example")]
    )
    apps: list[App] = field(default_factory=list)
    addons: list[Addon] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    authorizations: list[dict[str, Any]] = field(default_factory=list, repr=False)

    @property
    def account(self) -> Account:
        """Who is calling; outside of a provider call the first account."""
        return _ACTING.get() or self.accounts[0]

    @contextmanager
    def acting(self, account: Account) -> Iterator[None]:
        """Do what follows in the name of an account, which sees its own apps only."""
        former = _ACTING.set(account)
        try:
            yield
        finally:
            _ACTING.reset(former)

    def seen(self) -> list[App]:
        """The apps that who is calling may see; the sandbox itself sees all."""
        caller = _ACTING.get()
        return [app for app in self.apps if caller is None or app.owner is caller]

    def app(self, key: str) -> App:
        """By name or uuid. Raises 404, also for another account's app."""
        for app in self.seen():
            if key in (app.name, app.id):
                return app
        raise not_found("app")

    def addon(self, key: str) -> Addon:
        """By name or uuid. Raises 404, also for another account's add-on."""
        for addon in self.addons_seen():
            if key in (addon.name, addon.id):
                return addon
        raise not_found("add_on")

    def database(self, key: str) -> Addon:
        """A PostgreSQL add-on by name or uuid. Raises 404."""
        addon = self.addon(key)
        if addon.database is None:
            raise not_found("database")
        return addon

    def addons_seen(self) -> list[Addon]:
        """The add-ons of the apps that who is calling may see."""
        owners = {app.id for app in self.seen()}
        return [one for one in self.addons if one.app_id in owners]

    def attachments_seen(self) -> list[Attachment]:
        """The attachments of the apps that who is calling may see."""
        apps = {app.id for app in self.seen()}
        return [one for one in self.attachments if one.app_id in apps]

    def attachments_of(self, app: App) -> list[Attachment]:
        """The attachments an app sees."""
        return [one for one in self.attachments if one.app_id == app.id]

    def addons_of(self, app: App) -> list[Addon]:
        """The add-ons an app owns or has attached."""
        attached = {one.addon_id for one in self.attachments_of(app)}
        return [one for one in self.addons if one.app_id == app.id or one.id in attached]

    def targets(self) -> list[str]:
        """The DNS targets of all hostnames, of every account."""
        return [one.cname for app in self.apps for one in app.domains if one.cname is not None]

    def bearer(self, token: str) -> Account | None:
        """Whose token this is, or None for an invalid one."""
        for one in self.accounts:
            if token == one.token:
                return one
        for granted in self.authorizations:
            if token == granted["access_token"]["token"]:
                return next(one for one in self.accounts if one.id == granted["user"]["id"])
        return None

    def accepts(self, token: str) -> bool:
        """Whether a token is valid and its account not suspended."""
        account = self.bearer(token)
        return account is not None and account.suspended_at is None

    def name_free(self, name: str) -> None:
        """Raises 422 if an app of that name exists."""
        if any(app.name == name for app in self.apps):
            raise ApiError(422, "invalid_params", f"Name {name} is already taken")
