"""Forecasts from earlier runs: the rules, and whether they come true."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorded_runs import BYTES, DATABASE, STEPS, T0, USUAL, Recorded, noisy, plan
from uscdr.models.events import Stamped, StepSucceeded
from uscdr.models.forecast import RunForecast, StepForecast
from uscdr.report.durations import EarlierRun, StepTime, waited
from uscdr.report.fold import Fold
from uscdr.report.forecast import FLOOR, Outset, estimate, foresee, scaled
from uscdr.report.objectives import build

HOUR = 3600.0
ALL = [step for step, _, _, _ in STEPS]


def past(*runs: Recorded) -> list[EarlierRun]:
    return [found for run in runs if (found := EarlierRun.of(run.fold()))]


def of_runs(
    *runs: Recorded, size: float | None = 1.0, since: float = 0.0, rto: float = 2 * HOUR, **said: str
) -> RunForecast:
    sizes = {} if size is None else {"backup": BYTES * size, "database": DATABASE * size}
    return foresee(Outset(plan(actions=said).steps, T0, T0 - timedelta(seconds=since), rto, sizes), past(*runs))


def step(forecast: RunForecast, name: str) -> StepForecast:
    found = forecast.of(name)
    assert found is not None
    return found


def seconds(forecast: RunForecast, name: str) -> tuple[float, float]:
    found = step(forecast, name).seconds
    assert found is not None
    return found.low, found.high


def with_(number: int, **changed: float) -> Recorded:
    return Recorded(number, {**USUAL, **changed})


def test_without_an_earlier_run_there_is_no_figure() -> None:
    forecast = of_runs()
    assert (forecast.runs, forecast.steps) == (0, ())
    assert forecast.expected(T0, ALL[0]) == ["Expected: not known, no earlier run of this scenario on this target"]
    assert forecast.warning(T0 + timedelta(days=1), ALL[0]) == ""


def test_runs_of_other_steps_say_nothing() -> None:
    run = Recorded(1)
    others = EarlierRun({("other.step", "other"): StepTime(5.0)}, {})
    assert foresee(Outset(plan().steps, T0, T0, 7200), [others]).runs == 0
    assert foresee(Outset(plan().steps, T0, T0, 7200), [others, *past(run)]).runs == 1
    assert foresee(Outset((), T0, T0, 7200), past(run)).runs == 0


def test_two_runs_show_the_least_and_the_most() -> None:
    forecast = of_runs(with_(1, restore=300, prove=200), with_(2, restore=420, prove=100))
    assert seconds(forecast, "restore") == (300, 420)
    assert step(forecast, "restore").words == "2 earlier runs: 5 min to 7 min"
    assert not forecast.quantiles
    whole = sum(USUAL.values()) - USUAL["restore"] - USUAL["prove"]
    end = step(forecast, ALL[0]).to_end
    assert (end.low, end.high) == pytest.approx((whole + 400, whole + 620))
    first = forecast.expected(T0, ALL[0])[0]
    assert first == (
        "Expected: done between 02:24 and 02:29 UTC (the least and the most of each step in 2 earlier runs)"
    )


def test_ten_runs_show_p50_and_p90() -> None:
    nine = of_runs(*(with_(n, restore=300 + n) for n in range(9)))
    ten = of_runs(*(with_(n, restore=300 + n) for n in range(10)))
    assert step(nine, "restore").words.startswith("9 earlier runs: ")
    assert (ten.runs, ten.quantiles) == (10, True)
    assert seconds(ten, "restore") == (304, 309)
    assert step(ten, "restore").words == "p50 5 min 04 s, p90 5 min 09 s (10 earlier runs)"
    assert "p50\N{EN DASH}p90 of 10 earlier runs" in ten.expected(T0, ALL[0])[0]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60))
def test_p90_is_not_below_nine_of_ten_and_one_more_run(durations: list[float]) -> None:
    found = estimate(durations)
    assert found is not None
    assert found.low <= found.high
    assert found.low in durations
    assert found.high in durations
    below = sum(one <= found.high for one in durations)
    assert below >= min(len(durations), 0.9 * (len(durations) + 1) - 1e-6)


def test_a_question_is_not_a_duration() -> None:
    quick, slow = Recorded(1), Recorded(2, asked=1800, begin=900)
    assert past(quick) == past(slow)
    assert waited(slow.fold(), slow.events()[-1].at) == pytest.approx(2700)
    given_before = Recorded(3, confirm="restore it")
    assert past(given_before) == past(quick)


def test_a_machine_that_slept_during_the_question_took_no_less() -> None:
    """The step's own clock stood still, that of the events did not."""
    events = Recorded(1, asked=1800).events()
    for number, item in enumerate(events):
        if isinstance(item.event, StepSucceeded) and item.event.step == "restore":
            slept = item.event.model_copy(update={"seconds": USUAL["restore"] + 5})
            events[number] = item.model_copy(update={"event": slept})
    found = EarlierRun.of(Fold.of(events))
    assert found is not None
    assert found.steps["backup.restore", "restore"].turn == pytest.approx(USUAL["restore"])


