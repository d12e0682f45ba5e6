"""What checks are given to look at: ports, what is expected of the place, and the baseline."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from uscdr.checks.uptime import WINDOW
from uscdr.errors import ProviderError
from uscdr.words import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from pydantic import SecretStr

    from uscdr.checks.attempts import Attempts
    from uscdr.checks.baseline import Baseline
    from uscdr.models.heroku import AddOn, App, Attachment, Domain, Dyno, LogDrain, ProcessType, Release, Schedule
    from uscdr.models.media import ReferenceColumn
    from uscdr.models.migrations import CodeMigrations
    from uscdr.models.postgres import CanaryColumn, Invariant
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
    """What scenarios.yaml says the place has."""

    tables: tuple[str, ...] = ()
    volatile: frozenset[str] = frozenset()
    freshness: tuple[str, ...] = ()
    invariants: tuple[Invariant, ...] = ()
    formation: Mapping[str, int] = field(default_factory=dict)
    single: frozenset[str] = frozenset()
    """Process types of which there must be exactly one."""
    steady: float = WINDOW
    """Seconds for which a dyno must have been up, to be said to stay so."""
    required: tuple[str, ...] = ()
    """Config variables."""
    derived: frozenset[str] = frozenset()
    """Config variables that follow the place; they may differ from the baseline."""
    key: str = ""
    """The config variable with the key of the encrypted columns."""
    canaries: tuple[CanaryColumn, ...] = ()
    references: tuple[ReferenceColumn, ...] = ()
    """Columns that name stored files."""
    media_prefix: str = ""
    cloud: str = ""
    hostnames: tuple[str, ...] = ()
    database_variable: str = "DATABASE_URL"


@dataclass(frozen=True)
class CheckContext:
    """Everything is opened when first asked for; a port that raises ProviderError makes a check inconclusive."""

    app: str
    facts: PlatformCache
    expected: Expected
    website: Callable[[], Website]
    token: Callable[[], SecretStr | None]
    """Of the dedicated check account; None when there is none."""
    account_email: str
    """Of the dedicated check account; where a canary's mail goes. May be empty."""
    database: Callable[[], Database]
    media: Callable[[], Media] | None
    """The configured cloud with the application's own credentials; None when the target has no media."""
    verifier: Verifier | None
    """The zone's name servers; None when the target has no domain."""
    tls: Tls
    queue: Queue
    mail: MailAccount
    code_migrations: Callable[[], CodeMigrations | None]
    """Migrations of the deployed commit; None when its code is not to be had."""
    now: Callable[[], datetime]
    sign_in: Callable[[], SecretStr | None]
    """A new login of the check account, for checks that may write; None when it has no password."""
    writable: Callable[[], CanaryApplication] | None = None
    """The application for checks that may write; None unless the operator allowed writes."""
    baseline: Baseline | None = None
    attempts: Attempts | None = None
    """What was sent to the application that it counts; None when nothing of the kind can be sent in this round."""
    work: Path | None = None
    """A private directory of this process."""
    damaged: frozenset[str] = frozenset()
    """Ids of backups that were taken of a damaged state."""

    def before(self, check: str) -> Mapping[str, Any]:
        """What `check` measured when the baseline was taken; empty without one."""
        return self.baseline.of(check) if self.baseline else {}


# Looks at the platform that many checks share: each is asked once, whoever comes first, and kept.


T = TypeVar("T")
LOG_LINES = 1500
"""As many as the platform keeps."""
LIMIT = 20.0
"""Seconds for one look at the platform: less than a check has, so that the check can say who did not answer."""


class Once:
    """Answers that are kept. Whoever asks for one that is under way waits for it; an error is kept too.

    Nobody waits longer than `limit` seconds from the first question on.
    """

    def __init__(self, *, limit: float, provider: str) -> None:
        self._limit = limit
        self._provider = provider
        self._lock = threading.Lock()
        self._answers: dict[str, _Answer] = {}

    def get(self, name: str, ask: Callable[[], T]) -> T:
        """What `ask` gave the first time. Raises what it raised then, ProviderError when it gave nothing in time."""
        with self._lock:
            answer = self._answers.get(name)
            if answer is None:
                answer = self._answers[name] = _Answer(time.monotonic() + self._limit)
                threading.Thread(target=answer.fetch, args=(ask,), daemon=True, name=f"fact {name}").start()
        if not answer.there.wait(max(0.0, answer.until - time.monotonic())):
            words = f"{self._provider} did not tell its {name} within {duration(self._limit)}."
            raise ProviderError(words, provider=self._provider, retryable=True)
        if answer.error is not None:
            raise answer.error
        return cast("T", answer.value)


class _Answer:
    def __init__(self, until: float) -> None:
        self.until = until
        self.there = threading.Event()
        self.value: Any = None
        self.error: Exception | None = None

    def fetch(self, ask: Callable[[], Any]) -> None:
        try:
            self.value = ask()
        except Exception as error:  # noqa: BLE001 - kept, and raised again to everybody who asks
            self.error = error
        self.there.set()


class PlatformCache:
    """One application at the platform, as it was when it was first looked at."""

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

    def formation(self) -> tuple[ProcessType, ...]:
        """How many dynos of each type are wanted."""
        return self._once.get("formation", lambda: self._platform.formation(self.name))

    def dynos(self) -> tuple[Dyno, ...]:
        """The dynos that exist."""
        return self._once.get("dynos", lambda: self._platform.dynos(self.name))

    def releases(self) -> tuple[Release, ...]:
        """The newest first."""
        return self._once.get("releases", lambda: self._platform.releases(self.name))

    def addons(self) -> tuple[AddOn, ...]:
        """Its add-ons."""
        return self._once.get("addons", lambda: self._platform.addons(self.name))

    def attachment(self) -> Attachment:
        """The database as the application sees it."""
        return self._once.get("attachment", lambda: self._platform.database(self.name, self._database))

    def transfers(self) -> tuple[Transfer, ...]:
        """Every transfer of the application that owns the database, oldest first, each with whose it is."""
        return self._once.get("transfers", lambda: self._backups.transfers(self.attachment()))

    def schedules(self) -> tuple[Schedule, ...]:
        """The daily backups of the database."""
        return self._once.get("schedules", lambda: self._backups.schedules(self.attachment().addon_id))

    def domains(self) -> tuple[Domain, ...]:
        """Every hostname."""
        return self._once.get("domains", lambda: self._provisioning.domains(self.name))

    def log_drains(self) -> tuple[LogDrain, ...]:
        """Where the log goes."""
        return self._once.get("log_drains", lambda: self._provisioning.log_drains(self.name))

    def log_lines(self, lines: int) -> tuple[str, ...]:
        """The last lines of the log, at most `LOG_LINES`; they may hold personal data and are never shown."""
        kept = self._once.get("log", lambda: self._platform.log_lines(self.name, lines=LOG_LINES))
        return kept[-lines:]
