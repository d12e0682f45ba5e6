"""A check says the same in `uscdr verify` and at the end of a recovery, whatever its kind and its fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from looked_at_twice import SPECS, Scene, checks, named
from typing_extensions import override

from fake_surroundings import NOW
from rehearsal import Rehearsal, configuration
from uscdr.checks import registry
from uscdr.checks.baseline import Baseline
from uscdr.checks.context import CheckContext, Sends
from uscdr.checks.run import Result, look_at
from uscdr.commands import verify as verification
from uscdr.commands.verify_rounds import Verification
from uscdr.errors import ExitCode
from uscdr.journal import runs
from uscdr.monitoring.observed import Observed
from uscdr.scenarios.adapters import Request
from uscdr.scenarios.checks import CheckRequest
from uscdr.scenarios.steps.application import STAY
from uscdr.wiring import adapters
from uscdr.wiring.context import Process, RunContext

Verdicts = dict[str, tuple[str, str]]
HASTE = {name: {**spec, "timeout": "0.2s"} for name, spec in SPECS.items() if spec["kind"] in ("http", "agree")}


@dataclass
class Twice(Rehearsal):
    """The same scene for `verify` and for a recovery of the database."""

    scene: Scene = field(default_factory=Scene)
    stayed_up: tuple[str, str] | None = None
    sent: list[Sends] = field(default_factory=list)

    @override
    def seen_by_checks(self, context: RunContext, sends: Sends) -> CheckContext:
        self.sent.append(sends)
        return self.scene.world()

    def verified(self) -> Verdicts:
        self.request = Request("verify all")
        self.run = runs.new_run_id("verify")

        def work(this: Process) -> Any:
            context = self.context(this, self.run, dry_run=True)
            with mock.patch.object(adapters, "opened", self._opened):
                return verification._verify(context, Verification(CheckRequest()), Observed("verify all"))

        self._process(work)
        return self.verdicts("verify")

    def recovered(self, *, dry_run: bool = False) -> Verdicts:
        self.request = Request("db")
        self.begin(dry_run=dry_run)
        found = self.verdicts("check_app")
        self.stayed_up = found.pop(STAY, None)  # the one that needs a while, and is no check of scenarios.yaml
        return found

    def verdicts(self, step: str) -> Verdicts:
        events = [one for one in self.events("check.finished") if one["step"] == step]
        return {one["check"]: (one["verdict"], one["evidence"]) for one in events}


def twice(place: Path, *, hasty: bool = False) -> Twice:
    specs = {**checks(), **{name: type(checks()[name]).model_validate(spec) for name, spec in HASTE.items() if hasty}}
    config = configuration().model_copy(update={"checks": specs, "after_recovery": tuple(specs)})
    return Twice(place, config=config)


def healthy_baseline() -> Baseline:
    results = tuple(look_at(Scene().world(), [named(name) for name in SPECS], began=lambda one: None))
    kept = Baseline(key="k", taken_at=NOW, run="r", checks={n: dict(m) for n, m in Result.measures(results).items()})
    return Baseline.model_validate_json(kept.model_dump_json())


def test_the_specifications_have_every_kind_and_every_field() -> None:
    said: dict[str, set[str]] = {}
    for spec in SPECS.values():
        said.setdefault(spec["kind"], set()).update(spec)
    for kind, model in registry.SPECS.items():
        known = {one.alias or name for name, one in model.model_fields.items()} - {"why", "why_if", "timeout"}
        fit = not (model.writes or kind == "manual")
        assert (known <= said.get(kind, set())) is fit, kind


@pytest.mark.parametrize("baseline", [False, True])
def test_all_pass_in_both(quick: Path, baseline: bool) -> None:
    run = twice(quick)
    run.scene.baseline = healthy_baseline() if baseline else None
    verified, recovered = run.verified(), run.recovered()
    assert {name for name, (verdict, _) in verified.items() if verdict != "pass"} == set()
    assert recovered == verified
    assert run.stayed_up is not None
    assert run.stayed_up[0] == "pass"
    assert verified.keys() == SPECS.keys()
    assert run.events("run.finished")[-1]["exit_code"] == ExitCode.DONE
    assert set(run.sent) == {"forms"}


def test_each_damage_fails_in_both_with_the_same_evidence(quick: Path) -> None:
    run = twice(quick)
    run.scene.baseline = healthy_baseline()
    run.scene.damage()
    verified, recovered = run.verified(), run.recovered()
    assert {name for name, (verdict, _) in verified.items() if verdict != "fail"} == set()
    assert "an image returned 404" in recovered["pictures"][1]
    assert recovered == verified
    assert run.events("run.finished")[-1]["exit_code"] == ExitCode.CHECK_FAILED


def test_without_a_check_account_nobody_is_asked_in_its_name(quick: Path) -> None:
    run = twice(quick)
    run.scene.token = None
    verified, recovered = run.verified(), run.recovered()
    assert {name for name, (verdict, _) in recovered.items() if verdict == "not checked"} == {"signed-in", "agree"}
    assert recovered == verified


def test_what_hangs_is_left_behind_in_both(quick: Path) -> None:
    run = twice(quick, hasty=True)
    run.scene.silent = True
    verified, recovered = run.verified(), run.recovered()
    of_application = [name for name in HASTE if recovered[name][0] == "inconclusive"]
    assert of_application == list(HASTE)
    for name, (verdict, _) in verified.items():
        assert recovered[name][0] == verdict, name
    assert "no answer from application within" in recovered["page"][1]


def test_a_page_five_times_slower_than_in_the_baseline_fails_in_both(quick: Path) -> None:
    run = twice(quick)
    run.scene.baseline = healthy_baseline()
    run.scene.site.answers["/"] = run.scene.site.answers["/"].model_copy(update={"seconds": 4.0})
    verified, recovered = run.verified(), run.recovered()
    assert recovered["page"] == verified["page"]
    assert recovered["page"][0] == "fail"


def test_rows_that_an_older_backup_has_not_are_told_in_both(quick: Path) -> None:
    run = twice(quick)
    run.scene.baseline = healthy_baseline()
    for key in list(run.scene.provider.live.tables["patients_patient"])[:10]:
        del run.scene.provider.live.tables["patients_patient"][key]
    verified, recovered = run.verified(), run.recovered()
    assert recovered["rows"] == verified["rows"]
    assert "rows lost since the baseline" in recovered["rows"][1]
