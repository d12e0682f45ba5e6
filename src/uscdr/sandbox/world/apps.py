"""Apps and the registry that finds everything by name or uuid, as the real APIs do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from uscdr.sandbox.web.errors import ApiError, not_found
from uscdr.sandbox.world.entities import (
    Account,
    Addon,
    Attachment,
    Build,
    Domain,
    FormationEntry,
    Release,
    new_id,
    now,
)
from uscdr.sandbox.world.transfer import Transfer

if TYPE_CHECKING:
    from uscdr.sandbox.dynos.dyno import Dyno
    from uscdr.sandbox.logplex import LogBuffer


@dataclass(slots=True)
class App:
    """One app with everything that belongs to it."""

    name: str
    logs: LogBuffer
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)
    maintenance: bool = False
    acm: bool = False
    config: dict[str, str] = field(default_factory=dict, repr=False)
    releases: list[Release] = field(default_factory=list)
    current: Release | None = None
    formation: dict[str, FormationEntry] = field(default_factory=dict)
    dynos: list[Dyno] = field(default_factory=list)
    domains: list[Domain] = field(default_factory=list)
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
    """Everything at the provider."""

    token: str = field(repr=False)
    account: Account = field(default_factory=Account)
    apps: list[App] = field(default_factory=list)
    addons: list[Addon] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    authorizations: list[dict[str, Any]] = field(default_factory=list, repr=False)

    def app(self, key: str) -> App:
        """By name or uuid. Raises 404."""
        for app in self.apps:
            if key in (app.name, app.id):
                return app
        raise not_found("app")

    def addon(self, key: str) -> Addon:
        """By name or uuid. Raises 404."""
        for addon in self.addons:
            if key in (addon.name, addon.id):
                return addon
        raise not_found("add_on")

    def database(self, key: str) -> Addon:
        """A PostgreSQL add-on by name or uuid. Raises 404."""
        addon = self.addon(key)
        if addon.database is None:
            raise not_found("database")
        return addon

    def attachments_of(self, app: App) -> list[Attachment]:
        """The attachments an app sees."""
        return [one for one in self.attachments if one.app_id == app.id]

    def addons_of(self, app: App) -> list[Addon]:
        """The add-ons an app owns or has attached."""
        attached = {one.addon_id for one in self.attachments_of(app)}
        return [one for one in self.addons if one.app_id == app.id or one.id in attached]

    def accepts(self, token: str) -> bool:
        """Whether a bearer token is valid."""
        granted = [one["access_token"]["token"] for one in self.authorizations]
        return token in (self.token, *granted)

    def name_free(self, name: str) -> None:
        """Raises 422 if an app of that name exists."""
        if any(app.name == name for app in self.apps):
            raise ApiError(422, "invalid_params", f"Name {name} is already taken")
