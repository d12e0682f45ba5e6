"""From a command to a run: output, prompts, signals, and the words at the end."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from uscdr.cleanup import sweep
from uscdr.commands import run as runner
from uscdr.commands.housekeeping import state, warn_exposed
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
from uscdr.wiring import adapters
from uscdr.wiring.kits import identity_file, pinned
from uscdr.wiring.session import process

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from uscdr.engine.run import Outcome
    from uscdr.ui.console import Output
    from uscdr.wiring.context import RunContext
    from uscdr.wiring.target import Target
    from uscdr.wiring.targets import Targets

# What is asked for on the command line of `recover`, refused before anything is called when it cannot be meant.


FORMS: Mapping[str, tuple[re.Pattern[str], str]] = {
    "release": (re.compile(r"v?[1-9][0-9]{0,8}"), "a release is written v12"),
    "backup": (re.compile(r"[a-z][0-9]{1,9}"), "a backup is written b001; uscdr backup list shows them"),
    "cloud": (re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}"), "the name of a cloud has letters, digits, - and _"),
}


def check_form(option: str, text: str | None) -> None:
    """Raises BadInput for a text that cannot be what the option takes."""
    form, words = FORMS[option]
    if text is not None and not form.fullmatch(text):
        raise BadInput(
            f"--{option} “{text}” cannot be one.", why=words, next_action=f"Correct --{option}; nothing was called."
        )


def lasting(to: str | None, readers: tuple[str, ...] = ()) -> tuple[str | None, tuple[str, ...]]:
    """The place of copies, anchored: cron and a resumed run work elsewhere.

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
    """What stands on the command line of `recover`."""

    request: Request
    confirm: str | None
    dry_run: bool
    identity: Path | None = None

    def __post_init__(self) -> None:
        """Raises BadInput for a release, backup, cloud or ref that can be none."""
        for option in FORMS:
            check_form(option, getattr(self.request, option))
        if self.request.ref is not None:
            check(self.request.ref)


@dataclass(frozen=True)
class ResumeOptions:
    """What stands on the command line of `runs resume`."""

    run: str | None = None
    confirm: str | None = None
    identity: Path | None = None
    take_over: bool = False
    without_shared: bool = False
    send_again: bool = False


