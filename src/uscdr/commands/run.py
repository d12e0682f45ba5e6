"""Turns a request into a run: lock, lease, journal, plan, steps, outcome."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from uscdr import __version__, cleanup
from uscdr.commands.command_line import as_typed
from uscdr.commands.forecast import RecordedForecaster
from uscdr.engine.gate import Gate
from uscdr.engine.history import History
from uscdr.engine.run import Outcome, Run, RunInfo
from uscdr.errors import ApplicationGone, BadInput, CredentialsRefused, Interrupted, NotFound, ProviderError
from uscdr.events import Bus, EventSink
from uscdr.journal import lock, runs
from uscdr.journal import writer as journals
from uscdr.journal.reader import NAME, ForeignJournal, Journal
from uscdr.models.events import Note, QuestionAsked, RunStarted, Stamped
from uscdr.models.runs import RunKind
from uscdr.redaction import Redactor
from uscdr.report.fold import Fold
from uscdr.report.objectives import held_back, shortfall
from uscdr.scenarios.adapters import Adapters, Request
from uscdr.scenarios.afterwards import blocked_tasks as shut_out
from uscdr.scenarios.afterwards import reopen_command
from uscdr.scenarios.afterwards import undo_tasks as way_back
from uscdr.scenarios.registry import OPERATIONS, bind, operation
from uscdr.settings import Operator
from uscdr.shared.lease import LeaseRequest, RunLease, Waiting
from uscdr.threads import Ahead
from uscdr.wiring import adapters
from uscdr.wiring.past_runs import beside_unfinished, refuse_beside_unfinished
from uscdr.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from uscdr.engine.gate import Asker
    from uscdr.engine.step import BoundStep
    from uscdr.scenarios.config import Scenario
    from uscdr.shared.team import Team
    from uscdr.wiring.context import RunContext

# Validates what a resumed run's journal records: the request, and the results that later steps read.


_REQUEST: TypeAdapter[Request] = TypeAdapter(Request)
_BESIDE = ("key", "confirm", "dry_run")
"""What the journal's first line records besides the request."""


@dataclass(frozen=True)
class RecordedRequest:
    """What a run began with: the request, the key of its target, and the confirmation phrase."""

    request: Request
    key: str
    confirm: str | None


def asked(first: Mapping[str, Any], journal: Path) -> RecordedRequest:
    """Read a journal's first event. Raises ForeignJournal for a request that this version does not know."""
    if runs.begun_at(journal.parent.name) is None:
        raise ForeignJournal(journal, "the name of its directory is not a run's id")
    said = dict(first["request"])
    key, confirm, _ = (said.pop(name, None) for name in _BESIDE)
    known = {field.name for field in fields(Request)}
    unknown = sorted(name for name, value in said.items() if name not in known and value)
    try:
        request = _REQUEST.validate_python({name: value for name, value in said.items() if name in known})
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False)[0]["loc"]
        raise ForeignJournal(journal, f"line 1: request.{'.'.join(map(str, wrong))}") from None
    if unknown:
        raise ForeignJournal(journal, f"line 1: request.{unknown[0]}")
    if not isinstance(key, str) or not isinstance(confirm, str | None) or request.scenario != first["scenario"]:
        raise ForeignJournal(journal, "line 1: request.key, request.confirm or request.scenario")
    return RecordedRequest(request, key, confirm)


def _require_ours(steps: Sequence[BoundStep], history: History, journal: Path) -> None:
    """Check that every recorded result has its step's type. Raises ForeignJournal, which names the step."""
    for bound in steps:
        recorded = history.results.get(bound.step.id)
        if not recorded:
            continue
        try:
            bound.step.gives.model_validate(recorded)
        except ValidationError as error:
            wrong = error.errors(include_input=False, include_url=False)[0]["loc"]
            where = ".".join(("result", *map(str, wrong)))
            raise ForeignJournal(journal, f"step {bound.step.id}: {where}") from None


LEFT = "infra.left"
MAINTENANCE = "maintenance mode"


def _scenario_of(context: RunContext) -> Scenario:
    """The scenario of the request. Raises BadInput when scenarios.yaml does not have it."""
    scenarios = context.target.config.scenarios
    if context.request.scenario not in scenarios:
        raise BadInput(
            f"scenarios.yaml has no scenario “{context.request.scenario}”.",
            next_action=f"Add it, or run one of: {', '.join(scenarios)}.",
        )
    return scenarios[context.request.scenario]


