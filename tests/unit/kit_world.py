"""Everything a kit is collected from, in memory, with canaries that must never be seen outside of encryption."""

from __future__ import annotations

import hashlib
import importlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import SecretStr

from fakes import APP, FakeBackups, FakePlatform, FakeScratch, World
from uscdr.backups.proving import Decoded
from uscdr.errors import NotFound, ProviderError
from uscdr.kit.build import Built, build
from uscdr.kit.collect.sources import BuildRequest, ProofShelf, Sources
from uscdr.kit.reader import KitReader
from uscdr.models.data_settings import CanaryColumn, ResourceType
from uscdr.models.dns import NameServer, RecordSet, RecordType, ServerAnswer, Sighting
from uscdr.models.heroku import Belongings, Build, Domain, Download, LogDrain, Release
from uscdr.models.media import Access, Asset, AssetDetails, AssetKey, MediaDownload
from uscdr.models.migrations import Lack, SourceArchive
from uscdr.providers.ports.progress import Progress
from uscdr.store.directory import LocalStore
from uscdr.store.encryption import Identity, Recipient

SECRET = "canary-of-a-secret-value-4711"
PATIENT = "Canary Patient Dela Cruz"
HOST = "canary-host.example.org"
DRAIN = "https://canary-drain-user:canary-drain-4711@logs.example.org/in"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
CANARIES = (SECRET, PATIENT, HOST, "canary-file", COMMIT, "canary-drain")
SERVER = NameServer(host="ns1.example.org", address="192.0.2.1")


def new_key() -> tuple[str, str]:
    """A public age key and its private half."""
    secret = importlib.import_module("pyrage").x25519.Identity.generate()
    return str(secret.to_public()), str(secret)


class KitPlatform(FakePlatform):
    def config_vars(self, app: str) -> Mapping[str, SecretStr]:
        values = {"PGP_ENCRYPTION_KEY": SECRET, "DEBUG": "", "TWO_LINES": "one\ntwo Ω"}
        return self._world.call("config_vars", lambda: {name: SecretStr(value) for name, value in values.items()})


class KitBackups(FakeBackups):
    def download(self, app: str, num: int, destination: Path, progress: Progress) -> Download:
        link = self.public_url(app, num)

        def effect() -> Download:
            content = f"PGDMP {PATIENT} {link.url.get_secret_value()}".encode()
            destination.write_bytes(content)
            destination.chmod(0o600)
            progress(len(content), len(content))
            return Download(size=len(content), sha256=hashlib.sha256(content).hexdigest())

        return self._world.call("download", effect)


@dataclass
class Place:
    """`ports.Provisioning` and `ports.Deploys`, as far as a kit reads them."""

    hanging: Belongings = field(default_factory=Belongings)

    domain: str = HOST

    def belongings(self, app: str) -> Belongings:
        del app
        return self.hanging

    def buildpacks(self, app: str) -> tuple[str, ...]:
        return ("heroku/nodejs", "heroku/python")

    def domains(self, app: str) -> tuple[Domain, ...]:
        own = Domain(id="d2", hostname=self.domain, kind="custom", cname="x.herokudns.com", acm_status="cert issued")
        return (Domain(id="d1", hostname=f"{APP}.herokuapp.com", kind="heroku"), own)

    def collaborators(self, app: str) -> tuple[str, ...]:
        return ("ada@example.com",)

    def log_drains(self, app: str) -> tuple[LogDrain, ...]:
        return (LogDrain(id="l", host="logs.example.org", url=SecretStr(DRAIN)),)

    def builds(self, app: str) -> tuple[Build, ...]:
        return (Build(id="b", status="succeeded", commit=COMMIT, slug_id="slug-9"),)


@dataclass
class Names:
    """`ports.Zone` and `ports.Verifier`."""

    records: dict[tuple[str, str], RecordSet] = field(default_factory=dict)
    silent: bool = False
    wildcard: str = ""
    """What answers for every name without a CNAME."""

    def read(self, name: str, record_type: RecordType) -> RecordSet | None:
        found = self.records.get((name, record_type))
        return found.model_copy(update={"extras": {"proxied": "true"}}) if found else None

    def look(self, name: str, record_type: RecordType, *, target: str = "") -> Sighting:
        del target
        own = self.records.get((name, record_type))
        star = RecordSet(name=name, type="CNAME", ttl=300, values=(self.wildcard,))
        found = own or (star if self.wildcard and record_type == "CNAME" else None)
        state: Literal["answered", "no such record"] = "answered" if found else "no such record"
        answers = [ServerAnswer(server=SERVER, state=state, records=found, borrowed=own is None and found is not None)]
        if self.silent:
            answers.append(ServerAnswer(server=SERVER, state="timeout"))
        return Sighting(answers=tuple(answers))

    def addresses(self, name: str) -> tuple[str, ...] | None:
        del name
        return ("192.0.2.1",)


