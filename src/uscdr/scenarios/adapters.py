"""What steps work with: ports and settings. Steps import no provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from uscdr.errors import ApplicationGone, BadInput, NotFound

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from pydantic import SecretStr

    from uscdr.backups.copy import IncomingDump, Keyring, Keys
    from uscdr.backups.loss import Earlier
    from uscdr.backups.proving import Decode
    from uscdr.checks.context import CheckContext, Sends
    from uscdr.engine.wait import Stop
    from uscdr.kit.reader import KitReader
    from uscdr.models.dns import RecordSet
    from uscdr.models.heroku import App, Attachment, SignedUrl
    from uscdr.models.media import MediaAccount
    from uscdr.models.transfers import Transfer
    from uscdr.providers.ports.database import Database, Loader, Scratch
    from uscdr.providers.ports.dns import Verifier, Zone
    from uscdr.providers.ports.media import Media
    from uscdr.providers.ports.platform import Backups, Deploys, Platform, Provisioning, SourceCode
    from uscdr.providers.ports.probes import Machine, ServiceStatus
    from uscdr.scenarios.config import Config
    from uscdr.scenarios.config_targets import TargetConfig
    from uscdr.scenarios.infra.old import OldApplicationReader
    from uscdr.scenarios.media.copies import MediaFiles
    from uscdr.scenarios.media.repair import MediaCache
    from uscdr.scenarios.media.under_way import UploadLog
    from uscdr.scenarios.prover import BackgroundDigest, Prover
    from uscdr.store.store import Store

AskPerson = Callable[[str], str]


def _empty_book() -> MediaCache:
    from uscdr.scenarios.media.repair import MediaCache

    return MediaCache()


def _no_uploads() -> UploadLog:
    from uscdr.scenarios.media.under_way import UploadLog

    return UploadLog()


@dataclass(frozen=True)
class Request:
    """What the operator asked for."""

    scenario: str
    backup: str | None = None
    safety_capture: bool = True
    give_access_back: bool = False
    """db: leave access as the backup has it, although it was withdrawn since."""
    anew: bool = False
    """Begin although an earlier run on this target is not finished."""
    release: str | None = None
    """app: the release to roll back to, `v12`; default: chosen by what is seen."""
    ref: str | None = None
    """app, infra: what to deploy from source; default: the configured one."""
    app: str | None = None
    """infra: the name of the new application; None when the old one is rebuilt in place."""
    cloud: str | None = None
    """media: another cloud to put the files into."""
    files: str | None = None
    """media: a folder with copies of the files."""
    kit: str | None = None
    """media, infra: the escape kit to work from."""
    replaced_since: str | None = None
    """media: files replaced from this moment on (ISO 8601) are damaged, if nothing else shows which."""
    accept_replaced: bool = False
    """media: accept files that were replaced when nothing shows whether they should have been."""
    to: str | None = None
    """backups: where copies are kept; default: as configured."""
    recipients: tuple[str, ...] = ()
    """backups: public keys of those who can open copies; default: as configured."""
    evict: bool = False
    """backups: capture even if the platform then drops the newest proven backup."""
    since: str | None = None
    """When the outage began (ISO 8601, UTC); the RTO counts from then."""
    incident: str = ""
    """The incident that the run belongs to."""
    plan: str = ""
    """The digest of the saved plan that the run carries out; empty without one."""


@dataclass(frozen=True)
class CheckAccount:
    """The dedicated account that checks sign in with."""

    email: str
    password: SecretStr
    token: SecretStr | None = None


@dataclass(frozen=True)
class PastRuns:
    """What the journals of this machine know of this target."""

    formation: Mapping[str, int]
    """The last recorded formation with a running process; may be empty."""
    damaged: frozenset[str]
    """Ids of backups that were taken of a damaged state."""
    switched: tuple[tuple[RecordSet | None, RecordSet], ...] = ()
    """Old and new record of each name that the last switch of the domain moved."""
    own_media: tuple[tuple[float, float], ...] = ()
    """From when to when recoveries put media files back, in seconds since 1970."""
    undone: tuple[tuple[datetime, datetime], ...] = ()
    """From which backup to which restore of it: states of the database in between are gone and measure nothing."""

    unread: tuple[str, ...] = ()
    """Runs whose journals cannot be read to the end: what they did after that is unknown."""
    rebuilt: str = ""
    """The application that the newest finished `recover infra` built in place of this one; empty without one."""

    def is_undone(self, at: datetime) -> bool:
        """Whether a restore has replaced what the database was at that moment."""
        return any(since < at <= until for since, until in self.undone)


@dataclass(frozen=True)
class MediaAccess:
    """Where the media are, where they will be, and which copies exist."""

    open_old: Callable[[], Media]
    """The configured cloud. Raises BadInput when it has no credentials."""
    open_new: Callable[[], Media] | None
    """Another cloud, when one was asked for."""
    status: ServiceStatus
    files: MediaFiles | None
    account: Callable[[], MediaAccount] | None = None
    """The account of the cloud that the application will use; None leaves its config vars as they are."""
    book: MediaCache = field(default_factory=_empty_book)
    """What this process has seen so far."""
    uploads: UploadLog = field(default_factory=_no_uploads)
    """Which uploads are under way, for the process that resumes this run."""


@dataclass(frozen=True)
class DnsAccess:
    """The zone at its provider, and the authoritative name servers."""

    zone: Zone
    verifier: Verifier


@dataclass(frozen=True)
class CopiesAccess:
    """Where copies of backups are kept off the platform, and what a pull and a proof work with."""

    target: str
    """The target's name, as copies and cron lines have it."""
    to: str | None
    """The store that was requested; None for the configured one."""
    store: Callable[[], Store]
    """Raises BadInput and MachineError. In a dry run it refuses writes."""
    keyring: Callable[[], Keyring | None]
    """Who can open copies; None when nobody is named. Raises BadInput for an invalid public key."""
    reading: Callable[[], Keys]
    """The keys that are available to open copies."""
    download: Callable[[Callable[[], SignedUrl]], AbstractContextManager[IncomingDump]]
    """Starts the download of a backup; each request calls for a link of its own."""
    decode: Decode
    scratch: Callable[[], Scratch]
    turn: Callable[[str, Callable[[str], None]], AbstractContextManager[object]]
    """Locks the store against other writers: for what, and how to report the wait. Raises LockHeld."""
    identity: str = ""
    """The identity of a sandbox; empty for an application at the platform."""


