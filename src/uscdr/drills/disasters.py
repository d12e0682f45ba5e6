"""The disasters of drills: for each its damage, the request of its recovery, and what it compares afterwards."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, ClassVar

from uscdr.backups.proofs import Grade
from uscdr.drills.baseline import Comparison, TableContents, same_rows
from uscdr.drills.environment import Stage, build, capture
from uscdr.errors import MachineError, ProviderError, UscdrError
from uscdr.models.base import Call
from uscdr.models.media import RESOURCE_TYPES, Asset
from uscdr.models.transfers import TransferState
from uscdr.providers.ports.dns import Pointing
from uscdr.scenarios.adapters import Adapters, Request
from uscdr.scenarios.backup_inventory import Inventory
from uscdr.store.encryption import Identity
from uscdr.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from uscdr.report.model import RunReport
    from uscdr.sandbox.describe import DamageDone


@dataclass(frozen=True)
class Aftermath:
    """The database before the damage and after the recovery, and the recovery's own report."""

    before: TableContents
    after: TableContents
    report: RunReport
    writes: list[dict[str, Any]]
    """The writes that the providers received during the recovery, from the sandbox's audit log."""


class Disaster(ABC):
    """One scenario's damage, the request of its recovery, and what must hold afterwards."""

    scenario: ClassVar[str]
    path: ClassVar[str]
    """The path of the sandbox's control that does the damage."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.identity: Path | None = None
        """The identity file that the recovery needs, if any."""

    @abstractmethod
    def prepare(self, stage: Stage) -> None:
        """Before the damage: create what a clinic would have, such as a kit."""

    def damage(self, stage: Stage) -> DamageDone:
        """Do the damage; return what the sandbox did."""
        body = {"how": self.how, "app": stage.target.services.heroku.app}
        done: DamageDone = stage.control("POST", self.path, body)
        return done

    @abstractmethod
    def request(self) -> Request:
        """The request of the recovery."""

    @abstractmethod
    def judge(self, stage: Stage, seen: Aftermath) -> tuple[Comparison, ...]:
        """Compare with the healthy state. Called only when the recovery ended as done."""


# Finds writes that the providers received and the plan did not announce.


HOLE = re.compile(r"…|\{[a-z]+\}")
"""Placeholders in a plan's calls, such as an id that is not known yet or a resource type."""
BLOB = "/source-blobs/"
"""The path to which `POST /sources` sends the archive."""
DNS, HEROKU = "dns", "heroku"
ACCEPTED = 400


def of(writes: Iterable[dict[str, Any]], method: str, path: str) -> list[dict[str, Any]]:
    """The accepted writes with this method whose path matches the pattern."""
    return [one for one in writes if one["method"] == method and fnmatchcase(one["path"], path) and _accepted(one)]


def _accepted(write: dict[str, Any]) -> bool:
    return bool(write["status"] < ACCEPTED)


def planned_calls(events: Iterable[dict[str, Any]]) -> tuple[Call, ...]:
    """Every call in the plans of a journal."""
    plans = (event for event in events if event["kind"] == "plan.ready")
    return tuple(Call.model_validate(call) for plan in plans for step in plan["steps"] for call in step["calls"])


def beyond(writes: Iterable[dict[str, Any]], planned: Sequence[Call]) -> tuple[str, ...]:
    """`provider METHOD path` of every write that matches no planned call."""
    announced = [call for call in planned if call.writes]
    strange = [one for one in writes if not any(_fits(one, call) for call in announced)]
    return tuple(dict.fromkeys(f"{one['provider']} {one['method']} {one['path']}" for one in strange))


def _fits(write: dict[str, Any], call: Call) -> bool:
    if write["provider"] != call.provider:
        return False
    if call.provider == DNS:  # a plan names records, but the audit log shows DNS messages
        return True
    method, _, rest = call.request.partition(" ")
    path = HOLE.sub("*", rest.partition(" ")[0])
    if path == "/sources" and write["method"] == "PUT" and write["path"].startswith(BLOB):
        return True
    # paths of the media service begin with the API version and the cloud
    return bool(write["method"] == method) and fnmatchcase(
        write["path"], path if call.provider == "heroku" else f"*{path}"
    )


