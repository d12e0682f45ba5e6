"""Every line of the runbook has its row in docs/runbook-coverage.md, and what the rows name is there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from documented import commands, unknown
from uscdr.lazily import Later
from uscdr.scenarios.config import Config
from uscdr.scenarios.config_exercises import APPROVAL

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "runbook-coverage.md"
LINES = {
    int(number): words
    for number, words in (
        line.split("\t") for line in (Path(__file__).parent / "runbook_lines.txt").read_text().splitlines()
    )
}
"""The lines of the runbook that ask for something, by number."""
FILE: dict[str, Any] = yaml.safe_load((ROOT / "scenarios.yaml").read_text())
TEMPLATES = ROOT / "src" / "uscdr" / "incident" / "templates"

SPAN = re.compile(r"`([^`]+)`")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
RECOVERS = re.compile(r"uscdr recover ([a-z]+)")


@dataclass(frozen=True)
class Row:
    """One row of the page, cell by cell."""

    line: int
    asks: str
    command: str
    how: str


def rows(text: str) -> list[Row]:
    """Of all tables. Raises AssertionError for a row that has not four cells."""
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and cells[0].isdigit():
            assert len(cells) == 4, line
            found.append(Row(int(cells[0]), *cells[1:]))
    return found


def models(annotation: object) -> Iterator[type[BaseModel]]:
    """The models in a type, however deep."""
    if isinstance(annotation, type) and issubclass(annotation, Later):
        yield annotation.model()
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models(inner)


def in_model(path: str) -> bool:
    """Whether scenarios.yaml may have a key, such as `vault.every`."""
    at: list[type[BaseModel]] = [Config]
    for part in path.split("."):
        holders = [model for model in at if part in model.model_fields]
        if not holders:
            return False
        at = [one for model in holders for one in models(model.model_fields[part].annotation)]
    return True


def in_file(path: str) -> bool:
    """Whether scenarios.yaml has a key, such as `scenarios.db.budget`."""
    at: Any = FILE
    for part in path.split("."):
        if not isinstance(at, dict) or part not in at:
            return False
        at = at[part]
    return True


def tasks() -> list[str]:
    """What people do after an incident, and after the recovery of each scenario."""
    return [*FILE["incident"]["follow_up"], *(one for each in FILE["scenarios"].values() for one in each["follow_up"])]


@cache
def steps(scenario: str) -> frozenset[str]:
    return frozenset(step["use"] for step in FILE["scenarios"][scenario]["steps"])


def names_of(section: str, key: str = "name") -> frozenset[str]:
    return frozenset(one[key] for one in FILE[section])


KINDS: dict[str, Callable[[str], bool]] = {
    "check": FILE["checks"].__contains__,
    "step": lambda name: any(name in steps(scenario) for scenario in FILE["scenarios"]),
    "exercise": names_of("exercises").__contains__,
    "supply": names_of("supplies").__contains__,
    "invariant": names_of("invariants").__contains__,
    "contact": names_of("contacts", "role").__contains__,
    "action": lambda text: any(text in task for task in tasks()),
    "question": {one["id"] for one in FILE["incident"]["review"]}.__contains__,
    "template": lambda name: (TEMPLATES / f"{name}.txt.j2").is_file(),
    "channel": {"smtp", "webhook", "apprise", "status_file", "status_webhook"}.__contains__,
    "variable": FILE["config"]["required"].__contains__,
    "record": {APPROVAL}.__contains__,
    "config": lambda path: in_model(path) or in_file(path),
}
"""What a row may name as kind and name, and whether there is such a one."""
MARK = re.compile(rf"\b({'|'.join(KINDS)})s? (`[^`]+`(?:(?:, | and )`[^`]+`)*)", re.IGNORECASE)


def marks(row: Row) -> list[tuple[str, str]]:
    """Kind and name of everything that the row names."""
    return [(kind.lower(), name) for kind, names in MARK.findall(row.how) for name in SPAN.findall(names)]


def wrong_commands(row: Row) -> Iterator[str]:
    said = list(commands(f"{row.command} {row.how}"))
    yield from (f"{row.line}: no command {text}" for text in said if unknown(text))
    if not list(commands(row.command)):
        yield f"{row.line}: no command in its cell"
    for option in OPTION.findall(SPAN.sub("", row.how)):
        if said and all(option in unknown(f"{text} {option}") for text in said):
            yield f"{row.line}: no option {option}"


def wrong_names(row: Row) -> Iterator[str]:
    named = marks(row)
    yield from (f"{row.line}: no {kind} {name}" for kind, name in named if not KINDS[kind](name))
    recovered = [one for one in RECOVERS.findall(row.command) if one in FILE["scenarios"]]
    for kind, name in named:
        if kind == "step" and recovered and not any(name in steps(one) for one in recovered):
            yield f"{row.line}: no step {name} in {', '.join(recovered)}"
    left = set(SPAN.findall(row.how)) - {name for _, name in named} - set(commands(row.how))
    yield from (f"{row.line}: `{name}` is of no kind" for name in sorted(left))


def looked_at(row: Row) -> set[str]:
    """The checks that the commands of a row run."""
    said = " ".join(commands(f"{row.command} {row.how}"))
    lists = [one for name, one in FILE["checklists"].items() if re.search(rf"uscdr verify (?:{name}|all)\b", said)]
    last = FILE["after_recovery"] if RECOVERS.search(said) else []
    return {*last, *(check for each in lists for item in each["items"] for check in item["checks"])}


def wrong_checks(row: Row) -> Iterator[str]:
    run = looked_at(row)
    for kind, name in marks(row):
        if kind == "check" and name in FILE["checks"] and name not in run:
            yield f"{row.line}: no command of it runs check {name}"


def faults(text: str) -> list[str]:
    """What is wrong with the page."""
    found = rows(text)
    times = Counter(row.line for row in found)
    wrong = [f"{line}: no row" for line in LINES if line not in times]
    wrong += [f"{line}: no such line" for line in times if line not in LINES]
    wrong += [f"{line}: {count} rows" for line, count in times.items() if count > 1]
    for row in found:
        if row.asks != LINES.get(row.line, row.asks):
            wrong.append(f"{row.line}: asks for something else")
        if not row.how:
            wrong.append(f"{row.line}: no word on how")
        wrong += [*wrong_commands(row), *wrong_names(row), *wrong_checks(row)]
    return wrong


def test_the_runbook_asks_for_187_things() -> None:
    assert len(LINES) == 187
    assert len(rows(PAGE.read_text())) == 187


def test_every_line_has_its_row_and_every_name_is_there() -> None:
    assert faults(PAGE.read_text()) == []


def test_every_box_of_the_checklists_names_all_of_its_checks() -> None:
    told = {row.asks: {name for kind, name in marks(row) if kind == "check"} for row in rows(PAGE.read_text())}
    boxes = {one["item"]: set(one["checks"]) for each in FILE["checklists"].values() for one in each["items"]}
    assert len(boxes) == 22
    assert {item: checks ^ told[item] for item, checks in boxes.items() if checks != told[item]} == {}


def test_every_exercise_and_supply_has_a_row() -> None:
    told = {mark for row in rows(PAGE.read_text()) for mark in marks(row)}
    wanted = {("exercise", name) for name in names_of("exercises")} | {
        ("supply", name) for name in names_of("supplies")
    }
    assert wanted - told == set()


ROW = "| 47 | `heroku pg:info` | `uscdr recover db --dry-run` | step `database.look` |"


@pytest.mark.parametrize(
    ("instead", "fault"),
    [
        ("", "47: no row"),
        (f"{ROW}\n{ROW}", "47: 2 rows"),
        (f"{ROW}\n{ROW.replace('47', '48')}", "48: no such line"),
        (ROW.replace("pg:info", "pg:ps"), "47: asks for something else"),
        (ROW.replace("`uscdr recover db --dry-run`", ""), "47: no command in its cell"),
        (ROW.replace("uscdr recover db --dry-run", "somebody looks"), "47: no command in its cell"),
        (ROW.replace("step `database.look`", ""), "47: no word on how"),
        (ROW.replace("recover db", "recover data"), "47: no command uscdr recover data --dry-run"),
        (ROW.replace("--dry-run", "--dry"), "47: no command uscdr recover db --dry"),
        (ROW.replace("step `", "`uscdr verify db --list` and --forever, step `"), "47: no option --forever"),
        (ROW.replace("database.look", "database.see"), "47: no step database.see"),
        (ROW.replace("database.look", "media.look"), "47: no step media.look in db"),
        (ROW.replace("step `database.look`", "checks `homepage`, `homepages`"), "47: no check homepages"),
        (ROW.replace("step `database.look`", "check `dynos`"), "47: no command of it runs check dynos"),
        (ROW.replace("step `database.look`", "exercise `marathon`"), "47: no exercise marathon"),
        (ROW.replace("step `database.look`", "supply `coffee`"), "47: no supply coffee"),
        (ROW.replace("step `database.look`", "action `sleep for 24 hours`"), "47: no action sleep for 24 hours"),
        (ROW.replace("step `database.look`", "question `blame`"), "47: no question blame"),
        (ROW.replace("step `database.look`", "template `users-farewell`"), "47: no template users-farewell"),
        (ROW.replace("step `database.look`", "config `vault.never`"), "47: no config vault.never"),
        (ROW.replace("step `database.look`", "look at `database.look`"), "47: `database.look` is of no kind"),
    ],
)
def test_a_fault_of_the_page_is_found(instead: str, fault: str) -> None:
    page = PAGE.read_text()
    assert page.count(ROW) == 1
    assert fault in faults(page.replace(ROW, instead))
