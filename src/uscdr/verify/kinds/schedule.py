"""Whether the database is backed up: daily, lately, and without a failure since."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Literal

from uscdr.errors import NotFound
from uscdr.models.duration import Duration
from uscdr.models.transfers import Transfer, TransferState, Whose, usable
from uscdr.verify.check import CheckSpec, Provider
from uscdr.verify.kinds.weighing import weighed
from uscdr.verify.verdict import Finding
from uscdr.verify.world import World
from uscdr.words import HOUR, duration


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
    backups = world.facts.transfers()
    good = usable(backups, world.damaged)
    problems += _failed_since(backups)
    if not good:
        return weighed([*problems, "there is no finished backup"], [], "")
    if good[-1].age(world.now()) > spec.newest:
        problems.append(f"{_shown(good[-1], world.now())}, allowed are {duration(spec.newest)}")
    hours = " and ".join(f"{one.hour:02}:00 {one.timezone}" for one in schedules)
    return weighed(problems, [], f"daily at {hours}; {_shown(good[-1], world.now())}")


def _failed_since(backups: Sequence[Transfer]) -> list[str]:
    """The newest attempt that came to an end of itself; what a person cancelled says nothing."""
    ours = [one for one in backups if one.is_backup and one.ended and one.whose is Whose.OURS]
    ended = [one for one in ours if one.state is not TransferState.CANCELED]
    failed = ended and not ended[-1].whole
    return [f"the newest backup, {ended[-1].name}: {ended[-1].unusable}"] if failed else []


def _shown(backup: Transfer, now: datetime) -> str:
    remarks = "".join(f", {one}" for one in backup.remarks(now))
    return f"the newest finished backup, {backup.name}, is {duration(backup.age(now))} old{remarks}"
