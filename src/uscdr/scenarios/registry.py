"""Every step that scenarios.yaml may use: an explicit dict, searchable and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from uscdr.engine.step import BuildStep, Effect
from uscdr.models.base import Fact
from uscdr.scenarios.steps.application import CheckApplication, CheckParams
from uscdr.scenarios.steps.assess import BackupsLook, DatabaseLook, StatusLook
from uscdr.scenarios.steps.base import NoParams
from uscdr.scenarios.steps.capture import CaptureFresh, CaptureSafety
from uscdr.scenarios.steps.choose import Choose
from uscdr.scenarios.steps.data import Compare, VerifyData
from uscdr.scenarios.steps.freeze import Drain, Maintenance, MaintenanceParams, ReleaseGuard
from uscdr.scenarios.steps.ledger import LedgerStep
from uscdr.scenarios.steps.manual import Manual, ManualParams
from uscdr.scenarios.steps.migrate import Migrate
from uscdr.scenarios.steps.prove import Prove
from uscdr.scenarios.steps.refill import Refill, RefillParams
from uscdr.scenarios.steps.restore import Restore
from uscdr.scenarios.steps.sessions import EndSessions

ASSESS, RECOVER = "assess", "recover"


@dataclass(frozen=True)
class StepSpec:
    """What the engine must know of a step before it is built."""

    name: str
    title: str
    default_id: str
    phase: str
    effect: Effect
    build: BuildStep
    params: type[Fact] = NoParams
    destructive: bool = False


_SPECS = (
    StepSpec("status.look", "Provider status", "status", ASSESS, Effect.READ, StatusLook),
    StepSpec("database.look", "Database as it stands", "database", ASSESS, Effect.READ, DatabaseLook),
    StepSpec("backups.look", "Backups there are", "backups", ASSESS, Effect.READ, BackupsLook),
    StepSpec("heroku.release_guard", "No release under way", "release_guard", RECOVER, Effect.READ, ReleaseGuard),
    StepSpec(
        "heroku.maintenance", "Maintenance mode", "maintenance", RECOVER, Effect.IDEMPOTENT, Maintenance,
        MaintenanceParams,
    ),
    StepSpec("heroku.drain", "Stop everything that writes", "drain", RECOVER, Effect.IDEMPOTENT, Drain),
    StepSpec("postgres.end_sessions", "End other sessions", "sessions", RECOVER, Effect.IDEMPOTENT, EndSessions),
    StepSpec("backup.capture_safety", "Keep the damaged state", "safety", RECOVER, Effect.FINDABLE, CaptureSafety),
    StepSpec("backup.choose", "Choose the backup", "choose", RECOVER, Effect.READ, Choose),
    StepSpec("backup.prove", "Prove the backup", "prove", RECOVER, Effect.READ, Prove),
    StepSpec("data.ledger", "What will be lost", "ledger", RECOVER, Effect.READ, LedgerStep),
    StepSpec(
        "backup.restore", "Restore", "restore", RECOVER, Effect.FINDABLE, Restore, destructive=True,
    ),
    StepSpec("data.compare", "Compare with the backup", "compare", RECOVER, Effect.READ, Compare),
    StepSpec("django.migrate", "Pending migrations", "migrate", RECOVER, Effect.IDEMPOTENT, Migrate),
    StepSpec("data.verify", "Verify the data", "verify_data", RECOVER, Effect.READ, VerifyData),
    StepSpec("heroku.refill", "Start again", "refill", RECOVER, Effect.IDEMPOTENT, Refill, RefillParams),
    StepSpec("app.check", "Check the application", "check_app", RECOVER, Effect.READ, CheckApplication, CheckParams),
    StepSpec("backup.capture", "New backup", "fresh", RECOVER, Effect.FINDABLE, CaptureFresh),
    StepSpec("manual", "By hand", "manual", RECOVER, Effect.ONCE, Manual, ManualParams),
)  # fmt: skip

STEPS: Mapping[str, StepSpec] = {spec.name: spec for spec in _SPECS}