def test_what_is_no_duration_does_not_count() -> None:
    runs = (
        Recorded(1, adopted=("restore",)),
        Recorded(2, skipped=("restore",)),
        Recorded(3, upto="restore"),
        Recorded(4, dry_run=True),
    )
    forecast = of_runs(*runs)
    assert step(forecast, "restore").count == 0
    assert step(forecast, "restore").words == "not needed in earlier runs"
    assert step(forecast, "prove").count == 3
    assert step(forecast, "check").count == 2
    again = [*Recorded(5).events()]
    twice = next(item for item in again if item.event.kind == "step.started" and item.event.step == "restore")
    again.insert(again.index(twice), twice)
    assert ("backup.restore", "restore") not in past_of(again)


def past_of(events: list[Stamped]) -> Collection[tuple[str, str]]:
    found = EarlierRun.of(Fold.of(events))
    assert found is not None
    return found.steps.keys()


def test_a_step_that_no_run_has_is_named_and_left_out() -> None:
    forecast = of_runs(Recorded(1, upto="restore"), Recorded(2, upto="restore"))
    told = forecast.expected(T0, ALL[0])[0]
    assert "UTC at the earliest; not counted: " in told
    assert "Restore" in told
    assert "Look" not in told


def test_a_step_that_was_never_necessary_costs_the_time_of_its_look() -> None:
    runs = [Recorded(n, skipped=("migrate",)) for n in range(12)]
    unknown, needed = of_runs(*runs), of_runs(*runs, Recorded(13), migrate="change")
    assert step(unknown, "migrate").words == "not needed in earlier runs"
    assert unknown.unknown == ()
    assert of_runs(*runs, migrate="change").unknown == ("Migrate",)
    assert step(unknown, ALL[0]).to_end.low == pytest.approx(sum(USUAL.values()))
    assert step(needed, "migrate").count == 1
    skips = of_runs(*runs, migrate="noop")
    assert step(skips, ALL[0]).to_end.low == pytest.approx(sum(USUAL.values()) - USUAL["migrate"])


def test_durations_grow_with_the_size() -> None:
    runs = [Recorded(n) for n in range(12)]
    same, double, unknown = of_runs(*runs), of_runs(*runs, size=2.0), of_runs(*runs, size=None)
    assert seconds(same, "restore") == seconds(unknown, "restore") == (360, 360)
    assert not step(same, "restore").scaled
    assert seconds(double, "restore") == (715, 715)
    assert "scaled to this size" in step(double, "restore").words
    assert seconds(double, "stop") == seconds(same, "stop")
    assert step(double, ALL[0]).to_end.low > step(same, ALL[0]).to_end.low + 400


def test_an_earlier_run_of_a_tenth_of_the_size_says_nothing() -> None:
    forecast = of_runs(*(Recorded(n) for n in range(12)), size=11.0)
    assert step(forecast, "restore").words == "not known: no earlier run"
    assert "Restore" in forecast.unknown


@given(st.floats(0, 1e5), st.floats(1, 1e12), st.floats(1, 1e12))
def test_scaling_never_goes_below_half_nor_above_ten_times(worked: float, before: float, now: float) -> None:
    found = scaled(worked, before, now)
    if found is None:
        assert now > before * 9.99
    else:
        assert worked / 2 - 1e-6 <= found <= 10 * worked + 1e-6
        assert worked > FLOOR or found == worked
        assert now < before or found >= worked


