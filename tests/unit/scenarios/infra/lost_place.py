"""An application that is lost, or half lost, and the run that builds a new place for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from pydantic import SecretStr
from typing_extensions import override

from fake_building import PlaceDeploys, PlaceProvisioning
from fake_deploys import COMMITS, FakeSource
from fake_kit import FakeKit, collected
from fake_names import Names
from fake_places import HOST, PlaceBackups, PlacePlatform, Places
from fakes import Data, FakeDatabase, FakeLoader, FakeScratch, FakeStatus, FakeWebsite, World
from given import GivenAdapters
from rehearsal import Rehearsal, configuration, seen_by_checks
from uscdr.checks.context import CheckContext as Seen
from uscdr.checks.context import Sends
from uscdr.engine.run import Outcome
from uscdr.errors import ExitCode, ProviderError
from uscdr.models.postgres import LeftOut
from uscdr.models.probes import WebAnswer
from uscdr.scenarios.adapters import DnsAccess, Request
from uscdr.scenarios.config import Config
from uscdr.scenarios.config_targets import DnsTarget, HerokuTarget, TargetConfig
from uscdr.scenarios.infra.old import OldApplicationReader
from uscdr.wiring.context import RunContext
from uscdr.wiring.target import Target as Target_

NEW, KIT = "usc-pis-recovery", "newest"
KINDS = ("refused", "down", "lost_before", "lost_after", "kill_before", "kill_after")


@cache
def application() -> Config:
    """The packaged configuration with tables and variables that the fakes have."""
    config = configuration()
    manifest = config.config.model_copy(update={"required": ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")})
    return config.model_copy(update={"config": manifest})


class Loader(FakeLoader):
    """Into the database that the address names; into an empty one only, but in place, where a release came first."""

    def __init__(self, places: Places) -> None:
        super().__init__(places.any)
        self._places = places

    def load(self, url: SecretStr, dump: Path, progress: Any) -> tuple[LeftOut, ...]:
        place = self._places.apps[urlsplit(url.get_secret_value()).path[1:]]
        assert place is self._places.old or not any(place.live.tables.values()), "loaded over other rows"
        whole = FakeLoader(place)
        place.dumps = {**self._places.old.dumps}
        return whole.load(url, dump, progress)


class Source(FakeSource):
    """A repository that knows its commits by their full names, too."""

    def resolve(self, ref: str) -> str:
        return ref if ref in COMMITS.values() else super().resolve(ref)


@dataclass
class Recovery(Rehearsal):
    """A rehearsal over several applications, a zone and perhaps a kit."""

    places: Places = field(default_factory=Places)
    names: Names | None = None
    kit: FakeKit | None = None
    without_repository: bool = False

    def __post_init__(self) -> None:
        self.world = cast("World", self.places.any)
        self.config = application()

    @override
    def target(self) -> Target_:
        dns = DnsTarget(adapter="manual", zone="usc-pis.example", hostnames=(HOST,)) if self.names else None
        services = TargetConfig(heroku=HerokuTarget(app="usc-pis"), dns=dns)
        return Target_("production", services, self.config, "digest", SecretStr("token-token"), "test", None, None)

    def _database(self, url: SecretStr) -> FakeDatabase:
        return FakeDatabase(self.places.apps[urlsplit(url.get_secret_value()).path[1:]])

    @override
    def seen_by_checks(self, context: RunContext, sends: Sends) -> Seen:
        place = self.places.apps.get(context.request.app or context.target.services.heroku.app)
        return seen_by_checks(FakeWebsite(place) if place else _Nobody())

    @override
    def adapters(self, context: RunContext, work: Path) -> GivenAdapters:
        places, world = self.places, self.places.any
        platform, backups = PlacePlatform(places), PlaceBackups(places)
        provisioning, deploys = PlaceProvisioning(places), PlaceDeploys(places)
        if self.kit is not None:
            self.kit.work = work
        kit = cast("Any", self.kit)
        return (
            super()
            .adapters(context, work)
            .but(
                platform=platform,
                backups=backups,
                status=FakeStatus(world),
                opens_database=self._database,
                candidate=self._candidate(FakeScratch(places.old), work, platform, kit),
                provisioning=provisioning,
                deploys=deploys,
                dns=DnsAccess(zone=self.names, verifier=self.names) if self.names else None,
                kit=kit,
                old=OldApplicationReader(platform, provisioning, deploys, backups, kit),
                source=None if self.without_repository else Source(cast("World", places.old)),
                loader=Loader(places),
            )
        )


class _Nobody:
    def ask(self, method: str, path: str, **more: object) -> WebAnswer:
        raise ProviderError("Nobody answers there.", provider="app", retryable=True)

    def fetch(self, address: str) -> WebAnswer:
        return self.ask("GET", address)

    def sign_in(self, email: str, password: SecretStr) -> SecretStr:
        raise ProviderError("Nobody answers there.", provider="app", retryable=True)


def alive(state: Path, **asked: Any) -> Recovery:
    """The old application runs, half lost at most; there is a kit."""
    state.mkdir(parents=True, exist_ok=True)
    places = Places()
    request = Request("infra", **{"app": NEW, "kit": KIT, **asked})
    return Recovery(state, request=request, places=places, names=Names(places), kit=collected(places, state))


def lost(state: Path, **asked: Any) -> Recovery:
    """The old application is gone with its add-ons and backups; there is a kit."""
    run = alive(state, **asked)
    run.places.lose()
    return run


def ended(ending: Outcome | None) -> tuple[ExitCode, str]:
    assert ending is not None
    return ending.code, f"{ending.error.message} {ending.error.why}" if ending.error else ""


def advice(ending: Outcome | None) -> str:
    """What the operator is told to do next."""
    assert ending is not None
    assert ending.error is not None
    return ending.error.next_action


def sent(run: Recovery, name: str) -> list[str]:
    """The writes of that kind that took effect."""
    return [write for write in run.places.writes if write.partition(" ")[0] == name]


def once_each(run: Recovery, kinds: Sequence[str]) -> Mapping[str, int]:
    """How often each kind took effect."""
    return {kind: len(sent(run, kind)) for kind in kinds}


def end_state(run: Recovery) -> dict[str, object]:
    """What a recovery is judged by."""
    place = run.places.apps[run.request.app or "usc-pis"]
    return {
        "apps": sorted(run.places.apps),
        "addons": sorted((one.plan, one.state) for one in place.addons if one.state == "provisioned"),
        "config": dict(place.config_values),
        "packs": place.packs,
        "formation": dict(place.formation),
        "sizes": dict(place.sizes),
        "maintenance": place.maintenance,
        "live": {name: dict(rows) for name, rows in place.live.tables.items()},
        "applied": list(place.live.applied),
        "hosts": [(one.hostname, one.cname, one.acm_status) for one in place.hosts],
        "names": {name: (held.values, held.ttl, held.extras) for name, held in run.names.held.items()}
        if run.names
        else {},
        "seen": run.names is None or run.names.seen == run.names.held,
        "timetable": [one.name for one in place.timetable],
        "people": sorted(place.people),
        "drains": sorted(one.url.get_secret_value() for one in place.drains if one.url),
        "builds": [one.commit for one in place.build_list if one.status == "succeeded"],
        "captures": len([one for one in place.transfers if one.is_backup]),
        "wrongs": sorted(run.places.wrongs),
    }


def without_database(state: Path) -> Recovery:
    """In place: the old application lives, its database add-on is gone with its backups."""
    run = alive(state, app=None)
    run.places.old.addons = run.places.old.addons[1:]
    run.places.old.live, run.places.old.transfers = Data(), []
    return run
