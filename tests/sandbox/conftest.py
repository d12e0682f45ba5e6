"""Sandboxes shared by the tests of this directory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from live_sandbox import Live, start, stop, tiny_app
from newcomer import Newcomer
from uscdr.sandbox.boot.request import UpRequest
from uscdr.sandbox.daemon import PYTHON
from warm_python import WarmPython

os.environ.setdefault("USCDR_SANDBOX_STEADY", "2")  # a recovery's last look at the dynos; its own tests say otherwise


@pytest.fixture(scope="session", autouse=True)
def warm_python() -> Iterator[None]:
    """Dynos that need no start of Django; unless the environment names another interpreter."""
    if PYTHON in os.environ:
        yield
        return
    with WarmPython() as warm, pytest.MonkeyPatch.context() as patch:
        patch.setenv(PYTHON, str(warm.python))
        yield


@pytest.fixture(scope="session")
def tiny_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_app(tmp_path_factory.mktemp("tiny") / "app")


@pytest.fixture(scope="session")
def sandboxed(tiny_source: Path) -> Iterator[Live]:
    """A sandbox with a tiny app, for as many tests as there are."""
    live = start(UpRequest(app_source=str(tiny_source), url_lifetime=2.0))
    yield live
    stop(live)


@pytest.fixture(scope="session")
def media_site() -> Iterator[Live]:
    """A sandbox with the clinic and a number of files, for the tests of the media adapter and its scenario."""
    live = start(UpRequest(patients=40, assets=130))
    yield live
    stop(live)


@pytest.fixture
def live(sandboxed: Live) -> Iterator[Live]:
    """The shared sandbox, without faults, maintenance or scaling left by another test."""
    yield sandboxed
    sandboxed.control("DELETE", "faults")
    sandboxed.send("PATCH", f"/apps/{sandboxed.app}", {"maintenance": False})
    updates = [{"type": "web", "quantity": 1}, {"type": "worker", "quantity": 1}]
    sandboxed.send("PATCH", f"/apps/{sandboxed.app}/formation", {"updates": updates})


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Newcomer]:
    """Somebody with an empty HOME, who leaves no sandbox behind."""
    one = Newcomer(tmp_path)
    yield one
    one.type("uscdr sandbox down")
