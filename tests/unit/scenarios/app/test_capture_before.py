"""A capture before migrations is left out only when surely none is pending, in what runs and in what may follow."""

from __future__ import annotations

from typing import Any, cast

import pytest

from uscdr.engine.step import View
from uscdr.models.migrations import MigrationsVerdict
from uscdr.scenarios.adapters import Adapters
from uscdr.scenarios.results.app import AppSeen, Remedy
from uscdr.scenarios.steps.base import StepParams
from uscdr.scenarios.steps.capture import CaptureBefore, CaptureSeen


class _App:
    app = "usc-pis"


def verdict(pending: Any) -> MigrationsVerdict:
    if pending is None:
        return MigrationsVerdict(verdict="not checked")
    return MigrationsVerdict(verdict="pending" if pending else "same", pending=pending)


def _action(pending: Any, later: Any, then: Any, what: Any) -> str:
    view = View(thorough=False)
    view.remember(AppSeen(maintenance=False, releases=(), current=3, code=verdict(pending), ref_code=verdict(later)))
    view.remember(Remedy(what=what, why="it crashed", code=verdict(then)))
    step = CaptureBefore("before", cast("Adapters", _App()), StepParams())
    seen = CaptureSeen(addon_id="a", owner_app="usc-pis", newest_transfer=1, reachable=True)
    return step.plan(seen, view).kind


@pytest.mark.parametrize(
    ("pending", "later", "then", "what", "kind"),
    [
        ((), (), (), "rollback", "skip"),
        ((), ("patients.0003_phone",), (), "rollback", "change"),
        (("patients.0003_phone",), (), (), "rollback", "change"),
        ((), (), ("patients.0003_phone",), "rollback", "change"),
        ((), None, (), "rollback", "change"),
        (None, (), (), "rollback", "change"),
        ((), (), None, "rollback", "change"),
        ((), (), (), "migrate", "change"),
        ((), (), (), "redeploy", "change"),
    ],
)
def test_when_it_is_left_out(pending: Any, later: Any, then: Any, what: Any, kind: str) -> None:
    assert _action(pending, later, then, what) == kind
