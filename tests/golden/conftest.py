"""Golden texts: compared as they are, rewritten with `pytest tests/golden --golden-update`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden-update", action="store_true", default=False, help="rewrite the golden texts")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    update = bool(request.config.getoption("--golden-update", default=False))

    def compare(name: str, text: str) -> None:
        path = HERE / "texts" / name
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path} is missing: look at the text, then --golden-update"
        assert text == path.read_text(encoding="utf-8")

    return compare


@pytest.fixture
def replay() -> Callable[[str], list[str]]:
    """The lines of an event file."""
    return lambda name: (HERE / "events" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
