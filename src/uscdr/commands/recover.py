"""Turns a command into a run: output, prompts, signals, and the summary at the end."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from uscdr import clock
from uscdr.cleanup import sweep
from uscdr.commands import run as runner
from uscdr.commands import saved_plan
from uscdr.commands.command_line import command_of
from uscdr.commands.housekeeping import look_around, state, warn_exposed
from uscdr.commands.incident_desk import IncidentDesk
from uscdr.commands.incident_follow import RunFollower, joined
from uscdr.commands.notice_sender import NoticeSender, SenderOptions
from uscdr.commands.operate import warn_behind
from uscdr.commands.option_forms import FORMS, check_form
from uscdr.engine.history import History
from uscdr.errors import BadInput, CredentialsRefused, JournalError, NotFound
from uscdr.journal import runs
from uscdr.journal.reader import NAME, Journal
from uscdr.providers.source.git_source import check
from uscdr.report.fold import Fold
from uscdr.report.objectives import build
from uscdr.report.summary import summarise
from uscdr.scenarios.adapters import Request
from uscdr.settings import SHARED_STATE
from uscdr.shared.team import Team
from uscdr.typed_time import past_typed
from uscdr.ui.pasted import CARRIED
from uscdr.wiring import adapters
from uscdr.wiring.session import process

if TYPE_CHECKING:
    from pathlib import Path

    from uscdr.engine.run import Outcome
    from uscdr.ui.console import Output
    from uscdr.wiring.context import Process, RunContext
    from uscdr.wiring.target import Target
    from uscdr.wiring.targets import Targets

RESUME = "runs resume"
APP_NAME = re.compile(r"[a-z][a-z0-9-]{1,28}[a-z0-9]")


@dataclass(frozen=True)
class RecoverOptions:
    """The command-line options of `recover`."""

    request: Request
    confirm: str | None
    dry_run: bool
    identity: Path | None = None
    send_notices: bool = False
    """Send the notices that are due without asking."""
    save_plan: Path | None = None
    """Where a dry run saves its plan."""
    plan: Path | None = None
    """The saved plan to carry out exactly, or to refuse."""

    def __post_init__(self) -> None:
        """Raises BadInput for a malformed release, backup, cloud or ref."""
        for option in FORMS:
            check_form(option, getattr(self.request, option))
        if self.request.ref is not None:
            check(self.request.ref)

    def dated(self, now: datetime) -> RecoverOptions:
        """The same with the time of the outage in UTC. Raises BadInput."""
        since = self.request.since
        if since is None:
            return self
        return replace(self, request=replace(self.request, since=past_typed(since, now, "--since").isoformat()))


@dataclass(frozen=True)
class ResumeOptions:
    """The command-line options of `runs resume`."""

    run: str | None = None
    confirm: str | None = None
    identity: Path | None = None
    take_over: bool = False
    without_shared: bool = False
    send_again: bool = False
    send_notices: bool = False


def new_application(target: Target, output: Output, wanted: str | None, *, in_place: bool) -> str | None:
    """The name of the application to build; None for the old one, if `in_place` and it still exists."""
    name = wanted or target.config.recovery.app
    if not APP_NAME.fullmatch(name):
        raise BadInput(
            f"“{name}” is not a valid application name.",
            why="Heroku's names have 3 to 30 characters (a-z, digits and hyphens) and begin with a letter.",
            next_action="Pass a valid name: uscdr recover infra --app usc-pis-recovery",
        )
    if name == target.services.heroku.app:
        raise BadInput(
            f"The new application cannot have the name of the lost one, {name}.",
            next_action="Pass another name with --app, or pass --in-place-if-possible without --app.",
        )
    return None if in_place and _exists(target, output) else name


def _exists(target: Target, output: Output) -> bool:
    with process(output, state(), os.environ) as this:
        context = this.on(target, Request("infra"), runs.new_run_id("look"), dry_run=True)
        return _answers(context)


def _answers(context: RunContext) -> bool:
    with adapters.opened(context) as deps:
        try:
            deps.platform.app(deps.old_app)
        except NotFound:
            return False
        except CredentialsRefused:
            deps.platform.account()  # raises too if the account is the cause, not this application
            return False
    return True


def recover(target: Target, output: Output, asked: RecoverOptions) -> int:
    """Start a new run; return its exit code. With a saved plan, carry it out exactly or refuse it."""
    asked = asked.dated(clock.system_time())
    if asked.save_plan is not None:
        saved_plan.require_free(asked.save_plan)
    saved = saved_plan.load(asked.plan) if asked.plan is not None else None
    if saved is not None:
        asked = replace(asked, request=saved.requested(asked.request))
        saved.require(target)
    run, request = (
        runs.new_run_id(asked.request.scenario),
        joined(target, output, _with_kit(asked, target), dry_run=asked.dry_run),
    )
    warn_exposed(output, asked.identity)
    team = None if asked.dry_run else Team.open(os.environ)
    if asked.dry_run:
        look_around(output)
    with ExitStack() as stack:
        this = stack.enter_context(process(output, state(), os.environ))
        if not asked.dry_run:
            options = SenderOptions(asked.send_notices, asked.identity)
            this = _following(stack, this, IncidentDesk(target, output), run, request, options)
        context = this.on(
            target, request, run, dry_run=asked.dry_run, confirm=asked.confirm, identity=asked.identity,
            approved=saved.plan if saved else None,
        )  # fmt: skip
        ending = runner.begin(context, team)
    code = _farewell(ending, run, output, team)
    if asked.save_plan is not None and ending.error is None:
        _save_plan(asked.save_plan, run, request, target, output)
    return code


def _save_plan(path: Path, run: str, request: Request, target: Target, output: Output) -> None:
    """Save the plan that the dry run's journal holds."""
    plan = Fold.of(Journal.read(state() / "runs" / run / NAME).stamped).plan
    if plan is not None:
        saved_plan.save(path, plan, request, target)
        command = command_of(request.scenario, target, "--plan", str(path))
        output.say(f"Plan saved. To carry it out exactly as it is: {command}")