@pytest.mark.parametrize("growth", [0.0, 0.03])
@pytest.mark.parametrize("end", ["back", "end"])
@pytest.mark.parametrize("seed", range(5))
def test_of_thirty_runs_at_least_twenty_six_end_before_p90(seed: int, end: str, growth: float) -> None:
    """Ten runs are there; each of the thirty that follow is forecast from those before it."""
    runs = noisy(40, seed, growth=growth, asked=300)
    known = past(*runs)
    within = 0
    for number, run in list(enumerate(runs))[10:]:
        sizes = {"backup": BYTES * run.size, "database": DATABASE * run.size}
        forecast = foresee(Outset(plan().steps, run.begun, run.begun, 7200, sizes), known[:number])
        first = step(forecast, ALL[0])
        told = first.to_back if end == "back" else first.to_end
        assert forecast.quantiles
        assert told is not None
        within += run.true[end] <= told.high
    assert within >= 26


@pytest.mark.parametrize("seed", range(5))
def test_of_the_first_thirty_runs_at_least_twenty_six_end_before_the_upper_end(seed: int) -> None:
    """From the first run on, which has no forecast."""
    runs = noisy(30, seed)
    known = past(*runs)
    missed = 1
    for number, run in list(enumerate(runs))[1:]:
        forecast = foresee(Outset(plan().steps, run.begun, run.begun, 7200), known[:number])
        missed += run.true["end"] > step(forecast, ALL[0]).to_end.high
    assert missed <= 4


def test_p50_lies_in_the_middle() -> None:
    runs = noisy(50, 1)
    known = past(*runs)
    below = 0
    for number, run in list(enumerate(runs))[10:]:
        forecast = foresee(Outset(plan().steps, run.begun, run.begun, 7200), known[:number])
        below += run.true["end"] <= step(forecast, ALL[0]).to_end.low
    assert 10 <= below <= 30


def test_the_rto_counts_from_where_it_is_said() -> None:
    runs = [with_(n, restore=300 + 10 * n) for n in range(12)]
    assert of_runs(*runs).warning(T0, ALL[0]) == ""
    late = of_runs(*runs, since=110 * 60).warning(T0, ALL[0])
    assert late.startswith("The RTO of 2 h will probably be missed: expected 2 h 06 min to 2 h 07 min")
    close = of_runs(*runs, since=7200 - 970)
    assert "may be missed" in close.warning(T0, ALL[0])


def test_what_would_help_is_named_only_while_it_does() -> None:
    runs = [with_(n, restore=300 + n) for n in range(12)]
    forecast = of_runs(*runs, since=7200 - 900)
    option = "; unless you leave out the capture of the damaged database (--without-safety-capture), which saves"
    assert option in forecast.warning(T0, ALL[0])
    assert "unless" not in forecast.warning(T0, "restore")
    hopeless = of_runs(*runs, since=2 * HOUR).warning(T0, ALL[0])
    assert "unless" not in hopeless
    assert "It is sooner by about 2 min" in hopeless
    skipped = of_runs(*runs, since=7200 - 900, safety="skip")
    assert "--without-safety-capture" not in skipped.warning(T0, ALL[0])


def test_the_window_moves_with_the_run() -> None:
    forecast = of_runs(*(with_(n, restore=300 + 10 * n) for n in range(12)))
    start = T0
    before = forecast.window(start, "restore", back=True)
    begun = forecast.window(start, "compare", running=("restore", start), back=True)
    assert before == begun is not None
    later = forecast.window(start + timedelta(hours=1), "compare", running=("restore", start), back=True)
    rest = step(forecast, "compare").to_back
    assert later is not None
    assert rest is not None
    assert later.high == start + timedelta(hours=1, seconds=rest.high)
    assert forecast.window(start, "fresh", back=True) is None
    assert forecast.window(start, "fresh") is not None
    assert forecast.window(start, None, running=("fresh", start), back=True) is None


def test_the_report_holds_forecast_and_truth() -> None:
    forecast = of_runs(*(with_(n, restore=340 + 4 * n) for n in range(12)))
    made = forecast.model_copy(update={"made_at": Recorded(20).begun + timedelta(seconds=4)})
    told = build(Recorded(20, asked=600, begin=60, forecast=made).events()).forecast
    assert told is not None
    assert told.verdict == "within"
    assert told.waited_seconds == pytest.approx(660)
    assert told.took_seconds == pytest.approx(Recorded(20).true["back"])
    assert "it took 16 min 19 s, and 11 min of waiting for answers: within the forecast" in told.words
    slow = build(Recorded(20, {**USUAL, "restore": 900.0}, forecast=made).events()).forecast
    assert slow is not None
    assert slow.verdict == "later"
    failed = build(Recorded(20, upto="restore", forecast=made).events()).forecast
    assert failed is not None
    assert failed.took_seconds is None
    assert "not done: " in failed.words
    assert build(Recorded(20).events()).forecast is None
