"""A clinic whose backups have stopped: a platform, a vault on this machine, and the run that brings them back."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path

from pydantic import SecretStr
from typing_extensions import override

from backup_world import Bytes, Safe
from fake_provisioning import FakeProvisioning
from fakes import FakeBackups, FakePlatform, FakeScratch, Killed, World
from given import GivenAdapters
from rehearsal import Rehearsal, configuration
from uscdr.backups import catalog
from uscdr.backups.copy import IncomingDump, Keys
from uscdr.backups.manifest import CopyCard
from uscdr.backups.proofs import ProofDocument, Proofs
from uscdr.backups.proving import Decoded
from uscdr.engine.run import Outcome
from uscdr.errors import ExitCode
from uscdr.models.heroku import Download, Schedule, SignedUrl
from uscdr.models.transfers import Transfer, TransferKind, TransferState
from uscdr.providers.ports.progress import Progress
from uscdr.scenarios.adapters import CopiesAccess, Request
from uscdr.scenarios.config import Config
from uscdr.settings import Operator
from uscdr.store.directory import LocalStore
from uscdr.store.lease import WriterQueue
from uscdr.store.store import ObjectInfo, ReadOnlyStore, Store, StoreUnreachable
from uscdr.wiring.context import RunContext

SIZE = 1000
"""Bytes of every dump, as the platform says."""


def content(link: SignedUrl) -> bytes:
    """A dump of that backup, whose number stands at its end."""
    return f"PGDMP {link.url.get_secret_value()}".encode().replace(b"PGDMP", b"PGDMP".ljust(SIZE, b"."), 1)


class UnscheduledWorld(World):
    """Nothing is scheduled, and the key is in the config."""

    def __init__(self, *, keep: int = 5, age: timedelta = timedelta(hours=2, minutes=30)) -> None:
        super().__init__(keep=keep, age=age)
        self.schedules: list[Schedule] = []
        self.held_key = self.key
        self.store_faults: dict[tuple[str, int], str] = {}
        self.store_is_dark = False

    def fail(self, *logs: str) -> Transfer:
        """A backup that failed just now."""
        begun = self._new(TransferKind.MANUAL_BACKUP)
        self._replace(begun.num, state=TransferState.FAILED, finished_at=begun.created_at, logs=logs)
        return self.transfers[-1]


class StoppedBackups(FakeBackups):
    """Schedules are the world's, dumps look like dumps."""

    def __init__(self, world: UnscheduledWorld) -> None:
        super().__init__(world)
        self._clinic = world

    def schedules(self, addon_id: str) -> tuple[Schedule, ...]:
        return self._clinic.call("schedules", lambda: tuple(self._clinic.schedules))

    def download(self, app: str, num: int, destination: Path, progress: Progress) -> Download:
        link = self.public_url(app, num)

        def effect() -> Download:
            data = content(link)
            destination.write_bytes(data)
            progress(len(data), len(data))
            return Download(size=len(data), sha256=hashlib.sha256(data).hexdigest())

        return self._clinic.call("download", effect)


class Scheduling(FakeProvisioning):
    """A schedule that was taken is there."""

    def __init__(self, world: UnscheduledWorld) -> None:
        super().__init__(world)
        self._clinic = world

    def schedule_backups(self, addon_id: str, name: str, *, hour: int, timezone: str) -> Schedule:
        made = Schedule(id="schedule-1", name=name, hour=hour, timezone=timezone)

        def effect() -> Schedule:
            self._clinic.schedules.append(made)
            return made

        return self._clinic.write("schedule_backups", effect, name)


class KeyedPlatform(FakePlatform):
    """Its config holds the application's key."""

    def __init__(self, world: UnscheduledWorld) -> None:
        super().__init__(world)
        self._clinic = world

    def config_vars(self, app: str) -> Mapping[str, SecretStr]:
        return {**super().config_vars(app), "PGP_ENCRYPTION_KEY": SecretStr(self._clinic.held_key)}


