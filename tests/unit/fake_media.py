"""A cloud in memory that keeps its state and counts its calls, and a run of `recover media` over it.

Faults and deaths come from `fakes.World`, under the names `media_restore`, `media_upload` and so on.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

from pydantic import SecretStr
from typing_extensions import override

from fake_provisioning import FakeProvisioning
from fakes import FakePlatform, FakeStatus, World
from given import GivenAdapters
from rehearsal import Rehearsal, configuration
from uscdr.engine.run import Outcome
from uscdr.errors import CheckFailed, NotFound, ProviderError, RateLimited
from uscdr.models.data_settings import ResourceType
from uscdr.models.heroku import Release
from uscdr.models.media import (
    Access,
    Asset,
    AssetDetails,
    AssetKey,
    AssetVersion,
    KnownAsset,
    MediaAccount,
    MediaDownload,
    MediaUsage,
    Quota,
    RestoredAsset,
    StoredReference,
)
from uscdr.providers.ports.media import LOOKUP_BATCH, PAGE, RESTORE_BATCH, Delivered
from uscdr.providers.ports.progress import Progress
from uscdr.scenarios.adapters import MediaAccess, Request
from uscdr.scenarios.config import Config, Scenario, StepEntry
from uscdr.scenarios.media.under_way import NAME, UploadLog
from uscdr.scenarios.registry import PIPELINES
from uscdr.scenarios.steps import media_base
from uscdr.wiring.context import RunContext

T = TypeVar("T")
STORED = datetime(2026, 11, 1, 8, tzinfo=UTC)
ADMIN = ("ping", "usage", "list", "look_up", "details", "restore")


@dataclass
class Stored:
    """One asset: its content, and the versions in its backup (number, content)."""

    content: bytes
    version: int
    deleted: bool = False
    tags: tuple[str, ...] = ("media",)
    backups: list[tuple[int, bytes]] = field(default_factory=list)
    access: Access = field(default_factory=Access)


class Cloud:
    """What the service holds. `admin` counts calls that draw on the allowance, by kind."""

    def __init__(self, name: str, world: World) -> None:
        self.name, self.world = name, world
        self.assets: dict[AssetKey, Stored] = {}
        self.clock = int(STORED.timestamp())
        self.limit = self.remaining = 10_000
        self.uploads: list[AssetKey] = []
        self.restores: list[AssetKey] = []
        self.refuses: type[ProviderError] | None = None
        self.silent = False
        """Whether listings do not tell who may have what."""

    def put(self, key: AssetKey, content: bytes, *, backed_up: bool = True) -> None:
        self.assets[key] = Stored(content, self.clock, backups=[(self.clock, content)] if backed_up else [])

    def overwrite(self, key: AssetKey, content: bytes, *, backed_up: bool = True) -> None:
        stored = self.assets[key]
        self.clock += 100
        stored.content, stored.version = content, self.clock
        stored.backups += [(self.clock, content)] if backed_up else []

    def delete(self, key: AssetKey) -> None:
        if self.assets[key].backups:
            self.assets[key].deleted = True
        else:
            del self.assets[key]

    def shown(self, key: AssetKey, *, etag: bool = False) -> Asset:
        stored = self.assets[key]
        return Asset(
            key=key,
            version=stored.version,
            bytes=0 if stored.deleted else len(stored.content),
            placeholder=stored.deleted,
            created_at=STORED,
            tags=stored.tags,
            etag=md5(stored.content) if etag and not stored.deleted else "",
            access=None if self.silent and not etag else stored.access,
        )

    @property
    def admin_calls(self) -> int:
        return sum(self.world.calls[f"media_{kind}"] for kind in ADMIN)

    def contents(self) -> dict[AssetKey, bytes]:
        return {key: stored.content for key, stored in self.assets.items() if not stored.deleted}


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


class FakeMedia:
    """`ports.Media`. Listings tell no digest, as the real service's do."""

    def __init__(self, state: Cloud) -> None:
        self._state = state

    @property
    def cloud(self) -> str:
        return self._state.name

    @property
    def quota(self) -> Quota | None:
        later = datetime.now(UTC) + timedelta(minutes=30)
        return Quota(limit=self._state.limit, remaining=self._state.remaining, resets_at=later)

    def _admin(self, kind: str, effect: Callable[[], T], *, writes: bool = False) -> T:
        state = self._state
        if state.refuses is not None:
            raise state.refuses("The service refuses.", provider="fake", next_action="Look at the console.")
        if state.remaining <= 0:
            state.remaining = state.limit  # the next hour has come when it is asked again
            raise RateLimited("The allowance is used up.", provider="fake", retry_after=0.0)
        state.remaining -= 1
        return (state.world.write if writes else state.world.call)(f"media_{kind}", effect)

    def ping(self) -> None:
        self._admin("ping", lambda: None)

    def usage(self) -> MediaUsage:
        return self._admin("usage", lambda: MediaUsage(plan="Free", objects=1, storage_bytes=1))

    def list_assets(self, resource_type: ResourceType, *, access: bool = True) -> Iterator[tuple[Asset, ...]]:
        keys = [key for key in self._state.assets if key.resource_type == resource_type]
        for first in range(0, max(1, len(keys)), PAGE):
            yield self._admin("list", partial(self._page, keys[first : first + PAGE]))

    def listing(self, resource_type: ResourceType) -> Iterator[tuple[Asset, ...]]:
        return self.list_assets(resource_type)

    def access_of(self, resource_type: ResourceType) -> Mapping[AssetKey, Access]:
        return {}

    def _page(self, keys: list[AssetKey]) -> tuple[Asset, ...]:
        return tuple(self._state.shown(key) for key in keys)

    def look_up(self, keys: Sequence[AssetKey]) -> Mapping[AssetKey, Asset]:
        assert len(keys) <= LOOKUP_BATCH
        return self._admin("look_up", lambda: {k: self._state.shown(k) for k in keys if k in self._state.assets})

    def details(self, key: AssetKey) -> AssetDetails:
        def look() -> AssetDetails:
            if key not in self._state.assets:
                raise NotFound("There is no such asset.", provider="fake")
            versions = tuple(
                AssetVersion(version_id=f"v{number}", version=number, bytes=len(content))
                for number, content in self._state.assets[key].backups
            )
            return AssetDetails(asset=self._state.shown(key, etag=True), versions=versions)

        return self._admin("details", look)

    def restore(self, keys: Sequence[AssetKey], versions: Sequence[str] | None = None) -> tuple[RestoredAsset, ...]:
        assert len(keys) <= RESTORE_BATCH
        assert len({key.resource_type for key in keys}) == 1

        def effect() -> tuple[RestoredAsset, ...]:
            return tuple(self._restore(key, versions[i] if versions else None) for i, key in enumerate(keys))

        return self._admin("restore", effect, writes=True)

    def _restore(self, key: AssetKey, version: str | None) -> RestoredAsset:
        state = self._state
        backups = (
            {f"v{number}": content for number, content in state.assets[key].backups} if key in state.assets else {}
        )
        if not backups:
            return RestoredAsset(key=key, error="no backup")
        state.clock += 1
        state.restores.append(key)
        stored = state.assets[key]
        stored.content, stored.deleted, stored.version = backups[version or list(backups)[-1]], False, state.clock
        return RestoredAsset(key=key, asset=state.shown(key))

    def upload(self, key: AssetKey, file: Path | bytes, *, like: Asset | None = None) -> Asset:
        content = file if isinstance(file, bytes) else file.read_bytes()

        def effect() -> Asset:
            state = self._state
            state.clock += 1
            state.uploads.append(key)
            tags = like.tags if like else ()
            access = like.access if like and like.access else Access()
            state.assets[key] = Stored(content, state.clock, tags=tags, access=access)
            return state.shown(key, etag=True)

        return self._state.world.write("media_upload", effect)

    def set_access(self, key: AssetKey, access: Access) -> None:
        def effect() -> None:
            self._state.assets[key].access = access

        self._state.world.write("media_set_access", effect)

    def delivery_url(self, key: AssetKey, *, format: str = "") -> str:  # noqa: A002 - the port's word
        return str(key)

    def download(self, asset: Asset, destination: Path, progress: Progress | None = None) -> MediaDownload:
        stored = self._state.assets.get(asset.key)
        if stored is None or stored.deleted:
            raise NotFound("Not delivered.", provider="fake")
        destination.write_bytes(stored.content)
        self._state.world.calls["media_download"] += 1
        return MediaDownload(size=len(stored.content), md5=md5(stored.content), sha256="")

    def delivered(self, url: str) -> Delivered:
        for key, stored in self._state.assets.items():
            if str(key) == url and not stored.deleted:
                return "withheld" if key.delivery != "upload" or stored.access.restricted else "delivered"
        return "missing"


