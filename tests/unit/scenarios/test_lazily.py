"""Checks, steps and some sections are loaded when they are asked for; nothing acts on what was not validated."""

from __future__ import annotations

import inspect
import json
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

import uscdr
from uscdr.checks import registry as checks
from uscdr.checks.check import CheckSpec
from uscdr.cli import main
from uscdr.errors import ConfigError, ExitCode
from uscdr.events import Bus
from uscdr.exercises.basis import Basis
from uscdr.journal.runs import new_run_id
from uscdr.journal.writer import JournalWriter
from uscdr.lazily import Later, imported
from uscdr.models.base import Destination, Fact
from uscdr.models.events import RunStarted
from uscdr.redaction import Redactor
from uscdr.scenarios import registry as steps
from uscdr.scenarios.config import LATER, LATER_DESTINATIONS, Config
from uscdr.scenarios.config_file import load_config, packaged
from uscdr.scenarios.loader import ASKS_APPLICATION, load
from uscdr.scenarios.steps.application import CheckApplication

GOOD = packaged().read_text()
BAD_CHECK = GOOD.replace("\nchecks:\n", "\nchecks:\n  odd: {kind: http, path: nowhere}\n", 1)
BAD_SECTION = GOOD.replace("\nmasking:\n", "\nmasking:\n  zzz: 1\n", 1)
BAD_STEP = GOOD.replace("use: media.look", "use: media.loook", 1)
Captured = pytest.CaptureFixture[str]


def test_every_step_is_there_under_its_name() -> None:
    assert {name: steps.STEPS[name].name for name in steps.STEPS} == {name: name for name in steps.STEPS}
    for name, pipeline in steps.PIPELINES.items():
        assert all(steps.STEPS[step.name].name == step.name for step in pipeline), name
    assert {name: steps.OPERATIONS[name].title != "" for name in steps.OPERATIONS} == dict.fromkeys(
        ("capture", "schedule", "prune"), True
    )
    assert CheckApplication.name == ASKS_APPLICATION


def test_every_kind_is_there_under_its_name_with_what_runs_it() -> None:
    for kind, spec in checks.SPECS.items():
        assert issubclass(spec, CheckSpec)
        assert get_args(spec.model_fields["kind"].annotation) == (kind,)
        assert not inspect.isabstract(spec)


def test_the_fields_of_checks_that_decide_where_things_go_are_told_without_loading_them() -> None:
    marked = {
        kind: {name for name, one in spec.model_fields.items() if any(isinstance(m, Destination) for m in one.metadata)}
        for kind, spec in checks.SPECS.items()
    }
    assert {kind: names for kind, names in marked.items() if names} == checks.DESTINATIONS
    for kind, names in checks.DESTINATIONS.items():
        assert {checks.SPECS[kind].model_fields[name].alias for name in names} == {None}


def test_a_place_that_is_not_there_is_an_error_of_the_import() -> None:
    for place in ("uscdr.nowhere:X", "uscdr.lazily:nothing"):
        with pytest.raises((ImportError, AttributeError)):
            imported(place)


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    monkeypatch.setenv("USCDR_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("HEROKU_API_KEY", "k")

    def write(text: str) -> Path:
        assert text != GOOD
        path = tmp_path / "scenarios.yaml"
        path.write_text(text)
        return path

    return write


def test_a_wrong_check_is_said_by_whoever_asks_for_a_check(written: Callable[[str], Path]) -> None:
    path = written(BAD_CHECK)
    with pytest.raises(
        ConfigError, match=r"scenarios\.yaml:\d+:\d+: `checks.odd.path` does not have the required form"
    ):
        load(path)
    config = load(path, lazily=True).config
    assert "odd" in config.checks
    assert config.scenarios["dns"].steps
    for name in ("odd", "homepage"):
        with pytest.raises(ConfigError, match=r"`checks\.odd\.path` does not have the required form"):
            _ = config.checks[name]
    with pytest.raises(ConfigError):
        config.checks.values().__iter__().__next__()


def test_a_wrong_step_is_said_by_whoever_asks_for_its_scenario(written: Callable[[str], Path]) -> None:
    path = written(BAD_STEP)
    with pytest.raises(ConfigError, match=r"there is no step `media.loook`"):
        load(path)
    config = load(path, lazily=True).config
    assert config.scenarios["db"].steps
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"scenarios\.yaml:\d+:\d+: there is no step `media.loook`"):
            _ = config.scenarios["media"]
    assert config.checks["homepage"].kind == "http"


