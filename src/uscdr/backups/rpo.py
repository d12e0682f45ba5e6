"""Whether the backups meet the recovery point objective, now and at the present rhythm. Pure functions.

All durations are seconds, all times aware UTC datetimes.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from uscdr.models.base import Fact, elapsed
from uscdr.words import HOUR, MINUTE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from uscdr.models.heroku import Schedule


WEEK, DAY = timedelta(days=7), timedelta(days=1)
HORIZON_DAYS = 8
"""Days of a schedule to evaluate: a week, to include the days around a daylight saving change."""


class Point(Fact):
    """One backup. `there`: it can be restored now; `off_platform`: the vault has a complete copy."""

    name: str
    taken_at: datetime
    ready_at: datetime | None
    there: bool
    off_platform: bool
    proven: bool


class _Gap(Fact):
    """The time between two consecutive backups, or since the newest one (`to` is now)."""

    seconds: float
    begin: datetime
    end: datetime


class RpoState(Fact):
    """The state of the objective. Unknown values are None."""

    at: datetime
    objective: float
    met: bool
    proven: str
    """The newest proven copy off the platform; empty without one."""
    proven_age: float | None
    copy_age: float | None
    """Age of the newest copy off the platform, proven or not."""
    newest_age: float | None
    """Age of the newest backup anywhere."""
    capture: float
    """The median duration of a backup."""
    largest_gap: _Gap | None
    """Gaps of the last 7 days, as far as they are known."""
    schedules: tuple[str, ...]
    schedule_gap: float | None
    """The longest time between two backups of the platform's schedule."""
    day_gap: float | None
    """The longest time between two backups of the last 24 h; None without such a pair."""
    worst: float | None
    """The largest possible loss at the present rhythm, including the duration of a backup."""
    due: datetime | None
    """The deadline for a newer proven copy."""
    next_scheduled: datetime | None

    @classmethod
    def of(cls, points: Sequence[Point], schedules: Sequence[Schedule], now: datetime, objective: float) -> RpoState:
        """Met only if the newest proven copy off the platform is young enough and backups are frequent enough.

        The frequency comes from the last 24 h, or else from the platform's schedule.
        """
        made = sorted(points, key=lambda one: one.taken_at)
        proven = _counted(made)
        times = _upcoming(schedules, now)
        capture, day_gap = _capture(made), _largest(_gaps(made, now), now - DAY) if len(made) > 1 else None
        schedule_gap = max((after - before).total_seconds() for before, after in pairwise(times)) if times else None
        rhythm = [gap for gap in (day_gap.seconds if day_gap else None, schedule_gap) if gap is not None]
        worst = min(rhythm) + capture if rhythm else None
        proven_age = _age(proven, now)
        enough = worst is not None and worst <= objective
        return cls(
            at=now,
            objective=objective,
            met=enough and proven_age is not None and proven_age <= objective,
            proven=proven[-1].name if proven else "",
            proven_age=proven_age,
            copy_age=_age([one for one in made if one.there and one.off_platform], now),
            newest_age=_age([one for one in made if one.there], now),
            capture=capture,
            largest_gap=_largest(_gaps(made, now), now - WEEK),
            schedules=tuple(one.words for one in schedules),
            schedule_gap=schedule_gap,
            day_gap=day_gap.seconds if day_gap else None,
            worst=worst,
            due=due(made, objective),
            next_scheduled=times[0] if times else None,
        )


def _counted(points: Sequence[Point]) -> list[Point]:
    """The proven copies off the platform, oldest first."""
    proven = [one for one in points if one.there and one.off_platform and one.proven]
    return sorted(proven, key=lambda one: one.taken_at)


def due(points: Sequence[Point], objective: float) -> datetime | None:
    """The deadline for a newer proven copy off the platform; None without one. `objective` in seconds."""
    proven = _counted(points)
    return proven[-1].taken_at + timedelta(seconds=objective) if proven else None


def _upcoming(schedules: Sequence[Schedule], now: datetime) -> tuple[datetime, ...]:
    """The start times of scheduled backups in the next days; none for a time zone unknown to this machine."""
    found: set[datetime] = set()
    for one in schedules:
        try:
            zone = ZoneInfo(one.timezone)
        except (LookupError, ValueError, OSError):
            continue
        today = now.astimezone(zone).date()
        days = (today + timedelta(days=number) for number in range(HORIZON_DAYS + 1))
        at = (datetime(day.year, day.month, day.day, one.hour, tzinfo=zone).astimezone(UTC) for day in days)
        found |= {moment for moment in at if moment > now}
    return tuple(sorted(found))


def _age(points: Sequence[Point], now: datetime) -> float | None:
    return elapsed(points[-1].taken_at, now) if points else None


def _gaps(made: Sequence[Point], now: datetime) -> list[_Gap]:
    moments = [one.taken_at for one in made]
    ends = [*moments[1:], max(now, moments[-1])] if moments else []
    return [
        _Gap(seconds=(end - begin).total_seconds(), begin=begin, end=end)
        for begin, end in zip(moments, ends, strict=True)
    ]


