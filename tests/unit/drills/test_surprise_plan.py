"""Which faults a seed chooses: the same ones each time, of every kind, and no two that look alike."""

from __future__ import annotations

from typing import Any

import pytest

from uscdr.cli import drill as commands
from uscdr.cli import main
from uscdr.drills import drill as drills
from uscdr.drills.environment import DrillRequest
from uscdr.drills.faults import PLACES, FaultRule, Reaction, faults_of
from uscdr.errors import ExitCode
from uscdr.sandbox.faults.rules import PROVIDERS, FaultRules, Rule, valid_kind

SEEDS = range(300)
EVERY = [(scenario, how) for scenario, kinds in commands.KINDS.items() for how in kinds]


@pytest.mark.parametrize(("scenario", "how"), EVERY)
def test_the_same_seed_gives_the_same_plan_and_seeds_differ(scenario: str, how: str) -> None:
    plans = [faults_of(seed, scenario, how) for seed in SEEDS]
    assert plans == [faults_of(seed, scenario, how) for seed in SEEDS]
    assert len(set(plans)) > 20


def test_another_damage_is_another_plan() -> None:
    assert [faults_of(seed, "db", "drop-table") for seed in SEEDS] != [
        faults_of(seed, "db", "delete-rows") for seed in SEEDS
    ]


def test_a_plan_is_told_by_its_seed_alone() -> None:
    """Written down: a seed in an old report repeats the drill."""
    (lock,), (limit,) = faults_of(1, "db", "drop-table"), faults_of(3, "db", "drop-table")
    assert (lock.name, lock.expected, lock.rule) == ("colleague's lock", Reaction.AGAIN, None)
    assert (limit.name, limit.rule) == ("rate limit", FaultRule("429-bare", "GET", "*/dynos"))


@pytest.mark.parametrize("scenario", sorted(PLACES))
def test_every_kind_of_fault_that_makes_sense_is_chosen_by_some_seed(scenario: str) -> None:
    names = {fault.name for seed in SEEDS for fault in faults_of(seed, scenario, "any")}
    common = {"lost poll", "lost answer", "slow provider", "server errors", "expired token", "revoked token"}
    more = {
        "db": {"rate limit", "cut download", "bad backup"}, "backups": {"rate limit", "cut download"}, "media": set(),
        "app": {"rate limit"}, "infra": {"rate limit"},
    }[scenario]  # fmt: skip
    assert names == common | {"colleague's lock"} | more


@pytest.mark.parametrize("scenario", sorted(PLACES))
def test_a_second_fault_never_looks_like_the_first_and_is_one_to_survive(scenario: str) -> None:
    pairs = [plan for seed in SEEDS if len(plan := faults_of(seed, scenario, "any")) > 1]
    assert len(pairs) > 30
    for first, second in pairs:
        assert first.sign is not second.sign
        assert second.expected is Reaction.SURVIVE
        assert not first.locks


@pytest.mark.parametrize("scenario", sorted(PLACES))
def test_the_sandbox_takes_every_rule_and_hits_the_named_calls(scenario: str) -> None:
    for seed in SEEDS:
        for fault in faults_of(seed, scenario, "any"):
            assert not fault.bad_backup or valid_kind(fault.bad_backup)
            if fault.rule is not None:
                _hits(fault.rule)


def _hits(planned: FaultRule) -> None:
    document = planned.document()
    assert valid_kind(document["kind"])
    assert document["provider"] in PROVIDERS
    rules, method = FaultRules(), planned.method.replace("*", "GET")
    rules.rules.append(Rule(**document))
    path = planned.path.replace("*", "/one")
    due = [bool(rules.due(method, path, provider=planned.provider)) for _ in range(planned.call + planned.count)]
    assert due.index(True) == planned.call - 1
    assert sum(due) == (planned.count or 1)


def test_faults_that_stop_uscdr_name_the_exit_codes_and_others_none() -> None:
    for scenario in PLACES:
        for seed in SEEDS:
            for fault in faults_of(seed, scenario, "any"):
                assert bool(fault.codes) is fault.expected.stops
                assert ExitCode.DONE not in fault.codes


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ((), None),
        (("--surprise", "7"), 7),
        (("--surprise=7",), 7),
        (("--surprise",), "random"),
        (("--surprise", "--patients", "20"), "random"),
    ],
)
def test_the_seed_may_be_left_out(words: tuple[str, ...], wanted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[DrillRequest] = []

    def drill(scenario: str, request: DrillRequest, output: object) -> int:
        asked.append(request)
        return 0

    monkeypatch.setattr(drills, "drill", drill)
    assert main.run(["drill", "db", *words]) == 0
    seed = asked[0].surprise
    assert (isinstance(seed, int) and 0 <= seed < commands.SEEDS) if wanted == "random" else seed == wanted


def test_a_seed_that_is_no_number_is_refused() -> None:
    assert main.run(["drill", "db", "--surprise=often"]) == ExitCode.BAD_INPUT
