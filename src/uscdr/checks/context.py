"""The inputs of checks: ports, expectations of the target, and the baseline."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from uscdr.checks.uptime import LOG_LINES, WINDOW
from uscdr.errors import ProviderError
from uscdr.threads import Ahead
from uscdr.words import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from pydantic import SecretStr

    from uscdr.checks.attempts import Attempts
    from uscdr.checks.baseline import Baseline
    from uscdr.models.data_settings import CanaryColumn, Invariant, ReferenceColumn
    from uscdr.models.heroku import AddOn, App, Attachment, Domain, Dyno, LogDrain, ProcessType, Release, Schedule
    from uscdr.models.migrations import CodeMigrations
    from uscdr.models.transfers import Transfer
    from uscdr.providers.ports.database import Database
    from uscdr.providers.ports.dns import Verifier
    from uscdr.providers.ports.media import Media
    from uscdr.providers.ports.platform import Backups, Platform, Provisioning
    from uscdr.providers.ports.probes import CanaryApplication, MailAccount, Queue, Tls, Website


Sends = Literal["reads", "forms", "writes"]
"""What checks may send: nothing but reads, as in a dry run of a recovery; also one login and the empty forms that
must be refused; also what is made, looked at and removed again."""


@dataclass(frozen=True)
class Expected:
    """The expectations of scenarios.yaml for the target."""

    tables: tuple[str, ...] = ()
    volatile: frozenset[str] = frozenset()
    freshness: tuple[str, ...] = ()
    invariants: tuple[Invariant, ...] = ()
    formation: Mapping[str, int] = field(default_factory=dict)
    single: frozenset[str] = frozenset()
    """Process types that must have exactly one dyno."""
    steady: float = WINDOW
    """Seconds of uptime after which a dyno counts as stable."""
    required: tuple[str, ...] = ()
    """Config variables."""
    derived: frozenset[str] = frozenset()
    """Config variables that depend on the target; they may differ from the baseline."""
    key: str = ""
    """The config variable with the key of the encrypted columns."""
    canaries: tuple[CanaryColumn, ...] = ()
    references: tuple[ReferenceColumn, ...] = ()
    """Columns that name stored files."""
    media_prefix: str = ""
    cloud: str = ""
    hostnames: tuple[str, ...] = ()
    maintenance_page: str = ""
    """The address of the configured maintenance page; empty without one."""
    database_variable: str = "DATABASE_URL"


@dataclass(frozen=True)
class CheckContext:
    """Opens each input on first use; a port that raises ProviderError makes a check inconclusive."""

    app: str
    facts: PlatformCache
    expected: Expected
    website: Callable[[], Website]
    token: Callable[[], SecretStr | None]
    """Token of the dedicated check account; None without one."""
    account_email: str
    """Address of the dedicated check account, which receives a canary's mail. May be empty."""
    database: Callable[[], Database]
    media: Callable[[], Media] | None
    """The configured cloud with the application's own credentials; None if the target has no media."""
    verifier: Verifier | None
    """The zone's name servers; None if the target has no domain."""
    tls: Tls
    queue: Queue
    mail: MailAccount
    code_migrations: Callable[[], CodeMigrations | None]
    """Migrations of the deployed commit; None if its code is not available."""
    now: Callable[[], datetime]
    sign_in: Callable[[], SecretStr | None]
    """A new login of the check account, for checks that may write; None if it has no password."""
    writable: Callable[[], CanaryApplication] | None = None
    """The application for checks that may write; None unless the operator allowed writes."""
    baseline: Baseline | None = None
    attempts: Attempts | None = None
    """The record of rate-limited requests; None if no such request is possible in this round."""
    work: Path | None = None
    """A private directory of this process."""
    damaged: frozenset[str] = frozenset()
    """Ids of backups of a damaged state."""

    def before(self, check: str) -> Mapping[str, Any]:
        """The measures of `check` in the baseline; empty without one."""
        return self.baseline.of(check) if self.baseline else {}


# Facts about the platform that several checks share: each is requested once and cached.


T = TypeVar("T")
LIMIT = 20.0
"""Seconds for one request to the platform: less than a check's limit, so that the check can name the provider."""