WITHOUT_CHECKS = """\
version: 1
objectives: {rpo: 4h, rto: 2h}
app: {name: usc-pis}
targets: {production: {heroku: {app: usc-pis}}}
scenarios: {dns: {title: Domain, budget: {assess: 10m, recover: 60m}, steps: [{use: dns.rollback}]}}
"""


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("after_recovery: [home]", "there is no check `home`; there are: "),
        ("checks: [a]", "`checks` must be a mapping"),
        ("checks:", "`checks` must be a mapping"),
        ("checks: {a: 1}", "`checks.a` must be a mapping with a `kind`"),
        ("checks: {a: {kind: [http]}}", "`checks.a` needs a `kind`, one of: addons, "),
        ("checks: {a: {kind: http, x: 1, path: /}, b: {kind: dynos, y: 1}}", "`x` is not known here; allowed: "),
        ("checks: {a: {kind: manual, question: Well?}}", "no checklist names the check `a`"),
        ("checks: {a: {kind: tls, hostnames: 1}}", "`checks.a.hostnames` should be a list"),
    ],
)
def test_without_checks_nothing_names_one(written: Callable[[str], Path], more: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(written(f"{WITHOUT_CHECKS}{more}\n"))
    assert f": {words}" in refused.value.message


@pytest.mark.parametrize("lazily", [False, True])
def test_whatever_part_is_asked_for_every_error_is_said(written: Callable[[str], Path], lazily: bool) -> None:
    path = written(f"{WITHOUT_CHECKS}checks: {{a: {{kind: dynos, x: 1}}, b: {{kind: http}}}}\nmasking: {{zzz: 1}}\n")
    with pytest.raises(ConfigError) as refused:
        _ = load(path, lazily=lazily).config.masking
    places = [line.removeprefix(f"{path}:").split(": ")[0] for line in refused.value.message.splitlines()]
    assert places == ["6:10", "6:27", "6:34", "6:34", "7:11"]


REVIEW = "{name: a, title: A, every: yearly, done_by: record}"
DATES = "version: '1', in_force: 2026-01-01, last_review: 2026-01-01, next_review: 2027-01-01"
WRONG = {
    "impact": ("impact: {criticality: x, zzz: 1}", "6:26: `zzz` is not known here; allowed: concerns, criticality."),
    "exercises": (f"exercises: [{REVIEW}, {REVIEW}]", "6:1: `exercises`: the name 'a' is taken; give it another one."),
    "supplies": (
        f"exercises: [{REVIEW}]\nsupplies: [{{name: a, title: B}}]",
        "7:1: `supplies`: the name 'a' is taken; give it another one.",
    ),
    "document": (
        f"exercises: [{REVIEW}]\ndocument: {{{DATES}, reviews: [b]}}",
        "7:1: `document`: `reviews` names 'b', which is no exercise with `done_by: record`.",
    ),
    "communication": (
        "communication: {first: 5s}",
        "6:17: `communication.first` should be greater than or equal to 60.",
    ),
    "incident": ("incident: {review: [{id: a}]}", "6:21: `incident.review.0.question` is missing."),
    "masking": ("masking: {columns: 1}", "6:11: `masking.columns` should be a valid dictionary."),
}
"""By section: a mistake in it, and what is said of it."""


@pytest.mark.parametrize("name", LATER)
def test_a_mistake_in_a_section_is_said_by_whoever_asks_for_it(written: Callable[[str], Path], name: str) -> None:
    text, words = WRONG[name]
    path = written(f"{WITHOUT_CHECKS}{text}\n")
    with pytest.raises(ConfigError) as whole:
        load(path)
    assert whole.value.message == f"{path}:{words}"
    config = load(path, lazily=True).config
    for other in (one for one in LATER if name not in (one, *LATER[one])):
        getattr(config, other)
    for _ in range(2):
        with pytest.raises(ConfigError) as asked:
            getattr(config, name)
        assert asked.value.message == whole.value.message


def test_sections_that_are_asked_for_are_those_of_a_whole_load(written: Callable[[str], Path]) -> None:
    for path in (packaged(), written(WITHOUT_CHECKS)):
        whole, asked = load(path).config, load(path, lazily=True).config
        assert not LATER.keys() & vars(asked).keys()
        assert {name: getattr(asked, name) for name in LATER} == {name: getattr(whole, name) for name in LATER}
        assert LATER.keys() <= vars(asked).keys()
        assert not hasattr(asked, "nothing")


def test_what_a_drill_showed_does_not_depend_on_how_the_file_was_loaded() -> None:
    whole, asked = load(packaged()).config, load(packaged(), lazily=True).config
    assert Basis.of(asked, "db") == Basis.of(whole, "db")


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, Later):
        yield annotation.model()
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models_in(inner)


