"""Assessment: the providers' status, the live database, the backups. Reads only."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pydantic import Field
from typing_extensions import override

from uscdr.clock import system_time
from uscdr.engine.step import Action, Effect, Reporter, View
from uscdr.errors import ProviderError
from uscdr.models.base import Fact
from uscdr.models.data_settings import POSTGRES, service_of
from uscdr.models.probes import ServiceColor
from uscdr.scenarios.results.db import BackupLine, BackupsSeen, DatabaseSeen, Sharing, broken_invariants
from uscdr.scenarios.steps.base import ASSESS, ScenarioStep, StepParams, reads, sql
from uscdr.scenarios.steps.choose import with_reasons
from uscdr.threads import Ahead
from uscdr.words import duration, plural, size

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from uscdr.models.heroku import Attachment
    from uscdr.models.transfers import DatabaseInfo, Transfer
    from uscdr.providers.ports.database import Database
    from uscdr.providers.ports.platform import Platform
    from uscdr.providers.ports.probes import ServiceStatus


# The other applications that use an add-on, and the databases that a recovery does not touch. Reads only.


class _StatusSeen(Fact):
    """The platform's status page; `known` is False when it could not be read."""

    known: bool
    systems: tuple[ServiceColor, ...] = ()
    incidents: tuple[str, ...] = ()
    others: dict[str, str] = Field(default_factory=dict)
    """Other providers -> what their pages say."""


def _sharing(platform: Platform, app: str, database: Attachment) -> Sharing:
    """The applications that the database is attached to, and the application's other databases.

    If the attachments cannot be read, only the owner is known.
    """
    owner = (database.owner_app_name,) if database.owner_app_name not in ("", app) else ()
    try:
        there = platform.attachments_of(database.addon_id)
        beside = platform.attachments(app)
    except ProviderError as error:
        return Sharing(known=False, why=error.message, apps=tuple(f"{one} (its owner)" for one in owner))
    return Sharing(
        apps=_apps(there, app, owner), names=_names(there, app, database), untouched=_beside(beside, database)
    )


def _apps(there: Sequence[Attachment], app: str, owner: Sequence[str]) -> tuple[str, ...]:
    names: dict[str, list[str]] = {}
    for one in there:
        if one.app_name != app:
            names.setdefault(one.app_name, []).append(one.name)
    found = [f"{other} (as {', '.join(sorted(as_))})" for other, as_ in sorted(names.items())]
    return (*found, *(f"{one} (its owner)" for one in owner if one not in names))


def _names(there: Sequence[Attachment], app: str, database: Attachment) -> tuple[str, ...]:
    return tuple(sorted({one.name for one in there if one.app_name == app} - {database.name}))


def _beside(beside: Sequence[Attachment], database: Attachment) -> tuple[str, ...]:
    others = [one for one in beside if one.addon_id != database.addon_id and service_of(one.plan) == POSTGRES]
    return tuple(sorted(f"{one.name} ({one.addon_name})" for one in others))


UNSEEN = "This check does not find lost or wrong rows. To compare with the backups: uscdr recover db --dry-run"
COMPARED = "This check does not find lost or wrong rows; the comparison with the backup in this plan does."
FRESH = 10.0
"""Seconds for which the plan's assessment stays valid for the run."""


class _StatusParams(StepParams):
    """`all: true` also reads the status pages of the other providers."""

    all: bool = False