@dataclass
class Cloud:
    """`ports.Media`: originals by key."""

    files: dict[AssetKey, bytes] = field(default_factory=dict)
    placeholders: set[AssetKey] = field(default_factory=set)
    versions: dict[AssetKey, int] = field(default_factory=dict)
    broken: set[AssetKey] = field(default_factory=set)
    access: dict[AssetKey, Access] = field(default_factory=dict)
    tells: bool = True
    """Whether listings tell who may have what; `details` tell it where it is in `access`."""
    down: bool = False
    downloads: list[AssetKey] = field(default_factory=list)
    on_download: Callable[[int], None] = lambda number: None
    cloud: str = "usc-pis"
    turn: threading.Lock = field(default_factory=threading.Lock)

    def asset(self, key: AssetKey) -> Asset:
        gone = key in self.placeholders
        return Asset(
            key=key, format="jpg", version=self.versions.get(key, 1700000000), placeholder=gone,
            bytes=0 if gone else len(self.files[key]), tags=("xray",), context={"caption": "canary-file caption"},
            asset_folder="patients", access=self.access.get(key, Access()) if self.tells else None,
        )  # fmt: skip

    def details(self, key: AssetKey) -> AssetDetails:
        return AssetDetails(asset=self.asset(key).model_copy(update={"access": self.access.get(key)}))

    def list_assets(self, resource_type: ResourceType, *, access: bool = True) -> Iterator[tuple[Asset, ...]]:
        if self.down:
            raise ProviderError("The media service is down.", provider="fake")
        yield tuple(self.asset(key) for key in (*self.files, *self.placeholders) if key.resource_type == resource_type)

    def download(self, asset: Asset, destination: Path, progress: Progress | None = None) -> MediaDownload:
        with self.turn:
            self.downloads.append(asset.key)
            number = len(self.downloads)
        self.on_download(number)
        if asset.key in self.broken:
            raise ProviderError("The media service answered 502.", provider="fake", status=502)
        data = self.files[asset.key]
        destination.write_bytes(data)
        destination.chmod(0o600)
        md5 = hashlib.md5(data).hexdigest()
        return MediaDownload(size=len(data), md5=md5, sha256=hashlib.sha256(data).hexdigest())


@dataclass
class Code:
    """`ports.SourceCode`."""

    content: bytes = b"a tarball of " + COMMIT.encode()
    lacks: tuple[Lack, ...] = ()

    def archive(self, ref: str, directory: Path) -> SourceArchive:
        if ref != COMMIT:
            raise NotFound("The source repository has no such commit.", provider="Git")
        path = directory / "source.tar.gz"
        path.write_bytes(self.content)
        return SourceArchive(
            path=str(path), commit=ref, sha256=hashlib.sha256(self.content).hexdigest(), size=len(self.content),
            files=("Procfile", "backend/manage.py"), procfile={"web": "gunicorn"},
            lacks=self.lacks,
        )  # fmt: skip


class Silent:
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def progress(self, part: str, done: float, total: float | None, unit: str) -> None:
        """Nobody looks."""


def key(number: int, kind: ResourceType = "image") -> AssetKey:
    return AssetKey(resource_type=kind, public_id=f"media/canary-file {number}")


@dataclass
class Workshop:
    """One machine that makes kits."""

    root: Path
    world: World = field(default_factory=World)
    place: Place = field(default_factory=Place)
    names: Names = field(default_factory=Names)
    cloud: Cloud = field(default_factory=Cloud)
    code: Code = field(default_factory=Code)
    stop: threading.Event = field(default_factory=threading.Event)
    tell: Silent = field(default_factory=Silent)

    def __post_init__(self) -> None:
        self.work.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.public, secret = new_key()
        self.identity_file = self.root / "identity.txt"
        self.identity_file.write_text(f"# created by age-keygen\n# public key: {self.public}\n{secret}\n")
        current = Release(id="r", version=41, status="succeeded", current=True, slug_id="slug-9")
        self.world.releases = [current]
        self.names.records[HOST, "CNAME"] = RecordSet(name=HOST, type="CNAME", ttl=300, values=("x.herokudns.com",))
        for number in range(6):
            self.cloud.files[key(number, "raw" if number == 5 else "image")] = b"original %d " % number * 3000
        self.cloud.placeholders.add(key(99))

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def store(self) -> LocalStore:
        return LocalStore(self.root / "vault")

    @property
    def to(self) -> tuple[Recipient, ...]:
        return Recipient.read([self.public])

    @property
    def keys(self) -> tuple[Identity, ...]:
        return Identity.read(self.identity_file)

    def sources(self, **instead: Any) -> Sources:
        whole = Sources(
            platform=KitPlatform(self.world),
            backups=KitBackups(self.world),
            scratch=cast("Any", FakeScratch(self.world)),
            provisioning=cast("Any", self.place),
            deploys=cast("Any", self.place),
            verifier=cast("Any", self.names),
            zone=cast("Any", self.names),
            media=cast("Any", self.cloud),
            source=cast("Any", self.code),
            decode=lambda _: Decoded("17.2", "17.2", ()),
            proofs=ProofShelf(lambda _: None, lambda _: None),
        )
        return replace(whole, **instead)

    def request(self, **instead: Any) -> BuildRequest:
        canary = CanaryColumn(table="patients_patient", encrypted="phone_enc", plain="phone")
        return replace(BuildRequest(app=APP, target="production", canaries=(canary,)), **instead)

    def build(self, *, to: Sequence[Recipient] = (), sources: Sources | None = None, **request: Any) -> Built:
        return build(
            sources or self.sources(), self.request(**request), self.store, to or self.to, work=self.work,
            tell=self.tell, stop=self.stop,
        )  # fmt: skip

    def read(self, built: Built) -> KitReader:
        return KitReader(self.store, built.card.kit, self.keys, self.work)

    def files(self) -> list[Path]:
        return [path for path in (self.root / "vault").rglob("*") if path.is_file()]