@dataclass(frozen=True)
class Walk:
    """How a walk back past the damage ended: with a backup, or with a question for a person."""

    chosen: Transfer | None
    passed_over: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    since: str = ""
    """Between which backups the damage came; empty when no backup was passed over for damage."""
    undecided: str = ""
    """Why a person has to choose; empty when there is nothing to ask."""
    advice: str = ""
    """The command that chooses."""


class Adapters:
    """What steps work with: ports of one target, what the operator asked for, and what is known of the target.

    A subclass makes each of them, at the latest when it is first asked for.
    """

    request: Request
    config: Config
    services: TargetConfig
    """The parts of the target: platform, media, domain."""
    dry_run: bool
    stop: Stop
    ask: AskPerson
    work: Path
    """A private directory, gone when the process ends."""
    unshown: dict[tuple[str, str], SecretStr]
    """Password hashes and login names that changed since the backup: in memory only, until they are set again."""
    walks: dict[tuple[str, ...], Walk]
    """Results of walks past the damage by the ids that they chose from: no walk is made twice."""

    @cached_property
    def platform(self) -> Platform:
        """The hosting platform."""
        raise NotImplementedError

    @cached_property
    def backups(self) -> Backups:
        """Its backups of databases."""
        raise NotImplementedError

    @cached_property
    def provisioning(self) -> Provisioning:
        """What makes new applications there."""
        raise NotImplementedError

    @cached_property
    def deploys(self) -> Deploys:
        """Its builds and slugs."""
        raise NotImplementedError

    @cached_property
    def status(self) -> ServiceStatus:
        """The platform's status page."""
        raise NotImplementedError

    @cached_property
    def pages(self) -> Mapping[str, ServiceStatus]:
        """Status pages of the other providers, by name; for advice only."""
        raise NotImplementedError

    @cached_property
    def source(self) -> SourceCode | None:
        """The repository; None when scenarios.yaml names none."""
        raise NotImplementedError

    @cached_property
    def media(self) -> MediaAccess | None:
        """None when the target has no media service."""
        raise NotImplementedError

    @cached_property
    def dns(self) -> DnsAccess | None:
        """None when the target has no domain. Raises BadInput for a zone without its key."""
        raise NotImplementedError

    @cached_property
    def kit(self) -> KitReader | None:
        """The escape kit, when one was named. Raises BadInput when there is no such kit."""
        raise NotImplementedError

    @cached_property
    def old(self) -> OldApplicationReader:
        """The configured application, or what the kit recorded of it."""
        raise NotImplementedError

    @cached_property
    def candidate(self) -> Prover:
        """Backups under proof."""
        raise NotImplementedError

    @cached_property
    def frozen(self) -> BackgroundDigest:
        """The live database, digested in the background."""
        raise NotImplementedError

    @cached_property
    def loader(self) -> Loader:
        """Loads a dump into a live database."""
        raise NotImplementedError

    @cached_property
    def machine(self) -> Machine:
        """This machine."""
        raise NotImplementedError

    @cached_property
    def memory(self) -> PastRuns:
        """What earlier runs on this target recorded."""
        raise NotImplementedError

    @cached_property
    def vault(self) -> CopiesAccess:
        """Where copies of backups are kept."""
        raise NotImplementedError

    def open_database(self, url: SecretStr) -> Database:
        """A database by its address."""
        raise NotImplementedError

    def open_world(self, sends: Sends) -> AbstractContextManager[CheckContext]:
        """What checks look at: the application of this run, read again each time."""
        raise NotImplementedError

    def earlier(self) -> Earlier:
        """What earlier looks at the database found, read when it is asked for."""
        raise NotImplementedError

    def require_inputs(self) -> None:
        """Judge what the operator named, before a run begins: kit, zone, media. Raises BadInput; asks no provider."""
        for _ in (self.kit, self.dns, self.media, self.source):
            pass

    @property
    def app(self) -> str:
        """The application of this run: the configured one, or the new one that replaces it."""
        return self.request.app or self.old_app

    @property
    def old_app(self) -> str:
        """The configured application."""
        return self.services.heroku.app

    def describe_app(self) -> App:
        """The application. Raises ApplicationGone, with what helps here, when it does not exist."""
        try:
            return self.platform.app(self.app)
        except ApplicationGone:
            raise
        except NotFound as error:
            raise ApplicationGone.of(self.app, error, self.without_application()) from error

    def without_application(self) -> str:
        """What helps when the application does not exist."""
        if self.memory.rebuilt and self.app == self.old_app:
            return (
                f"uscdr rebuilt it as {self.memory.rebuilt}: put that name into scenarios.yaml (targets: heroku: app), "
                "then repeat the command."
            )
        return ApplicationGone.way(kit=bool(self.config.kit.to))

    def record_obstacle(self, hostname: str) -> str:
        """Why a person must create the hostname's record; empty when it can have a CNAME. Errors as `Zone.read`."""
        if self.dns is None:
            return "scenarios.yaml names no zone for this target (dns:)"
        return self.dns.zone.obstacle(hostname)

    def world(self) -> AbstractContextManager[CheckContext]:
        """What the checks of a recovery look at. In a dry run they send no POST."""
        return self.open_world("reads" if self.dry_run else "forms")

    def attachment(self) -> Attachment:
        """The database as the application sees it."""
        return self.platform.database(self.app, self.services.heroku.database)

    def old_attachment(self) -> Attachment:
        """The database of the configured application, whose backups there are."""
        return self.platform.database(self.old_app, self.services.heroku.database)

    def database(self) -> Database:
        """The live database, by its config variable. Raises BadInput when the application has none."""
        return self._database_of(self.app)

    def old_database(self) -> Database:
        """The live database of the configured application. Raises BadInput when it has none."""
        return self._database_of(self.old_app)

    def _database_of(self, app: str) -> Database:
        return self.open_database(self.database_url(app))

    def database_url(self, app: str) -> SecretStr:
        """Of an application's live database, by its config variable. Raises BadInput when it has none."""
        name = self.services.heroku.database
        url = self.platform.config_vars(app).get(name)
        if url is None:
            raise BadInput(
                f"The application has no config variable {name}.",
                next_action=f"Attach the database: heroku addons:attach ADDON --as DATABASE --app {app}",
            )
        return url
