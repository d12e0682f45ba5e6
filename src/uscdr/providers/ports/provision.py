"""A new place at the platform, and code to run in it. Errors as in `platform`.

Creating writes are findable: by the app's name, by plan and creation time, by hostname, by commit and checksum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from uscdr.models.belongings import Belongings
from uscdr.models.heroku import AddOn, App, Release, Schedule
from uscdr.models.provision import Build, Domain, LogDrain, Plan, SourceArchive


class Provisioning(Protocol):
    """Apps, add-ons, configuration, domains and certificates."""

    def create_app(self, name: str, *, region: str | None = None, stack: str | None = None) -> App:
        """A new app (write, findable by name). A taken name raises Conflict."""
        ...

    def plans(self, service: str) -> tuple[Plan, ...]:
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
