"""A new backup at the platform: whether backups can be made at all shows only when one is."""

from __future__ import annotations

from typing_extensions import override

from uscdr.engine.step import Action, Tell, View
from uscdr.scenarios.backups.eviction import dropped
from uscdr.scenarios.backups.inventory import take
from uscdr.scenarios.results_backups import BackupsDecided, BackupsScheduled, TrialCapture
from uscdr.scenarios.steps.capture import Capture, CaptureSeen
from uscdr.scenarios.steps.transfers import seen_now


class CaptureNow(Capture[TrialCapture]):
    """By itself: it says which backup the platform drops for it, and does not let it drop what must not be lost."""

    name = "backup.capture_now"
    title = "Capture a backup"
    default_id = "capture"
    manual = ("heroku pg:backups:capture --app {app}", "heroku pg:backups:info $BACKUP --app {app}")
    gives = TrialCapture
    kind = TrialCapture

    @override
    def probe(self, view: View, tell: Tell) -> CaptureSeen:
        known = take(self._deps)
        goes = dropped(self._deps, known)
        return CaptureSeen(
            addon_id=known.attachment.addon_id,
            owner_app=known.owner,
            **seen_now(self._deps, known.transfers),
            reachable=not goes.refused,
            why=goes.refused or goes.remark,
            pushes_out=goes.name,
            running=known.running,
        )

    @override
    def plan(self, seen: CaptureSeen, view: View) -> Action:
        if seen.running:
            return Action("blocked", seen.running)
        if not seen.reachable:
            return Action("blocked", f"No backup is captured. {seen.why}.")
        return self._change(seen, "a new backup is captured")

    @override
    def apply(self, seen: CaptureSeen, view: View, tell: Tell) -> TrialCapture:
        if seen.pushes_out:
            tell.warn(f"{seen.why}.")
        return super().apply(seen, view, tell)


class CaptureTrial(CaptureNow):
    """As a part of `recover backups`: what was approved to go for it, goes, and nothing else."""

    name = "backups.trial"
    title = "Test a new backup"
    needs = (BackupsDecided, BackupsScheduled)
    plans_with = ()

    @override
    def plan(self, seen: CaptureSeen, view: View) -> Action:
        planned, approved = super().plan(seen, view), view.get(BackupsDecided)
        if planned.kind == "change" and approved is not None and approved.drops != seen.pushes_out:
            now, then = seen.pushes_out or "none", approved.drops or "none"
            return Action("blocked", f"The platform would drop {now} for the new backup; approved was {then}.")
        return planned
