"""The closed set of events and their envelope: values safe for a journal, without secrets and patient data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from uscdr.models.base import Call, Count, Event, Moment, Span
from uscdr.models.forecast import RunForecast
from uscdr.words import duration, moment

if TYPE_CHECKING:
    from datetime import datetime


class PlannedStep(Event):
    """One line of the plan. `manual` is the command to type if uscdr is broken, with secrets as `$NAMES`."""

    kind: Literal["planned_step"] = "planned_step"
    id: str
    name: str = ""
    title: str
    phase: str
    effect: str
    action: Literal["read", "change", "noop", "skip", "later", "blocked"]
    summary: str
    destructive: bool = False
    """Asks for its phrase. Unless it can be repeated, the step itself is destructive."""
    params: dict[str, Any] = Field(default_factory=dict)
    seen: dict[str, Any] = Field(default_factory=dict)
    calls: tuple[Call, ...] = ()
    manual: tuple[str, ...] = ()
    approved: dict[str, str] = Field(default_factory=dict)
    """The facts that the operator approves. If one differs later, even in a resumed run, the run stops."""

    @property
    def destroys(self) -> bool:
        """Whether the step itself overwrites something; a repeatable decision only asks."""
        return self.destructive and self.effect != "idempotent"

    @property
    def will_write(self) -> bool:
        """Whether the step will change something."""
        return self.effect != "read" and self.action not in {"noop", "skip"}


class RunStarted(Event):
    """The first line of a journal: the command, the operator, the machine and the version."""

    kind: Literal["run.started"] = "run.started"
    scenario: str
    target: str
    app: str
    request: dict[str, Any]
    version: str
    user: str
    host: str
    scenario_digest: str
    rto_seconds: Span
    rpo_seconds: Span
    outage_at: Moment | None = None
    """When the outage began, by the operator: the RTO counts from then; None: from the start of the run."""
    incident: str = ""
    """The incident that the run belongs to; empty if none."""
    impact: str = ""
    """What an outage concerns, and how critical that is; empty if scenarios.yaml does not say."""

    def counts_from(self, started: datetime) -> datetime:
        """The time from which the RTO counts; `started` is the start of the run."""
        return self.outage_at or started

    def rto_basis(self) -> str:
        """What the RTO counts from, in words."""
        return f"from the outage, {moment(self.outage_at)}" if self.outage_at else "from the start of the run"

    def rto_words(self, spent: float) -> str:
        """The RTO, what it counts from, and the seconds of it that have passed, in words."""
        impact = f"\nImpact of the outage: {self.impact}" if self.impact else ""
        return f"RTO {duration(self.rto_seconds)} {self.rto_basis()}: {duration(spent)} have passed{impact}"


class RunResumed(Event):
    """A second process resumed the run."""

    kind: Literal["run.resumed"] = "run.resumed"
    user: str
    host: str
    version: str


class PlanReady(Event):
    """The plan, its digest, and each phase's budget in seconds."""

    kind: Literal["plan.ready"] = "plan.ready"
    digest: str
    dry_run: bool
    steps: tuple[PlannedStep, ...]
    budgets: dict[str, Span]
    phrase: str | None = None
    facts: dict[str, str] = Field(default_factory=dict)
    """What stands above the phrase: what is overwritten, rows lost, price. Empty in journals of earlier versions."""
    command: str = ""
    """The command that carries the plan out, without the phrase; empty in journals of earlier versions."""
    forecast: RunForecast | None = None
    """From earlier runs. Not part of the digest; None in journals of earlier versions, and for a single write."""


class StepStarted(Event):
    """Intent, on disk before the step acts."""

    kind: Literal["step.started"] = "step.started"
    step: str
    name: str = ""
    """What kind of step it is; a journal of an earlier version has its id only."""
    title: str
    phase: str
    effect: str
    attempt: Count = 1
    baseline: dict[str, Any] = Field(default_factory=dict)
    """The state just before, as far as a later check or undo needs it."""
    says_when_sent: bool = False
    """Whether `step.sending` follows before the request is sent; until then nothing was sent."""


class StepSending(Event):
    """The writing request is sent next: from here on it may take effect, even without an answer."""

    kind: Literal["step.sending"] = "step.sending"
    step: str


class StepAccepted(Event):
    """The provider accepted the write and gave it an id."""

    kind: Literal["step.accepted"] = "step.accepted"
    step: str
    name: str = ""
    provider_id: str


class StepProgress(Event):
    """The running step's progress; never journalled. `unit` says whether bytes or items."""

    kind: Literal["step.progress"] = "step.progress"
    step: str
    note: str = ""
    done: float | None = None
    total: float | None = None
    unit: str = ""


class StepSucceeded(Event):
    """Done and verified. `result` is the step's typed result."""

    kind: Literal["step.succeeded"] = "step.succeeded"
    step: str
    name: str = ""
    seconds: Span
    summary: str
    result: dict[str, Any] = Field(default_factory=dict)
    adopted: bool = False
    """The write of an earlier process was found to have taken effect."""
    changed: bool = True
    """False: it sent no request, so it changed nothing outside this machine."""


