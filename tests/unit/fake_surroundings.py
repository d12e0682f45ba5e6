"""A healthy application with all that stands around it, for checks to look at; tests damage it.

`Place` plays the platform, the name servers, certificates, broker and mail account at once. Every config value
holds `PLANTED`, which no evidence may hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from pydantic import SecretStr

from uscdr.checks.baseline import Baseline
from uscdr.checks.context import CheckContext, Expected, PlatformCache
from uscdr.checks.registry import SPECS
from uscdr.checks.verdict import Finding
from uscdr.errors import ProviderError
from uscdr.models.data_settings import ReferenceColumn
from uscdr.models.dns import NameServer, RecordSet, RecordType, ServerAnswer, Sighting
from uscdr.models.heroku import AddOn, App, Attachment, Domain, Dyno, LogDrain, ProcessType, Release, Schedule
from uscdr.models.media import FileReferences, StoredReference
from uscdr.models.probes import Certificate, QueueFacts
from uscdr.models.transfers import DatabaseEnd, Transfer, TransferKind, TransferState
from uscdr.providers.ports.media import Media

PLANTED = "planted-secret"
NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
HOST, TARGET = "www.clinic.example", "calm-otter-1.herokudns.example"
SERVERS = tuple(NameServer(host=f"ns{n}.example", address=f"192.0.2.{n}") for n in (1, 2))
T = TypeVar("T")


def dyno(name: str, state: str = "up") -> Dyno:
    return Dyno(id=name, name=name, type=name.partition(".")[0], state=state)


def backup(
    number: int,
    age: timedelta,
    state: TransferState = TransferState.COMPLETED,
    kind: TransferKind = TransferKind.SCHEDULED_BACKUP,
    **more: Any,
) -> Transfer:
    return Transfer(
        id=str(number), num=number, name=f"a{number:03}", kind=kind, state=state, created_at=NOW - age,
        **{"databases": (DatabaseEnd(label="DATABASE"),), "processed_bytes": 1000, **more},
    )  # fmt: skip


def variables() -> dict[str, str]:
    return {
        "DATABASE_URL": f"postgres://u:{PLANTED}@db.example/d",
        "SECRET_KEY": f"key-{PLANTED}",
        "USE_CLOUDINARY": "True",
        "CLOUDINARY_CLOUD_NAME": "clinic",
        "CLOUDINARY_API_KEY": f"1-{PLANTED}",
        "CLOUDINARY_API_SECRET": f"2-{PLANTED}",
        "REDIS_URL": f"rediss://:{PLANTED}@redis.example:6379",
        "GMAIL_CLIENT_ID": f"3-{PLANTED}",
        "GMAIL_CLIENT_SECRET": f"4-{PLANTED}",
        "GMAIL_REFRESH_TOKEN": f"5-{PLANTED}",
    }


@dataclass
class Place:
    """Ports `Platform`, `Backups`, `Provisioning`, `Verifier`, `Tls`, `Queue`, `MailAccount` as far as checks look."""

    maintenance: bool = False
    quantities: dict[str, int] = field(default_factory=lambda: {"web": 2, "worker": 1, "beat": 1, "cron": 0})
    running: list[Dyno] = field(
        default_factory=lambda: [dyno(name) for name in ("web.1", "web.2", "worker.1", "beat.1", "run.77")]
    )
    released: list[Release] = field(
        default_factory=lambda: [
            Release(id="2", version=42, status="succeeded", current=True),
            Release(id="1", version=41, status="succeeded"),
        ]
    )
    vars: dict[str, str] = field(default_factory=variables)
    daily: list[Schedule] = field(
        default_factory=lambda: [Schedule(id="s", name="DATABASE_URL", hour=2, timezone="UTC")]
    )
    stored: list[Transfer] = field(
        default_factory=lambda: [backup(1, timedelta(hours=31)), backup(2, timedelta(hours=7))]
    )
    owned: list[AddOn] = field(
        default_factory=lambda: [
            AddOn(id="1", name="db-1", state="provisioned", plan="heroku-postgresql:essential-0"),
            AddOn(id="2", name="redis-1", state="provisioned", plan="heroku-redis:mini"),
        ]
    )
    drains: list[LogDrain] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    bound: list[Domain] = field(
        default_factory=lambda: [
            Domain(id="0", hostname="clinic.herokuapp.example", kind="heroku"),
            Domain(id="1", hostname=HOST, kind="custom", cname=TARGET),
        ]
    )
    records: dict[tuple[str, RecordType], list[tuple[str, str]]] = field(
        default_factory=lambda: {(HOST, "CNAME"): [("answered", TARGET), ("answered", TARGET)]}
    )
    """What each server says: state and value, which may be empty."""
    certificates: dict[str, Certificate | ProviderError] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=lambda: {"celery": 3})
    broken_queue: Exception | None = None
    mail_reason: str = ""
    asked: list[str] = field(default_factory=list)
    """URLs of brokers, and the secrets of mail accounts."""

    # platform

    def app(self, app: str) -> App:
        return App(id=app, name=app, maintenance=self.maintenance)

    def config_vars(self, app: str) -> Mapping[str, SecretStr]:
        return {name: SecretStr(value) for name, value in self.vars.items()}

    def formation(self, app: str) -> tuple[ProcessType, ...]:
        return tuple(ProcessType(type=kind, quantity=number) for kind, number in self.quantities.items())

    def dynos(self, app: str) -> tuple[Dyno, ...]:
        return tuple(self.running)

    def releases(self, app: str) -> tuple[Release, ...]:
        return tuple(self.released)

    def addons(self, app: str) -> tuple[AddOn, ...]:
        return tuple(self.owned)

    def database(self, app: str, name: str) -> Attachment:
        return Attachment(name="DATABASE", app_name=app, addon_id="1", addon_name="db-1", owner_app_name=app)

    def log_lines(self, app: str, *, lines: int) -> tuple[str, ...]:
        return tuple(self.log[-lines:])

    def transfers(self, addon: Attachment) -> tuple[Transfer, ...]:
        return tuple(one.seen_from(addon, DatabaseEnd()) for one in self.stored)

    def schedules(self, addon_id: str) -> tuple[Schedule, ...]:
        return tuple(self.daily)

    def domains(self, app: str) -> tuple[Domain, ...]:
        return tuple(self.bound)

    def log_drains(self, app: str) -> tuple[LogDrain, ...]:
        return tuple(self.drains)

    # what stands around

    def look(self, name: Any, what: Any, *, target: str = "") -> Any:
        """Of a name's servers, or of a broker."""
        return self._queue(name, what) if isinstance(name, SecretStr) else self._sighting(name, what)

    def _sighting(self, name: str, kind: RecordType) -> Sighting:
        said = self.records.get((name, kind), [("no such record", "")] * len(SERVERS))
        return Sighting(
            answers=tuple(_answer(server, name, kind, *one) for server, one in zip(SERVERS, said, strict=False))
        )

    def _queue(self, url: SecretStr, queues: Sequence[str]) -> QueueFacts:
        self.asked.append(url.get_secret_value())
        if self.broken_queue is not None:
            raise self.broken_queue
        return QueueFacts(version="7.4.1", waiting={one: self.waiting.get(one, 0) for one in queues})

    def certificate(self, hostname: str) -> Certificate:
        found = self.certificates.get(hostname)
        if isinstance(found, ProviderError):
            raise found
        return found or Certificate(hostname=hostname, expires_at=NOW + timedelta(days=60))

    def accepts(self, credentials: Mapping[str, SecretStr]) -> str:
        self.asked += [f"{name}={value.get_secret_value()}" for name, value in credentials.items()]
        return self.mail_reason