def first_line(context: RunContext, asked: Mapping[str, Any]) -> RunStarted:
    """The journal's first event; `asked` is what the command line said."""
    target, who = context.target, Operator.of(context.env)
    return RunStarted(
        scenario=context.request.scenario,
        target=target.name,
        app=target.services.heroku.app,
        request={**asked, "key": target.key},
        version=__version__,
        user=who.user,
        host=who.host,
        scenario_digest=target.digest,
        rto_seconds=target.config.objectives.rto,
        rpo_seconds=target.config.objectives.rpo,
        outage_at=datetime.fromisoformat(context.request.since) if context.request.since else None,
        incident=context.request.incident,
        impact=target.config.impact.words if target.config.impact else "",
    )


def _run_info(context: RunContext) -> RunInfo:
    asked = {**asdict(context.request), "confirm": context.confirm, "dry_run": context.dry_run}
    begun = first_line(context, asked)
    if (single := OPERATIONS.get(context.request.scenario)) is not None:
        return RunInfo(begun, single.title, {}, ())
    scenario = _scenario_of(context)
    command = as_typed(context.request, context.target)
    return RunInfo(begun, scenario.title, dict(scenario.budget), scenario.follow_up, command, scenario.if_it_fails)


def _steps(context: RunContext, deps: Adapters) -> list[BoundStep]:
    name = context.request.scenario
    return operation(name, deps) if name in OPERATIONS else bind(_scenario_of(context), deps)


def begin(context: RunContext, team: Team | None = None) -> Outcome:
    """Start a new run: take lock and lease (not for a dry run), create the journal, run the steps."""
    _run_info(context)  # raises for an unknown scenario before anything is created
    with ExitStack() as stack:
        if context.dry_run:
            return _conduct(context, stack.enter_context(_new_journal(context)), History())
        context = _swept(context)
        stack.enter_context(_lock(context))
        claim = stack.enter_context(_claim(context, team)) if team else None
        if team is not None:
            team.settle(context.state)
        if RunKind(context.request.scenario).recovers and not context.request.anew:
            refuse_beside_unfinished(context.state, context.target.key)
        own = stack.enter_context(_new_journal(context))
        ledger = stack.enter_context(team.ledger(own, claim, context.run)) if team and claim else own
        return _conduct(context, ledger, History())


def resume(
    context: RunContext, path: Path, team: Team | None = None, *, take_over: bool = False
) -> Outcome:  # fmt: skip
    """Resume a run where its journal ends; with `take_over`, also a run that another machine owns."""
    context = _swept(context)
    with ExitStack() as stack:
        stack.enter_context(_lock(context))
        if team is None:
            own, journal = journals.JournalWriter.reopen(path)
            stack.enter_context(_closing(own))
            return _go_on(context, own, journal)
        claim = stack.enter_context(_claim(context, team, take_over=take_over))
        team.refresh(context.state)
        arrived = team.bring(context.state, context.run, take_over=take_over)
        own, journal = journals.JournalWriter.reopen(arrived.path)
        stack.enter_context(_closing(own))
        ledger = stack.enter_context(team.ledger(own, claim, context.run, arrived))
        return _go_on(_as_it_stands(context, path, journal), ledger, journal, arrived.aside)


def _swept(context: RunContext) -> RunContext:
    """Remove what killed processes left, before the lock may refuse; the run reports what could not be removed."""
    return replace(context, left=cleanup.sweep(context.state, context.target.scratch))


def _as_it_stands(context: RunContext, before: Path, journal: Journal) -> RunContext:
    """The context without a spent confirmation. Raises BadInput when the run is finished.

    A confirmation is spent when another machine sent the confirmed write and it failed.
    """
    if not runs.RunSummary.of(journal).resumable:
        raise BadInput(f"Run {context.run} is finished.", next_action=f"See: uscdr runs show {context.run}")
    moved_on = len(journal.lines) > len(Journal.read(before).lines)
    return replace(context, confirm=None) if moved_on and History.of(journal.records).spent else context


def _onlookers(context: RunContext) -> Bus:
    """Shows what happens before this process owns the run; nothing of it is journalled."""
    bus = Bus(context.run, Redactor())
    for viewer in context.viewers:
        bus.add_viewer(viewer)
    return bus


