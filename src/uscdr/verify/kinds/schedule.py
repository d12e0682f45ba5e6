"""Whether the database is backed up: daily, lately, and without a failure since."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Literal

from uscdr.errors import NotFound
from uscdr.models.duration import Duration
from uscdr.models.heroku import Transfer, TransferState
from uscdr.verify.check import CheckSpec, Provider
from uscdr.verify.kinds.weighing import weighed
from uscdr.verify.verdict import Finding
from uscdr.verify.world import World
from uscdr.words import HOUR, duration, plural


class ScheduleCheck(CheckSpec):
    """The daily backup, and what came of it."""

    kind: Literal["schedule"]
    newest: Duration = 26.0 * HOUR
    """The newest finished backup may hold data that are so old."""

    provider: ClassVar[Provider] = "platform"


def run(name: str, spec: ScheduleCheck, world: World) -> Finding:  # noqa: ARG001 - the form of every kind
    """A schedule, a finished backup that is young enough, no failure after it."""
    try:
        schedules = world.facts.schedules()
    except NotFound as error:
        return Finding("fail", f"nothing can be backed up: {error.message}")
    problems = [] if schedules else ["no daily backup is scheduled"]
    backups = sorted((one for one in world.facts.transfers() if one.is_backup), key=lambda one: one.created_at)
    good = [one for one in backups if one.state is TransferState.COMPLETED and not one.expired]
    problems += _failed_since(backups)
    if not good:
        return weighed([*problems, "there is no finished backup"], [], "")
    age = (world.now() - good[-1].created_at).total_seconds()
    if age > spec.newest:
        problems.append(f"{_shown(good[-1], world.now())}, allowed are {duration(spec.newest)}")
    hours = " and ".join(f"{one.hour:02}:00 {one.timezone}" for one in schedules)
    return weighed(problems, [], f"daily at {hours}; {_shown(good[-1], world.now())}")


def _failed_since(backups: Sequence[Transfer]) -> list[str]:
    """The newest attempt that came to an end of itself; what a person cancelled says nothing."""
    ended = [one for one in backups if one.state in (TransferState.COMPLETED, TransferState.FAILED)]
    failed = ended and ended[-1].state is TransferState.FAILED
    return [f"the newest backup, {ended[-1].name}, failed"] if failed else []


def _shown(backup: Transfer, now: datetime) -> str:
    warnings = f", with {plural(backup.warnings, 'warning')}" if backup.warnings else ""
    age = (now - backup.created_at).total_seconds()
    return f"the newest finished backup, {backup.name}, is {duration(age)} old{warnings}"