def _following(
    stack: ExitStack, this: Process, desk: IncidentDesk, run: str, request: Request, options: SenderOptions
) -> Process:  # fmt: skip
    """The process of a run that belongs to an incident, with what sends the incident's notices beside it."""
    if not request.incident:
        return this
    scenario = desk.target.config.scenarios.get(request.scenario)
    title = scenario.title if scenario else request.scenario
    since = datetime.fromisoformat(request.since) if request.since else None
    follower = RunFollower(desk, run, request, title, since)
    sender = stack.enter_context(NoticeSender(desk.target, desk.output, request.incident, this.stop, options))
    return this.followed(follower, follower.prime, lambda now: [*follower.reminders(now), *sender.reminders()])


def _with_kit(asked: RecoverOptions, target: Target) -> Request:
    """The request with the kit's id. Raises BadInput for an unknown kit before the run begins."""
    kit = asked.request.kit
    if kit is None:
        return asked.request
    from uscdr.wiring.kits import identity_file, pinned

    identity_file(asked.identity, os.environ)
    return replace(asked.request, kit=pinned(kit, target, state()))


def resume(targets: Targets, output: Output, asked: ResumeOptions) -> int:
    """Resume a run on the target it began on; return its exit code."""
    targets.loaded()  # first of all say which configuration is used
    sweep(state())  # clean up even when there is nothing to resume
    team = Team.open(os.environ, without=asked.without_shared)
    for run in team.settle(state()) if team else ():
        output.say(f"uscdr copied the rest of run {run} to the shared state, which was unavailable when the run ended.")
    path = runs.LocalRuns(state()).find(asked.run, of_others=asked.take_over)
    journal = Journal.read(path)
    first = _resumable(journal, team, asked)
    begun = runner.asked(first, path)
    CARRIED.on(first["target"], os.environ)
    target = _same_target(targets.find(first["target"]), begun.key)
    warn_exposed(output, asked.identity)
    confirmed = None if History.of(journal.records).spent else begun.confirm
    with ExitStack() as stack:
        this = stack.enter_context(process(output, state(), os.environ))
        options = SenderOptions(asked.send_notices, asked.identity, asked.without_shared)
        desk = IncidentDesk(target, output, alone=asked.without_shared)
        this = _following(stack, this, desk, journal.run, begun.request, options)
        context = this.on(
            target, begun.request, journal.run, dry_run=False, confirm=asked.confirm or confirmed,
            identity=asked.identity, send_again=asked.send_again,
        )  # fmt: skip
        ending = runner.resume(context, path, team, take_over=asked.take_over)
    return _farewell(ending, journal.run, output, team)


def _resumable(journal: Journal, team: Team | None, asked: ResumeOptions) -> dict[str, Any]:
    """The journal's first event. Raises BadInput when there is nothing to resume."""
    first = next(journal.events())
    if runs.RunSummary.of(journal).only_looks:
        raise BadInput(
            f"Run {journal.run} was a check. uscdr does not resume checks.", next_action="Check again: uscdr verify all"
        )
    if not runs.RunSummary.of(journal).resumable:
        raise BadInput(f"Run {journal.run} is finished.", next_action=f"See: uscdr runs show {journal.run}")
    if team is None and (asked.take_over or journal.is_copy):
        raise BadInput(
            "uscdr can take over another machine's run only with the shared state.",
            why="This machine's copy of the run may be out of date.",
            next_action=f"Set {SHARED_STATE}, then without --without-shared: uscdr runs resume --take-over",
        )
    return first


def _same_target(target: Target, key: str) -> Target:
    """The target. Raises BadInput when it is no longer the one that the run began on."""
    if target.key != key:
        raise BadInput(
            f"The target {target.name} is no longer the application on which this run began.",
            why=f"It was {key}; now it is {target.key}.",
            next_action="Use the scenarios.yaml with which the run began: uscdr --config FILE runs resume",
        )
    return target


def _farewell(ending: Outcome, run: str, output: Output, team: Team | None) -> int:
    path = state() / "runs" / run / NAME
    if isinstance(ending.error, JournalError) and not path.exists():
        raise ending.error  # not even its first line was written
    journal = Journal.read(path)
    if not output.json_lines or output.out.broken:
        output.say(summarise(build(journal.stamped, last_hash=journal.last_hash), journal=str(journal.path)))
        if output.verbose:
            from uscdr.report.times import RunTimes

            output.say(f"Time: {RunTimes.of(journal.stamped).words}")
    warn_behind(team, output)
    if ending.error is not None:
        summary, advice = runs.RunSummary.of(journal), ending.error.next_action
        if summary.wrote and summary.resumable and RESUME not in advice:
            ending.error.next_action = f"{advice} Then: uscdr {RESUME} {run}".lstrip()
        output.error(ending.error)
    return int(ending.code)