def decides(model: type[BaseModel], name: str) -> bool:
    """Whether the field, or any below it, may decide where something goes."""
    field = model.model_fields[name]
    marked = any(isinstance(one, Destination) for one in field.metadata)
    return marked or any(decides(one, each) for one in models_in(field.annotation) for each in one.model_fields)


def test_the_fields_of_sections_that_decide_where_things_go_are_told_without_loading_them() -> None:
    found = {
        section: {name for one in models_in(Config.model_fields[section].annotation) for name in one.model_fields
                  if decides(one, name)}
        for section in LATER
    }  # fmt: skip
    assert {section: names for section, names in found.items() if names} == LATER_DESTINATIONS
    assert all(name in Config.model_fields for name in (*LATER, *(one for others in LATER.values() for one in others)))


def test_a_section_that_decides_where_things_go_is_validated_at_once(written: Callable[[str], Path]) -> None:
    chat = "communication: {channels: {chat: {kind: status_file, audience: team, path: /srv/status.json}}}\n"
    path = written(f"{WITHOUT_CHECKS}{chat}")
    found = load_config(path, {}, lazily=True)
    assert [one.key for one in found.decides] == ["communication.channels.chat.path"]
    assert found.decides == load_config(path, {}).decides
    with pytest.raises(ConfigError, match=r"6:28: `communication.channels.chat.kind` should be "):
        load(written(f"{WITHOUT_CHECKS}{chat.replace('status_file', 'other')}"), lazily=True)


def test_where_things_go_is_known_although_nothing_was_validated(written: Callable[[str], Path]) -> None:
    text = GOOD.replace("{kind: tls, days: 14}", "{kind: tls, hostnames: [elsewhere.example]}")
    loaded = load_config(written(text), {}, lazily=True)
    assert [one.key for one in loaded.decides] == ["checks.certificate.hostnames"]


