"""The hosting platform. Each docstring is a contract of the adapters.

Every call may raise `CredentialsRefused`, `NotFound`, `Conflict`, `RateLimited` or a plain `ProviderError`
(errors.py). Adapters retry reads. They never send a write again once it may have arrived: it raises `AnswerLost`, and
the caller must check its effect. A read-only adapter raises `WriteRefused` for every write, before anything is sent.
Writes are marked (write).
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
    """Apps, dynos and releases. `app` is always a name or id."""

    def account(self) -> Account:
        """The account of the token."""
        ...

    def app(self, app: str) -> App:
        """One app."""
        ...

    def config_vars(self, app: str) -> Mapping[str, SecretStr]:
        """All config variables."""
        ...

    def set_maintenance(self, app: str, *, enabled: bool) -> App:
        """Turn maintenance mode on or off (write, idempotent)."""
        ...

    def formation(self, app: str) -> tuple[ProcessType, ...]:
        """Every process type, including those scaled to 0."""
        ...

    def scale(self, app: str, quantities: Mapping[str, int]) -> tuple[ProcessType, ...]:
        """Set absolute quantities in one call (write, idempotent)."""
        ...

    def resize(self, app: str, sizes: Mapping[str, str]) -> tuple[ProcessType, ...]:
        """Set the dyno size of process types in one call, which restarts those that run (write, idempotent)."""
        ...

    def dynos(self, app: str) -> tuple[Dyno, ...]:
        """Every dyno that exists now, including one-off dynos, by name."""
        ...

    def stop_dyno(self, app: str, name: str) -> None:
        """Stop one dyno; a dyno that no longer exists is not an error (write, idempotent)."""
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

        `time_limit` is in seconds. `on_started` gets the dyno's name once the platform has accepted it.
        """
        ...

    def releases(self, app: str, *, limit: int = 15) -> tuple[Release, ...]:
        """The newest releases, newest first."""
        ...

    def builds_pending(self, app: str) -> int:
        """The number of running builds."""
        ...

    def addons(self, app: str) -> tuple[AddOn, ...]:
        """Add-ons owned by or attached to the app."""
        ...

    def attachments(self, app: str) -> tuple[Attachment, ...]:
        """The app's add-on attachments."""
        ...

    def attachments_of(self, addon_id: str) -> tuple[Attachment, ...]:
        """The attachments of one add-on to any app that this account can see."""
        ...

    def database(self, app: str, name: str = "DATABASE_URL") -> Attachment:
        """The Postgres attachment called `name` (config variable or attachment name)."""
        ...

    def log_lines(self, app: str, *, lines: int = 100) -> tuple[str, ...]:
        """The last lines of the log, oldest first; they may contain personal data."""
        ...


class Backups(Protocol):
    """The platform's database transfers. `addon_id` is an add-on id, `app` the add-on's owning app."""

    def database_info(self, addon_id: str) -> DatabaseInfo:
        """The platform's description of the database."""
        ...

    def clock(self) -> datetime:
        """The platform's present time, by its last answer; this machine's time before the first answer."""
        ...

    def transfers(self, addon: Attachment) -> tuple[Transfer, ...]:
        """Every transfer of the add-on's owning app, oldest first; `whose` says which are the add-on's own."""
        ...

    def transfer(self, app: str, ref: str) -> Transfer:
        """One transfer by id, number or name (`b001`), with its log lines; its `whose` is not set."""
        ...

    def capture(self, addon_id: str) -> Transfer:
        """Start a manual backup and return at once (write, findable)."""
        ...

    def restore(self, addon_id: str, source: SecretStr, *, extensions: Sequence[str] = ()) -> Transfer:
        """Start a restore from a stored backup or a URL; overwrites the database; returns at once (write, findable)."""
        ...

    def cancel(self, app: str, transfer_id: str) -> None:
        """Cancel a transfer (write, idempotent)."""
        ...

    def public_url(self, app: str, num: int) -> SignedUrl:
        """A short-lived download link; only reads, although it is a POST."""
        ...

    def schedules(self, addon_id: str) -> tuple[Schedule, ...]:
        """The daily backup schedules."""
        ...

    def download(self, app: str, num: int, destination: Path, progress: Progress) -> Download:
        """Download a backup to a new file (0600) and hash it; what is cut is taken up again a few times.

        A body that stays short, or is no dump, is an error without a file.
        """
        ...