def _largest(gaps: Sequence[_Gap], since: datetime) -> _Gap | None:
    """The largest gap that ends after `since`."""
    return max((one for one in gaps if one.end > since), key=lambda one: one.seconds, default=None)


def _capture(made: Sequence[Point]) -> float:
    took = [(one.ready_at - one.taken_at).total_seconds() for one in made if one.ready_at is not None]
    from statistics import median

    return max(0.0, median(took)) if took else 0.0


# The capture schedule as a cron line and as a GitHub workflow. Pure text.


LEAST = 5 * MINUTE
AT = 17
"""Minutes past the hour: at the full hour many jobs run, and hosted ones start late or are skipped."""
STEPS = (
    *((minutes * MINUTE, f"*/{minutes} * * * *") for minutes in (5, 10, 15, 20, 30)),
    (HOUR, f"{AT} * * * *"),
    *((hours * HOUR, f"{AT} */{hours} * * *") for hours in (2, 3, 4, 6, 8, 12)),
    (24 * HOUR, f"{AT} 2 * * *"),
)
"""Intervals that cron can repeat evenly over midnight: seconds, and the five fields."""


@dataclass(frozen=True)
class Rhythm:
    """An interval in seconds, and its cron fields."""

    seconds: int
    fields: str

    @classmethod
    def even(cls, every: float, most: float) -> Rhythm:
        """The longest even cron interval that exceeds neither `every` nor `most` (seconds)."""
        limit = max(LEAST, min(every, most))
        return cls(*[step for step in STEPS if step[0] <= limit][-1])

    def cron_line(self, target: str, place: str | None) -> str:
        """One line for `crontab -e`; the sourced file has HEROKU_API_KEY and the other variables, mode 0600."""
        return f"{self.fields}  . $HOME/.config/uscdr/environment && {_command(target, place)}"

    def workflow(self, target: str, place: str | None) -> str:
        """A workflow of GitHub Actions. Its runner is temporary: the vault must be an object store.

        It uses no public index and no third-party actions, because their code would see the token. The repository has
        the wheels with their digests, and only the last step has the secrets in its environment.
        """
        return WORKFLOW.format(
            fields=self.fields, command=_command(target, place), wheels=WHEELS, extras=",".join(EXTRAS)
        )


def _command(target: str, place: str | None) -> str:
    """The three commands in sequence; a failure stops the rest."""
    to = f" --to {shlex.quote(place)}" if place else ""
    program = f"uscdr --quiet --target {shlex.quote(target)} backup"
    return f"{program} capture && {program} pull{to} && {program} prove{to}"


WHEELS = ".github/uscdr"
"""The workflow's directory for wheels, below the repository's root."""


EXTRAS = ("proof", "vault")
"""What the three commands need besides the package."""


def wheels(python: str, requirement: str) -> str:
    """The commands that store the wheels there, once; `requirement` is a quoted one that names file or address.

    What builds wheels runs other people's code: it does not get the platform's token.
    """
    return (
        f"env -u HEROKU_API_KEY {shlex.quote(python)} -m pip wheel --wheel-dir {WHEELS} {requirement}\n"
        f"(cd {WHEELS} && sha256sum *.whl >SHA256SUMS) && git add -f {WHEELS}"
    )


UNKNOWN_SOURCE = (
    "echo 'uscdr does not know which wheel or checkout it came from. Name it: "
    "uscdr backup schedule --install-from PATH' >&2; false"
)
"""In their place: a command that installs nothing, says why, and fails."""


WORKFLOW = """\
name: backups
on:
  schedule:
    - cron: "{fields}"
  workflow_dispatch:
concurrency: {{group: backups, cancel-in-progress: false}}
permissions: {{contents: read}}
jobs:
  backup:
    runs-on: ubuntu-24.04
    timeout-minutes: 120
    steps:
      - name: Fetch this commit
        env: {{TOKEN: "${{{{ github.token }}}}"}}
        run: |
          git init --quiet .
          git -c credential.helper='!f() {{ echo username=x-access-token; echo "password=$TOKEN"; }}; f' \\
            fetch --quiet --depth 1 "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY" "$GITHUB_SHA"
          git checkout --quiet FETCH_HEAD
      - name: Install uscdr from the wheels of this commit, from no index
        run: |
          (cd {wheels} && sha256sum --check --strict --quiet SHA256SUMS)
          python3 -m venv "$RUNNER_TEMP/uscdr"
          wheel=$(echo "$PWD"/{wheels}/uscdr-*.whl)
          "$RUNNER_TEMP/uscdr/bin/python" -m pip install --no-index --find-links {wheels} "$wheel[{extras}]"
          echo "$RUNNER_TEMP/uscdr/bin" >>"$GITHUB_PATH"
      - name: Capture, copy and prove
        env:
          HEROKU_API_KEY: ${{{{ secrets.HEROKU_API_KEY }}}}
          USCDR_KIT_RECIPIENTS: ${{{{ vars.USCDR_KIT_RECIPIENTS }}}}
        run: {command}
"""
