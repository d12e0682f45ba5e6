"""Captures a backup, and shows or creates the schedules that meet the RPO."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict

from uscdr.backups.rpo import EXTRAS, UNKNOWN_SOURCE, Rhythm, wheels
from uscdr.commands.backup import BackupAccess, desk
from uscdr.commands.housekeeping import observe_target
from uscdr.commands.operate import operate
from uscdr.commands.option_forms import lasting
from uscdr.errors import BadInput, ExitCode
from uscdr.files import disk_errors
from uscdr.installation import InstallSource, direct_url, has_pip
from uscdr.scenarios.adapters import Request
from uscdr.scenarios.results.db import Captured
from uscdr.scenarios.steps.backups_capture import wanted_schedule
from uscdr.ui.schemas import Schema
from uscdr.wiring import stores
from uscdr.words import duration, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from uscdr.commands.backup import BackupTools
    from uscdr.models.heroku import Schedule
    from uscdr.monitoring.observed import Observed
    from uscdr.ui.console import Output
    from uscdr.wiring.target import Target


def capture(target: Target, output: Output, seen: Observed, to: str | None = None, *, evict: bool = False) -> None:
    """Capture a backup, wait until it is complete, and print its name and size."""
    made = take(target, output, seen, to, evict=evict)
    if output.json_lines:
        output.record(Schema.CAPTURE, made["line"])
    else:
        output.result(f"{made['name']}  {size(made['bytes'])}")


def take(
    target: Target, output: Output, seen: Observed, to: str | None = None, *, evict: bool = False
) -> dict[str, Any]:
    """Capture a backup; its step's result from the journal, once it is complete."""
    observe_target(target, seen)
    found = operate(target, output, Request("capture", to=lasting(to)[0], evict=evict))
    line = Captured.model_validate(found).line
    seen.newest_backup = line.taken_at if line and not line.unfit else None
    return found


# The platform's backup schedules, and what else must run to meet the objective.


def schedule(target: Target, output: Output, to: str | None, install_from: str | None = None, *, apply: bool) -> int:
    """Show the schedules, with `apply` create a missing one; return 1 when no daily backup is scheduled.

    `install_from` is the checkout, wheel or address that the workflow's wheels are built from. Raises BadInput for
    anything else.
    """
    building = _wheels(install_from)
    with desk(target, output, BackupAccess(to)) as work:
        addon = work.attachment().addon_id
        found, made = work.deps.backups.schedules(addon), False
        if apply and not found:
            made = bool(operate(target, output, Request("schedule"))["created"])
            found = work.deps.backups.schedules(addon)
        named = work.store.place if to else None  # cron runs in another directory: the store must be explicit
        _tell(work, found, _Printed(named, building, made=made))
    return int(ExitCode.DONE if found else ExitCode.CHECK_FAILED)


@dataclass(frozen=True)
class _Printed:
    """What the commands name: the store, and the wheels' source; `made`: the schedule was created now."""

    to: str | None
    wheels: str
    made: bool


def _tell(work: BackupTools, found: Sequence[Schedule], told: _Printed) -> None:
    config, target, output = work.deps.config, work.context.target.name, work.output
    every, wanted = Rhythm.even(stores.settings(config).every, config.objectives.rpo), wanted_schedule(work.deps)
    if output.json_lines:
        output.record(Schema.SCHEDULE, _schedule_record(work, found, every, told))
        return
    for one in found:
        output.result(f"Platform schedule: {one.words}{' (created now)' if told.made else ''}")
    if not found:
        output.result(f"Platform schedule: NONE. To create {wanted}: uscdr backup schedule --apply")
    elif wanted not in (one.words for one in found):
        output.warn(f"scenarios.yaml says {wanted}; uscdr does not change the existing schedule.")
    limit, often = duration(config.objectives.rpo), duration(every.seconds)
    output.result(
        f"\nDaily backups alone can lose up to a day. To lose at most {limit}, run every {often} from cron:\n"
    )
    output.result(every.cron_line(target, told.to))
    output.result("\nOr as a GitHub workflow, .github/workflows/backups.yml:\n")
    output.result(every.workflow(target, told.to).rstrip("\n"))
    output.result(
        "\nThe workflow installs wheels from the repository. Build them once, on Linux with the runner's Python 3.12:\n"
    )
    output.result(told.wheels)
    _hint(output)


def _wheels(named: str | None) -> str:
    """The commands that build the wheels; never from an index by the program's name. Raises BadInput, MachineError."""
    source = InstallSource.named(named) if named is not None else InstallSource.of(direct_url())
    if source is None and named is not None:
        raise BadInput(
            "--install-from names no checkout, wheel or complete address.",
            next_action="Pass the path of a checkout or wheel, git+https://HOST/REPOSITORY@COMMIT, or "
            "https://HOST/WHEEL#sha256=DIGEST",
        )
    if source is None:
        return UNKNOWN_SOURCE
    with disk_errors("uscdr cannot read the wheel that it was installed from.", "Name another: --install-from PATH"):
        requirement = source.pinned(*EXTRAS)
    return wheels(sys.executable if has_pip() else "python3", requirement)


def _hint(output: Output) -> None:
    output.say(
        "The environment file exports HEROKU_API_KEY and the recipients; give it mode 0600. To monitor the backups: "
        "uscdr backup status"
    )


class _ScheduleObject(TypedDict):
    schedules: Sequence[Schedule]
    created: bool
    wanted: str
    every_seconds: float
    cron: str
    workflow: str
    wheels: str


def _schedule_record(work: BackupTools, found: Sequence[Schedule], every: Rhythm, told: _Printed) -> _ScheduleObject:
    target = work.context.target.name
    return {
        "schedules": found,
        "created": told.made,
        "wanted": wanted_schedule(work.deps),
        "every_seconds": every.seconds,
        "cron": every.cron_line(target, told.to),
        "workflow": every.workflow(target, told.to),
        "wheels": told.wheels,
    }
