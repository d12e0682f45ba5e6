"""From a request to a run: lock, journal, plan, conduct, and an honest end."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from uscdr import __version__, cleanup
from uscdr.engine.gate import Gate
from uscdr.engine.history import History, fold
from uscdr.engine.run import AfterRun, Outcome, Run, RunInfo
from uscdr.errors import BadInput, CredentialsRefused, Interrupted, NotFound, ProviderError
from uscdr.events import Bus, EventSink, Redactor
from uscdr.journal import lock, runs
from uscdr.journal import writer as journals
from uscdr.journal.reader import NAME, Journal, foreign, read
from uscdr.models.events import Note, RunStarted, Stamped
from uscdr.models.runs import command_of, recovers
from uscdr.report.objectives import fold_of, held_back, shortfall
from uscdr.scenarios.adapters import Adapters, Request
from uscdr.scenarios.afterwards import leave
from uscdr.scenarios.afterwards import shut_out_tasks as shut_out
from uscdr.scenarios.afterwards import way_back_tasks as way_back
from uscdr.scenarios.registry import OPERATIONS, bind, operation
from uscdr.settings import operator
from uscdr.shared.lease import LeaseRequest, RunLease
from uscdr.shared.team import Team, waiting
from uscdr.wiring.adapters import dependencies
from uscdr.wiring.past_runs import beside_unfinished, refuse_beside_unfinished
from uscdr.wiring.ports import Ports, open_ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from uscdr.engine.step import BoundStep
    from uscdr.scenarios.config import Scenario
    from uscdr.wiring.context import Job, RunContext

# What a journal says of a run that is taken up again: asked and found in the shapes that the steps rely on.


_REQUEST: TypeAdapter[Request] = TypeAdapter(Request)
_BESIDE = ("key", "confirm", "dry_run")
"""What the first line holds beside the request itself."""


@dataclass(frozen=True)
class RecordedRequest:
    """What a run was begun with: the request, the key of its target, and the phrase that was given."""

    request: Request
    key: str
    confirm: str | None


def asked(first: Mapping[str, Any], journal: Path) -> RecordedRequest:
    """Of a journal's first event. Raises ForeignJournal for a wish that this uscdr does not know."""
    if runs.begun_at(journal.parent.name) is None:
        raise foreign(journal, "its directory's name is no run's id")
    said = dict(first["request"])
    key, confirm, _ = (said.pop(name, None) for name in _BESIDE)
    known = {field.name for field in fields(Request)}
    unknown = sorted(name for name, value in said.items() if name not in known and value)
    try:
        request = _REQUEST.validate_python({name: value for name, value in said.items() if name in known})
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False)[0]["loc"]
        raise foreign(journal, f"line 1: request.{'.'.join(map(str, wrong))}") from None
    if unknown:
        raise foreign(journal, f"line 1: request.{unknown[0]}")
    if not isinstance(key, str) or not isinstance(confirm, str | None) or request.scenario != first["scenario"]:
        raise foreign(journal, "line 1: request.key, request.confirm or request.scenario")
    return RecordedRequest(request, key, confirm)


def _require_ours(steps: Sequence[BoundStep], history: History, journal: Path) -> None:
    """Every recorded result is of the kind that its step gives. Raises ForeignJournal naming the step."""
    for bound in steps:
        recorded = history.results.get(bound.step.id)
        if not recorded:
            continue
        try:
            bound.step.gives.model_validate(recorded)
        except ValidationError as error:
            wrong = error.errors(include_input=False, include_url=False)[0]["loc"]
            where = ".".join(("result", *map(str, wrong)))
            raise foreign(journal, f"step {bound.step.id}: {where}") from None


LEFT = "infra.left"
SHUT = "maintenance mode"


def _scenario_of(job: Job) -> Scenario:
    """What the job carries out. Raises BadInput when scenarios.yaml has no such scenario."""
    scenarios = job.place.config.scenarios
    if job.request.scenario not in scenarios:
        raise BadInput(
            f"scenarios.yaml has no scenario “{job.request.scenario}”.", next_action=f"It has: {', '.join(scenarios)}."
        )
    return scenarios[job.request.scenario]


def first_line(job: Job, around: RunContext, asked: Mapping[str, Any]) -> RunStarted:
    """What the journal begins with; `asked` is what stood on the command line."""
    place, who = job.place, operator(around.env)
    return RunStarted(
        scenario=job.request.scenario,
        target=place.name,
        app=place.target.heroku.app,
        request={**asked, "key": place.key},
        version=__version__,
        user=who.user,
        host=who.host,
        scenario_digest=place.digest,
        rto_seconds=place.config.objectives.rto,
        rpo_seconds=place.config.objectives.rpo,
    )


def _charter(job: Job, around: RunContext) -> RunInfo:
    asked = {**asdict(job.request), "confirm": job.confirm, "dry_run": job.dry_run}
    begun = first_line(job, around, asked)
    if (single := OPERATIONS.get(job.request.scenario)) is not None:
        return RunInfo(begun, single.title, {}, ())
    scenario = _scenario_of(job)
    return RunInfo(begun, scenario.title, dict(scenario.budget), scenario.follow_up, scenario.if_it_fails)