# A database disaster: the recovery restores one proven backup, once.


BACKUP = "b001"


class DatabaseDisaster(Disaster):
    """Rows written after the backup are lost; all other rows must be back."""

    scenario, path = "db", "break"

    def prepare(self, stage: Stage) -> None:
        """Nothing to do: the sandbox starts with a backup."""

    def request(self) -> Request:
        """The backup of the healthy state."""
        return Request("db", BACKUP)

    def judge(self, stage: Stage, seen: Aftermath) -> tuple[Comparison, ...]:
        """Exactly one restore, and every row of the backup."""
        stage.output.say("Comparing the database with the backup")
        sent = len(of(seen.writes, "POST", "*/restores"))
        wanted, there = seen.report.data.rows_backup, seen.after.rows
        words = f"{plural(there, 'row')}, {'unknown' if wanted is None else f'{wanted:,}'} in the backup"
        return (
            Comparison("uscdr sent one restore", sent == 1, f"{sent} sent"),
            Comparison("every row of the backup is in the database", wanted is not None and there == wanted, words),
        )


# An application disaster: the code or the config is bad, but the data are intact.


OK = 200
MIGRATED = frozenset({"django_migrations"})
"""A migration adds its own row to this table, and may add columns to others."""


class ApplicationDisaster(Disaster):
    """Pages must answer again, and the data must be unchanged."""

    scenario, path = "app", "break/app"

    def prepare(self, stage: Stage) -> None:
        """Nothing to do: the sandbox starts with releases and source."""

    def request(self) -> Request:
        """A recovery in which uscdr chooses the fix."""
        return Request("app")

    def judge(self, stage: Stage, seen: Aftermath) -> tuple[Comparison, ...]:
        """The page answers, the rows are the same, and there is no second rollback or build."""
        rollbacks, builds = (len(of(seen.writes, "POST", f"/apps/*/{kind}")) for kind in ("releases", "builds"))
        return (
            _answers(stage, self.request()),
            _data(seen.before, seen.after, migrated=self.how == "missing-migration"),
            Comparison(
                "uscdr sent at most one rollback and one build",
                max(rollbacks, builds) <= 1,
                f"{plural(rollbacks, 'rollback')}, {plural(builds, 'build')}",
            ),
        )


def _answers(stage: Stage, request: Request) -> Comparison:
    """Whether the home page answers after the recovery."""
    try:
        with stage.look(request) as deps, deps.world() as world:
            status = world.website().ask("GET", "/").status
    except ProviderError as error:
        return Comparison("the home page answers", holds=False, evidence=error.message)
    return Comparison("the home page answers", status == OK, f"status {status}")


def _data(before: TableContents, after: TableContents, *, migrated: bool) -> Comparison:
    """Compare rows by content; if a migration was due, which may add columns, only by number."""
    if not migrated:
        return same_rows(before, after)
    now = after.counts
    fewer = [table for table, rows in before.counts.items() if now.get(table, 0) < rows]
    grown = {table for table, rows in before.counts.items() if now.get(table, 0) > rows} - MIGRATED
    changed = [*fewer, *sorted(grown)]
    return Comparison(
        "no row is lost or added",
        bool(now) and not changed,
        plural(after.rows, "row") + (f"; different: {', '.join(changed)}" if changed else ""),
    )


# A media disaster: files are deleted or overwritten, and the recovery must restore every byte.


class MediaDisaster(Disaster):
    """Two of three files are damaged; a kit of the healthy state has the files that the service's backup lacks."""

    scenario, path = "media", "break/media"

    def prepare(self, stage: Stage) -> None:
        """Build a kit, as a clinic does every night."""
        kit = build(stage)
        self.identity, self._kit = kit.identity, kit.name

    def request(self) -> Request:
        """Restore from the service's own backup first, then from the kit."""
        return Request("media", kit=self._kit)

    def judge(self, stage: Stage, seen: Aftermath) -> tuple[Comparison, ...]:
        """Compare the MD5 of every delivered file, and every row."""
        return (_files_are_back(stage), same_rows(seen.before, seen.after))


