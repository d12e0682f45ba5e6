"""The times of a run add up, by step and in total, and what a journal does not say is not called nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from uscdr.models import events as ev
from uscdr.models.base import Event
from uscdr.report.times import RunTimes

T0 = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)


class Recorded:
    """A journal in the making: each event with the seconds since the process began, and what of them were waits."""

    def __init__(self) -> None:
        self.events: list[ev.Stamped] = []

    def at(self, seconds: float, event: Event, waited: tuple[float, float] | None, *, mono: float = 0.0) -> None:
        told = ev.Waited(provider=waited[0], person=waited[1]) if waited else None
        self.events.append(
            ev.Stamped.model_validate(
                {
                    "run": "r-1",
                    "seq": len(self.events),
                    "at": T0 + timedelta(seconds=seconds),
                    "mono": mono or seconds,
                    "waited": told,
                    "event": event,
                }
            )
        )


def started(step: str) -> ev.StepStarted:
    return ev.StepStarted(step=step, title=f"Do {step}", phase="recover", effect="idempotent")


def done(step: str) -> ev.StepSucceeded:
    return ev.StepSucceeded(step=step, seconds=1, summary="")


def ended() -> ev.RunFinished:
    return ev.RunFinished(outcome="done", exit_code=0, summary="")


def begun() -> ev.RunStarted:
    return ev.RunStarted(
        scenario="db", target="t", app="a", request={}, version="1", user="u", host="h", scenario_digest="d",
        rto_seconds=1, rpo_seconds=1,
    )  # fmt: skip


def plan() -> ev.PlanReady:
    return ev.PlanReady(digest="d", dry_run=False, steps=(), budgets={})


def whole(*, recorded: bool = True) -> RunTimes:
    journal = Recorded()
    for seconds, event, waited in (
        (1.0, begun(), (0.5, 0.0)),
        (4.0, plan(), (2.5, 0.0)),
        (20.0, started("one"), (3.0, 15.0)),
        (24.0, done("one"), (6.0, 15.0)),
        (24.5, started("two"), (6.0, 15.0)),
        (30.5, done("two"), (12.0, 15.0)),
        (31.0, ended(), (12.0, 15.0)),
    ):
        journal.at(seconds, event, waited if recorded else None)
    return RunTimes.of(journal.events)


def test_each_step_has_what_passed_since_the_end_before_it() -> None:
    found = {one.step: (one.seconds, one.provider, one.machine, one.person) for one in whole().steps}
    assert found == {"plan": (3, 2, 1, 0), "one": (20, 3.5, 1.5, 15), "two": (6.5, 6, 0.5, 0), "end": (0.5, 0, 0.5, 0)}


def test_the_steps_add_up_to_the_wall_time() -> None:
    times = whole()
    total = times.total
    assert total.seconds == 30 == sum(one.seconds for one in times.steps)
    assert (total.provider, total.machine, total.person) == (11.5, 3.5, 15)
    assert times.between_processes == 0
    assert times.words == "30 s: 12 s for providers, 4 s on this machine, 15 s for a person"


def test_an_older_journal_says_not_recorded() -> None:
    times = whole(recorded=False)
    assert times.total.seconds == 30
    assert (times.total.provider, times.total.machine, times.total.person) == (None, None, None)
    assert times.words == "30 s; what they were spent on is not recorded"
    assert "0 s" not in times.to_markdown().splitlines()[-2].replace("30 s", "")
    assert "not recorded" in times.to_markdown()


def test_pauses_between_processes_stand_apart() -> None:
    journal = Recorded()
    journal.at(0, begun(), (0, 0))
    journal.at(2, plan(), (1, 0))
    journal.at(3, started("one"), (1.5, 0))  # killed here
    journal.at(603, ev.RunResumed(user="u", host="h", version="1"), (0, 0), mono=7000)
    journal.at(605, done("one"), (2, 0), mono=7002)
    journal.at(606, ended(), (2, 0), mono=7003)
    times = RunTimes.of(journal.events)
    assert times.between_processes == 600
    assert times.total.seconds == pytest.approx(6)
    assert [one.step for one in times.steps] == ["plan", "cut off", "one", "end"]
    assert "10 min between processes" in times.words
    assert "10 min" in times.to_markdown()
