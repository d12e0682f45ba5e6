"""The steps that scenario `app` adds."""

from __future__ import annotations

from uscdr.engine.step import Effect
from uscdr.scenarios.specs.spec import ASSESS, RECOVER, StepSpec
from uscdr.scenarios.steps.app_decide import Decide
from uscdr.scenarios.steps.app_look import AppLook
from uscdr.scenarios.steps.app_redeploy import Redeploy
from uscdr.scenarios.steps.app_rollback import Rollback
from uscdr.scenarios.steps.app_static import Static
from uscdr.scenarios.steps.capture import CaptureBefore
from uscdr.scenarios.steps.data_probe import DataProbe

SPECS = (
    StepSpec(
        "app.look",
        "Application as it stands",
        "app",
        ASSESS,
        Effect.READ,
        AppLook,
        manual=(
            "heroku apps:info --app {app}",
            "heroku ps --app {app}",
            "heroku releases --app {app}",
            "heroku logs --num 1500 --app {app}",
        ),
    ),
    StepSpec(
        "app.decide",
        "Decide",
        "decide",
        ASSESS,
        Effect.IDEMPOTENT,
        Decide,
        destructive=True,
        manual=("heroku releases:info $RELEASE --app {app}   # what came just before the failure?",),
    ),
    StepSpec(
        "app.rollback",
        "Roll back",
        "rollback",
        RECOVER,
        Effect.FINDABLE,
        Rollback,
        manual=("heroku rollback $RELEASE --app {app}   # changes code and config vars, not data or schema",),
    ),
    StepSpec(
        "data.probe",
        "Ask the database",
        "probe",
        RECOVER,
        Effect.READ,
        DataProbe,
        manual=("heroku pg:psql --app {app}   # SELECT count(*) FROM patients_patient",),
    ),
    StepSpec(
        "backup.capture_before",
        "Capture before migrations",
        "before",
        RECOVER,
        Effect.FINDABLE,
        CaptureBefore,
        manual=("heroku pg:backups:capture --app {app}",),
    ),
    StepSpec(
        "app.redeploy",
        "Deploy from source",
        "redeploy",
        RECOVER,
        Effect.FINDABLE,
        Redeploy,
        manual=("git push https://git.heroku.com/{app}.git $REF:main",),
    ),
    StepSpec(
        "app.static",
        "Static files",
        "static",
        RECOVER,
        Effect.READ,
        Static,
        manual=("heroku open --app {app}   # collectstatic in a one-off dyno changes nothing for web",),
    ),
)
