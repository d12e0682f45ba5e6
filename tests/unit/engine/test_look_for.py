"""Looking for what a lost write made: at once, after a while, or not at all; never longer than it may take."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from uscdr.engine import reconcile
from uscdr.engine.reconcile import Search
from uscdr.engine.step import Intent, StepReporter
from uscdr.engine.wait import Stop
from uscdr.errors import Interrupted
from uscdr.events import Bus
from uscdr.redaction import Redactor


@dataclass(frozen=True)
class Thing:
    id: str


class Lagging:
    """A list that shows what there is only at the n-th look."""

    def __init__(self, *things: str, after: int = 1) -> None:
        self.things = [Thing(one) for one in things]
        self.after = after
        self.looks = 0

    def __call__(self) -> list[Thing]:
        self.looks += 1
        return self.things if self.looks >= self.after else []


def found(lagging: Lagging, *, accepted: str | None = None, stop: Stop | None = None) -> tuple[str | None, str]:
    search = Search("GET /things", lagging, lambda one: f"{one.id} is ours", "no new thing")
    tell = StepReporter(Bus("run", Redactor()), "step", "a.step")
    finding = search.run(Intent("", {}, accepted), stop or Stop(), tell)
    assert finding.looked_at == "GET /things"
    return finding.provider_id, finding.found


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "LOOK_INTERVAL", 0.0)
    monkeypatch.setattr(reconcile, "LOOK_SECONDS", 60.0)


def test_what_the_provider_accepted_before_is_not_looked_for() -> None:
    lagging = Lagging("other")
    assert found(lagging, accepted="mine") == ("mine", "accepted before as mine")
    assert lagging.looks == 0


def test_the_first_of_those_that_are_listed_is_taken() -> None:
    assert found(Lagging("first", "second")) == ("first", "first is ours")


def test_a_list_that_lags_behind_is_asked_again() -> None:
    lagging = Lagging("late", after=4)
    assert found(lagging) == ("late", "late is ours")
    assert lagging.looks == 4


def test_what_never_appears_surely_had_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "LOOK_SECONDS", 0.0)
    assert found(Lagging()) == (None, "no new thing")


def test_the_operator_need_not_wait_for_the_end() -> None:
    stop, lagging = Stop(), Lagging()
    stop.event.set()
    with pytest.raises(Interrupted):
        found(lagging, stop=stop)
    assert lagging.looks == 1