class Once:
    """Cached answers. A second caller waits for a running request; errors are cached too.

    No caller waits longer than `limit` seconds from the first call on.
    """

    def __init__(self, *, limit: float, provider: str) -> None:
        self._limit = limit
        self._provider = provider
        self._lock = threading.Lock()
        self._answers: dict[str, tuple[float, Ahead[Any]]] = {}

    def get(self, name: str, ask: Callable[[], T]) -> T:
        """The first answer of `ask`. Raises its first error, or ProviderError if there is no answer in time."""
        until, answer = self.begin(name, ask)
        if not answer.ended(max(0.0, until - time.monotonic())):
            words = f"{self._provider} did not return its {name} within {duration(self._limit)}."
            raise ProviderError(words, provider=self._provider, retryable=True)
        return answer.result()

    def begin(self, name: str, ask: Callable[[], T]) -> tuple[float, Ahead[T]]:
        """Send the request unless it was sent, without waiting; until when callers wait, and the answer."""
        with self._lock:
            if name not in self._answers:
                self._answers[name] = (time.monotonic() + self._limit, Ahead(ask, f"fact {name}"))
            return self._answers[name]


class PlatformCache:
    """One application at the platform, as of the first request for each fact."""

    def __init__(
        self, app: str, platform: Platform, backups: Backups, provisioning: Provisioning, *, database: str
    ) -> None:
        self.name = app
        self._platform = platform
        self._backups = backups
        self._provisioning = provisioning
        self._database = database
        self._once = Once(limit=LIMIT, provider="the platform")

    def app(self) -> App:
        """The application."""
        return self._once.get("app", lambda: self._platform.app(self.name))

    def config(self) -> Mapping[str, SecretStr]:
        """Its config variables."""
        return self._once.get("config", lambda: self._platform.config_vars(self.name))

    def variable(self, name: str) -> str:
        """The value of one config variable; empty if it is not set or blank."""
        found = self.config().get(name)
        text = found.get_secret_value() if found is not None else ""
        return text if text.strip() else ""

    def formation(self) -> tuple[ProcessType, ...]:
        """The configured number of dynos of each type."""
        return self._once.get("formation", lambda: self._platform.formation(self.name))

    def dynos(self) -> tuple[Dyno, ...]:
        """The existing dynos."""
        return self._once.get("dynos", lambda: self._platform.dynos(self.name))

    def releases(self) -> tuple[Release, ...]:
        """The releases, newest first."""
        return self._once.get("releases", lambda: self._platform.releases(self.name))

    def addons(self) -> tuple[AddOn, ...]:
        """Its add-ons."""
        return self._once.get("addons", lambda: self._platform.addons(self.name))

    def attachment(self) -> Attachment:
        """The database as the application sees it."""
        return self._once.get("attachment", lambda: self._platform.database(self.name, self._database))

    def transfers(self) -> tuple[Transfer, ...]:
        """All transfers of the application that owns the database, oldest first, each with its owner."""
        return self._once.get("transfers", self._transfers)

    def begin_transfers(self) -> None:
        """Ask for the transfers without waiting: for a check that needs them after other facts."""
        self._once.begin("transfers", self._transfers)

    def _transfers(self) -> tuple[Transfer, ...]:
        return self._backups.transfers(self.attachment())

    def schedules(self) -> tuple[Schedule, ...]:
        """The daily backups of the database."""
        return self._once.get("schedules", lambda: self._backups.schedules(self.attachment().addon_id))

    def domains(self) -> tuple[Domain, ...]:
        """Every hostname."""
        return self._once.get("domains", lambda: self._provisioning.domains(self.name))

    def log_drains(self) -> tuple[LogDrain, ...]:
        """The log drains."""
        return self._once.get("log_drains", lambda: self._provisioning.log_drains(self.name))

    def log_lines(self, lines: int) -> tuple[str, ...]:
        """The last lines of the log, at most `LOG_LINES`; they may contain personal data and are never shown."""
        kept = self._once.get("log", lambda: self._platform.log_lines(self.name, lines=LOG_LINES))
        return kept[-lines:]
