"""Metrics of one command in Prometheus' text format, for the textfile collector of node_exporter.

A value that is unknown is left out, and `uscdr_unknown` says so: it is never 0.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from uscdr import __version__
from uscdr.models.base import elapsed
from uscdr.models.runs import VERDICTS
from uscdr.monitoring.observed import CHECKS, NEWEST_BACKUP, NEWEST_PROOF, RPO_MARGIN, RPO_MET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from uscdr.monitoring.observed import Observed
    from uscdr.monitoring.past import LastEnds

LABELS = ("command", "target", "app")
"""Of every metric. node_exporter refuses two files with the same metric and labels: so each command has its own."""


@dataclass(frozen=True)
class CommandEnd:
    """How and when the command ended."""

    exit_code: int
    at: datetime


@dataclass(frozen=True)
class _Metric:
    """One gauge without further labels; None is unknown."""

    name: str
    words: str
    value: float | None


def exposition(seen: Observed, past: LastEnds, end: CommandEnd | None, now: datetime) -> bytes:
    """The file's content; `end` is None while the command runs. Ages count until `now`."""
    registry, labels = CollectorRegistry(), (seen.command, seen.target, seen.app)
    metrics = list(_known(seen, past, end, now))
    for one in metrics:
        if one.value is not None:
            _gauge(registry, one.name, one.words).labels(*labels).set(one.value)
    unknown = {one.name: one.value is None for one in metrics}
    if CHECKS in seen.may_know:
        unknown[CHECKS] = seen.verdicts is None
        if seen.verdicts is not None:
            checks = _gauge(registry, CHECKS, "Checks of the newest finished verification, by verdict.", "verdict")
            for verdict in dict.fromkeys((*VERDICTS, *seen.verdicts)):
                checks.labels(*labels, verdict).set(seen.verdicts.count(verdict))
    missing = _gauge(registry, "unknown", "1 if the metric is left out because its value is unknown.", "metric")
    for name, is_unknown in unknown.items():
        missing.labels(*labels, f"uscdr_{name}").set(is_unknown)
    build = _gauge(registry, "build_info", "The version of uscdr and of its Python; always 1.", "version", "python")
    build.labels(*labels, __version__, platform.python_version()).set(1)
    return generate_latest(registry)


def _gauge(registry: CollectorRegistry, name: str, words: str, *more: str) -> Gauge:
    return Gauge(f"uscdr_{name}", words, (*LABELS, *more), registry=registry)


def _known(seen: Observed, past: LastEnds, end: CommandEnd | None, now: datetime) -> Iterator[_Metric]:
    yield _Metric("written_timestamp_seconds", "When this file was written; ages count until then.", now.timestamp())
    yield _Metric("command_exit_code", "Exit code of the command's last run.", end.exit_code if end else None)
    yield _Metric("command_end_timestamp_seconds", "When the command ended.", _time(end.at if end else None))
    yield _Metric("rpo_objective_seconds", "The recovery point objective.", seen.objective)
    yield _Metric("last_recovery_timestamp_seconds", "End of the last completed recovery.", _time(past.recovery))
    yield _Metric("last_drill_timestamp_seconds", "End of the last completed drill in a sandbox.", _time(past.drill))
    if NEWEST_BACKUP in seen.may_know:
        yield _Metric(NEWEST_BACKUP, "Age of the data in the newest usable backup.", _age(seen.newest_backup, now))
    if NEWEST_PROOF in seen.may_know:
        words = "Age of the newest proof of a usable backup."
        yield _Metric(NEWEST_PROOF, words, _age(seen.newest_proof, now))
    if RPO_MARGIN in seen.may_know:
        words = "Time until the newest proven copy off the platform is older than the objective; negative afterwards."
        yield _Metric(RPO_MARGIN, words, (seen.due - now).total_seconds() if seen.due else None)
    if RPO_MET in seen.may_know:
        words = "1 if the backups meet the objective, else 0."
        yield _Metric(RPO_MET, words, None if seen.met is None else float(seen.met))


def _age(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else elapsed(at, now)


def _time(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()