class Copies:
    """`MediaFiles` in memory: the inventory of a moment, with or without the files themselves."""

    name = "the copy"

    def __init__(self, cloud: Cloud, place: Path, *, files: bool = True) -> None:
        self._place = place
        self.damaged: set[AssetKey] = set()
        self._content = cloud.contents()
        self._known = {
            key: KnownAsset(
                bytes=len(content), digest=md5(content), file=files,
                version=cloud.assets[key].version, tags=("media", "kept"), access=cloud.assets[key].access,
            )
            for key, content in self._content.items()
        }  # fmt: skip

    def inventory(self) -> Mapping[AssetKey, KnownAsset]:
        return self._known

    @contextmanager
    def open(self, key: AssetKey) -> Iterator[Path]:
        path = self._place / f"copy-{hashlib.sha256(str(key).encode()).hexdigest()[:16]}-{time.monotonic_ns()}"
        if key in self.damaged:
            raise CheckFailed("A copy is not what its digest says.")
        path.write_bytes(self._content[key])
        try:
            yield path
        finally:
            path.unlink()


class MediaPlatform(FakePlatform):
    """A platform whose config vars change, each change with a release."""

    def config_vars(self, app: str) -> Mapping[str, SecretStr]:
        values = {name: value for name, value in self._world.config.items() if value is not None}
        return {**super().config_vars(app), **values}


