"""A platform in memory that keeps its state: every port of `providers.ports`, with knobs for what goes wrong.

A `World` outlives the processes that work on it, as the real provider does. `World.faults` makes the n-th call
of a method fail: `refused` and `down` before any effect, `lost_before` and `lost_after` the effect, `kill_before`
and `kill_after` it (the calling process dies). `lost_after_dark` goes on with a platform that answers nothing.
`late` loses the answer, and the effect comes after `World.lateness` further looks at the transfers; `twice` has it
twice; `stray` answers with the oldest transfer instead.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TypeVar, cast

from pydantic import SecretStr

from uscdr.errors import AnswerLost, BadInput, CheckFailed, Conflict, MachineError, NotFound, ProviderError
from uscdr.installation import install
from uscdr.models.access import UNSHOWN, AccessAgain, AccessBack, AccessSeen, AccountSeen, KeyedAccess, Unshown
from uscdr.models.data_settings import CanaryColumn, Invariant, ReferenceColumn
from uscdr.models.heroku import (
    Account,
    AddOn,
    App,
    Attachment,
    Belongings,
    Build,
    Domain,
    Download,
    Dyno,
    OneOffResult,
    ProcessType,
    Release,
    Schedule,
    SignedUrl,
)
from uscdr.models.media import FileReferences, StoredReference
from uscdr.models.postgres import (
    CanaryResult,
    Extension,
    ForeignKey,
    InvariantResult,
    LeftOut,
    Migration,
    NewestTime,
    PasswordResult,
    SequenceState,
    ServerFacts,
    Session,
    TableColumn,
    TableCounts,
    TableDigest,
    TableDigests,
    TableKeys,
    TableSize,
    UniqueKey,
    Unread,
)
from uscdr.models.probes import ServiceColor, StatusReport, WebAnswer
from uscdr.models.schema import MigrationFile
from uscdr.models.transfers import DatabaseEnd, DatabaseInfo, Transfer, TransferKind, TransferState
from uscdr.models.trial import BEGUN, ENDED, MigrationScript, ScriptEnd
from uscdr.providers.ports.probes import Programs, Room
from uscdr.providers.ports.progress import Progress

T = TypeVar("T")
BUCKET = 4096
APP, ADDON = "usc-pis", "postgresql-curved-1"
LETTERS = {
    TransferKind.MANUAL_BACKUP: "b",
    TransferKind.SCHEDULED_BACKUP: "a",
    TransferKind.RESTORE: "r",
    TransferKind.COPY: "c",
}


class Killed(BaseException):
    """The process is gone, in the middle of whatever it did."""


@dataclass
class Data:
    """What a database holds: table -> key -> version of the row; and the migrations that were applied."""

    tables: dict[str, dict[int, int]] = field(default_factory=dict)
    applied: list[str] = field(default_factory=list)
    accounts: dict[int, set[str]] = field(default_factory=dict)
    """Account -> its flags that are true."""
    roles: dict[int, str] = field(default_factory=dict)
    """Account -> its role."""
    sealed: str = ""
    """What is not there of that which opens encrypted columns."""
    keys_gone: dict[str, int] = field(default_factory=dict)
    """Foreign keys that are not there, and tables without their unique key -> the rows that break them."""


@dataclass
class Disk:
    """What is damaged where the live database is kept. A restore makes its tables new."""

    uncounted: dict[str, str] = field(default_factory=dict)
    """Tables of which no row can be read -> why."""
    uncounted_again: dict[str, str] = field(default_factory=dict)
    """As `uncounted`, after a restore."""
    unread: dict[str, str] = field(default_factory=dict)
    """Tables that can be counted but not be read whole -> why."""
    hidden: tuple[str, ...] = ()
    """Tables under forced row-level security, in every backup too."""
    beyond: dict[str, int] = field(default_factory=dict)
    """`table.column` -> rows with a time that cannot be."""


def clinic(patients: int = 50) -> Data:
    """A sound database."""
    return Data(
        {
            "patients_patient": dict.fromkeys(range(1, patients + 1), 1),
            "django_migrations": dict.fromkeys(range(1, 3), 1),
            "django_session": dict.fromkeys(range(1, 6), 1),
        },
        ["patients.0001_initial", "patients.0002_names"],
    )


class World:
    """The provider's state."""

    key = "key"
    """What the encrypted columns are encrypted with."""
    replaced: Mapping[str, tuple[str, ...]] = {}
    """Squashed migrations of the code -> those that they replace."""
    shared: Sequence[Attachment] = ()
    """The database as other applications see it, and under further names."""
    beside: Sequence[Attachment] = ()
    """Other add-ons as the application sees them."""
    left_out: tuple[LeftOut, ...] = ()
    """What a load says that it did without."""
    files: tuple[MigrationFile, ...] = ()
    """What the code's migrations do, as far as a test says it."""
    columns: tuple[TableColumn, ...] = ()
    """Of the live tables."""
    crashing: Collection[str] = ()
    """Slugs whose web dynos come down."""
    told: tuple[str, ...] = ()
    """Lines of a build's or release phase's output."""
    hidden: Collection[str] = ()
    """Tables and columns of access that cannot be read once it was withdrawn."""
    secrets: Mapping[tuple[str, str], str] = {}
    """Column and account -> what stands there and is never written down."""
    known: Mapping[tuple[str, str], str] = {}
    """What of that was known when access was withdrawn."""
    refused: tuple[str, ...] = ()
    """Accounts whose role the restored database does not take."""
    again: Callable[[Data], None] | None = None
    """What somebody else does to the data right after that."""
    unsaved: tuple[str, ...] = ()
    """Models that the application cannot save."""
    up_since: datetime | None = datetime(2026, 11, 1, tzinfo=UTC)
    """Since when dynos have their state; None when the platform does not tell."""
    log: tuple[str, ...] = ()
    """Its lines, oldest first."""

    undelivered: Mapping[str, ProviderError] = {}
    """Numbers of backups -> what their download ends with."""
    belongings = Belongings()
    sizes: dict[str, str]
    """Dyno sizes of process types; others are Basic."""

    lateness = 40

    @cached_property
    def to_come(self) -> list[tuple[int, Callable[[], object]]]:
        """What was asked for and comes after so many looks."""
        return []

    @cached_property
    def unlisted(self) -> set[str]:
        """Transfers that the list leaves out for now."""
        return set()

    @cached_property
    def disk(self) -> Disk:
        """Sound, until a test damages it."""
        return Disk()

    @cached_property
    def tried_on_copies(self) -> list[str]:
        """Migrations whose SQL was tried on a copy."""
        return []

    @cached_property
    def sql_of(self) -> dict[str, str]:
        """Migration -> what the code writes of it, or says instead."""
        return {}

    @cached_property
    def sql_ends(self) -> dict[str, ScriptEnd]:
        """Migration -> how its SQL ends on every copy, instead of well."""
        return {}

    @cached_property
    def not_restored(self) -> tuple[LeftOut, ...]:
        """What of every dump no proof makes."""
        return ()

    leave: Callable[[], object] = staticmethod(lambda: None)
    """Whose leave the process needs that works on it now."""
    taken_back: Callable[[], object] = staticmethod(lambda: None)
    """Told of each write that certainly had no effect, as every client does."""

    def __init__(self, *, keep: int = 5, age: timedelta = timedelta(hours=2, minutes=30)) -> None:
        self.addon, self.owner, self.database_url = ADDON, APP, "postgres://u:p@h/d"
        self.maintenance, self.sizes = False, {}
        self.formation = {"web": 2, "worker": 3, "beat": 1, "cron": 0}
        self.one_offs: list[str] = ["run.7"]
        self.live = clinic()
        self.deployed = [*self.live.applied, "patients.0003_phone"]
        self.dumps: dict[int, Data] = {}
        self.transfers: list[Transfer] = []
        self.sessions = 2
        self.keep = keep
        self.reachable = True
        self.releases = [Release(id="r", version=41, status="succeeded", current=True)]
        self.builds = 0
        self.build_list: list[Build] = []
        self.new_apps: list[str] = []
        self.new_addons: list[AddOn] = []
        self.buildpacks: list[str] = []
        self.config: dict[str, SecretStr | None] = {}
        self.domains: dict[str, list[Domain]] = {}
        self.bad_slugs: set[str | None] = set()
        """Slugs whose web process does not work."""
        self.intact_web = True
        self.vars: frozenset[str] = frozenset()
        """Config variables beside DATABASE_URL."""
        self.vars_of: dict[str, frozenset[str]] = {}
        """Release -> the variables it runs under."""
        self.release_doom: list[str] = []
        """How the next releases end, instead of succeeded."""
        self.build_doom: list[str] = []
        """How the next builds end, instead of succeeded."""
        self.one_off_results: list[OneOffResult] = []
        self.doom: list[TransferState] = []
        """How the next transfers end, instead of completed."""
        self.slowness = 2
        """Looks until a transfer has ended."""
        self.lingering = 1
        """Looks until stopped dynos are gone, or started ones are up."""
        self.never_up: set[str] = set()
        self.references: list[StoredReference] = []
        self.dark = False
        """Nothing answers any more."""
        self.faults: dict[tuple[str, int], str] = {}
        self.calls: Counter[str] = Counter()
        self.writes: list[str] = []
        self.looks: Counter[str] = Counter()
        self._turn, self._settling = threading.RLock(), 0
        self._previous = dict(self.formation)
        self.store(TransferKind.MANUAL_BACKUP, age=age)
        self.live.tables["patients_patient"] |= dict.fromkeys(range(51, 61), 1)
        for key in range(1, 11):
            del self.live.tables["patients_patient"][key]

    def call(self, name: str, effect: Callable[[], T]) -> T:
        """One call with its fault, if any."""
        with self._turn:
            self.calls[name] += 1
            kind = self.faults.pop((name, self.calls[name]), "")
            if kind == "kill_before":
                raise Killed
            if kind == "refused":
                raise ProviderError(f"{name}: forbidden.", provider="fake", status=403)
            if kind == "conflict":
                raise Conflict(f"{name}: not in this state.", provider="fake", status=422)
            if kind == "down" or self.dark:
                raise ProviderError(f"{name}: down.", provider="fake", retryable=True, sent=False)
            if kind == "lost_before":
                raise AnswerLost(f"{name}: no answer.", provider="fake")
            if kind == "late":
                self.to_come.append((self.lateness, effect))
                raise AnswerLost(f"{name}: no answer.", provider="fake")
            result = effect()
            if kind == "twice":
                effect()
            if kind == "stray":
                return cast("T", self.transfers[0])
            if kind.startswith("lost_after"):
                self.dark = kind == "lost_after_dark"
                raise AnswerLost(f"{name}: no answer.", provider="fake")
            if kind == "kill_after":
                raise Killed
            return result

    def write(self, name: str, effect: Callable[[], T], detail: str = "") -> T:
        """A call that changes something: listed once it took effect. Asks for leave first, as every client does."""

        def noted() -> T:
            self.writes.append(f"{name} {detail}".strip())
            return effect()

        return self.let_go(name, noted)

    def let_go(self, name: str, effect: Callable[[], T]) -> T:
        """A writing request: permitted, and taken back if it was certainly refused or never arrived."""
        self.leave()
        try:
            return self.call(name, effect)
        except AnswerLost:
            raise
        except ProviderError:
            self.taken_back()
            raise

    # transfers

    def store(self, kind: TransferKind, *, age: timedelta = timedelta(), size: int = 1000) -> Transfer:
        """A finished backup of the data as they are."""
        transfer = self._new(kind, age)
        self._replace(
            transfer.num, state=TransferState.COMPLETED, finished_at=transfer.created_at, processed_bytes=size
        )
        self.dumps[transfer.num] = deepcopy(self.live)
        return self.transfers[-1]

    def _new(self, kind: TransferKind, age: timedelta = timedelta()) -> Transfer:
        number = max((t.num for t in self.transfers), default=0) + 1
        transfer = Transfer(
            id=f"transfer-{number}", num=number, name=f"{LETTERS[kind]}{number:03}", kind=kind,
            state=TransferState.PENDING, created_at=datetime.now(UTC) - age, source_bytes=1000, num_keep=self.keep,
            databases=(DatabaseEnd(label="DATABASE", host="h", name="d"),),
        )  # fmt: skip
        self.transfers.append(transfer)
        return transfer

    def _replace(self, number: int, **facts: object) -> None:
        index = next(i for i, t in enumerate(self.transfers) if t.num == number)
        self.transfers[index] = self.transfers[index].model_copy(update=facts)

    def start(self, kind: TransferKind, source: int | None = None) -> Transfer:
        """A transfer that others will see progress."""
        transfer = self._new(kind)
        self._replace(transfer.num, logs=(f"source={source}",))
        return transfer

    def tick(self) -> None:
        """Time passes at the platform whenever somebody looks."""
        waiting = list(self.to_come)
        self.to_come.clear()
        for looks, effect in waiting:
            if looks > 0:
                self.to_come.append((looks - 1, effect))
            else:
                effect()
        for transfer in tuple(self.transfers):
            if transfer.ended:
                continue
            done = transfer.processed_bytes + 1000 // self.slowness
            if done < 1000:
                self._replace(transfer.num, state=TransferState.RUNNING, processed_bytes=done)
                continue
            state = self.doom.pop(0) if self.doom else TransferState.COMPLETED
            self._replace(transfer.num, state=state, finished_at=datetime.now(UTC), processed_bytes=1000)
            self._end(transfer, state)

    def _end(self, transfer: Transfer, state: TransferState) -> None:
        if transfer.kind is TransferKind.RESTORE:
            source = int(transfer.logs[0].partition("=")[2])
            self.live = deepcopy(self.dumps[source]) if state is TransferState.COMPLETED else Data()
            self.disk = Disk(uncounted=dict(self.disk.uncounted_again), hidden=self.disk.hidden)
        elif state is TransferState.COMPLETED:
            self.dumps[transfer.num] = deepcopy(self.live)
            stored = [t for t in self.transfers if t.kind is TransferKind.MANUAL_BACKUP and t.ended and not t.expired]
            for old in stored[: max(0, len(stored) - self.keep)]:
                self.transfers.remove(old)

    # releases

    def due(self, identity: str) -> bool:
        """Whether it was looked at often enough to have ended."""
        self.looks[identity] += 1
        return self.looks[identity] >= self.slowness

    def progress(self, release: Release) -> Release:
        """A pending release ends when it is looked at for the `slowness`-th time, as `release_doom` says."""
        if release.status != "pending" or not self.due(release.id):
            return release
        status = self.release_doom.pop(0) if self.release_doom else "succeeded"
        if status == "succeeded":
            return self.run(release)
        ended = release.model_copy(update={"status": status})
        self.releases = [ended if r.id == release.id else r for r in self.releases]
        return ended

    def run(self, release: Release) -> Release:
        """It succeeded, and its dynos start."""
        running = release.model_copy(update={"status": "succeeded", "current": True, "eligible_for_rollback": True})
        others = [r.model_copy(update={"current": False}) for r in self.releases]
        self.releases = [running if r.id == release.id else r for r in others]
        self.intact_web = release.slug_id not in self.bad_slugs
        self._settling = self.lingering
        return running

    # dynos

    def scale(self, quantities: Mapping[str, int]) -> None:
        """Set quantities; dynos follow after a while."""
        self._previous = dict(self.formation)
        self.formation |= quantities
        self._settling = self.lingering

    def dynos(self) -> tuple[Dyno, ...]:
        """Who runs now."""
        if self._settling:
            self._settling -= 1
        kinds = self._previous if self._settling and not any(self.formation.values()) else self.formation
        state = "starting" if self._settling else "up"
        names = [(f"{kind}.{n + 1}", kind) for kind, number in kinds.items() for n in range(number)]
        current = next((one for one in self.releases if one.current), None)
        down = self.never_up | ({"web"} if current is not None and current.slug_id in self.crashing else set())
        running = [Dyno(id=name, name=name, type=kind, state="crashed" if kind in down else state,
                        release_version=current.version if current else None, updated_at=self.up_since)
                   for name, kind in names]  # fmt: skip
        return (*running, *(Dyno(id=name, name=name, type="run", state="up") for name in self.one_offs))

    @property
    def restores(self) -> list[Transfer]:
        """Every restore that was ever started."""
        return [t for t in self.transfers if t.kind is TransferKind.RESTORE]

    def end_state(self) -> dict[str, object]:
        """What a recovery is judged by."""
        return {
            "maintenance": self.maintenance,
            "formation": dict(self.formation),
            "live": deepcopy(self.live.tables),
            "applied": list(self.live.applied),
            "restores": len(self.restores),
            "one_offs": list(self.one_offs),
        }


