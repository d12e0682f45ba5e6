"""Looks at the platform that many checks share: each is asked once, whoever comes first, and kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import SecretStr

from uscdr.errors import ProviderError
from uscdr.words import duration

if TYPE_CHECKING:
    from uscdr.models.heroku import AddOn, App, Attachment, Dyno, ProcessType, Release, Schedule
    from uscdr.models.provision import Domain, LogDrain
    from uscdr.models.transfers import Transfer
    from uscdr.providers.ports.platform import Backups, Platform
    from uscdr.providers.ports.provision import Provisioning

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


class Facts:
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