def _steps(job: Job, deps: Adapters) -> list[BoundStep]:
    name = job.request.scenario
    return operation(name, deps) if name in OPERATIONS else bind(_scenario_of(job), deps)


def begin(job: Job, around: RunContext, team: Team | None = None) -> Outcome:
    """A new run: lock and lease (not for a dry run), journal, conduct."""
    _charter(job, around)  # before anything is made
    with ExitStack() as stack:
        if job.dry_run:
            return _conduct(job, around, stack.enter_context(_new_journal(job, around)), History())
        around = _swept(job, around)
        stack.enter_context(_lock(job, around))
        claim = stack.enter_context(_claim(job, around, team)) if team else None
        if team is not None:
            team.settle(around.state)
        if recovers(job.request.scenario) and not job.request.anew:
            refuse_beside_unfinished(around.state, job.place.key)
        own = stack.enter_context(_new_journal(job, around))
        ledger = stack.enter_context(team.ledger(own, claim, job.run)) if team and claim else own
        return _conduct(job, around, ledger, History())


def resume(
    job: Job, around: RunContext, path: Path, team: Team | None = None, *, take_over: bool = False
) -> Outcome:  # fmt: skip
    """Take a run up again where its journal ends; with `take_over` from whatever machine had it."""
    around = _swept(job, around)
    with ExitStack() as stack:
        stack.enter_context(_lock(job, around))
        if team is None:
            own, journal = journals.reopen(path)
            stack.enter_context(_closing(own))
            return _go_on(job, around, own, journal)
        claim = stack.enter_context(_claim(job, around, team, take_over=take_over))
        team.refresh(around.state)
        arrived = team.bring(around.state, job.run, take_over=take_over)
        own, journal = journals.reopen(arrived.path)
        stack.enter_context(_closing(own))
        ledger = stack.enter_context(team.ledger(own, claim, job.run, arrived))
        return _go_on(_as_it_stands(job, path, journal), around, ledger, journal, arrived.aside)


def _swept(job: Job, around: RunContext) -> RunContext:
    """What killed processes left is removed, before a lock may refuse; what is still there is said in the run."""
    return replace(around, left=cleanup.sweep(around.state, job.place.scratch))


def _as_it_stands(job: Job, before: Path, journal: Journal) -> Job:
    """The job, if there is something to do. What was confirmed before its write failed elsewhere counts no more."""
    if not runs.resumable(runs.summarize(journal)):
        raise BadInput(f"Run {job.run} is finished.", next_action=f"See: uscdr runs show {job.run}")
    moved_on = len(journal.records) > len(read(before).records)
    return replace(job, confirm=None) if moved_on and fold(journal.records).spent else job


def _onlookers(job: Job, around: RunContext) -> Bus:
    """What is shown before the run is this process's."""
    bus = Bus(job.run, Redactor())
    for viewer in around.viewers:
        bus.add_viewer(viewer)
    return bus


def _go_on(job: Job, around: RunContext, ledger: EventSink, journal: Journal, aside: Path | None = None) -> Outcome:
    around.prime([Stamped.model_validate({k: v for k, v in r.items() if k != "prev"}) for r in journal.records])
    return _conduct(job, around, ledger, fold(journal.records), journal, aside)


def _message(job: Job) -> str:
    return f"{command_of(job.request.scenario)} (run {job.run})"


def _wish(job: Job, around: RunContext) -> LeaseRequest:
    return LeaseRequest(job.place.key, job.run, operator(around.env), _message(job))


@contextmanager
def _lock(job: Job, around: RunContext) -> Iterator[None]:
    """The lock of this machine, without which nothing is sent."""
    with (
        lock.hold(around.state, job.place.key, operator(around.env), _message(job)) as held,
        around.leave.of(held.check),
    ):
        yield


@contextmanager
def _claim(job: Job, around: RunContext, team: Team, *, take_over: bool = False) -> Iterator[RunLease]:
    """The team's lease, without which nothing is sent."""
    patience = waiting(around.asker, around.stop, _onlookers(job, around), take_over=take_over)
    with team.claim(around.state, _wish(job, around), patience) as claim, around.leave.of(claim.leave, claim.lasts):
        yield claim


def _new_journal(job: Job, around: RunContext) -> AbstractContextManager[journals.JournalWriter]:
    return _closing(journals.create(around.state / "runs" / job.run))


@contextmanager
def _closing(ledger: journals.JournalWriter) -> Iterator[journals.JournalWriter]:
    try:
        yield ledger
    finally:
        ledger.close()


@contextmanager
def opened(job: Job, around: RunContext) -> Iterator[tuple[Adapters, Ports]]:
    """Everything a job works with, and its scratch place; all gone at the end."""
    with ExitStack() as stack:
        work = stack.enter_context(cleanup.workplace(around.state, job.run))
        ports = stack.enter_context(open_ports(job.place, around, work, read_only=job.dry_run))
        deps = dependencies(job, ports, around, work)
        stack.callback(deps.candidate.close)
        yield deps, ports


