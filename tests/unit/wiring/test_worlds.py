"""What checks are given to look at: of which application, and what it may send."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretStr

from fakes import FakePlatform
from fakes import World as Provider
from given import GivenAdapters
from rehearsal import Rehearsal
from uscdr.checks.baseline import Baseline
from uscdr.checks.context import CheckContext, Sends
from uscdr.errors import WriteRefused
from uscdr.models.heroku import App
from uscdr.scenarios.adapters import CheckAccount, PastRuns, Request
from uscdr.wiring.checks import CheckContexts

ACCOUNT = CheckAccount("checks@example.org", SecretStr("password"))
CLOSED = "http://127.0.0.1:9"
"""A port where nobody answers."""


class Platform(FakePlatform):
    """Applications at addresses of their own."""

    def app(self, app: str) -> App:
        return App(id=app, name=app, maintenance=False, web_url=f"{CLOSED}/{app}")


@contextmanager
def opened(state: Path, sends: Sends, app: str | None = None) -> Iterator[CheckContext]:
    run = Rehearsal(state, request=Request("infra", app=app))
    target = run.target()
    services = target.services.model_copy(update={"web": "https://old.example"})
    form = {"kind": "http", "path": "/form", "method": "POST", "json_body": {}, "status": 400}
    checks = {"form": type(run.config.checks["homepage"]).model_validate(form)}
    config = target.config.model_copy(update={"checks": checks})
    target = replace(target, services=services, config=config, account=ACCOUNT)
    context = run.process().on(target, run.request, "r-1", dry_run=False)
    given = GivenAdapters(
        platform=Platform(Provider()), backups=None, provisioning=None, dns=None, source=None, work=state,
        memory=PastRuns({}, frozenset()),
    )  # fmt: skip
    with CheckContexts(context, given).open(sends) as world:
        yield world


def key(app: str) -> str:
    return f"https://api.heroku.com {app}"


def test_a_dry_run_sends_no_form_and_no_login(quick: Path) -> None:
    with opened(quick, "reads", "new-place") as world:
        with pytest.raises(WriteRefused):
            world.website().ask("POST", "/form", json_body={})
        with pytest.raises(WriteRefused):
            world.token()
        assert world.writable is None


@pytest.mark.parametrize(("sends", "writable"), [("forms", False), ("writes", True)])
def test_writes_need_permission(quick: Path, sends: Sends, writable: bool) -> None:
    with opened(quick, sends) as world:
        assert (world.writable is not None) is writable
        with pytest.raises(WriteRefused):
            world.website().ask("POST", "/other", json_body={})


def test_the_new_application_is_looked_at_where_it_is_reached(quick: Path) -> None:
    with opened(quick, "forms", "new-place") as world:
        assert (world.app, world.facts.name) == ("new-place", "new-place")
        assert cast("Any", world.website())._address == f"{CLOSED}/new-place"
    with opened(quick, "forms") as world:
        assert (world.app, cast("Any", world.website())._address) == ("usc-pis", "https://old.example")


def test_each_application_has_the_baseline_of_its_own(quick: Path) -> None:
    (Baseline(key=key("usc-pis"), taken_at="2026-11-25T09:00:00Z", run="r")).save(quick)  # type: ignore[arg-type]
    with opened(quick, "forms") as world:
        assert world.baseline is not None
    with opened(quick, "forms", "new-place") as world:
        assert world.baseline is None
