"""The closed set of events and their envelope: values fit for a journal, no secret, no patient."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from uscdr.models.base import Count, Moment, Span


class Event(BaseModel):
    """Base of all payloads. `kind` tells which."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    kind: str


class Call(Event):
    """One request that a step will send: method and path, or the tool's name and arguments."""

    kind: Literal["call"] = "call"
    provider: str
    request: str
    writes: bool


class PlannedStep(Event):
    """One line of the plan. `manual` is what a person types if uscdr is broken, secrets as `$NAMES`."""

    kind: Literal["planned_step"] = "planned_step"
    id: str
    name: str = ""
    title: str
    phase: str
    effect: str
    action: Literal["read", "change", "noop", "skip", "later", "blocked"]
    summary: str
    destructive: bool = False
    """Asks for its phrase. Unless it can be repeated, it destroys something itself."""
    params: dict[str, Any] = Field(default_factory=dict)
    seen: dict[str, Any] = Field(default_factory=dict)
    calls: tuple[Call, ...] = ()
    manual: tuple[str, ...] = ()
    approved: dict[str, str] = Field(default_factory=dict)
    """What the person approves of it; if any of that is different later, even in a resumed run, the run stops."""

    @property
    def destroys(self) -> bool:
        """Whether it overwrites something itself; a decision that can be taken again only asks."""
        return self.destructive and self.effect != "idempotent"


class RunStarted(Event):
    """The first line of a journal: what was asked, by whom, where, with which version."""

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


class RunResumed(Event):
    """A second process took the run up again."""

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
    """What was seen just before, as far as a later settling or undoing needs it."""
    says_when_sent: bool = False
    """Whether `step.sending` follows before the request goes out; until then nothing was sent."""


class StepSending(Event):
    """The request that changes something goes out next: from here on it may take effect, whatever is heard of it."""

    kind: Literal["step.sending"] = "step.sending"
    step: str


class StepAccepted(Event):
    """The provider took the write and named it."""

    kind: Literal["step.accepted"] = "step.accepted"
    step: str
    name: str = ""
    provider_id: str


class StepProgress(Event):
    """How far the step under way is; never journalled. Bytes or items, `unit` says which."""

    kind: Literal["step.progress"] = "step.progress"
    step: str
    note: str = ""
    done: float | None = None
    total: float | None = None
    unit: str = ""


class StepSucceeded(Event):
    """Done and looked at again. `result` is the step's typed result."""

    kind: Literal["step.succeeded"] = "step.succeeded"
    step: str
    name: str = ""
    seconds: Span
    summary: str
    result: dict[str, Any] = Field(default_factory=dict)
    adopted: bool = False
    """The write of an earlier process was found to have taken effect."""


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
    """The write surely ended in failure and nothing of it is under way: it may be tried anew, with a new answer."""
    begun: bool = True
    """False when its turn ended, as when a question was declined, before anything of it was sent."""


class StepSettled(Event):
    """How a `started, not finished` was answered: what was looked at, what was found, what was decided."""

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


class ChecksStarted(Event):
    """A round of checks begins: which checks, and which lines of the checklists they stand for."""

    kind: Literal["checks.started"] = "checks.started"
    checks: tuple[str, ...]
    items: Count
    round: Count = 1
    baseline_at: Moment | None = None
    """When the baseline was taken that it is compared with; None without one."""


class CheckFinished(Event):
    """One check's verdict with its evidence (never a patient's value)."""

    kind: Literal["check.finished"] = "check.finished"
    step: str
    check: str
    verdict: Literal["pass", "fail", "inconclusive", "not checked"]
    evidence: str
    seconds: Span = 0.0
    why: str = ""
    """What a failure means, or what to do about it."""


class ChecklistResult(Event):
    """One line of the runbook's checklists with the verdict that its checks add up to."""

    kind: Literal["checklist.item"] = "checklist.item"
    list: str
    item: str
    verdict: Literal["pass", "fail", "inconclusive", "not checked"]
    checks: tuple[str, ...]
    skipped: tuple[str, ...] = ()
    """Checks of it that the operator left out (manual ones, with --skip-manual)."""


class ChecksFinished(Event):
    """A round's end: every line of the checklists that was asked for, and the sum."""

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
    """Something the operator should know now."""

    kind: Literal["note"] = "note"
    level: Literal["info", "warning"]
    text: str


class RunFinished(Event):
    """The end of one process's work on the run, with the exit code it will leave with."""

    kind: Literal["run.finished"] = "run.finished"
    outcome: Literal["done", "failed", "declined", "unknown", "interrupted"]
    exit_code: int
    summary: str
    left: dict[str, str] = Field(default_factory=dict)
    """The state that was left behind, e.g. maintenance: on."""
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
    | ChecksStarted
    | CheckFinished
    | ChecksFinished
    | Note
    | RunFinished,
    Field(discriminator="kind"),
]
PAYLOAD: TypeAdapter[Payload] = TypeAdapter(Payload)


class Stamped(BaseModel):
    """An event with its envelope. `seq` is None for events that ledgers do not see."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)
    run: str
    seq: Count | None
    at: Moment
    mono: float
    event: Payload
