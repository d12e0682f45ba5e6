"""The steps of `recover backups`."""

from __future__ import annotations

from uscdr.engine.step import Effect
from uscdr.scenarios.specs.spec import ASSESS, RECOVER, StepSpec
from uscdr.scenarios.steps.backups_capture import CaptureTrial
from uscdr.scenarios.steps.backups_commands import CommandsLook
from uscdr.scenarios.steps.backups_decide import BackupsDecide
from uscdr.scenarios.steps.backups_look import BackupSystemLook
from uscdr.scenarios.steps.backups_prove import ProveTrial
from uscdr.scenarios.steps.backups_pull import PullTrial
from uscdr.scenarios.steps.backups_schedule import Reschedule
from uscdr.scenarios.steps.backups_verdict import BackupsJudged

SPECS = (
    StepSpec(
        "backups.system",
        "Backup system as it stands",
        "system",
        ASSESS,
        Effect.READ,
        BackupSystemLook,
        manual=(
            "heroku pg:backups --app {app}",
            "heroku pg:backups:info $BACKUP --app {app}   # of one that failed: why",
            "heroku pg:backups:schedules --app {app}",
            "ls -l $VAULT   # the newest copy: how old?",
        ),
    ),
    StepSpec(
        "backups.commands",
        "The runbook's own commands",
        "commands",
        ASSESS,
        Effect.READ,
        CommandsLook,
        manual=(
            "# not {manage} monitor_backups --check-heroku: no such option, exit 2; it never asks the platform",
            "# not {manage} setup_heroku_backups: removes the schedule, then dies; exit 1, nothing tested",
            "# not {manage} verify_backup: restores nothing; exit 0 while it prints FAILED",
            "# not {manage} create_backup --type full --verify: writes to its own dyno's disk, gone when that stops",
        ),
    ),
    StepSpec(
        "backups.decide",
        "Decide",
        "decide",
        ASSESS,
        Effect.IDEMPOTENT,
        BackupsDecide,
        destructive=True,
        manual=("heroku pg:backups --app {app}   # as many manual ones as are kept? the oldest goes for the next",),
    ),
    StepSpec(
        "backups.schedule",
        "Daily schedule",
        "schedule",
        RECOVER,
        Effect.FINDABLE,
        Reschedule,
        manual=("heroku pg:backups:schedule DATABASE_URL --at '{backup_at}' --app {app}   # only if there is none",),
    ),
    StepSpec(
        "backups.trial",
        "Test a new backup",
        "trial",
        RECOVER,
        Effect.FINDABLE,
        CaptureTrial,
        manual=("heroku pg:backups:capture --app {app}", "heroku pg:backups:info $BACKUP --app {app}"),
    ),
    StepSpec(
        "backups.pull",
        "Copy it off the platform",
        "pull",
        RECOVER,
        Effect.IDEMPOTENT,
        PullTrial,
        manual=(
            "heroku pg:backups:download $BACKUP --app {app} --output backup.dump",
            "age -r $RECIPIENT -o $VAULT/backup.dump.age backup.dump && sha256sum $VAULT/backup.dump.age",
        ),
    ),
    StepSpec(
        "backups.prove",
        "Prove by a restore",
        "prove_copy",
        RECOVER,
        Effect.IDEMPOTENT,
        ProveTrial,
        manual=(
            "age -d -i $IDENTITY_FILE -o proof.dump $VAULT/backup.dump.age",
            "createdb proof && pg_restore --no-owner --no-acl -d proof proof.dump",
            "psql proof   # the invariants of scenarios.yaml; {canary} must give 0, the key by \\prompt",
        ),
    ),
    StepSpec(
        "backups.verdict",
        "Is the objective met?",
        "verdict",
        RECOVER,
        Effect.READ,
        BackupsJudged,
        manual=(
            "heroku pg:backups --app {app}   # the longest time between two + the time that one takes <= RPO?",
            "crontab -e   # more often than the RPO: heroku pg:backups:capture; daily backups alone lose up to a day",
        ),
    ),
)
