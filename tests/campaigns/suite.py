"""The suite's own long tables, whole: a run killed at each of its records, each fault on each call of the provider.

`make test` takes a third of the moments and the corners of the tables. The last line of pytest is what is counted.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from .scale import drawn
from .tally import Tally

ROOT = Path(__file__).parents[2]
UNIT, DRILLS = "tests/unit", "tests/sandbox"
HEROKU = f"{UNIT}/providers/heroku/test_heroku_faults.py"
TABLES = (
    f"{UNIT}/engine/test_crash_everywhere.py",
    f"{UNIT}/engine/test_lost_answers.py::test_any_look_goes_wrong",
    f"{HEROKU}::test_a_read_is_asked_again_then_fails_with_nothing_in_doubt",
    f"{HEROKU}::test_a_write_that_may_have_arrived_is_sent_once_and_its_answer_is_lost",
    f"{UNIT}/scenarios/app/test_app_cut_short.py::test_every_record_boundary_leads_to_the_same_end",
    f"{UNIT}/scenarios/app/test_app_cut_short.py::test_any_look_goes_wrong",
    f"{UNIT}/scenarios/backups/test_recover_backups_cut_short.py::test_every_record_boundary_leads_to_the_same_end",
    f"{UNIT}/scenarios/backups/test_recover_backups_cut_short.py::test_any_look_goes_wrong",
    f"{UNIT}/scenarios/backups/test_single_writes.py",
    f"{UNIT}/scenarios/infra/test_infra_cut_short.py::test_every_record_boundary_leads_to_the_same_end",
    f"{UNIT}/scenarios/infra/test_infra_cut_short.py::test_any_look_goes_wrong",
    f"{UNIT}/scenarios/infra/test_infra_cut_short.py::test_any_write_goes_wrong",
    f"{DRILLS}/test_drill.py",
    f"{DRILLS}/test_recover_backups.py::test_a_drill_breaks_schedule_and_backup_and_compares_the_copy",
    f"{UNIT}/team/test_taking_over.py::test_killed_at_any_record_the_other_machine_finishes_it",
    f"{UNIT}/team/test_taking_over.py::test_stopped_at_any_record_and_continued_it_writes_no_more",
    f"{UNIT}/team/test_taking_over.py::test_stopped_right_before_any_request_it_sends_nothing",
    f"{UNIT}/team/test_taking_over.py::test_a_store_that_goes_away_lets_no_step_begin",
)
_COUNTED = re.compile(r"(\d+) (passed|failed|error)")


def run(tally: Tally, *, count: int, seed: int) -> None:
    """Each drawn table, with every case in it."""
    for table in drawn(TABLES, count, seed):
        command = [sys.executable, "-m", "pytest", "-q", "--all", "-p", "no:cacheprovider", table]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        last = done.stdout.rstrip().rpartition("\n")[2]
        tally.cases += sum(int(number) for number, _ in _COUNTED.findall(last))
        if done.returncode:
            tally.case(table, wrong=[f"pytest ended with {done.returncode}: {done.stdout[-2000:]}"])