class MediaProvisioning(FakeProvisioning):
    """Setting config vars makes a release."""

    def set_config(self, app: str, values: Mapping[str, SecretStr | None]) -> None:
        def effect() -> None:
            self._world.config.update(values)
            newest = self._world.releases[0].version + 1
            self._world.releases.insert(0, Release(id=f"r{newest}", version=newest, status="succeeded"))

        self._world.write("set_config", effect, ",".join(values))


def settings() -> Config:
    names = [step.name for step in PIPELINES["media"] if step.name.startswith("media.")]
    scenario = Scenario(title="Media loss", budget={}, steps=tuple(StepEntry(use=name) for name in names))
    config = configuration()
    return config.model_copy(update={"scenarios": {**config.scenarios, "media": scenario}})


@dataclass
class MediaRun(Rehearsal):
    """`recover media`, process after process."""

    config: Config = field(default_factory=settings)
    request: Request = field(default_factory=lambda: Request("media"))
    copies: Copies | None = None
    another: Cloud | None = None

    def __post_init__(self) -> None:
        self.cloud = Cloud("clinic", self.world)
        self.account = MediaAccount(cloud="clinic", api_key="key-of-clinic", api_secret=SecretStr("secret-of-clinic"))

    @property
    def goal(self) -> Cloud:
        return self.another or self.cloud

    def fill(self, number: int, *, backed_up: Callable[[int], bool] = lambda n: True) -> list[AssetKey]:
        """So many files, two of three pictures, each with its row."""
        keys = []
        for n in range(number):
            raw = n % 3 == 2
            name = f"media/patient-name-{n}" + (".pdf" if raw else "")
            key = AssetKey(resource_type="raw" if raw else "image", public_id=name)
            self.cloud.put(key, f"content of {n}".encode() * 3, backed_up=backed_up(n))
            self.world.references.append(reference(n, name.removeprefix("media/") if n % 2 else name))
            keys.append(key)
        return keys

    @override
    def adapters(self, context: RunContext, work: Path) -> GivenAdapters:
        another = self.another
        account = self.account
        return (
            super()
            .adapters(context, work)
            .but(
                platform=MediaPlatform(self.world),
                provisioning=MediaProvisioning(self.world),
                media=MediaAccess(
                    open_old=lambda: FakeMedia(self.cloud),
                    open_new=None if another is None else (lambda: FakeMedia(another)),
                    status=FakeStatus(self.world),
                    files=self.copies,
                    account=lambda: account,
                    uploads=UploadLog(context.state / "runs" / context.run / NAME),
                ),
            )
        )

    def _process(self, work: Callable[[Any], Outcome]) -> Outcome | None:
        with mock.patch.object(media_base, "SLACK", 0.0):
            return super()._process(work)

    def result(self, step: str) -> dict[str, Any]:
        """What the newest run's step gave."""
        ended = [event for event in self.events("step.s") if event["step"] == step and "result" in event]
        return dict(ended[-1]["result"])


def reference(number: int, value: str, *, written: datetime = STORED) -> StoredReference:
    return StoredReference(
        table="file_uploads_uploadedfile", column="file", key=str(number), value=value, created_at=written
    )