class FakePlatform:
    """`ports.Platform`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def account(self) -> Account:
        return self._world.call("account", lambda: Account(email="ada@example.com"))

    def app(self, app: str) -> App:
        def look() -> App:
            if app != APP:
                raise NotFound(f"There is no app {app}.", provider="fake")
            return App(id="1", name=APP, maintenance=self._world.maintenance, web_url="https://usc-pis.example/")

        return self._world.call("app", look)

    def config_vars(self, app: str) -> Mapping[str, SecretStr]:
        there = {name: SecretStr("a value") for name in self._world.vars}
        return self._world.call("config_vars", lambda: {**there, "DATABASE_URL": SecretStr(self._world.database_url)})

    def set_maintenance(self, app: str, *, enabled: bool) -> App:
        def effect() -> App:
            self._world.maintenance = enabled
            return App(id="1", name=APP, maintenance=enabled)

        return self._world.write("set_maintenance", effect, str(enabled))

    def formation(self, app: str) -> tuple[ProcessType, ...]:
        def look() -> tuple[ProcessType, ...]:
            sizes = self._world.sizes
            return tuple(ProcessType(type=kind, quantity=n, size=sizes.get(kind, "Basic"))
                         for kind, n in self._world.formation.items())  # fmt: skip

        return self._world.call("formation", look)

    def scale(self, app: str, quantities: Mapping[str, int]) -> tuple[ProcessType, ...]:
        if not quantities:
            raise BadInput("No process type was given to scale.")
        self._world.write("scale", lambda: self._world.scale(quantities), str(dict(quantities)))
        return ()

    def resize(self, app: str, sizes: Mapping[str, str]) -> tuple[ProcessType, ...]:
        self._world.write("resize", lambda: self._world.sizes.update(sizes), str(dict(sizes)))
        return self.formation(app)

    def dynos(self, app: str) -> tuple[Dyno, ...]:
        return self._world.call("dynos", self._world.dynos)

    def stop_dyno(self, app: str, name: str) -> None:
        def effect() -> None:
            self._world.one_offs = [one for one in self._world.one_offs if one != name]

        self._world.write("stop_dyno", effect, name)

    def run_one_off(
        self,
        app: str,
        command: str,
        *,
        time_limit: float,
        on_started: Callable[[str], None],
        on_output: Callable[[str], None] | None = None,
    ) -> OneOffResult:
        def effect() -> OneOffResult:
            on_started("run.9")
            world = self._world
            if world.one_off_results:
                return world.one_off_results.pop(0)
            if "showmigrations &&" in command:
                return OneOffResult(name="run.9", exit_status=1 if world.unsaved else 0, output=_listed(world))
            if "showmigrations" in command:
                lines = (f"[{'X' if name in world.live.applied else ' '}]  {name}" for name in world.deployed)
                return OneOffResult(name="run.9", exit_status=0, output="\r\n".join(lines))
            if "sqlmigrate" in command:
                return OneOffResult(name="run.9", exit_status=0, output=_written(world, command))
            pending = [name for name in world.deployed if name not in world.live.applied]
            world.live.applied += pending
            for _ in pending:
                rows = world.live.tables["django_migrations"]
                rows[len(rows) + 1] = 1
            return OneOffResult(name="run.9", exit_status=0, output="OK")

        return self._world.write("run_one_off", effect, command.rpartition("manage.py ")[2].partition(";")[0])

    def releases(self, app: str, *, limit: int = 15) -> tuple[Release, ...]:
        def look() -> tuple[Release, ...]:
            for release in tuple(self._world.releases):
                self._world.progress(release)
            return tuple(self._world.releases[:limit])

        return self._world.call("releases", look)

    def builds_pending(self, app: str) -> int:
        return self._world.call("builds_pending", lambda: self._world.builds)

    def addons(self, app: str) -> tuple[AddOn, ...]:
        return (AddOn(id="addon-1", name=ADDON, state="provisioned", plan="heroku-postgresql:essential-0"),)

    def attachments(self, app: str) -> tuple[Attachment, ...]:
        return (self._attached(app), *self._world.beside)

    def attachments_of(self, addon_id: str) -> tuple[Attachment, ...]:
        return self._world.call("attachments_of", lambda: (self._attached(APP), *self._world.shared))

    def database(self, app: str, name: str = "DATABASE_URL") -> Attachment:
        return self._world.call("database", lambda: self._attached(app))

    def _attached(self, app: str) -> Attachment:
        return Attachment(
            name="DATABASE", app_name=APP, addon_id="addon-1", addon_name=self._world.addon,
            owner_app_name=self._world.owner, plan="heroku-postgresql:essential-0",
        )  # fmt: skip

    def log_lines(self, app: str, *, lines: int = 100) -> tuple[str, ...]:
        return self._world.call("log_lines", lambda: self._world.log[-lines:])


def _written(world: World, command: str) -> str:
    """What the code writes of the migrations that the command names, between the marks; nothing of those unwritable."""
    found = []
    for name in re.findall(rf"-- {BEGUN} (\S+)'", command):
        text = world.sql_of.get(name, f"BEGIN;\r\n--\r\n-- {name}\r\n--\r\nSELECT 1;\r\nCOMMIT;")
        found.append(f"-- {BEGUN} {name}\r\n{text}\r\n-- {ENDED} {0 if text.startswith(('BEGIN', '--')) else 1}\r\n")
    return "".join(found)


def _listed(world: World) -> str:
    """What `showmigrations` lists, and then what the write check tells."""
    lines: list[str] = []
    for app in sorted({name.partition(".")[0] for name in world.deployed}):
        lines.append(app)
        own = (one for one in world.deployed if one.startswith(f"{app}."))
        lines += (f" [{'X' if one in world.live.applied else ' '}] {one.partition('.')[2]}" for one in own)
    told = [f"{name}: cannot be saved" for name in world.unsaved] or ["a.Model: saved and rolled back"]
    return "\r\n".join([*lines, *told])


class FakeBackups:
    """`ports.Backups`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def database_info(self, addon_id: str) -> DatabaseInfo:
        address = DatabaseEnd(host="h", name="d")
        return DatabaseInfo(addon_id=addon_id, facts=(("Status", ("Available",)),), address=address)

    def clock(self) -> datetime:
        return datetime.now(UTC)

    def transfers(self, addon: Attachment) -> tuple[Transfer, ...]:
        def look() -> tuple[Transfer, ...]:
            self._world.tick()
            address = self.database_info(addon.addon_id).address
            listed = [one for one in self._world.transfers if one.id not in self._world.unlisted]
            found = (one.seen_from(addon, address) for one in listed)
            return tuple(sorted(found, key=lambda one: (one.taken_at, one.num)))

        return self._world.call("transfers", look)

    def transfer(self, app: str, ref: str) -> Transfer:
        def look() -> Transfer:
            self._world.tick()
            for transfer in self._world.transfers:
                if ref in (transfer.id, transfer.name, str(transfer.num)):
                    return transfer
            raise NotFound(f"There is no transfer {ref}.", provider="fake", status=404)

        return self._world.call("transfer", look)

    def capture(self, addon_id: str) -> Transfer:
        return self._world.write("capture", lambda: self._world.start(TransferKind.MANUAL_BACKUP))

    def restore(self, addon_id: str, source: SecretStr, *, extensions: Sequence[str] = ()) -> Transfer:
        number = int(source.get_secret_value().rpartition("/")[2])
        return self._world.write("restore", lambda: self._world.start(TransferKind.RESTORE, number), str(number))

    def cancel(self, app: str, transfer_id: str) -> None:
        raise AssertionError("no step cancels a transfer")

    def public_url(self, app: str, num: int) -> SignedUrl:
        return self._world.call("public_url", lambda: SignedUrl(url=SecretStr(f"https://signed.example/{num}")))

    def schedules(self, addon_id: str) -> tuple[Schedule, ...]:
        return (Schedule(id="s", name="DATABASE_URL", hour=2, timezone="UTC"),)

    def download(self, app: str, num: int, destination: Path, progress: Progress) -> Download:
        content = self.public_url(app, num).url.get_secret_value().encode()
        if (name := content.rpartition(b"/")[2].decode()) in self._world.undelivered:
            raise self._world.undelivered[name]
        destination.write_bytes(content)
        progress(len(content), len(content))
        return Download(size=len(content), sha256=hashlib.sha256(content).hexdigest())


