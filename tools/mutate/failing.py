"""A plugin of pytest: writes down which tests fail, as they do, in the file that `FAILING` names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

VARIABLE = "FAILING"


def _note(node: str) -> None:
    with Path(os.environ[VARIABLE]).open("a") as file:
        file.write(node + "\n")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A test, or what it stands on, failed."""
    if report.failed:
        _note(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A module could not be read."""
    if report.failed:
        _note(report.nodeid)
