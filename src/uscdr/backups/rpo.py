"""Whether the recovery point objective holds: by what there is now, and by what may be lost until then. Pure.

All durations are seconds, all times aware UTC datetimes.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from uscdr.models.base import Fact, elapsed
from uscdr.words import HOUR, MINUTE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from uscdr.models.heroku import Schedule


WEEK, DAY = timedelta(days=7), timedelta(days=1)
HORIZON_DAYS = 8
"""Days of a schedule that are looked at: a week, so that a change of the clocks is in it."""


class Point(Fact):
    """One backup that was made. `there`: it can be restored now; `off_platform`: a whole copy is in the vault."""

    name: str
    taken_at: datetime
    ready_at: datetime | None
    there: bool
    off_platform: bool
    proven: bool


class BackupGap(Fact):
    """The time between two backups in a row, or since the newest one (`to` is now)."""

    seconds: float
    begin: datetime
    end: datetime


class RpoState(Fact):
    """Everything that is said about the objective. What is not known is None."""

    at: datetime
    objective: float
    met: bool
    proven: str
    """The newest proven copy off the platform; empty when there is none."""
    proven_age: float | None
    copy_age: float | None
    """Of the newest copy off the platform, proven or not."""
    newest_age: float | None
    """Of the newest backup anywhere."""
    capture: float
    """How long a backup takes, the median."""
    largest_gap: BackupGap | None
    """Of the last 7 days, as far as they are known."""
    schedules: tuple[str, ...]
    schedule_gap: float | None
    """The longest time between two backups of the platform's schedule."""
    day_gap: float | None
    """The longest time between two backups that were made in the last 24 h; None when there is no such pair."""
    worst: float | None
    """What may be lost as backups are made at present, with the time that one takes."""
    due: datetime | None
    """By then a newer proven copy must be there."""
    next_scheduled: datetime | None

    @classmethod
    def of(cls, points: Sequence[Point], schedules: Sequence[Schedule], now: datetime, objective: float) -> RpoState:
        """Met only if the newest proven copy off the platform is young enough and backups come often enough.

        Often enough is what was seen in the last 24 h, or else what the platform's schedule makes of it.
        """
        made = sorted(points, key=lambda one: one.taken_at)
        proven = [one for one in made if one.there and one.off_platform and one.proven]
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
            due=proven[-1].taken_at + timedelta(seconds=objective) if proven else None,
            next_scheduled=times[0] if times else None,
        )


def _upcoming(schedules: Sequence[Schedule], now: datetime) -> tuple[datetime, ...]:
    """When backups of the schedules begin in the next days; of a time zone that is not known here, nothing."""
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


def _gaps(made: Sequence[Point], now: datetime) -> list[BackupGap]:
    moments = [one.taken_at for one in made]
    ends = [*moments[1:], max(now, moments[-1])] if moments else []
    return [
        BackupGap(seconds=(end - begin).total_seconds(), begin=begin, end=end)
        for begin, end in zip(moments, ends, strict=True)
    ]


def _largest(gaps: Sequence[BackupGap], since: datetime) -> BackupGap | None:
    """Of those that end after `since`."""
    return max((one for one in gaps if one.end > since), key=lambda one: one.seconds, default=None)


def _capture(made: Sequence[Point]) -> float:
    took = [(one.ready_at - one.taken_at).total_seconds() for one in made if one.ready_at is not None]
    return max(0.0, median(took)) if took else 0.0


# How often captures must run, as a cron line and as a GitHub workflow. Pure text.


LEAST = 5 * MINUTE
AT = 17
"""Minutes past the hour: at the full hour everybody's jobs run, and hosted ones are late or left out."""
STEPS = (
    *((minutes * MINUTE, f"*/{minutes} * * * *") for minutes in (5, 10, 15, 20, 30)),
    (HOUR, f"{AT} * * * *"),
    *((hours * HOUR, f"{AT} */{hours} * * *") for hours in (2, 3, 4, 6, 8, 12)),
    (24 * HOUR, f"{AT} 2 * * *"),
)
"""What cron can repeat evenly over midnight: seconds, and the five fields."""


@dataclass(frozen=True)
class Rhythm:
    """Every so many seconds, as cron writes it."""

    seconds: int
    fields: str

    @classmethod
    def even(cls, every: float, most: float) -> Rhythm:
        """The longest even interval of cron that is not above `every` nor above `most` (seconds)."""
        limit = max(LEAST, min(every, most))
        return cls(*[step for step in STEPS if step[0] <= limit][-1])

    def cron_line(self, target: str, place: str | None) -> str:
        """One line for `crontab -e`; the file holds HEROKU_API_KEY and what else is needed, mode 0600."""
        return f"{self.fields}  . $HOME/.config/uscdr/environment && {_command(target, place)}"

    def workflow(self, target: str, place: str | None) -> str:
        """A workflow of GitHub Actions. The runner is thrown away: the vault must be an object store.

        It takes nothing from a public index or of anybody's actions: what would run there would hold the token. The
        wheels lie in the repository, each with its digest; the secrets are in the environment of the last step alone.
        """
        return WORKFLOW.format(fields=self.fields, command=_command(target, place), wheels=WHEELS)


def _command(target: str, place: str | None) -> str:
    """The three commands, one after the other; each stops the rest when it fails."""
    to = f" --to {shlex.quote(place)}" if place else ""
    program = f"uscdr --quiet --target {shlex.quote(target)} backup"
    return f"{program} capture && {program} pull{to} && {program} prove{to}"


WHEELS = ".github/uscdr"
"""Where the workflow looks for the wheels, below the repository's root."""


def wheels(python: str, origin: str) -> str:
    """The commands that put the wheels there, once; `origin` is the checkout or wheel that this came from."""
    source = shlex.quote(f"{origin}[vault,sandbox]")
    return (
        f"{shlex.quote(python)} -m pip wheel --wheel-dir {WHEELS} {source}\n"
        f"(cd {WHEELS} && sha256sum *.whl >SHA256SUMS) && git add -f {WHEELS}"
    )


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
          "$RUNNER_TEMP/uscdr/bin/python" -m pip install --no-index --find-links {wheels} "$wheel[vault,sandbox]"
          echo "$RUNNER_TEMP/uscdr/bin" >>"$GITHUB_PATH"
      - name: Capture, copy and prove
        env:
          HEROKU_API_KEY: ${{{{ secrets.HEROKU_API_KEY }}}}
          USCDR_KIT_RECIPIENTS: ${{{{ vars.USCDR_KIT_RECIPIENTS }}}}
        run: {command}
"""
