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
from uscdr.commands.housekeeping import state, warn_exposed
from uscdr.commands.incident_desk import IncidentDesk
from uscdr.commands.incident_follow import NoticeSender, RunFollower, joined
from uscdr.engine.history import History
from uscdr.errors import BadInput, CredentialsRefused, JournalError, MachineError, NotFound
from uscdr.journal import runs
from uscdr.journal.reader import NAME, Journal
from uscdr.models.runs import RunKind
from uscdr.providers.source.git_source import check
from uscdr.report.objectives import build
from uscdr.report.summary import summarise
from uscdr.scenarios.adapters import Request
from uscdr.settings import user_path
from uscdr.shared.team import VARIABLE, Team
from uscdr.store import encryption, location
from uscdr.typed_time import past_typed
from uscdr.wiring import adapters
from uscdr.wiring.kits import identity_file, pinned
from uscdr.wiring.session import process
from uscdr.words import plural

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from uscdr.engine.run import Outcome
    from uscdr.ui.console import Output
    from uscdr.wiring.context import Process, RunContext
    from uscdr.wiring.target import Target
    from uscdr.wiring.targets import Targets

# Checks the form of `recover` options before anything is called.


FORMS: Mapping[str, tuple[re.Pattern[str], str]] = {
    "release": (re.compile(r"v?[1-9][0-9]{0,8}"), "Pass a release such as v12: uscdr recover app --release v12"),
    "backup": (re.compile(r"[a-z][0-9]{1,9}"), "Pass a backup such as b001. To list them: uscdr backup list"),
    "cloud": (re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}"), "A cloud's name has only letters, digits, - and _."),
}


def check_form(option: str, text: str | None) -> None:
    """Raises BadInput for a value that the option cannot take."""
    form, words = FORMS[option]
    if text is not None and not form.fullmatch(text):
        raise BadInput(f"“{text}” is not a valid --{option}.", next_action=words)


def lasting(to: str | None, readers: tuple[str, ...] = ()) -> tuple[str | None, tuple[str, ...]]:
    """The store of copies as an absolute path or URL, because cron and a resumed run work in other directories.

    Raises BadInput for credentials and private keys, which must not get into a journal.
    """
    if readers:
        encryption.Recipient.read(readers)
    if to is None:
        return None, readers
    location.open_store(to, os.environ)
    return (to if "://" in to else str(user_path(to.strip()).absolute())), readers


RESUME = "runs resume"
STEP_ENDED = ("step.succeeded", "step.skipped")
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


def _tell_trouble(sender: NoticeSender, output: Output) -> None:
    for why in sender.trouble:
        output.warn(f"A notice was not sent: {why}")


@dataclass(frozen=True)
class ResumeOptions:
    """The command-line options of `runs resume`."""

    run: str | None = None
    confirm: str | None = None
    identity: Path | None = None
    take_over: bool = False
    without_shared: bool = False
    send_again: bool = False


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
    """Start a new run; return its exit code."""
    asked = asked.dated(clock.system_time())
    run, request = runs.new_run_id(asked.request.scenario), joined(target, output, _with_kit(asked, target))
    warn_exposed(output, asked.identity)
    team = None if asked.dry_run else Team.open(os.environ)
    if asked.dry_run:
        look_around(output)
    with ExitStack() as stack:
        this = stack.enter_context(process(output, state(), os.environ))
        if not asked.dry_run:
            this = _following(stack, this, target, output, run, request, send=asked.send_notices)
        context = this.on(target, request, run, dry_run=asked.dry_run, confirm=asked.confirm, identity=asked.identity)
        ending = runner.begin(context, team)
    return _farewell(ending, run, output, team)


def _following(
    stack: ExitStack, this: Process, target: Target, output: Output, run: str, request: Request, *, send: bool
) -> Process:  # fmt: skip
    """The process of a run that belongs to an incident."""
    if not request.incident:
        return this
    title = target.config.scenarios[request.scenario].title
    since = datetime.fromisoformat(request.since) if request.since else None
    follower = RunFollower(IncidentDesk(target, output), run, request, title, since)
    if send:
        sender = stack.enter_context(NoticeSender(target, request.incident))
        stack.callback(_tell_trouble, sender, output)
    return this.followed(follower, follower.prime, follower.reminders)


def operate(target: Target, output: Output, request: Request, *, phrase: str | None = None) -> dict[str, Any]:
    """Carry out a single write as its own run; return its step's result from the journal.

    The command itself is the confirmation, unless the step asks for a phrase. Prints nothing on stdout. Raises the
    error that ended the run.
    """
    command = RunKind(request.scenario).command
    run, team = runs.new_run_id(request.scenario), Team.open(os.environ)
    with process(output, state(), os.environ, stdout=False) as this:
        ending = runner.begin(this.on(target, request, run, dry_run=False, confirm=phrase or command), team)
    _warn_behind(team, output)
    if ending.error is not None:
        raise ending.error
    ended = [event for event in Journal.read(state() / "runs" / run / NAME).events() if event["kind"] in STEP_ENDED]
    return dict(ended[-1]["result"])


def _with_kit(asked: RecoverOptions, target: Target) -> Request:
    """The request with the kit's id. Raises BadInput for an unknown kit before the run begins."""
    kit = asked.request.kit
    if kit is None:
        return asked.request
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
    target = _same_target(targets.find(first["target"]), begun.key)
    warn_exposed(output, asked.identity)
    confirmed = None if History.of(journal.records).spent else begun.confirm
    with ExitStack() as stack:
        this = stack.enter_context(process(output, state(), os.environ))
        this = _following(stack, this, target, output, journal.run, begun.request, send=False)
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
            next_action=f"Set {VARIABLE}, then without --without-shared: uscdr runs resume --take-over",
        )
    return first


def look_around(output: Output) -> None:
    """Update the copies of the team's runs; warn and continue if the shared state is unavailable."""
    try:
        if team := Team.open(os.environ):
            team.refresh(state())
    except MachineError as error:
        output.warn(f"The runs of other machines shown here may be out of date. {error.message}")


def _same_target(target: Target, key: str) -> Target:
    """The target. Raises BadInput when it is no longer the one that the run began on."""
    if target.key != key:
        raise BadInput(
            f"The target {target.name} is no longer the application on which this run began.",
            why=f"It was {key}; now it is {target.key}.",
            next_action="Use the scenarios.yaml with which the run began: uscdr --config FILE runs resume",
        )
    return target


def _warn_behind(team: Team | None, output: Output) -> None:
    if team is not None and team.behind:
        lines = plural(team.behind, "line")
        words = f"uscdr could not write {team.place}: the shared state lacks the last {lines} of this journal."
        output.warn(f"{words} When it is available again: uscdr runs resume")


def _farewell(ending: Outcome, run: str, output: Output, team: Team | None) -> int:
    path = state() / "runs" / run / NAME
    if isinstance(ending.error, JournalError) and not path.exists():
        raise ending.error  # not even its first line was written
    journal = Journal.read(path)
    if not output.json_lines or output.out.broken:
        output.say(summarise(build(journal.stamped, last_hash=journal.last_hash), journal=str(journal.path)))
    _warn_behind(team, output)
    if ending.error is not None:
        output.error(ending.error)
        summary, advice = runs.RunSummary.of(journal), ending.error.next_action
        if (
            summary.wrote
            and summary.resumable
            and RESUME not in advice
            and (not output.json_lines or output.out.broken)
        ):
            output.warn(f"Then: uscdr {RESUME}")
    return int(ending.code)
