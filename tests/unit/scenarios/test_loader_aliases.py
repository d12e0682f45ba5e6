"""A few lines of aliases may stand for more than any memory holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from uscdr.errors import ConfigError
from uscdr.scenarios.loader import load

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