# Creating an app at the platform, and deploying code to it.


class Provisioning(Protocol):
    """Apps, add-ons, configuration, domains and certificates."""

    def create_app(self, name: str, *, region: str | None = None, stack: str | None = None) -> App:
        """Create an app (write, findable by name). Raises Conflict for a taken name."""
        ...

    def plans(self, service: str) -> tuple[AddonPlan, ...]:
        """The plans of an add-on service, including discontinued ones (see `state`)."""
        ...

    def create_addon(self, app: str, plan: str, *, name: str | None = None) -> AddOn:
        """Order an add-on; returns at once (write, findable by its plan and by comparing with the add-ons before)."""
        ...

    def addon(self, app: str, addon: str) -> AddOn:
        """One add-on; `state` is `provisioning`, `provisioned` or `deprovisioned`."""
        ...

    def buildpacks(self, app: str) -> tuple[str, ...]:
        """The buildpacks, in order."""
        ...

    def set_buildpacks(self, app: str, buildpacks: Sequence[str]) -> tuple[str, ...]:
        """Replace the list of buildpacks (write, idempotent)."""
        ...

    def set_config(self, app: str, values: Mapping[str, SecretStr | None]) -> None:
        """Set variables, or remove them with None, in one call, which creates one release (write, idempotent)."""
        ...

    def domains(self, app: str) -> tuple[Domain, ...]:
        """Every hostname, including the platform's own."""
        ...

    def add_domain(self, app: str, hostname: str) -> Domain:
        """Add a hostname (write, findable by it). Raises Conflict when another app has it."""
        ...

    def remove_domain(self, app: str, hostname: str) -> None:
        """Remove a hostname; a missing one is not an error (write, idempotent)."""
        ...

    def enable_certificates(self, app: str) -> None:
        """Enable automated certificate management (write, idempotent)."""
        ...

    def collaborators(self, app: str) -> tuple[str, ...]:
        """The e-mail addresses of the collaborators, including the owner's."""
        ...

    def add_collaborator(self, app: str, email: str) -> None:
        """Add a collaborator without sending an invitation (write, idempotent)."""
        ...

    def log_drains(self, app: str) -> tuple[LogDrain, ...]:
        """The log drains."""
        ...

    def add_log_drain(self, app: str, url: SecretStr) -> LogDrain:
        """Add a log drain (write, findable by its host)."""
        ...

    def belongings(self, app: str) -> Belongings:
        """What else belongs to the app: features, webhooks, certificates, pipeline. `unknown` has unreadable kinds."""
        ...

    def schedule_backups(self, addon_id: str, name: str, *, hour: int, timezone: str) -> Schedule:
        """Schedule a daily backup at `hour` (write, findable by name)."""
        ...


class Deploys(Protocol):
    """Slugs, builds and releases."""

    def release(self, app: str, ref: str) -> Release:
        """One release by id or version."""
        ...

    def rollback(self, app: str, release_id: str) -> Release:
        """Create a release with the slug and config variables of an earlier one (write, findable by version)."""
        ...

    def builds(self, app: str) -> tuple[Build, ...]:
        """The newest builds, newest first."""
        ...

    def build(self, app: str, build_id: str) -> Build:
        """One build."""
        ...

    def start_build(self, app: str, archive: SourceArchive) -> Build:
        """Upload the archive and start its build; returns at once (write, findable by commit and checksum)."""
        ...

    def follow(self, url: str, on_line: Callable[[str], None]) -> None:
        """Read the output of a build or release to its end. Lines may contain secrets: callers show only a few."""
        ...

    def release_output(self, app: str, ref: str) -> str | None:
        """The stream address of a release phase's output; None when the release has none."""
        ...


class SourceCode(Protocol):
    """The application's code in a Git repository; adapters push nothing and change no checkout."""

    def resolve(self, ref: str) -> str:
        """The full commit id of a branch, tag or commit. Raises NotFound."""
        ...

    def archive(self, ref: str, directory: Path) -> SourceArchive:
        """Pack exactly that commit as a gzipped tarball (0600) in `directory`."""
        ...
