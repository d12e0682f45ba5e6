"""A few lines of aliases may stand for more than any memory holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from uscdr.errors import ConfigError
from uscdr.scenarios.loader import load
from uscdr.scenarios.yaml_tree import parse

LAUGHS = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10))]
)


@pytest.mark.parametrize("text", [LAUGHS, "version: 1\nself: &self [*self]\n"])
def test_aliases_without_bounds_are_refused_at_once(text: str, tmp_path: Path) -> None:
    path = tmp_path / "scenarios.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(path) in caught.value.message
    assert "aliases" in caught.value.message


def test_aliases_do_not_nest_deeper_than_brackets(tmp_path: Path) -> None:
    path = tmp_path / "scenarios.yaml"
    text = f"a: &a {'[' * 30}1{']' * 30}\nb: {'[' * 8}*a{']' * 8}\n"
    path.write_text(text)
    assert parse(path, text.encode()).value["b"][0][0][0] != []
    text = text.replace("b: ", "b: [").replace("*a]", "*a]]")
    with pytest.raises(ConfigError, match=r"2:13: it is nested too deeply when `\*a` is expanded"):
        parse(path, text.encode())
