"""What somebody counts is sent sparingly, over all runs of this machine, so that checks lock nobody out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

import uscdr.checks.attempts as module
from uscdr import files
from uscdr.checks.attempts import LOGINS, AttemptLimit, Attempts
from uscdr.checks.check import Check
from uscdr.checks.context import CheckContext
from uscdr.checks.kinds.http import HttpCheck
from uscdr.checks.run import look_at
from uscdr.checks.verdict import Finding
from uscdr.errors import MachineError, ProviderError, RateLimited
from uscdr.models.probes import WebAnswer

LIMIT = AttemptLimit.model_validate({"times": 5, "within": "15m", "of": "logins"})
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


@dataclass
class Login:
    """The application's login: five refused ones in 15 minutes, empty ones too, and it takes none of this address."""

    clock: Clock
    times: list[datetime] = field(default_factory=list)
    asked: int = 0
    limited: RateLimited | None = None

    def ask(self, method: str, path: str, **more: Any) -> WebAnswer:
        self.asked += 1
        if self.limited is not None:
            raise self.limited
        assert more["once"], "what is counted is not sent again"
        self.times.append(self.clock.at)
        return WebAnswer(status=400)

    def of_a_person(self) -> int:
        """What a right login of somebody behind the same address is answered."""
        recent = [one for one in self.times if self.clock.at - one < timedelta(minutes=15)]
        return 429 if len(recent) >= LIMIT.times else 200


@dataclass
class _World:
    attempts: Attempts | None
    site: Login

    def website(self) -> Login:
        return self.site

    def token(self) -> None:
        return None

    def before(self, name: str) -> dict[str, Any]:
        return {}


def check(world: _World, **more: Any) -> Finding:
    spec = HttpCheck.model_validate({**FORM, **more})
    (result,) = look_at(cast("CheckContext", world), [Check("login", spec, "http")], began=lambda _: None)
    return result.finding


def runs(tmp_path: Path, clock: Clock) -> Callable[[], tuple[Finding, Login]]:
    """Each call is a run of its own."""
    site = Login(clock)
    return lambda: (check(_World(Attempts(tmp_path, "a place", clock), site)), site)


def limited(**more: Any) -> Callable[[], Any]:
    def ask() -> Any:
        raise too_many(**more)

    return ask


def too_many(**more: Any) -> RateLimited:
    return RateLimited("/login/: 429, the application was asked too often", provider="the application", **more)


def test_a_night_of_checks_every_ten_minutes_is_checked_each_time_and_locks_nobody_out(tmp_path: Path) -> None:
    clock = Clock()
    run = runs(tmp_path, clock)
    for number in range(60):
        finding, site = run()
        assert (finding.verdict, site.of_a_person()) == ("pass", 200), (number, finding)
        clock.later(minutes=10)


@pytest.mark.parametrize("seconds", [0, 1, 30, 240])
def test_however_often_it_is_run_a_person_may_mistype_twice(tmp_path: Path, seconds: int) -> None:
    clock = Clock()
    run = runs(tmp_path, clock)
    for _ in range(40):
        _, site = run()
        for times in (site.times, [*site.times, clock.at, clock.at]):
            assert Login(clock, list(times)).of_a_person() == 200
        clock.later(seconds=seconds)


def test_half_is_left_to_people_and_the_window_slides(tmp_path: Path) -> None:
    clock = Clock()
    run = runs(tmp_path, clock)
    assert run()[0].verdict == "pass"
    clock.later(minutes=1)
    assert run()[0].verdict == "pass"
    finding, site = run()
    assert (finding.verdict, finding.limited, site.asked) == ("not checked", True, 2)
    assert finding.evidence == (
        "not sent: checks used 2 of 5 logins in 15 min; the others are reserved for users. "
        "The next one is free at 2026-11-28 09:15 UTC (/login/)"
    )
    clock.later(minutes=13, seconds=59)
    assert run()[0].verdict == "not checked"
    clock.later(seconds=2)
    assert run()[0].verdict == "pass"


def test_a_run_sends_one(tmp_path: Path) -> None:
    clock = Clock()
    world = _World(Attempts(tmp_path, "a place", clock), Login(clock))
    assert [check(world).verdict for _ in range(3)] == ["pass", "not checked", "not checked"]
    assert world.site.asked == 1
    assert "this run sent one" in check(world).evidence


