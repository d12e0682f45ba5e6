"""A limit of requests keeps checks from being made: alone it makes no recovery fail, and it is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fakes import FakeWebsite
from rehearsal import Rehearsal, configuration
from uscdr.checks.kinds.http import HttpCheck
from uscdr.errors import ExitCode, RateLimited
from uscdr.models.probes import WebAnswer
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.loader import load

PAGES: dict[str, dict[str, Any]] = {
    "homepage": {"path": "/", "contains": ["id=\"root\""]},
    "dashboard": {"path": "/dashboard/"},
    "login": {"path": "/login/", "method": "POST", "json_body": {}, "status": 400},
}  # fmt: skip


def rehearsal(state: Path, monkeypatch: pytest.MonkeyPatch, *limited: str, broken: str = "") -> Rehearsal:
    real = FakeWebsite.ask

    def ask(site: FakeWebsite, method: str, path: str, **more: Any) -> WebAnswer:
        answer = real(site, method, path, **more)
        if answer.status == 200 and path in limited:
            raise RateLimited(f"{path}: 429, the application refused: too many requests", provider="the application")
        status = 500 if path == broken else 400 if method == "POST" else 200
        return answer.model_copy(update={"status": status}) if answer.status == 200 else answer

    monkeypatch.setattr(FakeWebsite, "ask", ask)
    checks = {name: HttpCheck.model_validate({"kind": "http", **spec}) for name, spec in PAGES.items()}
    config = configuration().model_copy(update={"checks": checks, "after_recovery": tuple(checks)})
    return Rehearsal(state, config=config)


def test_429_alone_does_not_make_a_good_recovery_fail_and_its_last_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = rehearsal(tmp_path, monkeypatch, "/login/", "/dashboard/")
    ending = run.begin()
    assert ending is not None
    assert (ending.code, ending.error) == (ExitCode.DONE, None)
    (finished,) = run.events("run.finished")
    assert finished["outcome"] == "done"
    assert "done and verified; not checked because of a rate limit: " in finished["summary"]
    assert "login: /login/: 429" in finished["summary"]
    assert "dashboard: /dashboard/: 429" in finished["summary"]
    told = {event["check"]: event["verdict"] for event in run.events("check.finished")}
    assert (told["homepage"], told["login"], told["dashboard"]) == ("pass", "not checked", "not checked")


def test_a_limit_hides_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = rehearsal(tmp_path, monkeypatch, "/login/", broken="/dashboard/")
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.CHECK_FAILED
    assert ending.error is not None
    assert "dashboard: status 500" in ending.error.message
    assert "429" not in ending.error.message.partition("checks passed")[0]


def test_an_application_that_answers_nothing_else_was_not_seen_to_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = rehearsal(tmp_path, monkeypatch, "/", "/login/", "/dashboard/")
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.CHECK_FAILED
    assert ending.error is not None
    assert "429" in ending.error.message


def test_nothing_limited_leaves_the_last_line_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = rehearsal(tmp_path, monkeypatch)
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert run.events("run.finished")[0]["summary"] == "Database corruption or loss: done and verified."


def test_what_is_counted_is_sent_at_the_end_of_a_recovery_alone() -> None:
    config = load(packaged()).config
    every = config.model_copy(update={"after_recovery": ("homepage", "login-refuses-empty")})
    assert [one.name for one in every.application_checks()] == ["homepage"]
    assert "login-refuses-empty" in [one.name for one in every.recovery_checks()]
    assert "login-refuses-empty" not in config.after_recovery
