"""The hosting platform: what the rooms above may ask of it. Each docstring is a contract.

Every call may raise `CredentialsRefused`, `NotFound`, `Conflict`, `RateLimited` or a plain `ProviderError`
(errors.py). Reads are retried inside the adapter. A write is never resent once it may have arrived: it raises
`AnswerLost`, and the caller looks. A port wired read-only raises `WriteRefused` from every write, before
anything is sent. Writes are marked (write).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from uscdr.models.heroku import (
    Account,
    AddOn,
    App,
    Attachment,
    Download,
    Dyno,
    OneOffResult,
    ProcessType,
    Release,
    Schedule,
    SignedUrl,
)
from uscdr.models.transfers import DatabaseInfo, Transfer
from uscdr.providers.ports.progress import Progress


class Platform(Protocol):
    """Applications, dynos and releases. `app` is always a name or id."""

    def account(self) -> Account:
        """Whose token this is."""
        ...

    def app(self, app: str) -> App:
        """One application."""
        ...

    def config_vars(self, app: str) -> Mapping[str, SecretStr]:
        """All config variables."""
        ...

    def set_maintenance(self, app: str, *, enabled: bool) -> App:
        """Turn maintenance mode on or off (write, idempotent)."""
        ...

    def formation(self, app: str) -> tuple[ProcessType, ...]:
        """Every process type, those at zero too."""
        ...

    def scale(self, app: str, quantities: Mapping[str, int]) -> tuple[ProcessType, ...]:
        """Set absolute quantities in one call (write, idempotent)."""
        ...

    def resize(self, app: str, sizes: Mapping[str, str]) -> tuple[ProcessType, ...]:
        """Set the dyno size of process types in one call, which restarts those that run (write, idempotent)."""
        ...

    def dynos(self, app: str) -> tuple[Dyno, ...]:
        """Every dyno that exists now, one-off dynos too."""
        ...

    def stop_dyno(self, app: str, name: str) -> None:
        """Stop one dyno; a dyno that is already gone is no error (write, idempotent)."""
        ...

    def run_one_off(
        self,
        app: str,
        command: str,
        *,
        time_limit: float,
        on_started: Callable[[str], None],
        on_output: Callable[[str], None] | None = None,
    ) -> OneOffResult:
        """Run `command` in an attached one-off dyno and wait for its end (write, once).

        `time_limit` in seconds. `on_started` gets the dyno's name as soon as the platform accepted it.
        """
        ...

    def releases(self, app: str, *, limit: int = 15) -> tuple[Release, ...]:
        """The newest releases, newest first."""
        ...

    def builds_pending(self, app: str) -> int:
        """How many builds are under way."""
        ...

    def addons(self, app: str) -> tuple[AddOn, ...]:
        """Add-ons owned by or attached to the app."""
        ...

    def attachments(self, app: str) -> tuple[Attachment, ...]:
        """How the app sees its add-ons."""
        ...

    def attachments_of(self, addon_id: str) -> tuple[Attachment, ...]:
        """Every application's view of an add-on, as far as this account sees them."""
        ...

    def database(self, app: str, name: str = "DATABASE_URL") -> Attachment:
        """The Postgres attachment called `name` (config variable or attachment name)."""
        ...

    def log_lines(self, app: str, *, lines: int = 100) -> tuple[str, ...]:
        """The last lines of the log, oldest first; they may hold personal data."""
        ...


class Backups(Protocol):
    """The platform's database transfers. `addon_id` is an add-on id, `app` the add-on's owning app."""

    def database_info(self, addon_id: str) -> DatabaseInfo:
        """The platform's description of the database."""
        ...

    def clock(self) -> datetime:
        """The platform's time now, as its last answer told it; this machine's while none did."""
        ...

    def transfers(self, addon: Attachment) -> tuple[Transfer, ...]:
        """Every transfer of the add-on's owning app, oldest first: `whose` tells which are the add-on's own."""
        ...

    def transfer(self, app: str, ref: str) -> Transfer:
        """One transfer by id, number or name (`b001`), with its log lines; it does not tell `whose` it is."""
        ...

    def capture(self, addon_id: str) -> Transfer:
        """Start a manual backup and return at once (write, findable)."""
        ...

    def restore(self, addon_id: str, source: SecretStr, *, extensions: Sequence[str] = ()) -> Transfer:
        """Start overwriting the database from a stored backup or a URL; returns at once (write, findable)."""
        ...

    def cancel(self, app: str, transfer_id: str) -> None:
        """Cancel a transfer (write, idempotent)."""
        ...

    def public_url(self, app: str, num: int) -> SignedUrl:
        """A short-lived download link: a POST that only reads."""
        ...

    def schedules(self, addon_id: str) -> tuple[Schedule, ...]:
        """The daily schedules."""
        ...

    def download(self, link: SignedUrl, destination: Path, progress: Progress) -> Download:
        """Stream to a new 0600 file, hashing on the way; a short or non-dump body is an error, not a file."""
        ...