@pytest.mark.parametrize(
    ("text", "words", "goes_on", "stops"),
    [
        (
            BAD_CHECK,
            "`checks.odd.path` does not have the required form",
            ["runbook db", "runbook"],
            ["verify --list", "watch"],
        ),
        (BAD_STEP, "there is no step `media.loook`", ["runbook db", "verify --list"], ["runbook", "runbook media"]),
        (BAD_SECTION, "`zzz` is not known here", ["runbook db", "verify --list"], ["watch"]),
        (
            GOOD.replace("\nimpact:\n", "\nimpact:\n  zzz: 1\n", 1),
            "`zzz` is not known here",
            ["verify --list"],
            ["runbook db"],
        ),
    ],
)
def test_what_only_shows_goes_on_beside_a_mistake_elsewhere(
    written: Callable[[str], Path], capsys: Captured, text: str, words: str, goes_on: list[str], stops: list[str]
) -> None:
    given = ["--config", str(written(text))]
    for command in goes_on:
        assert main.run([*given, *command.split()]) == ExitCode.DONE, command
    for command in (*stops, "recover db --dry-run", "dns rollback", "verify db", "backup capture", "backup prune"):
        capsys.readouterr()
        code = main.run([*given, *command.split()])
        said = capsys.readouterr().err
        assert (code, words in said) == (ExitCode.BAD_INPUT, True), (command, said)


def loaded_by(*arguments: str) -> set[str]:
    """The modules that a command loads in a process of its own. No provider answers it."""
    script = (
        "import json, sys; from uscdr.cli import main; code = main.run(sys.argv[1:]);"
        "loaded = (name for name, one in sys.modules.items() if getattr(one, '__spec__', None));"
        "print(json.dumps([code, *loaded]), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=120, check=True
    )
    code, *modules = json.loads(done.stderr.splitlines()[-1])
    assert code in (ExitCode.DONE, ExitCode.FAILED), done.stderr
    return set(modules)


def beginning(modules: set[str], *names: str) -> list[str]:
    return sorted(one for one in modules if one.startswith(names))


LIBRARIES = ("psycopg", "cloudinary", "dns.", "redis", "obstore", "ruamel", "jinja2", "psutil")
"""Of the adapters; dear."""
NETWORK = ("httpcore", "tenacity", "uscdr.providers.heroku.client")
STEPS, KINDS, SANDBOX = "uscdr.scenarios.steps", "uscdr.checks.kinds", "uscdr.sandbox"
RUNS = ("uscdr.engine.run", "uscdr.journal.writer", "uscdr.commands.recover")
ADAPTERS = ("uscdr.wiring.adapters", "uscdr.shared")
SECTIONS = ("uscdr.scenarios.config_incident", "uscdr.scenarios.config_channels", "uscdr.scenarios.config_page",
            "uscdr.scenarios.config_masking", "idna")  # fmt: skip
