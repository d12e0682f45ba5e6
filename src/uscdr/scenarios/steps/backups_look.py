"""Inspect the backup system: Heroku's backups and failures, the vault's copies, the objective."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from uscdr.clock import system_time
from uscdr.engine.step import Action, Effect, Reporter, View
from uscdr.errors import CheckFailed, ProviderError
from uscdr.models.base import Call
from uscdr.models.transfers import Transfer, TransferState
from uscdr.scenarios.backup_copies import Dropped
from uscdr.scenarios.backup_inventory import Inventory, ObjectivePart, cron_for
from uscdr.scenarios.results.backups import BackupsVerdict, BackupSystemSeen, CopyMade, CopyProven, FailedBackup
from uscdr.scenarios.steps.assess import backup_lines
from uscdr.scenarios.steps.backups_copy import HOW_TO_NAME
from uscdr.scenarios.steps.base import ASSESS, ScenarioStep, reads
from uscdr.words import duration, plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from uscdr.backups.copy import Keyring
    from uscdr.backups.rpo import RpoState

FRESH = 10.0
MOST_FAILED, LAST_LINES = 3, 2


class BackupSystemLook(ScenarioStep[BackupSystemSeen, BackupSystemSeen]):
    """Reads only. A vault that cannot be read is a finding; an invalid place or key stops the run."""

    name = "backups.system"
    title = "Inspect the backup system"
    phase = ASSESS
    effect = Effect.READ
    manual = (
        "heroku pg:backups --app {app}",
        "heroku pg:backups:info $BACKUP --app {app}   # why a backup failed",
        "heroku pg:backups:schedules --app {app}",
        "ls -l $VAULT   # how old is the newest copy?",
    )
    gives = BackupSystemSeen
    fresh_for = FRESH

    @override
    def probe(self, view: View, tell: Reporter) -> BackupSystemSeen:
        known, at = Inventory.take(self._deps), system_time()
        goes, keys = Dropped.by_next_capture(self._deps, known), self._deps.vault.keyring()
        newest, proven = known.newest, known.proven
        return BackupSystemSeen(
            app=self._deps.app,
            addon=known.attachment.addon_name,
            backups=backup_lines(known.transfers, self._deps.memory.damaged),
            schedules=tuple(one.words for one in known.schedules),
            failed=tuple(self._failed(known, one) for one in known.failed[-MOST_FAILED:]),
            newest=newest.name if newest else "",
            newest_age=newest.age(at) if newest else None,
            running=known.running,
            place=known.place,
            vault_why=known.why,
            copies=sum(bool(one.copies) for one in known.entries),
            damaged=known.vault.shelf.damaged if known.vault else (),
            proven=proven[-1].name if proven else "",
            readers=_readers(keys) if keys else "",
            drops=goes.name,
            refused=goes.refused,
            standing=known.rpo(self._deps, at),
            cron=cron_for(self._deps),
        )

    def _failed(self, known: Inventory, one: Transfer) -> FailedBackup:
        lines = one.logs
        if not lines:
            try:
                lines = self._deps.backups.transfer(known.owner, one.id).logs
            except ProviderError as error:
                lines = (f"uscdr could not read its log: {error.message}",)
        why = one.unusable if one.state is TransferState.COMPLETED else _last_words(lines)
        return FailedBackup(name=one.name, at=one.finished_at or one.taken_at, why=why)

    @override
    def plan(self, seen: BackupSystemSeen, view: View) -> Action:
        app = self._deps.app
        calls = (
            reads("GET", f"/client/v11/apps/{app}/transfers"),
            reads("GET", "/client/v11/databases/…/transfer-schedules"),
            Call(provider="vault", request=f"list {seen.place}", writes=False),
        )
        return Action("read", "; ".join(_findings(seen)), calls)


def _last_words(lines: tuple[str, ...]) -> str:
    """The last log lines without text after a quotation mark or DETAIL: it may be a patient's value."""
    safe = [line.partition('"')[0].partition("DETAIL")[0].strip() for line in lines[-LAST_LINES:]]
    return " | ".join(filter(None, safe)) or "Heroku gives no reason"


def _readers(keys: Keyring) -> str:
    parts = [plural(len(keys.recipients), "public key")] if keys.recipients else []
    return " and ".join([*parts, *(["a passphrase"] if keys.passphrase is not None else [])])