def new_application(target: Target, output: Output, wanted: str | None, *, in_place: bool) -> str | None:
    """The name of the application to build; None for the old one, when that was wished and it still exists."""
    name = wanted or target.config.recovery.app
    if not APP_NAME.fullmatch(name):
        raise BadInput(
            f"“{name}” cannot be the name of an application.",
            why="Heroku's names have 3 to 30 letters a-z, digits and hyphens, and begin with a letter.",
            next_action="Name another: --app usc-pis-recovery",
        )
    if name == target.services.heroku.app:
        raise BadInput(
            f"{name} is the application that was lost: its name cannot be the new one's.",
            next_action="Name another with --app, or leave --app out and pass --in-place-if-possible.",
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
            deps.platform.account()  # refused as well: it is the account, not this application
            return False
    return True


def recover(target: Target, output: Output, asked: RecoverOptions) -> int:
    """A new run; its exit code."""
    run, request = runs.new_run_id(asked.request.scenario), _with_kit(asked, target)
    warn_exposed(output, asked.identity)
    team = None if asked.dry_run else Team.open(os.environ)
    if asked.dry_run:
        look_around(output)
    with process(output, state(), os.environ) as this:
        context = this.on(target, request, run, dry_run=asked.dry_run, confirm=asked.confirm, identity=asked.identity)
        ending = runner.begin(context, team)
    return _farewell(ending, run, output, team)


def operate(target: Target, output: Output, request: Request, *, phrase: str | None = None) -> dict[str, Any]:
    """Carry a single write out as a run of its own; its step's result, as the journal has it.

    The command itself is the confirmation, unless the step asks for a phrase. Stdout is left alone. Raises what the
    run ended with.
    """
    command = RunKind(request.scenario).command
    run, team = runs.new_run_id(request.scenario), Team.open(os.environ)
    with process(output, state(), os.environ, stdout=False) as this:
        ending = runner.begin(this.on(target, request, run, dry_run=False, confirm=phrase or command), team)
    _tell_arrears(team, output)
    if ending.error is not None:
        raise ending.error
    ended = [event for event in Journal.read(state() / "runs" / run / NAME).events() if event["kind"] in STEP_ENDED]
    return dict(ended[-1]["result"])


def _with_kit(asked: RecoverOptions, target: Target) -> Request:
    """The request, its kit by id; bad names are refused before a run begins."""
    kit = asked.request.kit
    if kit is None:
        return asked.request
    identity_file(asked.identity, os.environ)
    return replace(asked.request, kit=pinned(kit, target, state()))


def resume(targets: Targets, output: Output, asked: ResumeOptions) -> int:
    """Take a run up again on the target it was begun on; its exit code."""
    targets.loaded()  # one that decides where things go is named before anything else is said
    sweep(state())  # also when there is nothing to resume
    team = Team.open(os.environ, without=asked.without_shared)
    for run in team.settle(state()) if team else ():
        output.say(f"The team has all of run {run} now: the shared state was away when it ended.")
    path = runs.LocalRuns(state()).find(asked.run, of_others=asked.take_over)
    journal = Journal.read(path)
    first = _resumable(journal, team, asked)
    begun = runner.asked(first, path)
    target = _same_target(targets.find(first["target"]), begun.key)
    warn_exposed(output, asked.identity)
    confirmed = None if History.of(journal.records).spent else begun.confirm
    with process(output, state(), os.environ) as this:
        context = this.on(
            target, begun.request, journal.run, dry_run=False, confirm=asked.confirm or confirmed,
            identity=asked.identity, send_again=asked.send_again,
        )  # fmt: skip
        ending = runner.resume(context, path, team, take_over=asked.take_over)
    return _farewell(ending, journal.run, output, team)


def _resumable(journal: Journal, team: Team | None, asked: ResumeOptions) -> dict[str, Any]:
    """The journal's first event, if there is something to resume. Raises BadInput."""
    first = next(journal.events())
    if runs.RunSummary.of(journal).only_looks:
        raise BadInput(
            f"Run {journal.run} only looked: nothing of it is resumed.", next_action="Look again: uscdr verify all"
        )
    if not runs.RunSummary.of(journal).resumable:
        raise BadInput(f"Run {journal.run} is finished.", next_action=f"See: uscdr runs show {journal.run}")
    if team is None and (asked.take_over or journal.is_copy):
        raise BadInput(
            "A run of another machine is taken over by the shared state, and this call goes without one.",
            why="What this machine has of it may be old.",
            next_action=f"Set {VARIABLE}, and leave --without-shared out.",
        )
    return first


def look_around(output: Output) -> None:
    """See what the team did; when that cannot be had, say so and go on with what is known here."""
    try:
        if team := Team.open(os.environ):
            team.refresh(state())
    except MachineError as error:
        output.warn(f"What other machines did is as old as the last look at it: {error.message}")


def _same_target(target: Target, key: str) -> Target:
    """The target, if it is still the one that the run was begun on."""
    if target.key != key:
        raise BadInput(
            f"The target {target.name} is another application now than when this run was begun.",
            why=f"It was {key}; it is {target.key}.",
            next_action="Use the scenarios.yaml that the run was begun with: --config PATH",
        )
    return target


def _tell_arrears(team: Team | None, output: Output) -> None:
    if team is not None and team.behind:
        words = f"The team lacks the last {team.behind} lines of this journal: {team.place} could not be written."
        output.warn(f"{words} When it can be: uscdr runs resume")


def _farewell(ending: Outcome, run: str, output: Output, team: Team | None) -> int:
    path = state() / "runs" / run / NAME
    if isinstance(ending.error, JournalError) and not path.exists():
        raise ending.error  # not even its first line could be written
    journal = Journal.read(path)
    if not output.json_lines or output.out.broken:
        output.say(summarise(build(journal.records, last_hash=journal.last_hash), journal=str(journal.path)))
    _tell_arrears(team, output)
    if ending.error is not None:
        output.error(ending.error)
        summary, advice = runs.RunSummary.of(journal), ending.error.next_action
        if (
            summary.wrote
            and summary.resumable
            and RESUME not in advice
            and (not output.json_lines or output.out.broken)
        ):
            output.warn(f"Then:  uscdr {RESUME}")
    return int(ending.code)