def _go_on(context: RunContext, ledger: EventSink, journal: Journal, aside: Path | None = None) -> Outcome:
    context.prime([Stamped.model_validate({k: v for k, v in r.items() if k != "prev"}) for r in journal.records])
    return _conduct(context, ledger, History.of(journal.records), journal, aside)


def _message(context: RunContext) -> str:
    return f"{RunKind(context.request.scenario).command} (run {context.run})"


def _lease_request(context: RunContext) -> LeaseRequest:
    return LeaseRequest(context.target.key, context.run, Operator.of(context.env), _message(context))


@contextmanager
def _lock(context: RunContext) -> Iterator[None]:
    """Hold this machine's lock; without it no write is sent."""
    with (
        lock.HeldLock.hold(context.state, context.target.key, Operator.of(context.env), _message(context)) as held,
        context.guard.of(held.check),
    ):
        yield


@contextmanager
def _claim(context: RunContext, team: Team, *, take_over: bool = False) -> Iterator[RunLease]:
    """Hold the team's lease; without it no write is sent."""
    patience = Waiting.of(context.asker, context.stop, _onlookers(context), take_over=take_over)
    with (
        team.claim(context.state, _lease_request(context), patience) as claim,
        context.guard.of(claim.leave, claim.lasts),
    ):
        yield claim


def _new_journal(context: RunContext) -> AbstractContextManager[journals.JournalWriter]:
    return _closing(journals.JournalWriter.create(context.state / "runs" / context.run))


@contextmanager
def _closing(ledger: journals.JournalWriter) -> Iterator[journals.JournalWriter]:
    try:
        yield ledger
    finally:
        ledger.close()


def _conduct(
    context: RunContext, ledger: EventSink, history: History, journal: Journal | None = None, aside: Path | None = None
) -> Outcome:
    own = context.state / "runs" / context.run / NAME
    with adapters.opened(context) as deps:
        deps.require_inputs()
        bus = _bus(context, ledger, len(journal.lines) if journal else 0)
        run = Run(
            _run_info(context), bus, _gate(context, bus), context.stop,
            left=lambda: _left_over(deps, own) if RunKind(context.request.scenario).recovers else {},
            tasks=lambda: (*way_back(Journal.read(own).events()), *shut_out(Journal.read(own).events())),
            forecaster=RecordedForecaster(context, own), sent=lambda: context.guard.sent,
        )  # fmt: skip
        steps = _steps(context, deps)
        if journal is not None:
            _require_ours(steps, history, journal.path)
        run.announce(resumed=bool(journal and journal.lines))
        beside = _beside(context) if context.dry_run else ""
        for words in _to_know(context, deps, journal, aside, beside):
            bus.emit(Note(level="warning", text=words))
        if context.dry_run:
            return run.rehearse(steps, beside=beside, approved=context.approved)
        return run.run(
            steps, history, shortfall=lambda: shortfall(Fold.of(Journal.read(own).stamped)),
            proviso=lambda: held_back(Fold.of(Journal.read(own).stamped)), approved=context.approved,
        )  # fmt: skip


def _gate(context: RunContext, bus: Bus) -> Gate:
    return Gate(_Recorded(context.asker, bus), context.confirm, send_again=context.send_again)


class _Recorded:
    """Asks, and lets the journal know the question, so that others see what the run waits for."""

    def __init__(self, asker: Asker, bus: Bus) -> None:
        self._asker = asker
        self._bus = bus

    @property
    def interactive(self) -> bool:
        """Whether somebody can answer."""
        return self._asker.interactive

    @property
    def manner(self) -> str:
        """How it answers, for the journal."""
        return self._asker.manner

    def confirm_phrase(self, facts: Mapping[str, str], phrase: str) -> bool:
        """Whether the phrase was typed; the engine records this question itself."""
        return self._asker.confirm_phrase(facts, phrase)

    def choose(self, question: str, options: tuple[str, ...]) -> str:
        """One of `options`."""
        if self.interactive:
            self._bus.emit(QuestionAsked(question=question, options=options))
        return self._asker.choose(question, options)