def test_two_at_once_do_not_both_take_the_last_one(tmp_path: Path) -> None:
    clock = Clock()
    site, books = Login(clock), [Attempts(tmp_path, "a place", clock) for _ in range(6)]
    checks = [Check(f"login{number}", HttpCheck.model_validate(FORM), "http") for number in range(6)]
    found = []
    for book in books:
        found += list(look_at(cast("CheckContext", _World(book, site)), checks, began=lambda _: None))
    assert sum(one.finding.verdict == "pass" for one in found) == site.asked == 2


def test_a_login_has_a_limit_even_if_none_is_written_down(tmp_path: Path) -> None:
    clock = Clock()
    site = Login(clock)
    found = [
        check(_World(Attempts(tmp_path, "a place", clock), site), path="/api/auth/login/", limit=None).verdict
        for _ in range(5)
    ]
    assert (found, site.asked) == (["pass"] * 2 + ["not checked"] * 3, 2)
    assert HttpCheck.model_validate({**FORM, "path": "/api/auth/logout/", "limit": None}).counted is None
    assert LOGINS == LIMIT


def test_429_is_not_checked_and_nothing_is_sent_before_its_time_is_over(tmp_path: Path) -> None:
    clock = Clock()
    site = Login(clock, limited=too_many())
    first = check(_World(Attempts(tmp_path, "a place", clock), site))
    assert (first.verdict, first.limited) == ("not checked", True)
    site.limited = None
    clock.later(minutes=14)
    later = check(_World(Attempts(tmp_path, "a place", clock), site))
    assert (later.verdict, later.limited, site.asked) == ("not checked", True, 1)
    assert "rate limited at 2026-11-28 09:00 UTC (429); uscdr waits until 2026-11-28 09:15 UTC" in later.evidence
    clock.later(minutes=2)
    assert check(_World(Attempts(tmp_path, "a place", clock), site)).verdict == "pass"


@pytest.mark.parametrize(("told", "minutes"), [(3600.0, 60), (1.0, 1), (1e15, 24 * 60)])
def test_it_is_left_alone_for_as_long_as_it_says(tmp_path: Path, told: float, minutes: float) -> None:
    clock = Clock()
    book = Attempts(tmp_path, "a place", clock)
    with pytest.raises(RateLimited):
        book.heed("/login/", limited(retry_after=told))
    assert book.held("/login/")
    clock.later(minutes=minutes, seconds=1)
    assert not book.held("/login/")


def test_who_counts_by_the_hour_is_left_alone_by_later_runs_too(tmp_path: Path) -> None:
    clock = Clock()
    with pytest.raises(RateLimited, match="429"):
        Attempts(tmp_path, "a place", clock).heed("mail", limited())
    with pytest.raises(RateLimited, match=r"waits until 2026-11-28 10:00 UTC"):
        Attempts(tmp_path, "a place", clock).heed("mail", lambda: pytest.fail("asked"))
    assert Attempts(tmp_path, "a place", clock).heed("media", lambda: "asked") == "asked"
    clock.later(minutes=61)
    assert Attempts(tmp_path, "a place", clock).heed("mail", lambda: "asked") == "asked"


def test_other_paths_and_places_have_counts_of_their_own(tmp_path: Path) -> None:
    clock = Clock()
    book = Attempts(tmp_path, "a place", clock)
    for _ in range(2):
        book.note("/login/")
    assert book.spent("/register/", LIMIT) == ""
    assert Attempts(tmp_path, "another place", clock).spent("/login/", LIMIT) == ""
    assert book.spent("/login/", LIMIT)


def test_what_a_clock_that_was_wrong_wrote_holds_nobody_back(tmp_path: Path) -> None:
    ahead = Clock(START + timedelta(days=300))
    for _ in range(3):
        Attempts(tmp_path, "a place", ahead).note("/login/", until=ahead.at + timedelta(hours=1))
        Attempts(tmp_path, "a place", ahead).note("/login/")
    book = Attempts(tmp_path, "a place", Clock())
    assert (book.held("/login/"), book.spent("/login/", LIMIT)) == ("", "")


