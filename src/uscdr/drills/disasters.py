"""What one kind of disaster adds to the life of a drill."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, ClassVar

from uscdr.backups.proofs import Grade
from uscdr.drills.baseline import Comparison, TableContents, same_rows
from uscdr.drills.environment import Stage, build, key_pair
from uscdr.engine.wait import WaitLimit, until
from uscdr.errors import MachineError, ProviderError, UscdrError
from uscdr.models.events import Call
from uscdr.models.media import RESOURCE_TYPES, Asset
from uscdr.models.transfers import TransferState
from uscdr.providers.ports.dns import Pointing
from uscdr.scenarios.adapters import Adapters, Request
from uscdr.scenarios.backup_inventory import Inventory

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from uscdr.report.model import RunReport


@dataclass(frozen=True)
class Aftermath:
    """The database before the damage and after the recovery, and the recovery's own report."""

    before: TableContents
    after: TableContents
    report: RunReport
    writes: list[dict[str, Any]]
    """What the providers received in between."""


class Disaster(ABC):
    """One scenario's damage, its recovery's request, and what must hold afterwards."""

    scenario: ClassVar[str]
    path: ClassVar[str]
    """The control of the sandbox that does the damage."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.identity: Path | None = None
        """The private key that the recovery needs, if it needs one."""

    @abstractmethod
    def prepare(self, stage: Stage) -> None:
        """Before the damage: keep what a clinic would have kept."""

    def damage(self, stage: Stage) -> dict[str, Any]:
        """Do it; what was done."""
        body = {"how": self.how, "app": stage.target.services.heroku.app}
        done: dict[str, Any] = stage.control("POST", self.path, body)
        return done

    @abstractmethod
    def request(self) -> Request:
        """What the operator asks for."""

    @abstractmethod
    def judge(self, stage: Stage, seen: Aftermath) -> tuple[Comparison, ...]:
        """Compare with the healthy state. Only asked when the recovery says that it is done."""


# Which writes the providers received that no line of the plan announced.


HOLE = re.compile(r"…|\{[a-z]+\}")
"""What a plan leaves open: an id that is only known later, a resource type."""
BLOB = "/source-blobs/"
"""Where `POST /sources` says that the archive goes."""
DNS, HEROKU = "dns", "heroku"
ACCEPTED = 400


def of(writes: Iterable[dict[str, Any]], method: str, path: str) -> list[dict[str, Any]]:
    """Those of that method whose path fits the pattern and that the provider accepted."""
    return [one for one in writes if one["method"] == method and fnmatchcase(one["path"], path) and _accepted(one)]


def _accepted(write: dict[str, Any]) -> bool:
    return bool(write["status"] < ACCEPTED)


def planned_calls(events: Iterable[dict[str, Any]]) -> tuple[Call, ...]:
    """Every call that the plans of a journal show."""
    plans = (event for event in events if event["kind"] == "plan.ready")
    return tuple(Call.model_validate(call) for plan in plans for step in plan["steps"] for call in step["calls"])


def beyond(writes: Iterable[dict[str, Any]], planned: Sequence[Call]) -> tuple[str, ...]:
    """`provider METHOD path` of every write that fits no planned call."""
    announced = [call for call in planned if call.writes]
    strange = [one for one in writes if not any(_fits(one, call) for call in announced)]
    return tuple(dict.fromkeys(f"{one['provider']} {one['method']} {one['path']}" for one in strange))


def _fits(write: dict[str, Any], call: Call) -> bool:
    if write["provider"] != call.provider:
        return False
    if call.provider == DNS:  # a plan names records, a server is sent messages
        return True
    method, _, rest = call.request.partition(" ")
    path = HOLE.sub("*", rest.partition(" ")[0])
    if path == "/sources" and write["method"] == "PUT" and write["path"].startswith(BLOB):
        return True
    # the media service's paths begin with its version and the cloud
    return bool(write["method"] == method) and fnmatchcase(
        write["path"], path if call.provider == "heroku" else f"*{path}"
    )


# A database disaster: one proven backup is restored, once.


BACKUP = "b001"


class DatabaseDisaster(Disaster):
    """What was written after the backup is lost; all else is there."""

    scenario, path = "db", "break"

    def prepare(self, stage: Stage) -> None:
        """The sandbox has its backup from the beginning."""

    def request(self) -> Request:
        """The backup of the healthy state."""
        return Request("db", BACKUP)

    def judge(self, stage: Stage, seen: Aftermath) -> tuple[Comparison, ...]:
        """One restore, and every row of the backup."""
        stage.output.say("Comparing with the backup")
        sent = len(of(seen.writes, "POST", "*/restores"))
        wanted, there = seen.report.data.rows_backup, seen.after.rows
        words = f"{there} rows, {wanted} in the backup"
        return (
            Comparison("one restore was sent", sent == 1, f"{sent}"),
            Comparison("every row of the backup is back", wanted is not None and there == wanted, words),
        )


# An application disaster: its code or config is bad, its data are not.


OK = 200
MIGRATED = frozenset({"django_migrations"})
"""A migration adds its own row here, and may add columns elsewhere."""


class ApplicationDisaster(Disaster):
    """Pages must answer again, with the data untouched."""

    scenario, path = "app", "break/app"

    def prepare(self, stage: Stage) -> None:
        """Releases and source are there from the beginning."""

    def request(self) -> Request:
        """Whatever is judged right."""
        return Request("app")

    def judge(self, stage: Stage, seen: Aftermath) -> tuple[Comparison, ...]:
        """Answers, rows, and no second rollback or build."""
        rollbacks, builds = (len(of(seen.writes, "POST", f"/apps/*/{kind}")) for kind in ("releases", "builds"))
        return (
            _answers(stage, self.request()),
            _data(seen.before, seen.after, migrated=self.how == "missing-migration"),
            Comparison("at most one rollback and one build", max(rollbacks, builds) <= 1, f"{rollbacks} and {builds}"),
        )


def _answers(stage: Stage, request: Request) -> Comparison:
    """The first page, asked once more after the recovery."""
    try:
        with stage.look(request) as deps, deps.world() as world:
            status = world.website().ask("GET", "/").status
    except ProviderError as error:
        return Comparison("the first page answers", holds=False, evidence=error.message)
    return Comparison("the first page answers", status == OK, f"status {status}")


def _data(before: TableContents, after: TableContents, *, migrated: bool) -> Comparison:
    """Where a migration was due, columns may be new: then rows are counted, else compared by content."""
    if not migrated:
        return same_rows(before, after)
    now = after.counts
    fewer = [table for table, rows in before.counts.items() if now.get(table, 0) < rows]
    grown = {table for table, rows in before.counts.items() if now.get(table, 0) > rows} - MIGRATED
    changed = [*fewer, *sorted(grown)]
    return Comparison(
        "no row is lost or added", bool(now) and not changed, f"{after.rows} rows" + "".join(f"; {n}" for n in changed)
    )


# A media disaster: files are gone or overwritten, and every byte must come back.


class MediaDisaster(Disaster):
    """Two files in three are damaged; a kit of the healthy state has what the service's own backup lacks."""

    scenario, path = "media", "break/media"

    def prepare(self, stage: Stage) -> None:
        """Build a kit, as a clinic does every night."""
        kit = build(stage)
        self.identity, self._kit = kit.identity, kit.name

    def request(self) -> Request:
        """The service's own backup first, the kit for the rest."""
        return Request("media", kit=self._kit)

    def judge(self, stage: Stage, seen: Aftermath) -> tuple[Comparison, ...]:
        """Every file by the MD5 of its bytes as they are delivered now; the rows are not touched."""
        return (_files_are_back(stage), same_rows(seen.before, seen.after))