def _answer(server: NameServer, name: str, kind: RecordType, state: str, value: str) -> ServerAnswer:
    records = RecordSet(name=name, type=kind, ttl=60, values=(value,)) if value else None
    return ServerAnswer.model_validate({"server": server, "state": state, "records": records})


@dataclass
class Rows:
    """Port `Database`, as far as files go."""

    found: list[StoredReference] = field(default_factory=list)
    absent: tuple[str, ...] = ()

    def file_references(self, wanted: Sequence[ReferenceColumn]) -> FileReferences:
        return FileReferences(found=tuple(self.found), absent=self.absent)


EXPECTED = Expected(
    formation={"web": 1, "worker": 1, "beat": 1},
    single=frozenset({"beat"}),
    required=("SECRET_KEY", "DATABASE_URL", "REDIS_URL"),
    derived=frozenset({"DATABASE_URL", "REDIS_URL"}),
    references=(ReferenceColumn(column="files.file"),),
    media_prefix="media/",
    cloud="clinic",
    hostnames=(HOST,),
)


def world(place: Place, *, rows: Rows | None = None, media: Media | None = None, **more: Any) -> CheckContext:
    """What checks are given; `more` replaces parts of `Expected`."""
    seen = cast("Any", place)
    nothing = cast("Any", None)
    database = cast("Any", rows or Rows())
    return CheckContext(
        app="clinic", facts=PlatformCache("clinic", seen, seen, seen, database="DATABASE_URL"),
        expected=replace(EXPECTED, **more), website=nothing, token=lambda: None, account_email="",
        database=lambda: database, media=None if media is None else (lambda: media), verifier=seen, tls=seen,
        queue=seen, mail=seen, code_migrations=lambda: None, now=lambda: NOW, sign_in=lambda: None,
    )  # fmt: skip


def remembering(seen: CheckContext, finding: Finding, name: str = "it") -> CheckContext:
    """The same world with a baseline that was taken when `finding` was."""
    kept = Baseline.model_validate_json(
        Baseline(key="k", taken_at=NOW, run="r", checks={name: dict(finding.measures)}).model_dump_json()
    )
    return replace(seen, baseline=kept)


def checked(seen: CheckContext, kind: str, **fields: Any) -> Finding:
    """One check of scenarios.yaml, run as the registry runs it. Raises what a port raises."""
    spec = SPECS[kind].model_validate({"kind": kind, **fields})
    finding = spec.run("it", seen)
    assert PLANTED not in f"{finding.evidence} {finding.measures}"
    return finding


def verdict(seen: CheckContext, kind: str, **fields: Any) -> tuple[str, str]:
    """Verdict and evidence."""
    finding = checked(seen, kind, **fields)
    return finding.verdict, finding.evidence