def test_a_line_that_was_cut_off_counts_as_none(tmp_path: Path) -> None:
    book = Attempts(tmp_path, "a place", Clock())
    book.note("/login/")
    (file,) = (tmp_path / "attempts").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    torn = "2026-11-28T09:0\n\nnonsense /login/\n2026-11-28T09:00:00 /login/\n"
    torn += "2026-11-28T09:00:00+00:00 /login/ until=20\n"
    file.write_text(file.read_text() + torn)
    assert book.used("/login/", LIMIT) == 1
    assert book.held("/login/") == ""


def test_a_large_book_forgets_what_is_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGE", 1000)
    clock = Clock()
    book = Attempts(tmp_path, "a place", clock)
    for _ in range(100):
        book.note("/login/")
        clock.later(hours=4)
    (file,) = (tmp_path / "attempts").iterdir()
    assert file.stat().st_size < 49 * 60
    clock.later(hours=-4)
    assert book.used("/login/", LIMIT) == 1


def refuse() -> str:
    raise ProviderError(
        "The application refused the check account's login (status 401).", provider="the application", status=401
    )


def test_a_wrong_password_is_not_tried_until_people_are_locked_out(tmp_path: Path) -> None:
    clock = Clock()
    for _ in range(2):
        with pytest.raises(ProviderError, match="status 401"):
            Attempts(tmp_path, "a place", clock).login("/login/", LIMIT, refuse)
    book = Attempts(tmp_path, "a place", clock)
    with pytest.raises(ProviderError, match="checks used 2 of 5 logins"):
        book.login("/login/", LIMIT, lambda: pytest.fail("sent"))
    assert book.spent("/login/", LIMIT)
    clock.later(minutes=16)
    assert book.login("/login/", LIMIT, lambda: "token") == "token"


def test_a_login_that_never_arrived_uses_nothing_up(tmp_path: Path) -> None:
    def away() -> str:
        raise ProviderError("could not be reached", provider="the application", sent=False)

    book = Attempts(tmp_path, "a place", Clock())
    for _ in range(5):
        with pytest.raises(ProviderError, match="could not be reached"):
            book.login("/login/", LIMIT, away)
    assert book.used("/login/", LIMIT) == 0


def test_a_login_that_was_limited_is_not_tried_again(tmp_path: Path) -> None:
    clock = Clock()
    with pytest.raises(RateLimited):
        Attempts(tmp_path, "a place", clock).login("/login/", LIMIT, limited())
    book = Attempts(tmp_path, "a place", clock)
    with pytest.raises(RateLimited, match="waits until"):
        book.login("/login/", LIMIT, lambda: pytest.fail("sent"))
    assert book.used("/login/", LIMIT) == 0


def test_a_right_password_uses_nothing_up_and_is_sent_beside_spent_empty_forms(tmp_path: Path) -> None:
    book = Attempts(tmp_path, "a place", Clock())
    for _ in range(9):
        assert book.login("/login/", LIMIT, lambda: "token") == "token"
    assert book.spent("/login/", LIMIT) == ""
    for _ in range(4):
        book.note("/login/")
    assert book.login("/login/", LIMIT, lambda: "token") == "token"


def test_a_round_that_sends_no_form_has_no_book(tmp_path: Path) -> None:
    world = _World(None, Login(Clock()))
    assert check(world).verdict == "pass"  # the transport would have refused it
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_counted_is_not_sent(tmp_path: Path) -> None:
    clock = Clock()
    book = Attempts(tmp_path, "a place", clock)
    book.note("/login/")
    (file,) = (tmp_path / "attempts").iterdir()
    file.unlink()
    file.mkdir()
    site = Login(clock)
    with pytest.raises(MachineError, match="cannot count"):
        book.count("/login/", LIMIT, lambda: pytest.fail("sent"))
    assert check(_World(book, site)).verdict == "inconclusive"
    assert site.asked == 0


def test_a_book_that_a_stopped_process_keeps_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "TURN_SECONDS", 0.0)
    book, sent = Attempts(tmp_path, "clinic", Clock()), list[str]()
    monkeypatch.setattr(files, "try_lock", lambda descriptor: False)
    with pytest.raises(MachineError, match="cannot count") as refused:
        book.count("/login/", LIMIT, lambda: sent.append("one") or Finding("pass", ""))  # type: ignore[func-returns-value]
    assert "another uscdr process" in refused.value.why.lower()
    assert sent == []