class FaultyStore(ReadOnlyStore):
    """A real store whose n-th write kills the process before or after its effect; dark, it cannot even be listed."""

    def __init__(self, store: Store, world: UnscheduledWorld) -> None:
        super().__init__(store)
        self._world = world

    def staging(self) -> AbstractContextManager[Path]:
        return self._store.staging()

    def create(self, name: str, file: Path) -> None:
        self._write("create", lambda: self._store.create(name, file))

    def put_once(self, name: str, data: bytes) -> None:
        self._write("put_once", lambda: self._store.put_once(name, data))

    def delete(self, name: str) -> None:
        self._write("delete", lambda: self._store.delete(name))

    def listing(self, prefix: str) -> tuple[ObjectInfo, ...]:
        if self._world.store_is_dark:
            raise StoreUnreachable("The store does not answer.", why="connection refused")
        return self._store.listing(prefix)

    def _write(self, kind: str, effect: Callable[[], None]) -> None:
        self._world.calls[kind] += 1
        fault = self._world.store_faults.pop((kind, self._world.calls[kind]), "")
        if fault == "kill_before":
            raise Killed
        effect()
        if fault == "kill_after":
            raise Killed


@cache
def clinic_config() -> Config:
    """The packaged configuration with what the fakes have."""
    config = configuration()
    app = config.app.model_copy(update={"expected_tables": ("patients_patient",)})
    canaries = tuple(one for one in config.recovery.canaries if one.table == "patients_patient")
    recovery = config.recovery.model_copy(update={"canaries": canaries})
    return config.model_copy(update={"app": app, "recovery": recovery})


@dataclass
class Clinic(Rehearsal):
    """`recover backups`, process by process, on one world and one vault."""

    world: UnscheduledWorld = field(default_factory=UnscheduledWorld)
    config: Config = field(default_factory=clinic_config)
    request: Request = field(default_factory=lambda: Request("backups"))
    readers: bool = True
    """Whether anybody is named who could open copies."""
    with_identity: bool = True
    """Whether the private key is at hand."""
    on_turn: Callable[[], None] = lambda: None
    """Called when it is this process's turn to write copies."""

    def __post_init__(self) -> None:
        self.state.mkdir(exist_ok=True)
        self.safe = Safe(self.state)

    @property
    def store(self) -> LocalStore:
        return self.safe.store

    def copies(self) -> tuple[CopyCard, ...]:
        """Whole ones."""
        return catalog.StoredCopies.of(self.store).copies

    def proofs(self) -> list[ProofDocument]:
        """Every proof there is."""
        names = self.store.names("proofs")
        found = Proofs(self.store)
        documents = [found.of(name.split("/")[1]) for name in names]
        return [one for one in documents if one is not None]

    def proven_before(self, number: int = 1) -> CopyCard:
        """A copy of an earlier backup, with its proof."""
        one = self.world.transfers[number - 1]
        card = self.safe.pull(one.model_copy(update={"processed_bytes": 0}))
        self.safe.prove(card)
        return card

    @contextmanager
    def _turn(self, message: str, say: Callable[[str], None]) -> Iterator[object]:
        with WriterQueue(Operator("ada", "desk", 1), time.sleep, say).turn(self.store, message) as lease:
            self.on_turn()
            yield lease

    @override
    def adapters(self, context: RunContext, work: Path) -> GivenAdapters:
        world = self.world
        found = FaultyStore(self.store, world)
        store: Store = ReadOnlyStore(found) if context.dry_run else found

        @contextmanager
        def download(sign: Callable[[], SignedUrl]) -> Iterator[IncomingDump]:
            link = sign()
            yield world.call("fetch", lambda: Bytes(content(link)))

        vault = CopiesAccess(
            target="production",
            to=None,
            store=lambda: store,
            keyring=lambda: self.safe.keyring if self.readers else None,
            reading=lambda: self.safe.keys if self.with_identity else Keys(),
            download=download,
            decode=lambda path: Decoded("17.2", "17.2", ("pgcrypto",)),
            scratch=lambda: FakeScratch(world),
            turn=self._turn,
        )
        return super().adapters(context, work).but(
            platform=KeyedPlatform(world), backups=StoppedBackups(world),
            provisioning=Scheduling(world), vault=vault,
        )  # fmt: skip


def ended(ending: Outcome | None) -> tuple[ExitCode, str]:
    """The code, and all that a person is told."""
    assert ending is not None
    error = ending.error
    return ending.code, f"{error.message} {error.why} {error.next_action}" if error else ""
