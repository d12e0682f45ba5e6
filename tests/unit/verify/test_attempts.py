"""Refused attempts are counted over all runs of this machine, so that checks lock nobody out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

import uscdr.verify.attempts as module
from uscdr.errors import MachineError, ProviderError
from uscdr.models.web import WebAnswer
from uscdr.verify.attempts import Attempts, Limit
from uscdr.verify.kinds.http import HttpCheck, run
from uscdr.verify.verdict import Finding
from uscdr.verify.world import World

LIMIT = Limit.model_validate({"times": 5, "within": "15m", "of": "logins"})
START = datetime(2026, 11, 28, 9, tzinfo=UTC)
FORM = {
    "kind": "http", "path": "/login/", "method": "POST", "json_body": {}, "status": 400,
    "limit": {"times": 5, "within": "15m", "of": "logins"},
}  # fmt: skip


@dataclass
class Clock:
    at: datetime = START

    def __call__(self) -> datetime:
        return self.at

    def later(self, **much: float) -> None:
        self.at += timedelta(**much)


def test_the_last_attempt_is_left_to_people_and_the_window_slides(tmp_path: Path) -> None:
    clock = Clock()
    for number in range(4):
        book = Attempts(tmp_path, "a place", clock)  # as the next run opens it
        assert book.spent("/login/", LIMIT) == "", number
        book.note("/login/")
        clock.later(minutes=1)
    assert book.spent("/login/", LIMIT).startswith("4 of 5 logins used in 15 min")
    clock.later(minutes=10, seconds=59)
    assert book.spent("/login/", LIMIT)
    clock.later(seconds=2)
    assert book.spent("/login/", LIMIT) == ""


def test_other_paths_and_places_have_counts_of_their_own(tmp_path: Path) -> None:
    clock = Clock()
    book = Attempts(tmp_path, "a place", clock)
    for _ in range(4):
        book.note("/login/")
    assert book.spent("/register/", LIMIT) == ""
    assert Attempts(tmp_path, "another place", clock).spent("/login/", LIMIT) == ""
    assert book.spent("/login/", LIMIT)


def test_a_line_that_was_cut_off_counts_as_none(tmp_path: Path) -> None:
    book = Attempts(tmp_path, "a place", Clock())
    book.note("/login/")
    (file,) = (tmp_path / "attempts").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text(file.read_text() + "2026-11-28T09:0\n\nnonsense /login/\n2026-11-28T09:00:00 /login/\n")
    assert book.spent("/login/", replace_times(2)).startswith("1 of 2")


def replace_times(times: int) -> Limit:
    return LIMIT.model_copy(update={"times": times})


def test_a_large_book_forgets_what_is_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGE", 1000)
    clock = Clock()
    book = Attempts(tmp_path, "a place", clock)
    for _ in range(100):
        book.note("/login/")
        clock.later(hours=1)
    (file,) = (tmp_path / "attempts").iterdir()
    assert file.stat().st_size < 49 * 60
    clock.later(hours=-1)
    assert book.spent("/login/", replace_times(2)).startswith("1 of 2")


def refuse() -> str:
    raise ProviderError("The check account could not sign in (status 401).", provider="the application")


def test_a_wrong_password_is_not_tried_until_people_are_locked_out(tmp_path: Path) -> None:
    clock = Clock()
    for _ in range(4):
        with pytest.raises(ProviderError, match="status 401"):
            Attempts(tmp_path, "a place", clock).login("/login/", LIMIT, refuse)
    book = Attempts(tmp_path, "a place", clock)
    with pytest.raises(ProviderError, match="4 of 5 logins used"):
        book.login("/login/", LIMIT, lambda: pytest.fail("sent"))
    assert book.spent("/login/", LIMIT)
    clock.later(minutes=16)
    assert book.login("/login/", LIMIT, lambda: "token") == "token"


def test_a_right_password_uses_nothing_up_and_is_sent_beside_spent_empty_forms(tmp_path: Path) -> None:
    book = Attempts(tmp_path, "a place", Clock())
    for _ in range(9):
        assert book.login("/login/", LIMIT, lambda: "token") == "token"
    assert book.spent("/login/", LIMIT) == ""
    for _ in range(4):
        book.note("/login/")
    assert book.login("/login/", LIMIT, lambda: "token") == "token"


@dataclass
class Login:
    """An application that counts, as it does: after five it refuses everybody behind the address."""

    status: int = 400
    asked: int = 0

    def ask(self, method: str, path: str, **more: Any) -> WebAnswer:
        self.asked += 1
        return WebAnswer(status=self.status)


@dataclass
class _World:
    attempts: Attempts | None
    site: Login = field(default_factory=Login)

    def website(self) -> Login:
        return self.site

    def before(self, name: str) -> dict[str, Any]:
        return {}


def check(world: _World) -> Finding:
    return run("login", HttpCheck.model_validate(FORM), cast("World", world))


def test_a_check_over_the_limit_is_not_checked_and_sends_nothing(tmp_path: Path) -> None:
    clock = Clock()
    world = _World(Attempts(tmp_path, "a place", clock))
    found = [check(world).verdict for _ in range(8)]
    assert found == ["pass"] * 4 + ["not checked"] * 4
    assert world.site.asked == 4
    assert "4 of 5 logins used in 15 min" in check(world).evidence
    clock.later(minutes=16)
    assert check(world).verdict == "pass"


def test_refused_answers_count_and_429_is_no_pass(tmp_path: Path) -> None:
    world = _World(Attempts(tmp_path, "a place", Clock()), Login(status=429))
    found = [check(world) for _ in range(5)]
    assert [one.verdict for one in found] == ["inconclusive"] * 4 + ["not checked"]
    assert "429" in found[0].evidence


def test_a_round_that_sends_no_form_has_no_book(tmp_path: Path) -> None:
    world = _World(None)
    assert check(world).verdict == "pass"  # the transport would have refused it
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_counted_is_not_sent(tmp_path: Path) -> None:
    book = Attempts(tmp_path, "a place", Clock())
    book.note("/login/")
    (file,) = (tmp_path / "attempts").iterdir()
    file.unlink()
    file.mkdir()
    world = _World(book)
    with pytest.raises(MachineError, match="cannot be counted"):
        check(world)
    assert world.site.asked == 0
