"""Every kind of object that `--json` prints: its name, and the commands that print it.

The types of its fields stand in `tools/schemas.py:TYPES`, from which `python -m tools.schemas` writes `docs/schemas/`.
A name and the meaning of its fields never change; what must change gets a new number.
"""

from __future__ import annotations

from enum import Enum

EVERY = "every command"
DRILLS = "drill db, drill app, drill media, drill infra, drill backups"
RUNS = (
    "recover db, recover app, recover media, recover infra, recover backups, dns rollback, runs resume, verify, watch, "
    f"{DRILLS}"
)
DRY_RUNS = (
    "recover db --dry-run, recover app --dry-run, recover media --dry-run, recover infra --dry-run, "
    "recover backups --dry-run, dns rollback --dry-run"
)


class Schema(Enum):
    """One kind of object. Its first key is `"schema": "uscdr.NAME.v1"`; `prints` names the commands that print it."""

    ERROR = "error", EVERY
    EVENT = "event", RUNS
    PLAN = "plan", DRY_RUNS

    BACKUP = "backup", "backup list"
    CAPTURE = "capture", "backup capture"
    COPY = "copy", "backup pull"
    PROOF = "proof", "backup prove, kit check --restore"
    UNPROVEN = "unproven", "backup prove"
    PRUNE = "prune", "backup prune"
    RPO = "rpo", "backup status"
    SCHEDULE = "schedule", "backup schedule"

    KIT = "kit", "kit list"
    KIT_BUILD = "kit-build", "kit build"
    KIT_CARD = "kit-card", "kit card"
    KIT_CHECK = "kit-check", "kit check"
    KIT_FILES = "kit-files", "kit restore"
    KIT_KEY = "kit-key", "kit key"
    KIT_PAGE = "kit-page", "kit card --html"

    RUN = "run", "runs list"
    RUN_POSITION = "run-position", "runs show"
    RUN_REPORT = "run-report", "runs report"
    RUN_TIMES = "run-times", "runs report --times"

    ACTION = "action", "incident actions"
    INCIDENT = "incident", "incident list, incident note, incident close"
    INCIDENT_REPORT = "incident-report", "incident report"
    INCIDENT_STATUS = "incident-status", "incident status, incident open, incident update, incident resolve"
    NOTICE = "notice", "incident notify"
    NOTICE_SETTLED = "notice-settled", "incident settle"
    OVERDUE = "overdue", "incident check"
    QUESTION = "question", "incident review"
    TREND = "trend", "incident list --trend"

    AUDIENCE = "audience", "incident audience list"
    AUDIENCE_GROUP = "audience-group", "incident audience import, incident audience add, incident audience remove"

    DRILL = "drill", DRILLS
    EXERCISE = "exercise", "drill due"
    EXERCISE_FINDING = "exercise-finding", "drill due"
    EXERCISE_RECORD = "exercise-record", "drill list"
    EXERCISE_RECORDED = "exercise-recorded", "drill record, drill comms"
    EXERCISE_REFUSED = "exercise-refused", "drill due"

    CHECK = "check", "verify --list"
    LOOK = "look", "doctor"
    LINK = "link", "runbook --online"
    RUNBOOK_STEP = "runbook-step", "runbook"

    CONFIG = "config", "config show"
    CONFIG_FAULT = "config-fault", "config check"
    CONFIG_PLACE = "config-place", "config path, config init"
    CONFIG_SCHEMA = "config-schema", "config schema"
    CONFIG_VALID = "config-valid", "config check"

    COMPLETION = "completion", "completion"
    EXIT_CODE = "exit-code", "help"
    HELP = "help", "help"
    VARIABLE = "variable", "help"
    VERSION = "version", "version"
    KEPT = "kept", "self uninstall"
    REMOVAL = "removal", "self uninstall"
    REMOVED = "removed", "self uninstall --state"
    TOPIC = "topic", "docs"
    TOPIC_SECTION = "topic-section", "docs --search"
    TOPIC_TEXT = "topic-text", "docs"

    SANDBOX = "sandbox", "sandbox up"
    SANDBOX_DAMAGE = "sandbox-damage", "sandbox break"
    SANDBOX_ENV = "sandbox-env", "sandbox env"
    SANDBOX_FAULT = "sandbox-fault", "sandbox fault add, sandbox fault list"
    SANDBOX_FAULT_KIND = "sandbox-fault-kind", "sandbox fault kinds"
    SANDBOX_FAULTS_CLEARED = "sandbox-faults-cleared", "sandbox fault clear"
    SANDBOX_REMOVED = "sandbox-removed", "sandbox down"
    SANDBOX_REQUEST = "sandbox-request", "sandbox audit"
    SANDBOX_STATUS = "sandbox-status", "sandbox status"

    def __init__(self, title: str, prints: str) -> None:
        self.title = title
        self.prints = prints

    @property
    def id(self) -> str:
        """`uscdr.backup.v1`: what the object says, and the name of its file in `docs/schemas/`."""
        return f"uscdr.{self.title}.v1"