class StatusLook(ScenarioStep[_StatusSeen, _StatusSeen]):
    """Reads the status pages. A page that cannot be read does not stop the run."""

    name = "status.look"
    title = "Check the providers' status"
    default_id = "status"
    phase = ASSESS
    effect = Effect.READ
    params = _StatusParams
    manual = ("heroku status",)
    gives = _StatusSeen
    fresh_for = FRESH

    @override
    def probe(self, view: View, tell: Reporter) -> _StatusSeen:
        pages = self._deps.pages if self.given(_StatusParams).all else {}
        others = {name: Ahead(partial(_others, page)) for name, page in pages.items()}
        seen = self._platform(tell)
        return seen.model_copy(update={"others": {name: one.result() for name, one in others.items()}})

    def _platform(self, tell: Reporter) -> _StatusSeen:
        try:
            report = self._deps.status.current()
        except ProviderError as error:
            tell.warn(f"uscdr could not read Heroku's status page: {error.message}")
            return _StatusSeen(known=False)
        return _StatusSeen(known=True, systems=report.systems, incidents=report.incidents)

    @override
    def plan(self, seen: _StatusSeen, view: View) -> Action:
        return Action("read", _status_words(seen), (reads("GET", "/api/v4/current-status"),))


def _others(page: ServiceStatus) -> str:
    try:
        report = page.current()
    except ProviderError:
        return "not known (its page did not answer)"
    bad = [f"{one.system} {one.status}" for one in report.systems if one.status != "green"]
    return ", ".join(bad) if bad else "all green"


def _status_words(seen: _StatusSeen) -> str:
    return "; ".join([_platform_words(seen), *(f"{name}: {words}" for name, words in seen.others.items())])


def _platform_words(seen: _StatusSeen) -> str:
    if not seen.known:
        return "platform status is not known (its page did not answer)"
    bad = [f"{system.system} {system.status}" for system in seen.systems if system.status != "green"]
    return "platform status: " + (
        ", ".join(bad) + f"; {plural(len(seen.incidents), 'incident')}" if bad else "all green"
    )


class DatabaseLook(ScenarioStep[DatabaseSeen, DatabaseSeen]):
    """Inspects the damaged database: whether it answers, which tables are missing, which invariants fail."""

    name = "database.look"
    title = "Inspect the database"
    default_id = "database"
    phase = ASSESS
    effect = Effect.READ
    manual = ("heroku pg:info --app {app}",)
    gives = DatabaseSeen
    fresh_for = FRESH

    @override
    def probe(self, view: View, tell: Reporter) -> DatabaseSeen:
        app = self._deps.describe_app()
        attachment = self._deps.attachment()
        info = self._deps.backups.database_info(attachment.addon_id)
        shared = {"sharing": _sharing(self._deps.platform, self._deps.app, attachment)}
        try:
            seen = self._inventory(self._deps.database(), attachment, info)
        except ProviderError as error:  # a damaged catalog fails although the server answers
            return _unreachable(attachment, info, error).model_copy(update=shared)
        if app.maintenance:
            tell.warn("Maintenance mode is already on.")
        if healthy := _healthy(seen):
            tell.warn(f"{healthy} {COMPARED if view.thorough else UNSEEN}")
        return seen.model_copy(update=shared)

    def _inventory(self, database: Database, attachment: Attachment, info: DatabaseInfo) -> DatabaseSeen:
        config = self._deps.config
        counted = database.counted([table.name for table in database.tables()])
        written = database.written(config.app.freshness)
        return DatabaseSeen(
            addon_id=attachment.addon_id,
            addon=attachment.addon_name,
            owner_app=attachment.owner_app_name,
            plan=attachment.plan,
            status=info.value("Status"),
            reachable=True,
            size=database.facts().size,
            rows=counted.rows,
            missing=database.lacking(config.app.expected_tables),
            invariants=database.invariants(config.invariants),
            newest={column: one.newest for column, one in written.items()},
            unread=counted.unread,
            odd_times=tuple(filter(None, (one.problem(column) for column, one in written.items() if not one.unread))),
        )

    @override
    def plan(self, seen: DatabaseSeen, view: View) -> Action:
        calls = (
            reads("GET", f"/apps/{self._deps.app}"),
            reads("POST", "/actions/addon-attachments/resolve"),
            reads("GET", f"/addons/{seen.addon_id}/addon-attachments"),
            reads("GET", f"/client/v11/databases/{seen.addon_id}"),
            sql("SELECT count(*) of every table; invariants"),
        )
        words = "; ".join((_database_words(seen), *seen.sharing.words()))
        return Action("read", words, calls, caution=_healthy(seen))


