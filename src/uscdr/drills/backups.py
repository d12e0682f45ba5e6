"""A disaster of the backups alone: nothing schedules them, the last one failed, and no copy is off the platform."""

from __future__ import annotations

import os
from typing import Any

from uscdr import wiring
from uscdr.assembly.job import Job
from uscdr.drills.beyond import of
from uscdr.drills.disaster import Aftermath, Disaster
from uscdr.drills.kit import key_pair
from uscdr.drills.stage import Stage, Unattended
from uscdr.drills.truth import Finding, same_rows
from uscdr.engine.wait import Patience, until
from uscdr.errors import MachineError, UscdrError
from uscdr.models.transfers import TransferState
from uscdr.scenarios.backups.inventory import take, vault_of
from uscdr.scenarios.deps import Deps, Request
from uscdr.session import surroundings
from uscdr.vault.backups.grade import Grade
from uscdr.vault.backups.opening import opened

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
            body = {"how": "schedule-gone", "app": stage.place.target.heroku.app}
            done |= dict(stage.control("POST", self.path, body))
        if self.how in FAILED:
            done["failed"] = _fail_one(stage)
        return {**done, "how": self.how}

    def request(self) -> Request:
        """Into a vault that is empty so far."""
        return Request("backups", to=self._safe, recipients=(self._readers,))

    def judge(self, stage: Stage, seen: Aftermath) -> tuple[Finding, ...]:
        """The rows, what was sent, and the copy itself against what the platform has."""
        scheduled, captured = (len(of(seen.writes, "POST", f"*/{kind}")) for kind in ("transfer-schedules", "backups"))
        wanted = int(self.how in UNSCHEDULED)
        with stage.look(self.request(), self.identity) as deps:
            found = (_scheduled(deps), _copied(deps), _proven(deps))
        return (
            same_rows(seen.before, seen.after),
            Finding("nothing was sent twice", (scheduled, captured) == (wanted, 1),
                    f"{scheduled} schedules of {wanted}, {captured} captures of 1"),
            *found,
        )  # fmt: skip


def _fail_one(stage: Stage) -> str:
    """Begin a backup that the platform will not finish; its name."""
    stage.control("POST", "faults", {"kind": "transfer-fails", "method": "POST", "path": "*/backups"})
    job = Job(stage.place, Request("backups"), "disaster", None, dry_run=False)
    with (
        surroundings(stage.output, stage.request.state, os.environ, asker=Unattended()) as around,
        wiring.opened(job, around) as (deps, _),
    ):
        attachment = deps.attachment()
        begun = deps.backups.capture(attachment.addon_id)
        patience = Patience(f"the failing backup {begun.name}", LIMIT, "uscdr sandbox status")
        ended = until(
            lambda: deps.backups.transfer(attachment.owner_app_name, begun.id), lambda one: one.ended, patience,
            deps.stop,
        )  # fmt: skip
    if ended.state is not TransferState.FAILED:
        raise MachineError(f"The drill's backup {ended.name} should have failed, and is {ended.state.value}.")
    return ended.name


def _scheduled(deps: Deps) -> Finding:
    there = take(deps).schedules
    return Finding("a daily backup is scheduled", bool(there), f"{len(there)} scheduled")


def _copied(deps: Deps) -> Finding:
    """The copy is opened with its key, and compared with what the platform sends for the same backup."""
    name, known, vault = "the copy is the platform's backup", take(deps), vault_of(deps)
    entry = next((one for one in reversed(known.entries) if one.copies and one.transfer), None)
    if entry is None or entry.transfer is None:
        return Finding(name, holds=False, evidence="there is no copy")
    card, link = entry.copies[0], deps.backups.public_url(known.owner, entry.transfer.num)
    got = deps.backups.download(link, deps.work / "platform.dump", lambda *_: None)
    try:
        with opened(vault.store(), card, vault.reading(), deps.work) as path:
            same = path.read_bytes() == (deps.work / "platform.dump").read_bytes()
    except UscdrError as error:
        return Finding(name, holds=False, evidence=error.message)
    return Finding(name, same, f"{entry.name}, SHA-256 {got.sha256[:16]}…, opened with its key")


def _proven(deps: Deps) -> Finding:
    good = [one for one in take(deps).proven if one.copies]
    grade = good[-1].proof.grade if good and good[-1].proof else Grade.NONE
    return Finding("the copy is proven to the last grade", grade is Grade.DECRYPTS, f"{grade}")
