"""A kit in memory, as `vault.reader.KitReader` hands it out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

from pydantic import SecretStr

from fake_building import PlaceProvisioning
from fake_deploys import COMMITS
from fake_places import ME, PlacePlatform, Places
from fakes import APP
from uscdr.kit.content import AppFacts, ConfigVars, DnsFacts, DumpFacts, SourceFacts
from uscdr.models.heroku import Belongings
from uscdr.store.store import ObjectLost

NUMBER = 1
"""The backup that the kit's dump is of."""
SHA = "5" * 64


@dataclass
class FakeKit:
    """What was collected of the old application while it lived."""

    facts: AppFacts | None
    variables: ConfigVars | None
    kept: DumpFacts | None
    code: SourceFacts | None
    kit: str = "20261123T000000Z-usc-pis-abcdef"
    work: Path = Path()
    names: DnsFacts | None = None
    damaged: Callable[[str], None] = lambda name: None

    doubts: tuple[ObjectLost, ...] = ()

    @property
    def manifest(self) -> SimpleNamespace:
        return SimpleNamespace(created_at=datetime.now(UTC) - timedelta(hours=3))

    def app(self) -> AppFacts | None:
        self.damaged("app.json")
        return self.facts

    def config(self) -> ConfigVars | None:
        self.damaged("config.json")
        return self.variables

    def dns(self) -> DnsFacts | None:
        return self.names

    def dump(self) -> DumpFacts | None:
        self.damaged("database.json")
        return self.kept

    def source(self) -> SourceFacts | None:
        self.damaged("source.json")
        return self.code

    @contextmanager
    def open_object(self, name: str) -> Iterator[Path]:
        self.damaged(name)
        path = self.work / f"plain-{name}"
        path.write_text(f"https://signed.example/{NUMBER}" if name.endswith(".dump") else "a tarball")
        try:
            yield path
        finally:
            path.unlink()


def collected(places: Places, work: Path) -> FakeKit:
    """A kit of the old application."""
    platform, provisioning = PlacePlatform(places), PlaceProvisioning(places)
    facts = AppFacts(
        belongings=Belongings(),
        app=platform.app(APP), account=ME, formation=platform.formation(APP), addons=platform.addons(APP),
        attachments=platform.attachments(APP), release=platform.releases(APP)[0], commit=COMMITS["main"],
        buildpacks=provisioning.buildpacks(APP), domains=provisioning.domains(APP),
        collaborators=provisioning.collaborators(APP), log_drains=provisioning.log_drains(APP),
    )  # fmt: skip
    values = {name: SecretStr(value.get_secret_value()) for name, value in platform.config_vars(APP).items()}
    kept = DumpFacts(
        backup="b001", transfer_id="transfer-1", kind="manual backup", taken_at=places.old.transfers[0].created_at,
        warnings=0, bytes=1000, sha256=SHA, database="d", plan="heroku-postgresql:essential-0", server_version="17",
    )  # fmt: skip
    code = SourceFacts(commit=COMMITS["main"], sha256="0" * 64, bytes=9, files=1, migrations=tuple(places.old.deployed))
    places.calls.clear()
    return FakeKit(facts, ConfigVars(values=values), kept, code, work=work)
