"""The hosting platform: what the rooms above may ask of it. Each docstring is a contract.

Every call may raise `CredentialsRefused`, `NotFound`, `Conflict`, `RateLimited` or a plain `ProviderError`
(errors.py). Reads are retried inside the adapter. A write is never resent once it may have arrived: it raises
`AnswerLost`, and the caller looks. A port wired read-only raises `WriteRefused` from every write, before
anything is sent. Writes are marked (write).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from pydantic import SecretStr

    from uscdr.models.heroku import (
        Account,
        AddOn,
        AddonPlan,
        App,
        Attachment,
        Belongings,
        Build,
        Domain,
        Download,
        Dyno,
        LogDrain,
        OneOffResult,
        ProcessType,
        Release,
        Schedule,
        SignedUrl,
    )
    from uscdr.models.migrations import SourceArchive
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


# A new place at the platform, and code to run in it. Errors as in `platform`.


class Provisioning(Protocol):
    """Apps, add-ons, configuration, domains and certificates."""

    def create_app(self, name: str, *, region: str | None = None, stack: str | None = None) -> App:
        """A new app (write, findable by name). A taken name raises Conflict."""
        ...

    def plans(self, service: str) -> tuple[AddonPlan, ...]:
        """The plans of an add-on service, those past their end too (`state`)."""
        ...

    def create_addon(self, app: str, plan: str, *, name: str | None = None) -> AddOn:
        """Order an add-on and return at once (write, findable by plan and by what was there before)."""
        ...

    def addon(self, app: str, addon: str) -> AddOn:
        """One add-on; `state` is `provisioning`, `provisioned` or `deprovisioned`."""
        ...

    def buildpacks(self, app: str) -> tuple[str, ...]:
        """In order."""
        ...

    def set_buildpacks(self, app: str, buildpacks: Sequence[str]) -> tuple[str, ...]:
        """Replace the list (write, idempotent)."""
        ...

    def set_config(self, app: str, values: Mapping[str, SecretStr | None]) -> None:
        """Set (or with None remove) variables in one call, which makes one release (write, idempotent)."""
        ...

    def domains(self, app: str) -> tuple[Domain, ...]:
        """Every hostname, the platform's own too."""
        ...

    def add_domain(self, app: str, hostname: str) -> Domain:
        """(write, findable by hostname). A hostname that another app holds raises Conflict."""
        ...

    def remove_domain(self, app: str, hostname: str) -> None:
        """(write, idempotent): one that is not there is no error."""
        ...

    def enable_certificates(self, app: str) -> None:
        """Automated certificate management on (write, idempotent)."""
        ...

    def collaborators(self, app: str) -> tuple[str, ...]:
        """E-mail addresses, the owner's too."""
        ...

    def add_collaborator(self, app: str, email: str) -> None:
        """Without sending an invitation (write, idempotent)."""
        ...

    def log_drains(self, app: str) -> tuple[LogDrain, ...]:
        """Where the log goes."""
        ...

    def add_log_drain(self, app: str, url: SecretStr) -> LogDrain:
        """(write, findable by host)."""
        ...

    def belongings(self, app: str) -> Belongings:
        """What else hangs on the app; what could not be asked is said in it."""
        ...

    def schedule_backups(self, addon_id: str, name: str, *, hour: int, timezone: str) -> Schedule:
        """A daily backup at `hour` (write, findable by name)."""
        ...


class Deploys(Protocol):
    """Slugs, builds and releases."""

    def release(self, app: str, ref: str) -> Release:
        """One release by id or version."""
        ...

    def rollback(self, app: str, release_id: str) -> Release:
        """A new release with an earlier one's slug and config variables (write, findable by version)."""
        ...

    def builds(self, app: str) -> tuple[Build, ...]:
        """Newest first."""
        ...

    def build(self, app: str, build_id: str) -> Build:
        """One build."""
        ...

    def start_build(self, app: str, archive: SourceArchive) -> Build:
        """Upload the archive and start a build of it; returns at once (write, findable by commit and checksum)."""
        ...

    def follow(self, url: str, on_line: Callable[[str], None]) -> None:
        """Read a build's or release's output until it ends; lines may hold secrets, the caller shows few."""
        ...

    def release_output(self, app: str, ref: str) -> str | None:
        """Where the output of a release's release phase is streamed, if it has one."""
        ...


class SourceCode(Protocol):
    """The application's code in a Git repository; nothing is pushed and no checkout is changed."""

    def resolve(self, ref: str) -> str:
        """The full commit id of a branch, tag or commit; NotFound."""
        ...

    def archive(self, ref: str, directory: Path) -> SourceArchive:
        """A gzipped tarball of exactly that commit, in `directory` (0600)."""
        ...