def _bus(context: RunContext, ledger: EventSink, records: int) -> Bus:
    """The run's event bus: first the journal, then the viewers. Adapters report their waits on it."""
    bus = Bus(context.run, context.redactor, first_seq=records)
    context.waits.bus = bus
    context.guard.tell = lambda words: bus.emit(Note(level="warning", text=words))
    bus.add_ledger(ledger)
    for viewer in context.viewers:
        bus.add_viewer(viewer)
    return bus


def _to_know(
    context: RunContext, deps: Adapters, journal: Journal | None, aside: Path | None, beside: str
) -> Iterator[str]:
    """What the operator must know before the run begins."""
    if journal is not None and journal.torn_bytes:
        yield (
            f"The journal's last line was incomplete ({plural(journal.torn_bytes, 'byte')}), and uscdr dropped it. "
            "The step looks at the provider again."
        )
    if aside is not None:
        yield f"Another machine took the run over. The lines that only this machine had are in {aside}."
    yield from context.left
    for doubt in deps.kit.doubts if deps.kit else ():
        yield f"{doubt.message} uscdr uses the kit's sealed manifest."
    if journal and journal.records and journal.records[0]["event"]["scenario_digest"] != context.target.digest:
        yield "scenarios.yaml has changed since this run began."
    if beside:
        yield beside


def _beside(context: RunContext) -> str:
    """Why the real run would be refused beside an unfinished one: a dry run says it before its plan."""
    if context.request.anew or not RunKind(context.request.scenario).recovers:
        return ""
    refusal = beside_unfinished(context.state, context.target.key)
    return f"{refusal.message} uscdr refuses a new run until then. {refusal.next_action}" if refusal else ""


def _for_people(journal: Path) -> dict[str, str]:
    """What the rebuilt application lacks and only people can add, as its last step found."""
    found = Fold.of(Journal.read(journal).stamped).result(LEFT)
    told = {"not brought back": found.get("lost") or (), "names": found.get("told") or ()}
    return {what: "; ".join(map(str, words)) for what, words in told.items() if words}


def _left_over(deps: Adapters, journal: Path) -> dict[str, str]:
    """The state in which the application was left, and how to let users in if nothing was overwritten yet."""
    left = _left_behind(deps, journal) | _for_people(journal)
    again = reopen_command(Journal.read(journal).events(), _normal(deps, left)) if MAINTENANCE in left else ""
    return left | ({"to let them in instead of going on": again} if again else {})


def _normal(deps: Adapters, left: Mapping[str, str]) -> dict[str, int]:
    """The normal quantity of each stopped process type: as an earlier run recorded it, else as configured."""
    known = deps.memory.formation if any(deps.memory.formation.values()) else deps.config.app.formation
    return {kind: known.get(kind, 1) for kind in left.get("stopped", "").split(", ") if kind}


def _left_behind(deps: Adapters, journal: Path) -> dict[str, str]:
    """The application's state as the platform shows it; beside a new application also the old one's.

    A run that changed nothing left none that it would have to be unsure of.
    """
    try:
        left = _old_application(deps, deps.old_app) if deps.app != deps.old_app else {}
        return left | _left(deps)
    except ApplicationGone:  # the error of the run, or its next step, says so
        return {}
    except (ProviderError, Interrupted) as error:
        wrote = runs.RunSummary.of(Journal.read(journal)).wrote
        return {"state of the application": f"unknown ({error.message})"} if wrote else {}


def _left(deps: Adapters) -> dict[str, str]:
    new = deps.app != deps.old_app
    formation = Ahead(lambda: deps.platform.formation(deps.app))  # while the application is asked for
    try:
        app = deps.platform.app(deps.app)
    except NotFound:
        if new:
            return {}
        raise
    left = {MAINTENANCE: "ON: users cannot use the application"} if app.maintenance else {}
    normal = {**deps.config.app.formation, **deps.memory.formation} if new else deps.memory.formation
    stopped = [entry.type for entry in formation.result()
               if not entry.quantity and normal.get(entry.type, 0 if new else 1)]  # fmt: skip
    if stopped and (app.maintenance or new):
        left[f"stopped in {deps.app}" if new else "stopped"] = ", ".join(sorted(stopped))
    return left


def _old_application(deps: Adapters, app: str) -> dict[str, str]:
    """The old application beside a new one, if it is in maintenance mode."""
    try:
        closed = deps.platform.app(app).maintenance
    except (NotFound, CredentialsRefused):
        return {}
    return {"old application": f"{app} is in maintenance mode: users cannot use it"} if closed else {}