def _files_are_back(stage: Stage) -> Comparison:
    """Download every file that the service had at the start, and compare its MD5."""
    seeded = {(one["resource_type"], one["public_id"]): one["md5"] for one in stage.control("GET", "media/truth")}
    with stage.look(Request("media")) as deps:
        found = _digests(deps)
    wrong = sum(found.get(key) != md5 for key, md5 in seeded.items())
    words = f"{len(seeded) - wrong:,} of {plural(len(seeded), 'file')} have the same bytes"
    return Comparison("every file is the same as before", bool(seeded) and not wrong, words)


def _digests(deps: Adapters) -> dict[tuple[str, str], str]:
    """MD5 of every file's bytes, by type and public id."""
    if deps.media is None:
        return {}
    service = deps.media.open_old()
    there = [one for kind in RESOURCE_TYPES for page in service.list_assets(kind) for one in page if one.present]

    def digest(number: int, asset: Asset) -> str:
        return service.download(asset, deps.work / f"fetched-{number}").md5

    return {(one.key.resource_type, one.key.public_id): digest(number, one) for number, one in enumerate(there)}


# An infrastructure disaster: the recovery builds a new application from the kit and points the hostname at it.


class InfrastructureDisaster(Disaster):
    """The application, or its database with every backup on the platform, is deleted; a kit is elsewhere."""

    scenario, path = "infra", "break/infra"

    def prepare(self, stage: Stage) -> None:
        """Build a kit, as a clinic does every night."""
        kit = build(stage)
        self.identity, self._kit = kit.identity, kit.name
        self._app = stage.target.config.recovery.app

    def request(self) -> Request:
        """Build a new application from the kit."""
        return Request("infra", app=self._app, kit=self._kit)

    def judge(self, stage: Stage, seen: Aftermath) -> tuple[Comparison, ...]:
        """Compare rows, files, encrypted columns and hostname; expect one application and one build."""
        apps, builds = (len(of(seen.writes, "POST", path)) for path in ("/apps", f"/apps/{self._app}/builds"))
        with stage.look(self.request(), self.identity) as deps:
            found = (_encrypted(deps), _hostname(deps))
        return (
            same_rows(seen.before, seen.after),
            *found,
            _files_are_back(stage),
            Comparison(
                "uscdr created one application and one build",
                (apps, builds) == (1, 1),
                f"{plural(apps, 'application')}, {plural(builds, 'build')}",
            ),
        )


def _encrypted(deps: Adapters) -> Comparison:
    """Whether the new application's key decrypts what the old application wrote."""
    recovery = deps.config.recovery
    key = deps.platform.config_vars(deps.app).get(recovery.encryption_key_variable)
    if key is None:
        return Comparison(
            "the key decrypts the encrypted columns",
            holds=False,
            evidence=f"the application has no config var {recovery.encryption_key_variable}",
        )
    results = deps.database().canary(recovery.canaries, key)
    words = "; ".join(f"{one.table}.{one.column}: {one.matching} of {one.sampled}" for one in results)
    return Comparison(
        "the key decrypts the encrypted columns", all(one.fits for one in results) and bool(results), words
    )


def _hostname(deps: Adapters) -> Comparison:
    """Whether every authoritative name server points the hostnames at the new application."""
    names = deps.services.dns.hostnames if deps.services.dns else ()
    if deps.dns is None or not names:
        return Comparison(
            "the hostname points at the new application", holds=False, evidence="no hostname is configured"
        )
    targets = {one.hostname: one.cname for one in deps.provisioning.domains(deps.app)}
    pointing = [name for name in names if _points_at(deps, name, targets.get(name) or "")]
    return Comparison(
        "the hostname points at the new application",
        len(pointing) == len(names),
        f"{len(pointing)} of {len(names)}: {', '.join(names)}",
    )


def _points_at(deps: Adapters, name: str, target: str) -> bool:
    return deps.dns is not None and bool(target) and Pointing.seen(deps.dns.verifier, name, target).at_target