def _findings(seen: BackupSystemSeen) -> Iterator[str]:
    yield _newest(seen)
    for one in seen.failed:
        yield f"{one.name} FAILED: {one.why}"
    if seen.running:
        yield seen.running
    yield f"schedule: {', '.join(seen.schedules) or 'NONE'}"
    yield _vault(seen)
    yield _in_words(seen.standing, ObjectivePart.all_of(seen.standing, seen.cron))


def _newest(seen: BackupSystemSeen) -> str:
    if seen.newest_age is None:
        return "there is NO usable backup"
    return f"newest backup: {seen.newest}, {duration(seen.newest_age)} old"


def _vault(seen: BackupSystemSeen) -> str:
    if seen.vault_why:
        return f"uscdr CANNOT READ the vault {seen.place}: {seen.vault_why}"
    damaged = f", DAMAGED: {' '.join(seen.damaged)}" if seen.damaged else ""
    proven = f"the newest proven backup is {seen.proven}" if seen.proven else "no backup is proven"
    return f"copies of {plural(seen.copies, 'backup')} in {seen.place}{damaged}; {proven}"


# At the end: check every part of the objective, and advise on each missed part.


class BackupsJudged(ScenarioStep[BackupsVerdict, BackupsVerdict]):
    """Looks again, and calculates as `uscdr backup status` does. A missed part ends the run with exit 1."""

    name = "backups.verdict"
    title = "Check the recovery point objective"
    effect = Effect.READ
    manual = (
        "heroku pg:backups --app {app}   # longest time between two backups + duration of one <= RPO?",
        "crontab -e   # more often than the RPO: heroku pg:backups:capture; daily backups alone lose up to a day",
    )
    gives = BackupsVerdict
    needs = (CopyProven,)
    waits = "the objective is checked again when the new backup is proven"

    @override
    def probe(self, view: View, tell: Reporter) -> BackupsVerdict:
        known, cron = Inventory.take(self._deps), cron_for(self._deps)
        standing = known.rpo(self._deps, system_time())
        parts = ObjectivePart.all_of(standing, cron)
        for one in parts:
            tell.check(one.name, one.verdict, one.evidence)
        missed = [one for one in parts if one.verdict != "pass"]
        if missed or not standing.met:
            raise self._missed(missed, view)
        if not _platform_alone(standing):
            tell.warn(
                "The RPO is met only because of today's captures: Heroku itself makes daily backups. "
                "Add this line with "
                f"`crontab -e`, or the RPO is missed again in {duration(standing.objective)}: {cron}"
            )
        return BackupsVerdict(standing=standing, parts=len(parts), cron=cron)

    def _missed(self, missed: list[ObjectivePart], view: View) -> CheckFailed:
        limit = duration(self._deps.config.objectives.rpo)
        fixes = list(dict.fromkeys(one.fix for one in missed if one.fix))
        if view.get(CopyMade) is None and self._deps.vault.keyring() is None:
            fixes.insert(0, f"Name a recipient for copies: {HOW_TO_NAME}")
        return CheckFailed(
            f"Backups can be made and restored, but the RPO of {limit} is missed: "
            + "; ".join(f"{one.name}: {one.evidence}" for one in missed),
            next_action=f"{'. '.join(fixes)}. Then check again: uscdr runs resume",
        )

    @override
    def plan(self, seen: BackupsVerdict, view: View) -> Action:
        proven = view.need(CopyProven)
        words = f"the backup system works: {proven.backup} restores ({proven.grade}), RPO met"
        return Action("read", words, self.calls())

    @override
    def calls(self) -> tuple[Call, ...]:
        return (
            reads("GET", f"/client/v11/apps/{self._deps.app}/transfers"),
            reads("GET", "/client/v11/databases/…/transfer-schedules"),
            Call(provider="vault", request=f"list {self._deps.vault.store().place}", writes=False),
        )


def _platform_alone(seen: RpoState) -> bool:
    """Whether the platform's own schedule is enough: what was captured by hand today says nothing of tomorrow."""
    return seen.schedule_gap is not None and seen.schedule_gap + seen.capture <= seen.objective


def _in_words(seen: RpoState, parts: Sequence[ObjectivePart]) -> str:
    """One sentence for a plan's line."""
    missed = [f"{one.name} ({one.evidence})" for one in parts if one.verdict != "pass"]
    return f"RPO {duration(seen.objective)}: " + (f"MISSED: {'; '.join(missed)}" if missed else "met")
