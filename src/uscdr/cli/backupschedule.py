"""The platform's schedules of backups, and what else must run to keep the objective."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from uscdr.assembly import vault
from uscdr.cli.backupdesk import Desk, Wiring, desk
from uscdr.cli.conduct import operate
from uscdr.cli.invocation import Globals
from uscdr.errors import ExitCode
from uscdr.installation import origin
from uscdr.models.heroku import Schedule
from uscdr.scenarios.deps import Request
from uscdr.scenarios.steps.backups_schedule import wanted_schedule
from uscdr.ui.console import Output
from uscdr.vault.backups.cron import Rhythm, cron_line, rhythm, wheels, workflow
from uscdr.vault.backups.rpo import words
from uscdr.words import duration


def schedule(given: Globals, to: str | None, *, apply: bool, as_json: bool) -> int:
    """Show, with `apply` create what is missing; 1 when no daily backup is scheduled."""
    output = given.output(json_lines=as_json)
    with desk(given, output, Wiring(to)) as work:
        addon = work.attachment().addon_id
        found, made = work.deps.backups.schedules(addon), False
        if apply and not found:
            made = bool(operate(given, output, Request("schedule"))["created"])
            found = work.deps.backups.schedules(addon)
        _tell(work, found, work.store.place if to else None, made=made)  # cron runs in another directory
    return int(ExitCode.DONE if found else ExitCode.CHECK_FAILED)


def _tell(work: Desk, found: Sequence[Schedule], to: str | None, *, made: bool) -> None:
    config, place, output = work.deps.config, work.job.place.name, work.output
    every, wanted = rhythm(vault.settings(config).every, config.objectives.rpo), wanted_schedule(work.deps)
    if output.json_lines:
        output.record(_record(work, found, every, (to, made)))
        return
    for one in found:
        output.result(f"the platform: {words(one)}{' (created now)' if made else ''}")
    if not found:
        output.result(f"the platform: NO schedule; create {wanted} with: uscdr backup schedule --apply")
    elif wanted not in map(words, found):
        output.warn(f"scenarios.yaml wants it {wanted}; what is there is left as it is.")
    limit, often = duration(config.objectives.rpo), duration(every.seconds)
    output.result(f"\ndaily backups alone lose up to a day. For at most {limit}: every {often} by cron\n")
    output.result(cron_line(every, place, to))
    output.result("\nor as a GitHub workflow, .github/workflows/backups.yml:\n")
    output.result(workflow(every, place, to).rstrip("\n"))
    output.result(
        "\nit installs from wheels in the repository; made once, on Linux with Python 3.12 as the runner has:\n"
    )
    output.result(_wheels())
    _hint(output)


def _wheels() -> str:
    return wheels(sys.executable, str(origin() or "PATH-OF-THE-WHEEL-OR-CHECKOUT"))


def _hint(output: Output) -> None:
    output.say("The environment file exports HEROKU_API_KEY and the recipients (mode 0600). Watch: uscdr backup status")


def _record(work: Desk, found: Sequence[Schedule], every: Rhythm, rest: tuple[str | None, bool]) -> dict[str, object]:
    to, made = rest
    place = work.job.place.name
    return {
        "schedules": [one.model_dump(mode="json") for one in found],
        "created": made,
        "wanted": wanted_schedule(work.deps),
        "every_seconds": every.seconds,
        "cron": cron_line(every, place, to),
        "workflow": workflow(every, place, to),
        "wheels": _wheels(),
    }
