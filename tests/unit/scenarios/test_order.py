"""A scenario that leaves a step out, or has it in another place, is refused before anything is called."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import yaml_lines
from rehearsal import Rehearsal
from uscdr.errors import ConfigError, ExitCode
from uscdr.scenarios.config import StepEntry
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.loader import load
from uscdr.scenarios.order import faults
from uscdr.scenarios.registry import PIPELINES, chosen
from uscdr.scenarios.steps.base import AnyStep

PACKAGED = load(packaged()).config
PLACES = [(name, index) for name in ("db", "dns") for index in range(len(PIPELINES[name]))]
"""The file is read anew for each; the other scenarios go through the same rule below."""


def steps_of(name: str) -> list[AnyStep]:
    return [chosen(entry) for entry in PACKAGED.scenarios[name].steps]


@pytest.mark.parametrize("name", PIPELINES)
def test_the_packaged_scenario_has_every_step_in_its_place(name: str) -> None:
    assert tuple(steps_of(name)) == PIPELINES[name]
    assert list(faults(name, steps_of(name))) == []


@pytest.mark.parametrize(("name", "index"), PLACES)
def test_without_any_one_step_it_is_refused_with_line_and_column(tmp_path: Path, name: str, index: int) -> None:
    lines = yaml_lines.of_steps(packaged().read_text(), name)
    text = yaml_lines.without(packaged().read_text(), lines[index])
    (tmp_path / "scenarios.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"scenarios\.yaml:\d+:\d+: ") as refused:
        load(tmp_path / "scenarios.yaml")
    assert refused.value.exit_code is ExitCode.BAD_INPUT


def moves(name: str) -> Iterator[tuple[str, list[AnyStep]]]:
    steps = steps_of(name)
    for source in range(len(steps)):
        rest = steps[:source] + steps[source + 1 :]
        yield f"{source} left out", rest
        for target in range(len(steps)):
            yield f"{source} moved to {target}", [*rest[:target], steps[source], *rest[target:]]


def swaps(name: str) -> Iterator[tuple[str, list[AnyStep]]]:
    for first in range(len(steps_of(name))):
        for second in range(first):
            steps = steps_of(name)
            steps[first], steps[second] = steps[second], steps[first]
            yield f"{first} and {second} swapped", steps


@pytest.mark.parametrize("name", PIPELINES)
def test_any_step_moved_or_swapped_is_refused(name: str) -> None:
    changed = [(what, steps) for what, steps in (*moves(name), *swaps(name)) if steps != steps_of(name)]
    assert len(changed) >= len(steps_of(name)) - 1
    assert [what for what, steps in changed if not list(faults(name, steps))] == []


@pytest.mark.parametrize("use", ["status.look", "manual", "infra.addon"])
def test_what_reads_a_question_and_a_further_add_on_may_be_added(use: str) -> None:
    given: dict[str, dict[str, object]] = {"manual": {"instruction": "Ask."}, "infra.addon": {"service": "papertrail"}}
    more = chosen(StepEntry.model_validate({"use": use, "with": given.get(use, {})}))
    steps = steps_of("infra")
    after = steps.index(next(step for step in steps if step.default_id == "queue")) + 1
    assert list(faults("infra", [*steps[:after], more, *steps[after:]])) == []


@pytest.mark.parametrize("use", ["app.check", "app.static", "data.compare", "backup.restore"])
def test_a_look_that_waits_for_another_step_may_not(use: str) -> None:
    """It would stop the run in its middle when its turn came, after the restore, with users shut out."""
    steps, more = steps_of("db"), chosen(StepEntry(use=use))
    for at in range(1, len(steps) + 1):
        assert list(faults("db", [*steps[:at], more, *steps[at:]])), at


def test_a_second_restore_may_not(tmp_path: Path) -> None:
    text = packaged().read_text().replace(
        "      - {use: access.look}\n", "      - {use: access.look}\n      - {use: backup.restore, id: once_more}\n"
    )  # fmt: skip
    (tmp_path / "scenarios.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"`backup\.restore` \(Restore the backup\) does not belong here"):
        load(tmp_path / "scenarios.yaml")


@pytest.mark.parametrize(
    ("left_out", "step", "words"),
    [
        ("backup.prove", "data.ledger", "`data.ledger` needs a result that no earlier step gives; put `backup.prove`"),
        (
            "data.compare",
            "access.withdraw",
            "`access.withdraw` needs a result that no earlier step gives; put `data.compare`",
        ),
        ("data.verify", "heroku.start", "`heroku.start` needs a result that no earlier step gives; put `data.verify`"),
        ("app.check", "backup.restore", "nothing checks what `backup.restore` does; put `app.check` after it"),
        ("status.look", "django.try_on_copy", "after `status.look` (Check the providers' status), which is missing"),
        ("backup.capture", "app.check", "`backup.capture` (Capture a new backup) is missing"),
    ],
)
def test_the_refusal_names_the_step_the_place_and_what_is_missing(
    tmp_path: Path, left_out: str, step: str, words: str
) -> None:
    text = packaged().read_text()
    wanted = next(line for line in yaml_lines.of_steps(text, "db") if f"use: {left_out}}}" in text.splitlines()[line])
    text = yaml_lines.without(text, wanted)
    place = next(line for line in yaml_lines.of_steps(text, "db") if f"use: {step}" in text.splitlines()[line])
    (tmp_path / "scenarios.yaml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        load(tmp_path / "scenarios.yaml")
    assert f"scenarios.yaml:{place + 1}:9: " in refused.value.message
    assert words in refused.value.message


NEEDED = ("backup.choose", "backup.prove", "data.ledger", "data.compare", "django.migrate", "data.verify")


@pytest.mark.parametrize("left_out", NEEDED)
def test_the_runner_asks_again_and_calls_nothing_verified_that_was_not(quick: Path, left_out: str) -> None:
    run = Rehearsal(quick)
    scenario = run.config.scenarios["db"]
    steps = tuple(entry for entry in scenario.steps if entry.use != left_out)
    scenarios = {**run.config.scenarios, "db": scenario.model_copy(update={"steps": steps})}
    run.config = run.config.model_copy(update={"scenarios": scenarios})
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.CHECK_FAILED
    assert ending.error is not None
    assert "cannot run yet" in ending.error.message
    assert not [event for event in run.events("step.succeeded") if event["name"] == "app.check"]
    if left_out in NEEDED[:3]:
        assert not [write for write in run.world.writes if write.startswith("restore")]


@pytest.mark.parametrize("named", ["[]", "[invariants]"])
def test_a_recovery_that_asks_the_application_nothing_is_refused(tmp_path: Path, named: str) -> None:
    """Nought of nought checks passed would be called verified."""
    text = packaged().read_text()
    first = text.index("after_recovery:")
    text = text[:first] + f"after_recovery: {named}\n" + text[text.index("\n", text.index("]", first)) + 1 :]
    (tmp_path / "scenarios.yaml").write_text(text)
    with pytest.raises(ConfigError, match="`after_recovery` has no check that asks it"):
        load(tmp_path / "scenarios.yaml")
