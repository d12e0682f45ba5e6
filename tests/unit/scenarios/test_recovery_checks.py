"""What a recovery asks the application: a dead one once, a living one whatever a login says, and when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import SecretStr

from rehearsal import configuration, seen_by_checks
from uscdr.checks.registry import SPECS
from uscdr.engine.wait import Stop
from uscdr.errors import Interrupted, ProviderError, WriteRefused
from uscdr.models.probes import WebAnswer
from uscdr.scenarios.adapters import Adapters
from uscdr.scenarios.checks import ask, ask_until_dead, calls, failing
from uscdr.scenarios.config import Config
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.loader import load

CHECKS: Mapping[str, Mapping[str, Any]] = {
    "profile": {"kind": "http", "path": "/me", "auth": True},
    "schedule": {"kind": "schedule"},
    "home": {"kind": "http", "path": "/"},
    "form": {"kind": "http", "path": "/form", "method": "POST", "json_body": {}, "status": 400},
}


def config() -> Config:
    checks = {name: SPECS[spec["kind"]].model_validate(spec) for name, spec in CHECKS.items()}
    return configuration().model_copy(update={"checks": checks, "after_recovery": tuple(checks)})


class Site:
    """Answers every page with one status, or raises; notes what was asked."""

    def __init__(self, answer: int | Exception) -> None:
        self._answer = answer
        self.asked: list[str] = []

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: SecretStr | None = None,
        json_body: Mapping[str, object] | None = None,
        empty_form: bool = False,
        once: bool = False,
    ) -> WebAnswer:
        self.asked.append(path)
        if isinstance(self._answer, Exception):
            raise self._answer
        return WebAnswer(status=400 if method == "POST" and self._answer == 200 else self._answer)

    def fetch(self, address: str) -> WebAnswer:
        return self.ask("GET", address)

    def sign_in(self, email: str, password: SecretStr) -> SecretStr:
        raise AssertionError("not asked for")


class Heard:
    """A `Tell` that remembers warnings."""

    def __init__(self) -> None:
        self.warned: list[str] = []

    def sending(self) -> None:
        pass

    def accepted(self, provider_id: str) -> None: ...
    def progress(self, note: str, done: float | None = None, total: float | None = None, unit: str = "") -> None: ...
    def warn(self, text: str) -> None:
        self.warned.append(text)

    def check(self, name: str, verdict: str, evidence: str) -> None: ...


def deps(site: Site, token: Callable[[], SecretStr | None] = lambda: SecretStr("token")) -> Adapters:
    world = replace(seen_by_checks(site), token=token)
    return cast("Adapters", SimpleNamespace(world=lambda: nullcontext(world), stop=Stop()))


def refuse() -> SecretStr | None:
    raise ProviderError("The application refused the check account's login (status 400).", provider="app")


def test_a_dead_application_is_asked_once() -> None:
    for answer in (503, ProviderError("The application could not be reached.", provider="app", retryable=True)):
        site = Site(answer)
        results = list(ask_until_dead(deps(site), config().application_checks(), Heard()))
        assert site.asked == ["/"]
        wrong, asked = failing(results)
        assert (list(wrong), asked) == (["home"], 1)
        assert {one.finding.verdict for one in results[1:]} == {"not checked"}
        assert "does not answer" in results[-1].finding.evidence


def test_what_is_wrong_with_one_page_speaks_for_no_other() -> None:
    site = Site(500)
    wrong, asked = failing(ask_until_dead(deps(site), config().application_checks(), Heard()))
    assert (list(wrong), asked, site.asked) == (["home", "form", "profile"], 3, ["/", "/form", "/me"])


def test_a_login_that_fails_is_no_fault_of_the_application() -> None:
    heard = Heard()
    found = list(ask_until_dead(deps(Site(200), refuse), config().application_checks(), heard))
    assert failing(found) == ({}, 2)
    assert (found[-1].check.name, found[-1].finding.verdict) == ("profile", "not checked")
    assert heard.warned == ["The application refused the check account's login (status 400)."]


def test_only_the_application_is_asked_what_is_wrong_with_it() -> None:
    assert [one.name for one in config().application_checks()] == ["profile", "home", "form"]
    assert [one.name for one in config().recovery_checks()] == list(CHECKS)


def test_a_post_that_a_dry_run_refuses_is_not_checked() -> None:
    refused = Site(WriteRefused("A dry run sends nothing.", provider="app"))
    (form,) = ask(deps(refused), [one for one in config().recovery_checks() if one.name == "form"], Heard())
    assert (form.finding.verdict, form.finding.evidence) == ("not checked", "a dry run sends no POST")


def test_an_operator_who_stops_it_is_told_how_it_goes_on() -> None:
    world = deps(Site(200))
    world.stop.event.set()
    with pytest.raises(Interrupted) as error:
        list(ask(world, config().recovery_checks(), Heard()))
    assert "uscdr runs resume" in error.value.next_action


def test_the_plan_names_what_will_be_asked() -> None:
    told = [(one.provider, one.request, one.writes) for one in calls(config().recovery_checks())]
    assert told == [
        ("app", "GET /me", False), ("platform", "check schedule", False), ("app", "GET /", False),
        ("app", "POST /form", False),
    ]  # fmt: skip


def test_before_the_switch_only_the_application_is_asked() -> None:
    steps = {entry.id or entry.use: entry.with_ for entry in load(packaged()).config.scenarios["infra"].steps}
    assert steps["check_new"] == {"only": "application"}
    assert steps["check_app"] == {}
