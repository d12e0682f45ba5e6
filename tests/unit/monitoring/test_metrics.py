"""The text of the metrics, as Prometheus' own parser reads it: unknown is left out, never 0."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from uscdr import __version__
from uscdr.monitoring.metrics import CommandEnd, exposition
from uscdr.monitoring.observed import CHECKS, NEWEST_BACKUP, NEWEST_PROOF, RPO_MARGIN, RPO_MET, Observed
from uscdr.monitoring.past import LastEnds

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
BACKUPS = frozenset({NEWEST_BACKUP, NEWEST_PROOF, RPO_MARGIN, RPO_MET})


def parsed(text: bytes) -> dict[str, float]:
    """By name, for those with further labels `name{value}`; the labels of all are compared."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text.decode()):
        assert family.documentation
        for sample in family.samples:
            more = {k: v for k, v in sample.labels.items() if k not in ("command", "target", "app")}
            key = sample.name + ("{" + ",".join(sorted(more.values())) + "}" if more else "")
            assert key not in found
            found[key] = sample.value
    return found


def known() -> Observed:
    return Observed(
        "backup status", BACKUPS, "production", "usc-pis", "key", objective=4 * 3600.0, newest_backup=NOW - HOUR,
        newest_proof=NOW - HOUR / 2, due=NOW + 3 * HOUR, met=True,
    )  # fmt: skip


def test_everything_known() -> None:
    past = LastEnds(recovery=NOW - 48 * HOUR, drill=NOW - 24 * HOUR)
    found = parsed(exposition(known(), past, CommandEnd(1, NOW - HOUR / 60), NOW))
    assert {name: value for name, value in found.items() if "{" not in name} == {
        "uscdr_written_timestamp_seconds": NOW.timestamp(),
        "uscdr_command_exit_code": 1,
        "uscdr_command_end_timestamp_seconds": NOW.timestamp() - 60,
        "uscdr_rpo_objective_seconds": 14400,
        "uscdr_last_recovery_timestamp_seconds": NOW.timestamp() - 48 * 3600,
        "uscdr_last_drill_timestamp_seconds": NOW.timestamp() - 24 * 3600,
        "uscdr_newest_backup_age_seconds": 3600,
        "uscdr_newest_proof_age_seconds": 1800,
        "uscdr_rpo_margin_seconds": 3 * 3600,
        "uscdr_rpo_met": 1,
    }
    unknown = {name: value for name, value in found.items() if name.startswith("uscdr_unknown")}
    assert len(unknown) == 10
    assert set(unknown.values()) == {0}
    assert found[next(name for name in found if name.startswith("uscdr_build_info"))] == 1
    assert any(__version__ in name for name in found if name.startswith("uscdr_build_info"))


def test_a_missed_objective_is_negative() -> None:
    seen = known()
    seen.due, seen.met = NOW - 2 * HOUR, False
    found = parsed(exposition(seen, LastEnds(), None, NOW))
    assert (found["uscdr_rpo_margin_seconds"], found["uscdr_rpo_met"]) == (-7200, 0)


def test_a_backup_from_a_clock_ahead_of_ours_has_age_0() -> None:
    seen = known()
    seen.newest_backup = NOW + HOUR
    assert parsed(exposition(seen, LastEnds(), None, NOW))["uscdr_newest_backup_age_seconds"] == 0


def test_what_is_unknown_is_left_out_and_said() -> None:
    text = exposition(Observed("backup status", BACKUPS), LastEnds(), None, NOW)
    found = parsed(text)
    names = (
        "command_exit_code", "command_end_timestamp_seconds", "rpo_objective_seconds",
        "last_recovery_timestamp_seconds", "last_drill_timestamp_seconds", *BACKUPS,
    )  # fmt: skip
    for name in names:
        assert f"uscdr_{name}" not in found
        assert found[f"uscdr_unknown{{uscdr_{name}}}"] == 1
    assert not any(math.isnan(value) for value in found.values())


def test_a_command_that_does_not_look_at_backups_says_nothing_of_them() -> None:
    seen = Observed("verify all", frozenset({CHECKS}), verdicts=("pass", "fail", "pass", "not checked"))
    text = exposition(seen, LastEnds(), None, NOW)
    assert not any(name in text.decode() for name in BACKUPS)
    found = parsed(text)
    assert {name: value for name, value in found.items() if name.startswith("uscdr_checks")} == {
        "uscdr_checks{pass}": 2, "uscdr_checks{fail}": 1, "uscdr_checks{inconclusive}": 0,
        "uscdr_checks{not checked}": 1,
    }  # fmt: skip
    assert found["uscdr_unknown{uscdr_checks}"] == 0


def test_checks_that_did_not_run_are_unknown() -> None:
    found = parsed(exposition(Observed("verify all", frozenset({CHECKS})), LastEnds(), CommandEnd(3, NOW), NOW))
    assert found["uscdr_unknown{uscdr_checks}"] == 1
    assert not any(name.startswith("uscdr_checks") for name in found)


@pytest.mark.parametrize("odd", ['a "quoted" name', "back\\slash", "two\nlines", "ünïcode", "a,b{c}"])
def test_labels_arrive_as_they_are(odd: str) -> None:
    text = exposition(Observed("verify all", target=odd, app=odd), LastEnds(), None, NOW)
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            assert (sample.labels["target"], sample.labels["app"], sample.labels["command"]) == (odd, odd, "verify all")
