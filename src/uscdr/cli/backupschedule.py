"""The platform's schedules of backups, and what else must run to keep the objective."""

from __future__ import annotations

import time
from collections.abc import Sequence

from uscdr.assembly import vault
from uscdr.cli.backupdesk import Desk, Wiring, desk
from uscdr.cli.context import Globals
from uscdr.errors import AnswerLost, CheckFailed, ExitCode, OutcomeUnknown
from uscdr.models.heroku import Schedule
from uscdr.scenarios.model_recovery import Recovery
from uscdr.ui.console import Output
from uscdr.vault.backups.cron import Rhythm, cron_line, rhythm, workflow
from uscdr.vault.backups.rpo import words
from uscdr.words import duration

SETTLE_SECONDS, SETTLE_INTERVAL = 8.0, 0.5
"""How long a lost write is looked for."""


def schedule(given: Globals, to: str | None, *, apply: bool, as_json: bool) -> int:
    """Show, with `apply` create what is missing; 1 when no daily backup is scheduled."""
    output = given.output(json_lines=as_json)
    with desk(given, output, Wiring(to, read_only=not apply)) as work:
        addon = work.attachment().addon_id
        found: Sequence[Schedule] = work.deps.backups.schedules(addon)
        made = not found and apply
        if made:
            found = _create(work, addon)
        _tell(work, found, work.store.place if to else None, made=made)  # cron runs in another directory
    return int(ExitCode.DONE if found else ExitCode.CHECK_FAILED)


def _create(work: Desk, addon: str) -> Sequence[Schedule]:
    """The daily one of scenarios.yaml. A lost answer is settled by looking, and the effect looked at again."""
    recovery, deps = work.deps.config.recovery, work.deps
    try:
        deps.provisioning.schedule_backups(
            addon, deps.target.heroku.database, hour=recovery.backup_hour, timezone=recovery.backup_timezone
        )
    except AnswerLost as error:
        found = _look(work, addon)
        if not found:
            raise OutcomeUnknown(
                "It is not known whether the backup was scheduled: the request was sent, and no schedule is seen.",
                why=error.message, next_action="Look again in a minute: uscdr backup schedule",
            ) from error  # fmt: skip
        return found
    found = _look(work, addon)
    if not found:
        raise CheckFailed("The platform took the schedule, and does not list it.", next_action="uscdr backup schedule")
    return found


def _look(work: Desk, addon: str) -> Sequence[Schedule]:
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        found = work.deps.backups.schedules(addon)
        if found or time.monotonic() >= deadline:
            return found
        work.deps.stop.pause(SETTLE_INTERVAL)


def _tell(work: Desk, found: Sequence[Schedule], to: str | None, *, made: bool) -> None:
    config, place, output = work.deps.config, work.job.place.name, work.output
    every = rhythm(vault.settings(config).every, config.objectives.rpo)
    if output.json_lines:
        output.record(_record(work, found, every, (to, made)))
        return
    for one in found:
        output.result(f"the platform: {words(one)}{' (created now)' if made else ''}")
    if not found:
        output.result(
            f"the platform: NO schedule; create {_wanted(config.recovery)} with: uscdr backup schedule --apply"
        )
    elif not any(_is_wanted(one, config.recovery) for one in found):
        output.warn(f"scenarios.yaml wants it {_wanted(config.recovery)}; what is there is left as it is.")
    limit, often = duration(config.objectives.rpo), duration(every.seconds)
    output.result(f"\ndaily backups alone lose up to a day. For at most {limit}: every {often} by cron\n")
    output.result(cron_line(every, place, to))
    output.result("\nor as a GitHub workflow, .github/workflows/backups.yml:\n")
    output.result(workflow(every, place, to).rstrip("\n"))
    _hint(output)


def _hint(output: Output) -> None:
    output.say("The environment file exports HEROKU_API_KEY and the recipients (mode 0600). Watch: uscdr backup status")


def _record(work: Desk, found: Sequence[Schedule], every: Rhythm, rest: tuple[str | None, bool]) -> dict[str, object]:
    to, made = rest
    place = work.job.place.name
    return {
        "schedules": [one.model_dump(mode="json") for one in found],
        "created": made,
        "wanted": _wanted(work.deps.config.recovery),
        "every_seconds": every.seconds,
        "cron": cron_line(every, place, to),
        "workflow": workflow(every, place, to),
    }


def _wanted(recovery: Recovery) -> str:
    return f"daily at {recovery.backup_hour:02d}:00 {recovery.backup_timezone}"


def _is_wanted(one: Schedule, recovery: Recovery) -> bool:
    return (one.hour, one.timezone) == (recovery.backup_hour, recovery.backup_timezone)