@dataclass
class FakeMachine:
    """`ports.Machine`: one with room, unless the test says otherwise."""

    server: int = 17
    pg_restore: int = 17
    free: int = 1 << 40
    free_for_databases: int | None = None
    """When databases lie on another disk."""
    programs: frozenset[str] = frozenset({"git"})
    left: int | None = 1 << 34
    own_server: bool = False
    lacks: str = ""
    """What `postgres` refuses with."""

    def postgres(self, server_major: int) -> Programs:
        if self.lacks:
            raise MachineError(self.lacks, next_action=install("sandbox"))
        return Programs(self.pg_restore, None if self.own_server else self.server)

    def program(self, name: str) -> Path | None:
        return Path(name) if name in self.programs else None

    def downloads(self) -> Room:
        return Room(Path("/here"), self.free, 1)

    def databases(self) -> Room | None:
        if self.own_server:
            return None
        apart = self.free_for_databases
        return Room(Path("/here"), self.free, 1) if apart is None else Room(Path("/there"), apart, 2)

    def memory(self) -> int | None:
        return self.left


class FakeScratch:
    """`ports.Scratch`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def prepare(self) -> None:
        """Nothing to start."""

    @contextmanager
    def restore(self, dump: Path, progress: Progress) -> Iterator[FakeDatabase]:
        data = self._world.dumps[int(dump.read_text().rpartition("/")[2])]
        if not data.tables:
            raise CheckFailed("The dump does not decode.")
        yield FakeDatabase(self._world, data)


class FakeDatabase:
    """`ports.Database` over given data, or over the live ones. An invariant's SQL is `count TABLE`."""

    def __init__(self, world: World, data: Data | None = None) -> None:
        self._world = world
        self._fixed = data

    def _data(self) -> Data:
        if self._fixed is not None:
            return self._fixed
        return self._world.call("query", self._live)

    def _live(self) -> Data:
        if not self._world.reachable:
            raise ProviderError("The database does not answer.", provider="postgres", retryable=True)
        return self._world.live

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        return self._world.not_restored

    def tried(self, scripts: Sequence[MigrationScript], *, seconds: float) -> tuple[ScriptEnd, ...]:
        found: list[ScriptEnd] = []
        for one in scripts:
            found.append(self._world.sql_ends.get(one.name, ScriptEnd(name=one.name)))
            self._world.tried_on_copies.append(one.name)
            if not found[-1].ran:
                break
        return tuple(found)

    def facts(self) -> ServerFacts:
        self._data()
        return ServerFacts(version=(17, 2), database="d", size=4096)

    def tables(self) -> tuple[TableSize, ...]:
        return tuple(TableSize(name=name, bytes=8192) for name in sorted(self._data().tables))

    def counted(self, tables: Sequence[str]) -> TableCounts:
        rows, unread = self._data().tables, self._unread(tables, self._world.disk.uncounted)
        gone = {one.table for one in unread}
        return TableCounts(rows={name: len(rows[name]) for name in tables if name not in gone}, unread=unread)

    def counts(self, tables: Sequence[str]) -> Mapping[str, int]:
        found = self.counted(tables)
        _hold_whole(found.unread)
        return found.rows

    def digested(self, tables: Sequence[str]) -> TableDigests:
        unread = self._unread(tables, self._world.disk.uncounted | self._world.disk.unread)
        return TableDigests(tables=self._digests(tables, {one.table for one in unread}), unread=unread)

    def digests(self, tables: Sequence[str]) -> tuple[TableDigest, ...]:
        found = self.digested(tables)
        _hold_whole(found.unread)
        return found.tables

    def _digests(self, tables: Sequence[str], gone: Collection[str]) -> tuple[TableDigest, ...]:
        rows = self._data().tables
        return tuple(
            TableDigest(name=n, rows=len(rows[n]), digest=str(sorted(rows[n].items())), buckets=_buckets(rows[n]))
            for n in tables
            if n not in gone
        )

    def _unread(self, tables: Sequence[str], damaged: Mapping[str, str]) -> tuple[Unread, ...]:
        """Of the live data alone: a dump has only what could be read."""
        if self._fixed is not None:
            return ()
        hidden = [name for name in tables if name in self._world.disk.hidden]
        return (
            *(Unread(table=name, why=damaged[name], damaged=True) for name in tables if name in damaged),
            *(Unread(table=name, why="row-level security is forced", hidden=True) for name in hidden),
        )

    def lacking(self, tables: Sequence[str]) -> tuple[str, ...]:
        there = self._data().tables
        return tuple(name for name in tables if name not in there)

    def keys(self, wanted: Mapping[str, Sequence[int] | None]) -> Mapping[str, TableKeys | Unread]:
        return {table: self._keys(table, buckets) for table, buckets in wanted.items()}

    def _keys(self, table: str, buckets: Sequence[int] | None) -> TableKeys:
        rows = self._data().tables[table]
        keys = sorted(key for key in rows if buckets is None or key // BUCKET in buckets)
        prints = tuple(rows[key] for key in keys)
        return TableKeys(name=table, column="id", keys=tuple(str(key) for key in keys), prints=prints)

    def written(self, columns: Sequence[str]) -> Mapping[str, NewestTime]:
        return {
            column: NewestTime(newest=newest, beyond=self._world.disk.beyond.get(column, 0))
            for column, newest in self.newest(columns).items()
        }

    def newest(self, columns: Sequence[str]) -> Mapping[str, str | None]:
        self._data()
        return {column: (datetime.now(UTC) - timedelta(minutes=20)).isoformat() for column in columns}

    def invariants(self, wanted: Sequence[Invariant]) -> tuple[InvariantResult, ...]:
        rows = self._data().tables
        results = []
        for one in wanted:
            table = one.sql.removeprefix("count ")
            if self._fixed is None and table in self._world.disk.hidden:
                refused = InvariantResult(name=one.name, holds=None, seen="42501", expected="", forbidden=True)
                results.append(refused)
                continue
            found = len(rows.get(table, {}))
            holds = found >= (one.minimum or 0)
            results.append(InvariantResult(name=one.name, holds=holds, seen=str(found), expected=f">= {one.minimum}"))
        return tuple(results)

    def timed(self, wanted: Invariant) -> tuple[InvariantResult, float]:
        return self.invariants([wanted])[0], 0.01

    def file_references(self, wanted: Sequence[ReferenceColumn]) -> FileReferences:
        self._data()
        return FileReferences(found=tuple(self._world.references))

    def canary(self, columns: Sequence[CanaryColumn], key: SecretStr, *, sample: int = 200) -> tuple[CanaryResult, ...]:
        rows = self._data().tables
        fits = key.get_secret_value() == self._world.key
        results = []
        for one in columns:
            found = min(sample, len(rows.get(one.table, {})))
            matching, unreadable = (found, 0) if fits else (0, found)
            missing = self._data().sealed or ("" if one.table in rows else f"table {one.table}")
            found, matching, unreadable = (0, 0, 0) if missing else (found, matching, unreadable)
            results.append(
                CanaryResult(
                    table=one.table, column=one.encrypted, sampled=found, matching=matching, unreadable=unreadable,
                    missing=missing,
                )
            )  # fmt: skip
        return tuple(results)

    def extensions(self) -> tuple[Extension, ...]:
        return (Extension(name="pgcrypto", version="1.3"),)

    def migrations(self) -> tuple[Migration, ...]:
        return tuple(Migration(app=n.partition(".")[0], name=n.partition(".")[2]) for n in self._data().applied)

    def columns(self) -> tuple[TableColumn, ...]:
        self._data()
        return self._world.columns

    def variety(self, tables: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        there = self._data().tables
        return {name: {"content": len(set(there[name].values()))} for name in tables if name in there}

    def sequences(self) -> tuple[SequenceState, ...]:
        last = {name: max(rows, default=None) for name, rows in self._data().tables.items()}
        return tuple(
            SequenceState(table=name, column="id", last=key, greatest=key, next=(key or 0) + 1)
            for name, key in sorted(last.items())
        )

    def foreign_keys(self) -> tuple[ForeignKey, ...]:
        tables = sorted(self._data().tables)
        keys = [ForeignKey(table=name, name=f"{name}_fk", validated=True, orphans=0) for name in tables]
        return tuple(key for key in keys if key.name not in self._data().keys_gone)

    def breaking(self, keys: Sequence[ForeignKey]) -> tuple[int, ...]:
        return tuple(self._data().keys_gone.get(key.name, 0) for key in keys)

    def unique_keys(self) -> tuple[UniqueKey, ...]:
        keys = [UniqueKey(table=name, columns=("mark",)) for name in sorted(self._data().tables)]
        return tuple(key for key in keys if key.table not in self._data().keys_gone)

    def repeated(self, keys: Sequence[UniqueKey]) -> tuple[int, ...]:
        return tuple(self._data().keys_gone.get(key.table, 0) for key in keys)

    def published_passwords(
        self, query: str, candidates: Sequence[SecretStr], *, seconds: float = 20.0
    ) -> PasswordResult:
        self._data()
        return PasswordResult(tested=1)

    def texts(self, query: str) -> tuple[str, ...]:
        self._data()
        return ("ada@example.com",)

    def sessions(self) -> tuple[Session, ...]:
        self._data()
        number = self._world.sessions
        return tuple(Session(pid=n, user="u", application="psql", state="idle") for n in range(number))

    def end_sessions(self) -> int:
        def effect() -> int:
            ended, self._world.sessions = self._world.sessions, 0
            return ended

        return self._world.write("end_sessions", effect)

    def access(self, tables: KeyedAccess) -> AccessSeen:
        data = self._data()
        accounts = {
            str(key): AccountSeen(
                flags=frozenset(flags),
                columns=("role",) if key in data.roles else (),
                texts=(self._word(tables, str(key), data.roles[key]),) if key in data.roles else (),
            )
            for key, flags in data.accounts.items()
        }  # fmt: skip
        rows = {name: frozenset(map(str, data.tables[name])) for name in tables.sessions if name in data.tables}
        hidden = tuple(self._world.hidden) if "withdraw" in self._world.writes else ()
        return AccessSeen(accounts={} if tables.accounts in hidden else accounts, rows=rows, missing=hidden)

    def _word(self, tables: KeyedAccess, key: str, role: str) -> str:
        """A role that is not shown is its digest, keyed."""
        return UNSHOWN + tables.digest(SecretStr(self._world.secrets["role", key]))[:8] if role == UNSHOWN else role

    def unshown(self, tables: KeyedAccess, back: AccessBack) -> Unshown:
        self._data()
        return {name: SecretStr(text) for name, text in self._world.secrets.items()}

    def withdraw(self, tables: KeyedAccess, back: AccessBack, known: Unshown) -> AccessAgain:
        def effect() -> AccessAgain:
            self._world.known = {name: secret.get_secret_value() for name, secret in known.items()}
            data, changed = self._world.live, 0
            for flag, keys in back.flags.items():
                for key in keys:
                    changed += flag in data.accounts[int(key)]
                    data.accounts[int(key)] -= {flag}
            for key, move in back.moves.get("role", {}).items():
                changed += data.roles[int(key)] != move.now
                if key in self._world.refused:
                    data.accounts[int(key)] = set()
                else:
                    data.roles[int(key)] = str(move.now)
            for table, gone in back.rows.items():
                for row in gone:
                    changed += data.tables[table].pop(int(row), None) is not None
            if self._world.again:
                self._world.again(data)
            return AccessAgain(changed=changed, shut=self._world.refused)

        return self._world.write("withdraw", effect)


def _hold_whole(unread: Sequence[Unread]) -> None:
    if unread:
        raise ProviderError("; ".join(one.words("read") for one in unread), provider="postgres")


class FakeLoader:
    """`ports.Loader`: into the live data, whatever the URL."""

    def __init__(self, world: World) -> None:
        self._world = world

    def load(self, url: SecretStr, dump: Path, progress: Progress) -> tuple[LeftOut, ...]:
        number = int(dump.read_text().rpartition("/")[2])
        data = self._world.dumps[number]
        if not data.tables:
            raise CheckFailed("The dump does not decode.")

        def effect() -> None:
            self._world.live.tables |= deepcopy(data.tables)
            self._world.live.applied = list(data.applied)

        self._world.write("load", effect, str(number))
        progress(1000, None)
        return self._world.left_out


def _buckets(rows: Mapping[int, int]) -> dict[int, str]:
    parts: dict[int, list[tuple[int, int]]] = {}
    for key, version in sorted(rows.items()):
        parts.setdefault(key // BUCKET, []).append((key, version))
    return {part: str(pairs) for part, pairs in parts.items()}


class FakeStatus:
    """`ports.ServiceStatus`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def current(self) -> StatusReport:
        report = StatusReport(systems=(ServiceColor(system="Apps", status="green"),))
        return self._world.call("status", lambda: report)


class FakeWebsite:
    """`ports.Website`: answers while web dynos run and users are let in."""

    def __init__(self, world: World) -> None:
        self._world = world

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: SecretStr | None = None,
        json_body: Mapping[str, object] | None = None,
        empty_form: bool = False,
        once: bool = False,
    ) -> WebAnswer:
        if self._world.maintenance or not self._world.formation.get("web"):
            return WebAnswer(status=503)
        body = b'<div id="root"></div>' if self._world.intact_web else b"Application error"
        return WebAnswer(status=200, body=body)

    def fetch(self, address: str) -> WebAnswer:
        return self.ask("GET", address)

    def sign_in(self, email: str, password: SecretStr) -> SecretStr:
        return SecretStr("token-of-the-check-account")