class StepSkipped(Event):
    """Not needed, or not possible; the reason."""

    kind: Literal["step.skipped"] = "step.skipped"
    step: str
    name: str = ""
    reason: str
    result: dict[str, Any] = Field(default_factory=dict)


class StepFailed(Event):
    """The step's end without success. `known` is False when its effect could not be established."""

    kind: Literal["step.failed"] = "step.failed"
    step: str
    name: str = ""
    message: str
    why: str = ""
    next_action: str = ""
    known: bool = True
    over: bool = False
    """The write certainly failed and nothing of it is still running: it may be retried, with a new answer."""
    begun: bool = True
    """False when the step ended before anything was sent, such as after a declined question."""
    changed: bool = True
    """Whether it may have changed something. False: it sent no request, or the provider refused each one."""


class StepSettled(Event):
    """The resolution of a `started, not finished`: what was checked, found and decided."""

    kind: Literal["step.settled"] = "step.settled"
    step: str
    name: str = ""
    looked_at: str
    found: str
    decision: Literal["adopt", "redo", "abort"]


class GateAsked(Event):
    """The confirmation put to the operator, with the facts."""

    kind: Literal["gate.asked"] = "gate.asked"
    step: str
    name: str = ""
    facts: dict[str, str]
    phrase: str


class GateAnswered(Event):
    """The operator's answer."""

    kind: Literal["gate.answered"] = "gate.answered"
    step: str
    name: str = ""
    confirmed: bool
    by: str


class QuestionAsked(Event):
    """A question other than the confirmation, put to the operator; whatever the run does next is after the answer."""

    kind: Literal["question.asked"] = "question.asked"
    question: str
    options: tuple[str, ...] = ()
    """The answers to choose from."""

    @property
    def words(self) -> str:
        """The question with its answers, as it was asked."""
        return f"{self.question} ({' / '.join(self.options)})" if self.options else self.question


class ChecksStarted(Event):
    """A round of checks starts: its checks, and their lines of the checklists."""

    kind: Literal["checks.started"] = "checks.started"
    checks: tuple[str, ...]
    items: Count
    round: Count = 1
    baseline_at: Moment | None = None
    """The time of the baseline to compare with; None without one."""


class CheckFinished(Event):
    """One check's verdict with its evidence (never a patient's value)."""

    kind: Literal["check.finished"] = "check.finished"
    step: str
    check: str
    verdict: Literal["pass", "fail", "inconclusive", "not checked"]
    evidence: str
    seconds: Span = 0.0
    why: str = ""
    """The meaning of this failure, or what to do about it; empty if what was found is not what it speaks of."""
    cause: str = ""
    """Why there is no answer, in the same words for every check with that reason; empty if the check has its answer."""


class ChecklistResult(Event):
    """One line of the runbook's checklists, with the combined verdict of its checks."""

    kind: Literal["checklist.item"] = "checklist.item"
    list: str
    item: str
    verdict: Literal["pass", "fail", "inconclusive", "not checked"]
    checks: tuple[str, ...]
    skipped: tuple[str, ...] = ()
    """Its checks that the operator skipped (manual ones, with --skip-manual)."""


class ChecksFinished(Event):
    """The end of a round: every requested line of the checklists, and the totals."""

    kind: Literal["checks.finished"] = "checks.finished"
    round: Count = 1
    items: tuple[ChecklistResult, ...]
    seconds: Span
    passed: Count
    """Lines of the checklists, of `len(items)`."""
    skipped_manual: bool = False
    changed: tuple[str, ...] = ()
    """watch: checks whose verdict differs from the round before, as `name: pass -> fail`."""
    next_at: Moment | None = None
    """watch: when the next round begins; None after the last one."""


class Note(Event):
    """A message for the operator."""

    kind: Literal["note"] = "note"
    level: Literal["info", "warning"]
    text: str


class RunFinished(Event):
    """The end of one process's work on the run, with its exit code."""

    kind: Literal["run.finished"] = "run.finished"
    outcome: Literal["done", "failed", "declined", "unknown", "interrupted"]
    exit_code: int
    summary: str
    left: dict[str, str] = Field(default_factory=dict)
    """The state left behind, such as maintenance: on."""
    follow_up: tuple[str, ...] = ()


Payload = Annotated[
    RunStarted
    | RunResumed
    | PlanReady
    | StepStarted
    | StepSending
    | StepAccepted
    | StepProgress
    | StepSucceeded
    | StepSkipped
    | StepFailed
    | StepSettled
    | GateAsked
    | GateAnswered
    | QuestionAsked
    | ChecksStarted
    | CheckFinished
    | ChecksFinished
    | Note
    | RunFinished,
    Field(discriminator="kind"),
]
PAYLOAD: TypeAdapter[Payload] = TypeAdapter(Payload, config=ConfigDict(defer_build=True))


class Waited(BaseModel):
    """Seconds that the writing process has waited since it began: for providers, and for a person."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, defer_build=True)
    provider: Span
    person: Span


class Stamped(BaseModel):
    """An event with its envelope. `seq` is None for events that ledgers do not see."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, defer_build=True)
    run: str
    seq: Count | None
    at: Moment
    mono: float
    waited: Waited | None = None
    """None in journals of earlier versions, and for progress."""
    event: Payload
