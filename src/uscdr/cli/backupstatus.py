"""Whether the recovery point objective is met, with the arithmetic."""

from __future__ import annotations

from collections.abc import Iterator

from uscdr.cli.backupdesk import Wiring, desk
from uscdr.cli.invocation import Globals
from uscdr.errors import ExitCode
from uscdr.scenarios.backups.inventory import scope
from uscdr.scenarios.backups.standing import made
from uscdr.scenarios.deps import now
from uscdr.vault.backups.proofs import Proofs
from uscdr.vault.backups.rpo import Standing, assess
from uscdr.words import duration, moment


def status(given: Globals, to: str | None, *, as_json: bool) -> int:
    """One object with --json; 1 when the objective is missed, 0 when it is met."""
    output = given.output(json_lines=as_json)
    with desk(given, output, Wiring(to, shows=True)) as work:
        entries, attachment, at = work.entries(), work.deps.attachment(), now()
        found = made(entries, Proofs(work.store), scope(work.deps, attachment), at)
        schedules = work.deps.backups.schedules(attachment.addon_id)
        standing = assess(found, schedules, at, work.deps.config.objectives.rpo)
    if output.json_lines:
        output.record({**standing.model_dump(mode="json"), "words": list(lines(standing))})
    else:
        for line in lines(standing):
            output.result(line)
    return int(ExitCode.DONE if standing.met else ExitCode.CHECK_FAILED)


def lines(seen: Standing) -> Iterator[str]:
    """The arithmetic in words."""
    limit = f"objective {duration(seen.objective)}"
    named = f" ({seen.proven})" if seen.proven else ""
    yield f"newest proven copy off the platform: {_old(seen.proven_age)}{named}, {limit}: " + _verdict(
        seen.proven_age, seen.objective
    )
    yield f"newest copy off the platform: {_old(seen.copy_age)}; newest backup at all: {_old(seen.newest_age)}"
    if seen.largest_gap is not None:
        gap = seen.largest_gap
        yield f"largest gap in the last 7 days: {duration(gap.seconds)}, {moment(gap.begin)} to {moment(gap.end)}"
    yield _schedule(seen, limit)
    if seen.day_gap is not None:
        yield (
            f"as seen in the last 24 h: at most {duration(seen.day_gap)} between backups "
            f"+ {duration(seen.capture)} for one = up to {duration(seen.day_gap + seen.capture)}, {limit}: "
            + _verdict(seen.day_gap + seen.capture, seen.objective)
        )
    yield _next(seen)
    yield f"RPO {'met' if seen.met else 'MISSED'}" + ("" if seen.met else f": {_why(seen)}")


def _schedule(seen: Standing, limit: str) -> str:
    """What the platform alone would lose at worst."""
    if not seen.schedules:
        return f"the platform schedules no backup, {limit}: missed by the platform alone"
    if seen.schedule_gap is None:
        return f"{', '.join(seen.schedules)}: when that is, is not known here"
    worst = seen.schedule_gap + seen.capture
    return (
        f"{', '.join(seen.schedules)} + {duration(seen.capture)} for the capture = up to {duration(worst)}, {limit}: "
        + _verdict(worst, seen.objective)
    )


def _next(seen: Standing) -> str:
    due = "a proven copy is due now"
    if seen.due is not None and seen.due > seen.at:
        due = f"the next proven copy is due by {moment(seen.due)}, in {duration((seen.due - seen.at).total_seconds())}"
    if seen.next_scheduled is None:
        return f"{due}; the platform's next backup: none is scheduled"
    wait = duration((seen.next_scheduled - seen.at).total_seconds())
    return f"{due}; the platform's next backup: {moment(seen.next_scheduled)}, in {wait}"


def _why(seen: Standing) -> str:
    if seen.proven_age is None:
        return "there is no proven copy off the platform (uscdr backup pull, uscdr backup prove)"
    if seen.proven_age > seen.objective:
        return "the newest proven copy is too old (uscdr backup capture, pull, prove)"
    return "backups are not made often enough (uscdr backup schedule prints what to run)"


def _old(seconds: float | None) -> str:
    return "none" if seconds is None else f"{duration(seconds)} old"


def _verdict(seconds: float | None, objective: float) -> str:
    return "met" if seconds is not None and seconds <= objective else "missed"