def _files_are_back(stage: Stage) -> Comparison:
    """Fetch every file that the service held in the beginning, and hash it."""
    seeded = {(one["resource_type"], one["public_id"]): one["md5"] for one in stage.control("GET", "media/truth")}
    with stage.look(Request("media")) as deps:
        found = _digests(deps)
    wrong = sum(found.get(key) != md5 for key, md5 in seeded.items())
    words = f"{len(seeded) - wrong} of {len(seeded)} files have the bytes they had"
    return Comparison("every file is as it was", bool(seeded) and not wrong, words)


def _digests(deps: Adapters) -> dict[tuple[str, str], str]:
    """MD5 of every file's bytes, by type and public id."""
    if deps.media is None:
        return {}
    service = deps.media.open_old()
    there = [one for kind in RESOURCE_TYPES for page in service.list_assets(kind) for one in page if one.present]

    def digest(number: int, asset: Asset) -> str:
        return service.download(asset, deps.work / f"fetched-{number}").md5

    return {(one.key.resource_type, one.key.public_id): digest(number, one) for number, one in enumerate(there)}


# The loss of everything at the platform: a new application from the kit, and the hostname leads to it.


class InfrastructureDisaster(Disaster):
    """Application, database and every backup of the platform are gone; a kit is somewhere else."""

    scenario, path = "infra", "break/infra"

    def prepare(self, stage: Stage) -> None:
        """Build a kit, as a clinic does every night."""
        kit = build(stage)
        self.identity, self._kit = kit.identity, kit.name
        self._app = stage.target.config.recovery.app

    def request(self) -> Request:
        """A new application from the kit."""
        return Request("infra", app=self._app, kit=self._kit)

    def judge(self, stage: Stage, seen: Aftermath) -> tuple[Comparison, ...]:
        """Rows, files, encrypted columns, hostname; one application and one build."""
        apps, builds = (len(of(seen.writes, "POST", path)) for path in ("/apps", f"/apps/{self._app}/builds"))
        with stage.look(self.request(), self.identity) as deps:
            found = (_encrypted(deps), _hostname(deps))
        return (
            same_rows(seen.before, seen.after),
            *found,
            _files_are_back(stage),
            Comparison("one application and one build", (apps, builds) == (1, 1), f"{apps} and {builds}"),
        )