RUNBOOKS = ("uscdr.scenarios.config_document", "uscdr.scenarios.config_exercises")
EVENTS = ("uscdr.models.events", "uscdr.models.forecast", "socket")
WRITERS = ("uscdr.pgserver", "uscdr.shared", "uscdr.store.lease", "uscdr.store.encryption")
"""What writes copies or proofs needs, and no list."""
OTHERS = {
    "runs list": (*NETWORK, STEPS, KINDS, "yaml", "uscdr.report", "uscdr.wiring"),
    "runs show": (*NETWORK, STEPS, KINDS, "yaml", "uscdr.wiring", "uscdr.scenarios"),
    "runbook dns": (*NETWORK, *RUNS, KINDS, f"{STEPS}.media", f"{STEPS}.restore", *ADAPTERS, *SECTIONS),
    "runbook db": (*NETWORK, *RUNS, f"{KINDS}.domain", f"{STEPS}.media", *ADAPTERS, *SECTIONS, *EVENTS),
    "verify --list": (
        *NETWORK,
        *RUNS,
        STEPS,
        "uscdr.engine",
        *ADAPTERS,
        *SECTIONS,
        *RUNBOOKS,
        *EVENTS,
        "uscdr.models.media",
        "uscdr.models.postgres",
        "uscdr.models.migrations",
    ),
    "backup list": (*RUNS, STEPS, KINDS, *WRITERS, "uscdr.kit", *SECTIONS[:-1], *RUNBOOKS),
    "backup status": (*RUNS, STEPS, KINDS, *WRITERS, "uscdr.kit", *SECTIONS[:-1], *RUNBOOKS),
    "backup prove b001 --to STATE": (*RUNS, "uscdr.commands.run", "uscdr.commands.operate"),
    "drill list": (*NETWORK, *RUNS, STEPS, KINDS, *ADAPTERS, "icalendar", "uscdr.drills", "uscdr.kit"),
    "kit list --to STATE": (*NETWORK, *RUNS, STEPS, KINDS, "yaml", *ADAPTERS),
    "kit card --help": (*NETWORK, *RUNS, "uscdr.scenarios", "uscdr.checks", "pydantic"),
    "recover db --help": (*NETWORK, *RUNS, "uscdr.scenarios.config", "uscdr.checks", "pydantic"),
}
"""Twelve commands, and what is another's."""
OWN = {
    "runs list": {"uscdr.commands.runs", "uscdr.journal.reader"},
    "runs show": {"uscdr.commands.runs", "uscdr.report.summary"},
    "runbook dns": {"uscdr.report.runbook", "uscdr.scenarios.steps.dns_switch"},
    "runbook db": {"uscdr.report.runbook", "uscdr.scenarios.steps.restore"},
    "verify": {"uscdr.scenarios.checks", "uscdr.checks.kinds.http"},
    "backup list": {"uscdr.commands.backup", "uscdr.wiring.adapters"},
    "backup status": {"uscdr.commands.backup", "uscdr.wiring.adapters"},
    "backup prove b001": {"uscdr.commands.backup_copies", "uscdr.backups.proving"},
    "drill list": {"uscdr.commands.exercises", "uscdr.exercises.records"},
    "kit list": {"uscdr.commands.kit_list", "uscdr.kit.find"},
    "kit card": {"uscdr.cli.kit"},
    "recover db": {"uscdr.cli.recover"},
}
"""And what each does use."""


def begin_a_run(state: Path) -> None:
    run = new_run_id("db")
    journal = JournalWriter.create(state / "runs" / run)
    bus = Bus(run, Redactor())
    bus.add_ledger(journal)
    bus.emit(RunStarted(scenario="db", target="t", app="a", request={}, version="0", user="u", host="h",
                        scenario_digest="0", rto_seconds=1, rpo_seconds=1))  # fmt: skip
    journal.close()


@pytest.mark.parametrize("command", OTHERS)
def test_a_command_loads_nothing_of_another(written: Callable[[str], Path], tmp_path: Path, command: str) -> None:
    path = written(GOOD.replace("heroku: {app: usc-pis}", "heroku: {app: usc-pis, api_url: 'http://127.0.0.1:9'}", 1))
    begin_a_run(tmp_path / "state")
    words = [str(tmp_path / "state") if word == "STATE" else word for word in command.split()]
    given = [] if command == "runs list" else ["--config", str(path)]
    found = loaded_by(*given, *words)
    assert beginning(found, *LIBRARIES, SANDBOX, *OTHERS[command]) == []
    assert OWN[command.rpartition(" --")[0] or command] <= found


def test_every_model_can_be_made_when_it_is_first_used() -> None:
    """What a field names must be there then, or the model could never be used."""
    for one in pkgutil.walk_packages(uscdr.__path__, "uscdr."):
        if not one.name.startswith(("uscdr.sandbox", "uscdr.__main__")):
            import_module(one.name)
    pending: list[type[BaseModel]] = [Fact]
    while pending:
        model = pending.pop()
        model.model_rebuild()
        assert model.__pydantic_complete__, model
        pending += model.__subclasses__()


def test_importing_the_registries_imports_no_step_and_no_kind() -> None:
    script = "import json, sys, uscdr.scenarios.loader; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    found: Any = set(json.loads(done.stdout))
    assert beginning(found, "uscdr.scenarios.steps", "uscdr.checks.kinds", "uscdr.scenarios.results.db") == []
