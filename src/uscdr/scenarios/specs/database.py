"""The steps of scenario `db`, most of which the others use too."""

from __future__ import annotations

from uscdr.engine.step import Effect
from uscdr.scenarios.specs.spec import ASSESS, RECOVER, StepSpec
from uscdr.scenarios.steps.application import CheckApplication
from uscdr.scenarios.steps.assess import BackupsLook, DatabaseLook, StatusLook, StatusParams
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

SPECS = (
    StepSpec(
        "status.look",
        "Provider status",
        "status",
        ASSESS,
        Effect.READ,
        StatusLook,
        StatusParams,
        manual=("heroku status",),
    ),
    StepSpec(
        "database.look",
        "Database as it stands",
        "database",
        ASSESS,
        Effect.READ,
        DatabaseLook,
        manual=("heroku pg:info --app {app}",),
    ),
    StepSpec(
        "backups.look",
        "Backups there are",
        "backups",
        ASSESS,
        Effect.READ,
        BackupsLook,
        manual=(
            "heroku pg:backups --app {app}",
            "heroku pg:backups:schedules --app {app}",
        ),
    ),
    StepSpec(
        "heroku.release_guard",
        "No release under way",
        "release_guard",
        RECOVER,
        Effect.READ,
        ReleaseGuard,
        manual=("heroku releases --app {app}",),
    ),
    StepSpec(
        "heroku.maintenance",
        "Maintenance mode",
        "maintenance",
        RECOVER,
        Effect.IDEMPOTENT,
        Maintenance,
        MaintenanceParams,
        manual=("heroku maintenance:{switch} --app {app}",),
    ),
    StepSpec(
        "heroku.drain",
        "Stop everything that writes",
        "drain",
        RECOVER,
        Effect.IDEMPOTENT,
        Drain,
        manual=(
            "heroku ps --app {app}   # write down what runs",
            "heroku ps:scale web=0 worker=0 beat=0 --app {app}",
            "heroku ps:stop run.N --app {app}",
        ),
    ),
    StepSpec(
        "postgres.end_sessions",
        "End other sessions",
        "sessions",
        RECOVER,
        Effect.IDEMPOTENT,
        EndSessions,
        manual=("heroku pg:killall --app {app}",),
    ),
    StepSpec(
        "backup.capture_safety",
        "Keep the damaged state",
        "safety",
        RECOVER,
        Effect.FINDABLE,
        CaptureSafety,
        manual=("heroku pg:backups:capture --app {app}",),
    ),
    StepSpec(
        "backup.choose",
        "Choose the backup",
        "choose",
        RECOVER,
        Effect.READ,
        Choose,
        manual=("heroku pg:backups:info $BACKUP --app {app}",),
    ),
    StepSpec(
        "backup.prove",
        "Prove the backup",
        "prove",
        RECOVER,
        Effect.READ,
        Prove,
        manual=(
            "heroku pg:backups:download $BACKUP --app {app} --output proof.dump",
            "createdb proof && pg_restore --no-owner --no-acl -d proof proof.dump",
        ),
    ),
    StepSpec(
        "data.ledger",
        "What will be lost",
        "ledger",
        RECOVER,
        Effect.READ,
        LedgerStep,
        manual=("heroku pg:psql --app {app}   # count(*) and max(id) of each table, against the proof",),
    ),
    StepSpec(
        "backup.restore",
        "Restore",
        "restore",
        RECOVER,
        Effect.FINDABLE,
        Restore,
        destructive=True,
        manual=(
            "heroku pg:backups:restore $BACKUP DATABASE_URL --app {app} --confirm {app}",
            "heroku pg:backups:info $RESTORE --app {app}",
        ),
    ),
    StepSpec(
        "data.compare",
        "Compare with the backup",
        "compare",
        RECOVER,
        Effect.READ,
        Compare,
        manual=("heroku pg:psql --app {app}   # the same counts again",),
    ),
    StepSpec(
        "django.migrate",
        "Pending migrations",
        "migrate",
        RECOVER,
        Effect.IDEMPOTENT,
        Migrate,
        manual=(
            "heroku run --exit-code --app {app} -- {manage} showmigrations --plan",
            "heroku run --exit-code --app {app} -- {manage} migrate --noinput",
        ),
    ),
    StepSpec(
        "data.verify",
        "Verify the data",
        "verify_data",
        RECOVER,
        Effect.READ,
        VerifyData,
        manual=("heroku pg:psql --app {app}   # the invariants of scenarios.yaml",),
    ),
    StepSpec(
        "heroku.refill",
        "Start again",
        "refill",
        RECOVER,
        Effect.IDEMPOTENT,
        Refill,
        RefillParams,
        manual=("heroku ps:scale {scale} --app {app}   # or what ran before it was stopped",),
    ),
    StepSpec(
        "app.check",
        "Check the application",
        "check_app",
        RECOVER,
        Effect.READ,
        CheckApplication,
        manual=("heroku open --app {app}   # sign in; open a patient; render a certificate",),
    ),
    StepSpec(
        "backup.capture",
        "New backup",
        "fresh",
        RECOVER,
        Effect.FINDABLE,
        CaptureFresh,
        manual=("heroku pg:backups:capture --app {app}",),
    ),
    StepSpec(
        "manual",
        "By hand",
        "manual",
        RECOVER,
        Effect.ONCE,
        Manual,
        ManualParams,
        manual=("{instruction}",),
    ),
)