def _encrypted(deps: Adapters) -> Comparison:
    """The key that the new place has opens what the old one wrote."""
    recovery = deps.config.recovery
    key = deps.platform.config_vars(deps.app).get(recovery.encryption_key_variable)
    if key is None:
        return Comparison(
            "encrypted columns can be read", holds=False, evidence=f"there is no {recovery.encryption_key_variable}"
        )
    results = deps.database().canary(recovery.canaries, key)
    words = "; ".join(f"{one.table}.{one.column}: {one.matching} of {one.sampled}" for one in results)
    return Comparison("encrypted columns can be read", all(one.fits for one in results) and bool(results), words)


def _hostname(deps: Adapters) -> Comparison:
    """Every authoritative server names the new application's own target."""
    names = deps.services.dns.hostnames if deps.services.dns else ()
    if deps.dns is None or not names:
        return Comparison("the hostname leads to it", holds=False, evidence="no hostname is configured")
    targets = {one.hostname: one.cname for one in deps.provisioning.domains(deps.app)}
    led = [name for name in names if _leads(deps, name, targets.get(name) or "")]
    return Comparison(
        "the hostname leads to it", len(led) == len(names), f"{len(led)} of {len(names)}: {', '.join(names)}"
    )


def _leads(deps: Adapters, name: str, target: str) -> bool:
    return deps.dns is not None and bool(target) and Pointing.seen(deps.dns.verifier, name, target).at_target


# A disaster of the backups alone: nothing schedules them, the last one failed, and no copy is off the platform.


UNSCHEDULED, FAILED = ("stopped", "schedule-gone"), ("stopped", "captures-fail")
"""Which kinds of damage take the schedule away, and which make the last backup fail."""
LIMIT = 300.0
"""Seconds that a backup of the sandbox may take to fail."""


