"""All that is wrong with a scenarios.yaml is said at once: a line for each error, in the order of the file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from uscdr.errors import ConfigError
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.loader import load

GOOD = packaged().read_text()
SPOILT = {
    "a duration": ("  rpo: ", "  rpo: 5x #"),
    "an unknown key on top": ("\nobjectives:", "\nobjektives: 1\nobjectives:"),
    "a type": ("singletons: [beat]", "singletons: beat"),
    "a check": ("\nchecks:\n", "\nchecks:\n  odd: {kind: http, path: nowhere}\n"),
    "a lazy section": ("\nmasking:\n", "\nmasking:\n  zzz: 1\n"),
    "a step": ("use: media.look", "use: media.loook"),
    "a parameter": ("with: {enabled: true}", "with: {enabled: 3}"),
}


def spoilt(*names: str) -> str:
    text = GOOD
    for name in names:
        old, new = SPOILT[name]
        assert old in text, name
        text = text.replace(old, new, 1)
    return text


def refused(path: Path, text: str, *, lazily: bool = False) -> ConfigError:
    path.write_text(text)
    with pytest.raises(ConfigError) as found:
        load(path, lazily=lazily)
    return found.value


FIVE = ("a duration", "an unknown key on top", "a check", "a lazy section", "a step")


@pytest.mark.parametrize("lazily", [False, True])
def test_five_errors_of_five_kinds_are_five_lines_in_the_files_order(tmp_path: Path, lazily: bool) -> None:
    path = tmp_path / "clinic.yaml"
    error = refused(path, spoilt(*FIVE), lazily=lazily)
    lines = error.message.splitlines()
    found = [re.match(rf"{re.escape(str(path))}:(\d+):(\d+): (.*)$", line) for line in lines]
    assert all(found), lines
    at = [(int(one[1]), int(one[2])) for one in found if one]
    assert at == sorted(at)
    text = path.read_text().splitlines()
    for line, wanted in (
        ("objektives", "`objektives` is not known here; allowed: "),
        ("rpo: 5x", "90s"),
        ("odd:", "`checks.odd.path` does not have the required form"),
        ("zzz", "`zzz` is not known here; allowed: "),
        ("media.loook", "there is no step `media.loook`; there are: "),
    ):
        number = next(number for number, one in enumerate(text, 1) if line in one)
        assert any(one.startswith(f"{path}:{number}:") and wanted in one for one in lines), (line, lines)
    # and that nothing names the new check
    assert len(lines) == len(FIVE) + 1
    assert [one.line for one in error.faults] == [line for line, _ in at]
    assert "scenarios.yaml" not in f"{error.message}{error.next_action}"
    assert f"uscdr config check {path}" in error.next_action


@pytest.mark.parametrize("name", SPOILT)
def test_each_alone_is_told_by_its_own_sentence(tmp_path: Path, name: str) -> None:
    error = refused(tmp_path / "s.yaml", spoilt(name))
    assert len(error.message.splitlines()) == 1 + (name == "a check"), error.message


def test_of_many_errors_twenty_are_shown_and_the_others_counted(tmp_path: Path) -> None:
    error = refused(tmp_path / "s.yaml", GOOD + "".join(f"odd{number}: 1\n" for number in range(33)))
    lines = error.message.splitlines()
    assert len(lines) == 21
    assert lines[-1] == "and 13 more"
    assert len(error.faults) == 33


def test_what_only_follows_from_an_error_is_none(tmp_path: Path) -> None:
    """Without its checklists no check is named, without its exercises the document names none."""
    text = GOOD.replace("\nchecklists:\n", "\nchecklists:\n  odd: 1\n", 1)
    text = text.replace("\nexercises:\n", "\nexercises:\n  - 1\n", 1)
    assert text.count("odd: 1") == 1
    at = {one.line for one in refused(tmp_path / "s.yaml", text).faults}
    lines = text.splitlines()
    assert at == {lines.index("  - 1") + 1, lines.index("  odd: 1") + 1}


def test_a_scenario_that_is_wrong_itself_still_tells_of_its_steps(tmp_path: Path) -> None:
    text = spoilt("a step").replace("\n  media:\n", "\n  media:\n    titel: x\n", 1)
    lines = refused(tmp_path / "s.yaml", text).message.splitlines()
    assert len(lines) == 2
    assert "`titel` is not known here" in lines[0]
    assert "there is no step `media.loook`" in lines[1]


def test_bad_yaml_has_its_line_and_nothing_else(tmp_path: Path) -> None:
    error = refused(tmp_path / "s.yaml", "version: 1\nobjectives: {rpo: 4h\napp: {name: x}\n")
    assert re.search(r"s\.yaml:[23]:\d+: ", error.message)
    assert len(error.faults) == 1