def _healthy(seen: DatabaseSeen) -> str:
    """Says that this check found no damage; empty if it found some, or could not look."""
    broken = seen.missing or broken_invariants(seen.invariants) or seen.unread or seen.odd_times
    if not seen.reachable or broken or not seen.rows:
        return ""
    held = f"{plural(len(seen.invariants), 'invariant')} hold" if len(seen.invariants) != 1 else "the invariant holds"
    return f"No damage found: {seen.addon} answers, no table is missing, {held}."


def _unreachable(attachment: Attachment, info: DatabaseInfo, error: ProviderError) -> DatabaseSeen:
    return DatabaseSeen(
        addon_id=attachment.addon_id,
        addon=attachment.addon_name,
        owner_app=attachment.owner_app_name,
        plan=attachment.plan,
        status=info.value("Status"),
        reachable=False,
        why=error.message,
    )


def _database_words(seen: DatabaseSeen) -> str:
    if not seen.reachable:
        return f"{seen.addon} ({seen.plan}) does not answer: {seen.why}"
    tables = len(seen.rows) + len(seen.unread)
    words = [f"{seen.addon} ({seen.plan}) answers: {plural(tables, 'table')}, {size(seen.size)}"]
    words += [one.words("counted") for one in seen.unread]
    if seen.missing:
        words.append("missing tables: " + ", ".join(seen.missing))
    if broken_invariants(seen.invariants):
        words.append("failed invariants: " + "; ".join(broken_invariants(seen.invariants)))
    words += seen.odd_times
    return "; ".join(words)


class BackupsLook(ScenarioStep[BackupsSeen, BackupsSeen]):
    """Lists the backups with age and size, and the schedule."""

    name = "backups.look"
    title = "List the backups"
    default_id = "backups"
    phase = ASSESS
    effect = Effect.READ
    manual = ("heroku pg:backups --app {app}", "heroku pg:backups:schedules --app {app}")
    gives = BackupsSeen
    fresh_for = FRESH

    @override
    def probe(self, view: View, tell: Reporter) -> BackupsSeen:
        attachment = self._deps.attachment()
        transfers = self._deps.backups.transfers(attachment)
        schedules = self._deps.backups.schedules(attachment.addon_id)
        return BackupsSeen(
            backups=backup_lines(transfers, self._deps.memory.damaged), schedules=tuple(one.words for one in schedules)
        )

    @override
    def plan(self, seen: BackupsSeen, view: View) -> Action:
        good = [b for b in seen.backups if not b.unfit]
        newest = f", the newest {good[-1].name}, {duration(good[-1].age_seconds)} old" if good else ""
        schedule = "; ".join(seen.schedules) or "NONE"
        summary = f"{plural(len(good), 'usable backup')}{newest}; schedule: {schedule}"
        calls = (
            reads("GET", f"/client/v11/apps/{self._deps.app}/transfers"),
            reads("GET", "/client/v11/databases/…/transfer-schedules"),
        )
        return Action("read", summary, calls)


def backup_lines(transfers: Iterable[Transfer], damaged: Collection[str]) -> tuple[BackupLine, ...]:
    """The list of backups. `damaged`: ids of backups of a damaged state."""
    return tuple(backup_line(one, unfit) for one, unfit in with_reasons(transfers, damaged))


def backup_line(transfer: Transfer, unfit: str) -> BackupLine:
    """One transfer as a line of the list."""
    return BackupLine(
        name=transfer.name,
        kind=transfer.kind.value,
        state=transfer.state.value,
        created_at=transfer.created_at,
        taken_at=transfer.taken_at,
        finished_at=transfer.finished_at,
        age_seconds=transfer.age(system_time()),
        bytes=transfer.processed_bytes,
        warnings=transfer.warnings,
        expired=transfer.expired,
        unfit=unfit,
    )