class BackupsDisaster(Disaster):
    """Backups are made, copied and shown to restore again; the data were never touched."""

    scenario, path = "backups", "break/service"

    def prepare(self, stage: Stage) -> None:
        """A key pair, as an operator has one; there is no copy yet."""
        self._readers, self.identity = key_pair(stage.home / "identity.txt")
        self._safe = str(stage.home / "safe")

    def damage(self, stage: Stage) -> dict[str, Any]:
        """What `how` says; the backup fails at the platform, in the middle of its work."""
        done: dict[str, Any] = {"how": self.how}
        if self.how in UNSCHEDULED:
            body = {"how": "schedule-gone", "app": stage.target.services.heroku.app}
            done |= dict(stage.control("POST", self.path, body))
        if self.how in FAILED:
            done["failed"] = _fail_one(stage)
        return {**done, "how": self.how}

    def request(self) -> Request:
        """Into a vault that is empty so far."""
        return Request("backups", to=self._safe, recipients=(self._readers,))

    def judge(self, stage: Stage, seen: Aftermath) -> tuple[Comparison, ...]:
        """The rows, what was sent, and the copy itself against what the platform has."""
        scheduled, captured = (len(of(seen.writes, "POST", f"*/{kind}")) for kind in ("transfer-schedules", "backups"))
        wanted = int(self.how in UNSCHEDULED)
        with stage.look(self.request(), self.identity) as deps:
            found = (_scheduled(deps), _copied(deps), _proven(deps))
        return (
            same_rows(seen.before, seen.after),
            Comparison("nothing was sent twice", (scheduled, captured) == (wanted, 1),
                    f"{scheduled} schedules of {wanted}, {captured} captures of 1"),
            *found,
        )  # fmt: skip


def _fail_one(stage: Stage) -> str:
    """Begin a backup that the platform will not finish; its name."""
    stage.control("POST", "faults", {"kind": "transfer-fails", "method": "POST", "path": "*/backups"})
    with stage.open(Request("backups"), "disaster", dry_run=False) as deps:
        attachment = deps.attachment()
        begun = deps.backups.capture(attachment.addon_id)
        patience = WaitLimit(f"the failing backup {begun.name}", LIMIT, "uscdr sandbox status")
        ended = until(
            lambda: deps.backups.transfer(attachment.owner_app_name, begun.id), lambda one: one.ended, patience,
            deps.stop,
        )  # fmt: skip
    if ended.state is not TransferState.FAILED:
        raise MachineError(f"The drill's backup {ended.name} should have failed, and is {ended.state.value}.")
    return ended.name


def _scheduled(deps: Adapters) -> Comparison:
    there = Inventory.take(deps).schedules
    return Comparison("a daily backup is scheduled", bool(there), f"{len(there)} scheduled")


def _copied(deps: Adapters) -> Comparison:
    """The copy is opened with its key, and compared with what the platform sends for the same backup."""
    name, known, vault = "the copy is the platform's backup", Inventory.take(deps), deps.vault
    entry = next((one for one in reversed(known.entries) if one.copies and one.transfer), None)
    if entry is None or entry.transfer is None:
        return Comparison(name, holds=False, evidence="there is no copy")
    card, link = entry.copies[0], deps.backups.public_url(known.owner, entry.transfer.num)
    got = deps.backups.download(link, deps.work / "platform.dump", lambda *_: None)
    try:
        with vault.reading().opened(vault.store(), card, deps.work) as path:
            same = path.read_bytes() == (deps.work / "platform.dump").read_bytes()
    except UscdrError as error:
        return Comparison(name, holds=False, evidence=error.message)
    return Comparison(name, same, f"{entry.name}, SHA-256 {got.sha256[:16]}…, opened with its key")


def _proven(deps: Adapters) -> Comparison:
    good = [one for one in Inventory.take(deps).proven if one.copies]
    grade = good[-1].proof.grade if good and good[-1].proof else Grade.NONE
    return Comparison("the copy is proven to the last grade", grade is Grade.DECRYPTS, f"{grade}")
