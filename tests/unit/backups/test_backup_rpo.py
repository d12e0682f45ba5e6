"""The recovery point objective: what is there now, and what may be lost until the next backup."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from uscdr.backups.rpo import STEPS, UNKNOWN_SOURCE, Point, Rhythm, RpoState, _command, _upcoming, wheels
from uscdr.models.heroku import Schedule
from uscdr.report.backups import _lines

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAILY = Schedule(id="s", name="DATABASE_URL", hour=2, timezone="UTC")
HOURS_4 = 4 * 3600.0


def point(hours: float, **facts: bool) -> Point:
    at = NOW - timedelta(hours=hours)
    given = {"there": True, "off_platform": True, "proven": True, **facts}
    return Point(name=f"b-{hours}", taken_at=at, ready_at=at + timedelta(minutes=5), **given)


def test_daily_backups_miss_four_hours_with_the_arithmetic_even_right_after_one() -> None:
    days = [point(hours) for hours in (0.5, 24.5, 48.5)]
    seen = RpoState.of(days, (DAILY,), NOW, HOURS_4)
    assert not seen.met
    assert seen.worst == 24 * 3600 + 300
    words = "\n".join(_lines(seen))
    assert "daily at 02:00 UTC + 5 min for the capture = up to 24 h 05 min, objective 4 h: missed" in words
    assert "RPO MISSED: the gaps between backups are too long" in words


def test_captures_every_three_hours_meet_it_whatever_the_platform_schedules() -> None:
    seen = RpoState.of([point(hours) for hours in range(1, 60, 3)], (DAILY,), NOW, HOURS_4)
    assert seen.met
    assert (seen.proven_age, seen.worst) == (3600.0, 3 * 3600 + 300.0)
    assert seen.due == NOW + timedelta(hours=3)
    assert list(_lines(seen))[-1] == "RPO met"


@pytest.mark.parametrize(
    ("facts", "age"), [({"proven": False}, None), ({"off_platform": False}, None), ({"there": False}, None)]
)
def test_only_a_proven_copy_off_the_platform_counts(facts: dict[str, bool], age: float | None) -> None:
    often = [point(hours, **facts) for hours in range(1, 30, 3)]
    seen = RpoState.of(often, (DAILY,), NOW, HOURS_4)
    assert (seen.met, seen.proven_age) == (False, age)
    assert "no proven copy off the platform" in list(_lines(seen))[-1]
    older = RpoState.of([*often, point(5)], (DAILY,), NOW, HOURS_4)
    assert (older.met, older.proven_age) == (False, 5 * 3600.0)
    assert "too old" in list(_lines(older))[-1]


def test_captures_that_stopped_are_a_gap_that_grows_until_now() -> None:
    stopped = [point(hours) for hours in range(9, 40, 3)]
    seen = RpoState.of(stopped, (), NOW, HOURS_4)
    assert seen.largest_gap is not None
    assert (seen.largest_gap.seconds, seen.largest_gap.end) == (9 * 3600.0, NOW)
    assert not seen.met


def test_a_gap_of_last_week_is_told_and_does_not_count_any_more() -> None:
    made = [point(hours) for hours in (*range(1, 60, 3), 90, 400)]
    seen = RpoState.of(made, (), NOW, HOURS_4)
    assert seen.largest_gap is not None
    assert seen.largest_gap.seconds == pytest.approx(310 * 3600)
    assert seen.met


def test_nothing_known_is_not_met() -> None:
    seen = RpoState.of((), (), NOW, HOURS_4)
    assert (seen.met, seen.worst, seen.largest_gap, seen.due) == (False, None, None, None)
    assert all(isinstance(line, str) and line for line in _lines(seen))


def test_a_zone_that_is_not_known_is_no_schedule_to_rely_on() -> None:
    strange = Schedule(id="s", name="x", hour=2, timezone="Mars/Olympus")
    assert _upcoming([strange], NOW) == ()
    assert not RpoState.of([point(0.1)], [strange], NOW, 30 * 3600.0).met


def test_the_clock_change_is_in_the_longest_day() -> None:
    berlin = Schedule(id="s", name="x", hour=2, timezone="Europe/Berlin")
    before = datetime(2026, 10, 22, 12, tzinfo=UTC)
    gaps = {(after - one).total_seconds() for one, after in pairwise(_upcoming([berlin], before))}
    assert max(gaps) == 25 * 3600


@given(st.lists(st.floats(0, 400), max_size=30), st.floats(600, 10**6), st.booleans())
def test_met_means_that_no_more_than_the_objective_is_lost(hours: list[float], objective: float, daily: bool) -> None:
    seen = RpoState.of([point(one) for one in hours], (DAILY,) if daily else (), NOW, objective)
    if seen.met:
        assert hours
        assert min(hours) * 3600 <= objective + 1
        assert seen.worst is not None
        assert seen.worst <= objective


@given(st.floats(300, 86400), st.floats(600, 86400))
def test_the_cron_line_never_waits_longer_than_asked_for(every: float, most: float) -> None:
    found = Rhythm.even(every, most)
    assert found.seconds <= min(every, most)
    assert (found.seconds, found.fields) in STEPS


def test_three_and_a_half_hours_become_three_and_the_workflow_runs_the_same() -> None:
    every = Rhythm.even(3.5 * 3600, HOURS_4)
    assert (every.seconds, every.fields) == (3 * 3600, "17 */3 * * *")
    line = every.cron_line("production", "s3://safe/usc-pis")
    assert line.startswith("17 */3 * * *  ")
    assert _command("production", "s3://safe/usc-pis") in line
    for one in ("backup capture && ", "backup pull --to s3://safe/usc-pis && ", "backup prove --to s3://safe/usc-pis"):
        assert one in line
    text = every.workflow("production", None)
    document = yaml.load(text, yaml.BaseLoader)
    assert document["on"]["schedule"] == [{"cron": "17 */3 * * *"}]
    assert document["jobs"]["backup"]["steps"][-1]["run"] == _command("production", None)


def test_nothing_from_elsewhere_runs_in_the_workflow_and_the_token_is_in_one_step() -> None:
    text = Rhythm.even(3.5 * 3600, HOURS_4).workflow("production", "s3://safe/usc-pis")
    document = yaml.load(text, yaml.BaseLoader)
    job = document["jobs"]["backup"]
    *before, last = job["steps"]
    assert last["env"]["HEROKU_API_KEY"] == "${{ secrets.HEROKU_API_KEY }}"
    rest = [document, {**job, "steps": before}]
    assert "secrets." not in str({key: value for key, value in rest[0].items() if key != "jobs"})
    assert "secrets." not in str(rest[1])
    assert "env" not in job
    assert "uses" not in str(job["steps"]), "nobody else's action, not even a pinned one"
    assert not re.search(r"https?://|curl|wget|docker", text)
    installing = [step["run"] for step in before if "pip" in step.get("run", "")]
    assert len(installing) == 1
    (line,) = [line for line in installing[0].splitlines() if "pip install" in line]
    assert "--no-index" in line
    assert installing[0].index("sha256sum --check --strict") < installing[0].index("pip install")
    for step in job["steps"]:
        assert subprocess.run(["bash", "-n"], input=step["run"], text=True, check=False).returncode == 0


def test_the_wheels_are_made_from_what_is_at_hand_and_without_the_token() -> None:
    made = wheels(
        "/usr/bin/python3", "'uscdr[proof,vault] @ file:///a%20place/uscdr-0.1.0-py3-none-any.whl#sha256=4f2a'"
    )
    (line,) = [line for line in made.splitlines() if "pip wheel" in line]
    assert line.startswith(
        "env -u HEROKU_API_KEY /usr/bin/python3 -m pip wheel --wheel-dir .github/uscdr 'uscdr[proof,vault] @ file:"
    )
    assert "sha256sum *.whl >SHA256SUMS" in made


def test_a_source_that_is_not_known_is_asked_for_and_nothing_is_installed(tmp_path: Path) -> None:
    done = subprocess.run(["sh", "-c", UNKNOWN_SOURCE], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "--install-from PATH" in done.stderr
    assert done.stdout == ""
    assert "pip" not in UNKNOWN_SOURCE