def _conduct(
    job: Job,
    around: RunContext,
    ledger: EventSink,
    history: History,
    journal: Journal | None = None,
    aside: Path | None = None,
) -> Outcome:
    records = journal.records if journal else ()
    own = around.state / "runs" / job.run / NAME
    with opened(job, around) as (deps, ports):
        bus = Bus(job.run, ports.redactor, first_seq=len(records))
        ports.waits.bus = bus
        around.leave.tell = lambda words: bus.emit(Note(level="warning", text=words))
        bus.add_ledger(ledger)
        for viewer in around.viewers:
            bus.add_viewer(viewer)
        conductor = Run(
            _charter(job, around), bus, Gate(around.asker, job.confirm, send_again=job.send_again), around.stop,
            AfterRun(
                lambda: _left_over(deps, own) if recovers(job.request.scenario) else {},
                lambda: (*way_back(read(own).events()), *shut_out(read(own).events())),
            ),
        )  # fmt: skip
        steps = _steps(job, deps)
        if journal is not None:
            _require_ours(steps, history, journal.path)
        conductor.announce(resumed=bool(records))
        if journal is not None and journal.torn_bytes:
            words = f"The journal's last line was cut off ({journal.torn_bytes} bytes) and is dropped: the step looks."
            bus.emit(Note(level="warning", text=words))
        if aside is not None:
            words = f"Lines that only this machine had, after another took the run over, are kept in {aside}."
            bus.emit(Note(level="warning", text=words))
        for words in around.left:
            bus.emit(Note(level="warning", text=words))
        for doubt in deps.kit.doubts if deps.kit else ():
            bus.emit(Note(level="warning", text=f"{doubt.message} What is shown of the kit is what is sealed in it."))
        if records and records[0]["event"]["scenario_digest"] != job.place.digest:
            bus.emit(Note(level="warning", text="scenarios.yaml was changed since this run was begun."))
        beside = _beside(job, around) if job.dry_run else ""
        if beside:
            bus.emit(Note(level="warning", text=beside))
        if job.dry_run:
            return conductor.rehearse(steps, beside=beside)
        return conductor.run(
            steps, history, shortfall=lambda: shortfall(fold_of(read(own).records)),
            proviso=lambda: held_back(fold_of(read(own).records)),
        )  # fmt: skip


def _beside(job: Job, around: RunContext) -> str:
    """What a dry run says before it plans what would be refused: an unfinished run comes first."""
    if job.request.anew or not recovers(job.request.scenario):
        return ""
    refusal = beside_unfinished(around.state, job.place.key)
    return f"{refusal.message} So a new one is refused, also with the phrase. {refusal.next_action}" if refusal else ""


def _for_people(journal: Path) -> dict[str, str]:
    """What a rebuilt place lacks and only people can give it, as its last step found."""
    found = fold_of(read(journal).records).result(LEFT)
    told = {"not brought back": found.get("lost") or (), "names": found.get("told") or ()}
    return {what: "; ".join(map(str, words)) for what, words in told.items() if words}


def _left_over(deps: Adapters, journal: Path) -> dict[str, str]:
    """What state was left behind, and what lets users in again where nothing was overwritten yet."""
    left = _left_behind(deps) | _for_people(journal)
    again = leave(read(journal).events(), _normal(deps, left)) if SHUT in left else ""
    return left | ({"to let them in instead of going on": again} if again else {})


def _normal(deps: Adapters, left: Mapping[str, str]) -> dict[str, int]:
    """Of what is stopped now: what an earlier run recorded before that, else what the configuration says."""
    known = deps.memory.formation if any(deps.memory.formation.values()) else deps.config.app.formation
    return {kind: known.get(kind, 1) for kind in left.get("stopped", "").split(", ") if kind}


def _left_behind(deps: Adapters) -> dict[str, str]:
    """What state the application was left in, as far as the platform says; of a new place, the old one's too."""
    try:
        left = _shut(deps, deps.old_app) if deps.app != deps.old_app else {}
        return left | _left(deps)
    except (ProviderError, Interrupted) as error:
        return {"state of the application": f"not known ({error.message})"}


def _left(deps: Adapters) -> dict[str, str]:
    new = deps.app != deps.old_app
    try:
        app = deps.platform.app(deps.app)
    except NotFound:
        if new:
            return {}
        raise
    left = {SHUT: "ON: users are shut out"} if app.maintenance else {}
    normal = {**deps.config.app.formation, **deps.memory.formation} if new else deps.memory.formation
    stopped = [entry.type for entry in deps.platform.formation(deps.app)
               if not entry.quantity and normal.get(entry.type, 0 if new else 1)]  # fmt: skip
    if stopped and (app.maintenance or new):
        left[f"stopped in {deps.app}" if new else "stopped"] = ", ".join(sorted(stopped))
    return left


def _shut(deps: Adapters, app: str) -> dict[str, str]:
    """The old application beside a new one, while it shuts users out."""
    try:
        shut = deps.platform.app(app).maintenance
    except (NotFound, CredentialsRefused):
        return {}
    return {"old application": f"{app} is in maintenance mode: users are shut out of it"} if shut else {}
