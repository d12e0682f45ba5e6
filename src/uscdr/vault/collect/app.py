"""The application as the platform runs it, and its configuration variables."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from uscdr.models.base import REVEAL
from uscdr.models.belongings import Belongings
from uscdr.models.heroku import Release, Schedule
from uscdr.models.provision import commit_of
from uscdr.providers.ports.platform import Platform
from uscdr.providers.ports.provision import Provisioning
from uscdr.vault.collect.sources import Gaps, Gathering, part_of, present
from uscdr.vault.content import AppFacts
from uscdr.vault.manifest import Part
from uscdr.vault.owned import not_kept
from uscdr.words import plural

T = TypeVar("T")
RELEASES_LOOKED_AT = 15


def collect(gathering: Gathering) -> tuple[Part, AppFacts]:
    """Ask for everything a new place must be made like. Raises ProviderError when the app itself cannot be read."""
    gaps, app = Gaps(), gathering.wishes.app
    platform = gathering.sources.platform
    release = _current(gathering, gaps)

    def ask(what: str, question: Callable[[Provisioning], tuple[T, ...]]) -> tuple[T, ...]:
        nothing: tuple[T, ...] = ()
        return gaps.attempt(what, lambda: question(present(gathering.sources.provisioning)), nothing)

    facts = AppFacts(
        app=platform.app(app),
        account=platform.account().email,
        formation=platform.formation(app),
        addons=platform.addons(app),
        attachments=platform.attachments(app),
        release=release,
        commit=_commit(gathering, gaps, release),
        buildpacks=ask("buildpacks", lambda port: port.buildpacks(app)),
        domains=ask("domains", lambda port: port.domains(app)),
        collaborators=ask("collaborators", lambda port: port.collaborators(app)),
        log_drains=ask("log drains", lambda port: port.log_drains(app)),
        schedules=gaps.attempt("backup schedules", lambda: _schedules(gathering), ()),
        belongings=gaps.attempt("what else hangs on it", lambda: _belongings(gathering), Belongings()),
    )
    for what, why in not_kept(facts):
        gaps.note(what, why)
    gathering.writer.add_bytes("app", "app.json", facts.model_dump_json(context=REVEAL).encode())
    part = part_of("app", gaps, _summary(facts))
    return part.model_copy(update={"taken_at": datetime.now(UTC)}), facts


def _current(gathering: Gathering, gaps: Gaps) -> Release | None:
    current = current_release(gathering.sources.platform, gathering.wishes.app)
    if current is None:
        gaps.note("current release", f"None of the newest {RELEASES_LOOKED_AT} releases is the current one.")
    return current


def current_release(platform: Platform, app: str) -> Release | None:
    """The release that runs, if it is among the newest. Raises ProviderError."""
    found = platform.releases(app, limit=RELEASES_LOOKED_AT)
    return next((release for release in found if release.current), None)


def _commit(gathering: Gathering, gaps: Gaps, release: Release | None) -> str:
    """Which commit runs."""
    if release is None:
        return ""
    app = gathering.wishes.app
    builds = gaps.attempt("deployed commit", lambda: present(gathering.sources.deploys).builds(app), None)
    if builds is None:
        return ""
    commit = commit_of(release.slug_id, builds)
    if not commit:
        gaps.note(
            "deployed commit", f"No build that the platform remembers made the slug of release v{release.version}."
        )
    return commit


def _schedules(gathering: Gathering) -> tuple[Schedule, ...]:
    wishes, sources = gathering.wishes, gathering.sources
    return sources.backups.schedules(sources.platform.database(wishes.app, wishes.database).addon_id)


def _belongings(gathering: Gathering) -> Belongings:
    return present(gathering.sources.provisioning).belongings(gathering.wishes.app)


def _summary(facts: AppFacts) -> str:
    version = f"release v{facts.release.version}" if facts.release else "release not known"
    running = ", ".join(f"{one.type}={one.quantity}" for one in facts.formation)
    amounts = (plural(len(facts.addons), "add-on"), plural(len(facts.hostnames), "hostname"))
    return ", ".join((version, running or "no formation", *amounts))
