"""Every command and option that README and docs name is one that there is; every variable, too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from documented import alternatives, commands, unknown

ROOT = Path(__file__).parents[3]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])

NAMED = [(page.name, text) for page in PAGES for long in commands(page.read_text()) for text in alternatives(long)]
CASES = NAMED


def test_there_are_many() -> None:
    assert len(CASES) > 50


@pytest.mark.parametrize(("page", "text"), CASES)
def test_it_is_a_command(page: str, text: str) -> None:
    assert unknown(text) == (), f"{page}: {text}"


def test_a_wrong_one_is_found() -> None:
    assert unknown("uscdr recover everything") == ("everything",)
    assert unknown("uscdr recover app --releases v1") == ("--releases",)


def test_every_variable_of_the_environment_is_documented() -> None:
    code = ROOT / "src" / "uscdr"
    ours = [path for path in code.rglob("*.py") if path.relative_to(code).parts[0] != "sandbox"]
    source = "".join(path.read_text() for path in ours)
    read = set(re.findall(r"\bUSCDR_[A-Z_]*[A-Z]\b", source))
    said = (ROOT / "docs" / "configuration.md").read_text()
    internal = {name for name in read if f'"{name}"' not in source and f"'{name}'" not in source}
    assert sorted(name for name in read - internal if name not in said) == []
