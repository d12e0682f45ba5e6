"""Several applications at one platform in memory, each a `fakes.World` of its own; faults, calls and writes are shared.

`Places` outlives the processes that work on it. The hostname of an app, its database's URL and its web address all
carry its name, so that every port finds the place by what it is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import SecretStr

from fake_deploys import COMMITS
from fakes import APP, FakeBackups, FakePlatform, World
from uscdr.errors import CredentialsRefused, NotFound
from uscdr.models.heroku import (
    Account,
    AddOn,
    App,
    Attachment,
    Build,
    Domain,
    Dyno,
    LogDrain,
    OneOffResult,
    ProcessType,
    Release,
    Schedule,
    SignedUrl,
)
from uscdr.models.transfers import Transfer, TransferKind

T = TypeVar("T")
ME, STRANGER = "ada@example.com", "stranger@example.com"
HOST = "www.usc-pis.example"
POSTGRES, REDIS = "heroku-postgresql", "heroku-redis"
MADE = {POSTGRES: "DATABASE_URL", REDIS: "REDIS_URL"}
SCHEMES = {POSTGRES: "postgres", REDIS: "redis"}
CONFIG = {
    "SECRET_KEY": "sessions", "PGP_ENCRYPTION_KEY": "key", "GMAIL_CLIENT_ID": "id", "GMAIL_CLIENT_SECRET": "secret",
    "GMAIL_REFRESH_TOKEN": "refresh", "SITE_URL": f"https://{APP}.example", "FRONTEND_URL": f"https://{HOST}",
    "ALLOWED_HOSTS": f"{HOST},{APP}.example", "DEBUG": "",
}  # fmt: skip
FORMATION = {"web": 2, "worker": 3, "beat": 1}
PROCESSES = {"web": 1, "worker": 0, "beat": 0}
"""What the platform starts of a new application."""


class _OfAll:
    """What the process that works on the platform now asks or tells: the same for all of its apps."""

    def __set_name__(self, owner: type[Place], name: str) -> None:
        self._name = name

    def __get__(self, place: Place, owner: type[Place]) -> object:
        return getattr(place._places, self._name)

    def __set__(self, place: Place, value: Callable[[], object]) -> None:
        setattr(place._places, self._name, value)

    def __delete__(self, place: Place) -> None:
        setattr(place._places, self._name, lambda: None)


class Place(World):
    """One application."""

    def __init__(self, places: Places, name: str, *, owner: str = ME) -> None:
        self._places = places
        super().__init__()
        self.faults, self.calls, self.writes = places.faults, places.calls, places.writes
        self.name, self.owner_email = name, owner
        self.values: dict[str, str] = {}
        self.addons: list[AddOn] = []
        self.hosts: list[Domain] = []
        self.packs: tuple[str, ...] = ()
        self.people: list[str] = []
        self.drains: tuple[LogDrain, ...] = ()
        self.timetable: list[Schedule] = []
        self.certificates = False

    @property  # one platform: it answers for all of its apps, or for none
    def dark(self) -> bool:
        return self._places.dark

    @dark.setter
    def dark(self, value: bool) -> None:
        self._places.dark = value

    def call(self, name: str, effect: Callable[[], T]) -> T:
        """One call, after which the world is looked at."""
        try:
            return super().call(name, effect)
        finally:
            self._places.look()

    def write(self, name: str, effect: Callable[[], T], detail: str = "") -> T:
        """A call that changes something: listed once it took effect."""

        def noted() -> T:
            result = effect()
            self.writes.append(f"{name} {detail}".strip())
            return result

        return self.let_go(name, noted)

    leave: Any = _OfAll()
    taken_back: Any = _OfAll()

    def run(self, release: Release) -> Release:
        """A release phase migrates; a first release starts web only."""
        if release.slug_id and not self.formation:
            self.formation = dict(PROCESSES)
            self.live.applied += [name for name in self.deployed if name not in self.live.applied]
        return super().run(release)

    @property
    def url(self) -> str:
        return f"https://{self.name}.example"

    @property
    def config_values(self) -> dict[str, str]:
        """What is set, and what add-ons that are up set."""
        own = {name: f"{SCHEMES[one.service]}://u:p@h/{self.name}" for one in self.addons if one.state == "provisioned"
               for name in one.config_vars}  # fmt: skip
        return {**self.values, **own}

    def described(self) -> App:
        return App(
            id=f"id-of-{self.name}", name=self.name, maintenance=self.maintenance, stack="heroku-24", region="us",
            owner_email=self.owner_email, web_url=f"{self.url}/",
        )  # fmt: skip


def living(places: Places) -> Place:
    """The old application as it was before the disaster."""
    place = Place(places, APP)
    place.values, place.packs = dict(CONFIG), ("heroku/nodejs", "heroku/python")
    place.formation, place.one_offs = dict(FORMATION), []
    place.deployed = list(place.live.applied)
    place.addons = [addon_of(APP, POSTGRES, "essential-0"), addon_of(APP, REDIS, "mini")]
    place.hosts = [
        Domain(id="d", hostname=HOST, kind="custom", cname="old-target.dns.example", acm_status="cert issued")
    ]
    place.people = [ME, "grace@example.com"]
    place.drains = (LogDrain(id="d", host="logs.example.org", url=SecretStr("https://u:p@logs.example.org/in")),)
    place.build_list = [Build(id="build-of-old", status="succeeded", commit=COMMITS["main"], slug_id="slug-1")]
    place.releases = [Release(id="release-9", version=9, status="succeeded", current=True, slug_id="slug-1")]
    return place


def addon_of(app: str, service: str, plan: str, *, state: str = "provisioned", number: int = 1) -> AddOn:
    return AddOn(
        id=f"{service}-{number}-of-{app}", name=f"{service}-{app}-{number}", state=state, plan=f"{service}:{plan}",
        app_name=app, config_vars=(MADE[service],),
    )  # fmt: skip


@dataclass
class Places:
    """The platform: applications by name, and what only a look at all of them shows."""

    faults: dict[tuple[str, int], str] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    writes: list[str] = field(default_factory=list)
    dark: bool = False
    locked: bool = False
    apps: dict[str, Place] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    """Names whose apps exist and are not shown."""
    sharing: list[Attachment] = field(default_factory=list)
    """Add-ons of the old application as others see them."""
    addon_doom: list[str] = field(default_factory=list)
    """How the next add-ons end, instead of provisioned."""
    certificate: str = "cert issued"
    """How certificates end once DNS points here."""
    pointing: Callable[[str], str] = lambda host: ""
    """Where DNS says a hostname points."""
    leave: Callable[[], object] = lambda: None
    """Called before each request that changes something."""
    taken_back: Callable[[], object] = lambda: None
    """Called after one that certainly had no effect."""
    on_look: Callable[[], None] = lambda: None
    """Called after every call: time passes."""
    wrongs: set[str] = field(default_factory=set)
    """What must never be: two beats, mail before the switch."""

    def __post_init__(self) -> None:
        self.apps[APP] = living(self)
        self.old = self.apps[APP]

    def place(self, app: str) -> Place:
        """By name or id. Raises as the platform does."""
        if self.locked:
            raise CredentialsRefused("The account is suspended.", provider="fake", status=403)
        if app in self.forbidden:
            raise CredentialsRefused(f"No right to see {app}.", provider="fake", status=403)
        found = next((place for place in self.apps.values() if app in (place.name, f"id-of-{place.name}")), None)
        if found is None or found.name in self.hidden:
            raise NotFound(f"There is no app {app}.", provider="fake", status=404)
        return found

    @property
    def any(self) -> Place:
        """One that calls without an app go through: they share counters and faults."""
        return self.old

    def of_database(self, addon_id: str) -> Place:
        return next(place for place in self.apps.values() if any(one.id == addon_id for one in place.addons))

    def look(self) -> None:
        """After every call: is anything so that must never be?"""
        self.on_look()
        beating = [place.name for place in self.apps.values() if place.formation.get("beat")]
        if len(beating) > 1:
            self.wrongs.add("two beats")
        for place in self.apps.values():
            targets = {one.cname for one in place.hosts}
            if place is not self.old and "GMAIL_CLIENT_ID" in place.values and self.pointing(HOST) not in targets:
                self.wrongs.add("mail before the switch")

    def lose(self) -> None:
        """The old application is gone, with everything in it."""
        del self.apps[APP]


class PlacePlatform(FakePlatform):
    """`ports.Platform` over several apps."""

    def __init__(self, places: Places) -> None:
        super().__init__(places.any)
        self._places = places

    def _at(self, app: str) -> FakePlatform:
        return FakePlatform(self._places.place(app))

    def account(self) -> Account:
        def look() -> Account:
            if self._places.locked:
                raise CredentialsRefused("The account is suspended.", provider="fake", status=403)
            return Account(email=ME)

        return self._world.call("account", look)

    def app(self, app: str) -> App:
        return self._world.call("app", lambda: self._places.place(app).described())

    def config_vars(self, app: str) -> Mapping[str, SecretStr]:
        def look() -> Mapping[str, SecretStr]:
            return {name: SecretStr(value) for name, value in self._places.place(app).config_values.items()}

        return self._world.call("config_vars", look)

    def set_maintenance(self, app: str, *, enabled: bool) -> App:
        place = self._places.place(app)
        self._at(app).set_maintenance(app, enabled=enabled)
        return place.described()

    def formation(self, app: str) -> tuple[ProcessType, ...]:
        return self._at(app).formation(app)

    def scale(self, app: str, quantities: Mapping[str, int]) -> tuple[ProcessType, ...]:
        place = self._places.place(app)
        place.write("scale", lambda: place.scale(quantities), f"{app} {dict(quantities)}")
        return ()

    def resize(self, app: str, sizes: Mapping[str, str]) -> tuple[ProcessType, ...]:
        place = self._places.place(app)
        place.write("resize", lambda: place.sizes.update(sizes), f"{app} {dict(sizes)}")
        return self.formation(app)

    def dynos(self, app: str) -> tuple[Dyno, ...]:
        return self._at(app).dynos(app)

    def log_lines(self, app: str, *, lines: int = 100) -> tuple[str, ...]:
        return self._at(app).log_lines(app, lines=lines)

    def stop_dyno(self, app: str, name: str) -> None:
        self._at(app).stop_dyno(app, name)

    def run_one_off(self, app: str, command: str, **more: Any) -> OneOffResult:
        return self._at(app).run_one_off(app, command, **more)

    def releases(self, app: str, *, limit: int = 15) -> tuple[Release, ...]:
        return self._at(app).releases(app, limit=limit)

    def builds_pending(self, app: str) -> int:
        place = self._places.place(app)
        return place.call("builds_pending", lambda: sum(one.status == "pending" for one in place.build_list))

    def addons(self, app: str) -> tuple[AddOn, ...]:
        return self._world.call("addons", lambda: tuple(self._places.place(app).addons))

    def attachments(self, app: str) -> tuple[Attachment, ...]:
        return tuple(_attached(one) for one in self.addons(app))

    def attachments_of(self, addon_id: str) -> tuple[Attachment, ...]:
        return self._world.call("attachments_of", lambda: tuple(self._places.sharing))

    def database(self, app: str, name: str = "DATABASE_URL") -> Attachment:
        found = [one for one in self.addons(app) if name in one.config_vars and one.state == "provisioned"]
        if not found:
            raise NotFound(f"{app} has no {name}.", provider="fake", status=404)
        return _attached(found[0])


def _attached(addon: AddOn) -> Attachment:
    return Attachment(
        name="DATABASE", app_name=addon.app_name, addon_id=addon.id, addon_name=addon.name,
        owner_app_name=addon.app_name, plan=addon.plan, config_vars=addon.config_vars,
    )  # fmt: skip


class PlaceBackups(FakeBackups):
    """`ports.Backups`: of the app that is named."""

    def __init__(self, places: Places) -> None:
        super().__init__(places.any)
        self._places = places

    def _at(self, app: str) -> FakeBackups:
        return FakeBackups(self._places.place(app))

    def transfers(self, addon: Attachment) -> tuple[Transfer, ...]:
        return self._at(addon.owner_app_name).transfers(addon)

    def transfer(self, app: str, ref: str) -> Transfer:
        return self._at(app).transfer(app, ref)

    def capture(self, addon_id: str) -> Transfer:
        place = self._places.of_database(addon_id)
        return place.write("capture", lambda: place.start(TransferKind.MANUAL_BACKUP), f"of {place.name}")

    def public_url(self, app: str, num: int) -> SignedUrl:
        return self._at(app).public_url(app, num)

    def schedules(self, addon_id: str) -> tuple[Schedule, ...]:
        return self._world.call("schedules", lambda: tuple(self._places.of_database(addon_id).timetable))