# A backups disaster: there is no schedule, the last backup failed, and there is no copy off the platform.


UNSCHEDULED, FAILED = ("stopped", "schedule-gone"), ("stopped", "captures-fail")
"""The kinds of damage that delete the schedule, and the kinds that make the last backup fail."""


class BackupsDisaster(Disaster):
    """The recovery must schedule, capture, copy and prove backups; the data must stay unchanged."""

    scenario, path = "backups", "break/service"

    def prepare(self, stage: Stage) -> None:
        """Create a key pair, as an operator has one; there is no copy yet."""
        self.identity = stage.home / "identity.txt"
        self._readers = Identity.create(self.identity).text
        self._safe = str(stage.home / "safe")

    def damage(self, stage: Stage) -> DamageDone:
        """Do what `how` says; the platform starts the backup and then fails it."""
        done: DamageDone = {"how": self.how}
        if self.how in UNSCHEDULED:
            body = {"how": "schedule-gone", "app": stage.target.services.heroku.app}
            done.update(stage.control("POST", self.path, body))
        if self.how in FAILED:
            done["failed"] = _fail_one(stage)
        return {**done, "how": self.how}

    def request(self) -> Request:
        """Copy into a store that is still empty."""
        return Request("backups", to=self._safe, recipients=(self._readers,))

    def judge(self, stage: Stage, seen: Aftermath) -> tuple[Comparison, ...]:
        """Compare the rows, the writes, and the copy with the platform's backup."""
        scheduled, captured = (len(of(seen.writes, "POST", f"*/{kind}")) for kind in ("transfer-schedules", "backups"))
        wanted = int(self.how in UNSCHEDULED)
        with stage.look(self.request(), self.identity) as deps:
            found = (_scheduled(deps), _copied(deps), _proven(deps))
        return (
            same_rows(seen.before, seen.after),
            Comparison("uscdr sent nothing twice", (scheduled, captured) == (wanted, 1),
                    f"schedules: {scheduled} of {wanted}; captures: {captured} of 1"),
            *found,
        )  # fmt: skip


def _fail_one(stage: Stage) -> str:
    """Start a backup that the platform fails; return its name."""
    stage.control("POST", "faults", {"kind": "transfer-fails", "method": "POST", "path": "*/backups"})
    ended = capture(stage, "disaster")
    if ended.state is not TransferState.FAILED:
        raise MachineError(
            f"The drill expected the backup {ended.name} to fail, but its state is {ended.state.value}.",
            next_action="Run the drill again: uscdr drill backups",
        )
    return ended.name


def _scheduled(deps: Adapters) -> Comparison:
    there = Inventory.take(deps).schedules
    return Comparison("the platform schedules a daily backup", bool(there), plural(len(there), "schedule"))


def _copied(deps: Adapters) -> Comparison:
    """Decrypt the copy and compare it with the platform's download of the same backup."""
    name, known, vault = "the copy has the same bytes as the platform's backup", Inventory.take(deps), deps.vault
    entry = next((one for one in reversed(known.entries) if one.copies and one.transfer), None)
    if entry is None or entry.transfer is None:
        return Comparison(name, holds=False, evidence="there is no copy")
    card = entry.copies[0]
    got = deps.backups.download(known.owner, entry.transfer.num, deps.work / "platform.dump", lambda *_: None)
    try:
        with vault.reading().opened(vault.store(), card, deps.work) as path:
            same = path.read_bytes() == (deps.work / "platform.dump").read_bytes()
    except UscdrError as error:
        return Comparison(name, holds=False, evidence=error.message)
    return Comparison(name, same, f"{entry.name}, SHA-256 {got.sha256[:16]}…, decrypted")


def _proven(deps: Adapters) -> Comparison:
    good = [one for one in Inventory.take(deps).proven if one.copies]
    grade = good[-1].proof.grade if good and good[-1].proof else Grade.NONE
    return Comparison("the copy has the highest grade of proof", grade is Grade.DECRYPTS, f"{grade}")
