"""Checks of the platform: what is healthy passes, each damage fails by name, what is not known is no pass."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from fake_surroundings import NOW, Place, backup, checked, dyno, remembering, verdict, world
from uscdr.errors import NotFound, ProviderError
from uscdr.models.heroku import AddOn, Attachment, LogDrain, Release, Schedule
from uscdr.models.transfers import Transfer, TransferKind, TransferState

Damage = Callable[[Place], object]


def after(damage: Damage, kind: str, **fields: Any) -> tuple[str, str]:
    place = Place()
    damage(place)
    return verdict(world(place), kind, **fields)


# dynos


def running(*dynos: str, **quantities: int) -> Damage:
    def damage(place: Place) -> None:
        place.running = [dyno(*one.split()) for one in dynos]
        place.quantities |= quantities

    return damage


def test_all_dynos_run() -> None:
    assert verdict(world(Place()), "dynos") == ("pass", "web 2, worker 1, beat 1 up")


@pytest.mark.parametrize(
    ("damage", "wanted", "words"),
    [
        (running("web.1", "web.2 crashed", "worker.1", "beat.1"), "fail", "web.2 crashed"),
        (running("web.1", "worker.1", "beat.1"), "fail", "web: 1 of 2 up"),
        (running("web.1", "web.2 down", "worker.1", "beat.1"), "fail", "web: 1 of 2 up"),
        (running("web.1", "web.2", "beat.1", worker=0), "fail", "worker is scaled to 0, wanted 1"),
        (running("web.1", "web.2", "worker.1", "beat.1", "beat.2", beat=2), "fail", "there must be exactly one"),
        (running("web.1", "web.2", "worker.1", "beat.1", "beat.2"), "fail", "2 beat, there must be exactly one"),
        (running("web.1", "web.2", "worker.1", beat=0), "fail", "beat is scaled to 0"),
        (running("web.1", "web.2", "worker.1", "beat.1", "cron.1 crashed"), "fail", "cron.1 crashed"),
        (running("web.1", "web.2 starting", "worker.1", "beat.1"), "inconclusive", "web.2 is starting"),
        (running("web.1 idle", "worker.1 idle", "beat.1 idle", web=1), "inconclusive", "web.1 is idle"),
        (running("web.1 starting", "worker.1 crashed", "beat.1", web=1), "fail", "worker.1 crashed; web.1 is starting"),
        (running("web.1", "web.2", "worker.1", "beat.1", "run.9 crashed"), "pass", "worker 1"),
        (running("web.1", "web.2", "web.3", "worker.1", "beat.1"), "pass", "web 3"),
        (running(web=0, worker=0, beat=0), "fail", "web is scaled to 0"),
    ],
)
def test_dynos(damage: Damage, wanted: str, words: str) -> None:
    found, evidence = after(damage, "dynos")
    assert (found, words in evidence) == (wanted, True), evidence


def test_only_the_named_dynos() -> None:
    damage = running("web.1", "web.2", worker=0, beat=0)
    assert after(damage, "dynos", only=["web"]) == ("pass", "web 2 up")
    assert after(damage, "dynos", only=["mailer"])[0] == "fail"


def test_fewer_dynos_than_wanted_or_than_before_are_told() -> None:
    place = Place()
    healthy = checked(world(place), "dynos")
    place.quantities["web"] = 1
    place.running.remove(dyno("web.2"))
    assert verdict(remembering(world(place), healthy), "dynos") == ("pass", "web 1 (baseline 2), worker 1, beat 1 up")
    wanted = {"web": 3, "worker": 1, "beat": 1}
    assert "web 1 (wanted 3)" in verdict(world(place, formation=wanted), "dynos")[1]


def test_an_application_without_any_process_type() -> None:
    place = Place(quantities={}, running=[])
    assert verdict(world(place, formation={}, single=frozenset()), "dynos")[0] == "inconclusive"


# release


def released(*statuses: str, current: int = 0) -> Damage:
    def damage(place: Place) -> None:
        place.released = [
            Release(id=str(n), version=50 - n, status=status, current=n == current) for n, status in enumerate(statuses)
        ]

    return damage


@pytest.mark.parametrize(
    ("damage", "wanted", "words"),
    [
        (released("succeeded", "failed"), "pass", "v50 succeeded and is current"),
        (released("failed", "succeeded", current=1), "fail", "v50, failed; v49 is current"),
        (released("expired", "succeeded", current=1), "fail", "v50, expired"),
        (released("pending", "succeeded", current=1), "inconclusive", "release v50 is in progress"),
        (released("succeeded", "succeeded", current=1), "fail", "but v49 is current"),
        (released("new word", current=7), "fail", "did not succeed; none is current"),
        (released(), "fail", "the application has no release"),
        (lambda place: setattr(place, "maintenance", True), "fail", "maintenance mode is on"),
    ],
)
def test_release(damage: Damage, wanted: str, words: str) -> None:
    found, evidence = after(damage, "release")
    assert (found, words in evidence) == (wanted, True), evidence


# schedule


def stored(*transfers: Any) -> Damage:
    return lambda place: setattr(place, "stored", list(transfers))


H = timedelta(hours=1)


@pytest.mark.parametrize(
    ("damage", "wanted", "words"),
    [
        (lambda _: None, "pass", "daily at 02:00 UTC; the newest finished backup, a002, is 7 h old"),
        (lambda place: place.daily.clear(), "fail", "no daily backup is scheduled"),
        (stored(), "fail", "there is no finished backup"),
        (stored(backup(1, 27 * H)), "fail", "a001, is 27 h old, allowed are 26 h"),
        (stored(backup(1, 7 * H), backup(2, 6 * H, TransferState.FAILED)), "fail", "the newest backup, a002: failed"),
        (stored(backup(1, 7 * H, TransferState.FAILED), backup(2, 6 * H)), "pass", "a002"),
        (stored(backup(1, 7 * H), backup(2, 0 * H, TransferState.RUNNING)), "pass", "a001"),
        (stored(backup(1, 7 * H), backup(2, 0 * H, TransferState.CANCELED)), "pass", "a001"),
        (stored(backup(1, 7 * H, TransferState.FAILED), backup(2, 0 * H, TransferState.PENDING)), "fail", "failed"),
        (stored(backup(1, 7 * H, expired=True)), "fail", "there is no finished backup"),
        (stored(backup(1, 7 * H, warnings=2)), "pass", "with 2 warnings"),
        (stored(backup(1, 7 * H, kind=TransferKind.RESTORE)), "fail", "there is no finished backup"),
    ],
)
def test_schedule(damage: Damage, wanted: str, words: str) -> None:
    found, evidence = after(damage, "schedule")
    assert (found, words in evidence) == (wanted, True), evidence


def test_the_age_that_a_backup_may_have() -> None:
    assert after(stored(backup(1, 7 * H)), "schedule", newest="4h")[0] == "fail"


def test_schedules_and_backups_are_asked_at_the_same_time() -> None:
    together = threading.Barrier(2)

    class Waiting(Place):
        def schedules(self, addon_id: str) -> tuple[Schedule, ...]:
            together.wait(30)  # breaks unless the backups are asked for meanwhile
            return super().schedules(addon_id)

        def transfers(self, addon: Attachment) -> tuple[Transfer, ...]:
            together.wait(30)
            return super().transfers(addon)

    assert verdict(world(Waiting()), "schedule")[0] == "pass"


def test_an_application_without_a_database_has_no_backups() -> None:
    class Bare(Place):
        def database(self, app: str, name: str) -> Attachment:
            raise NotFound("There is no Postgres attachment DATABASE_URL.", provider="fake")

    assert verdict(world(Bare()), "schedule")[0] == "fail"


# log


def lines(*entries: tuple[float, str]) -> Damage:
    """Minutes before NOW, and what stands behind the time."""

    def damage(place: Place) -> None:
        place.log = [f"{(NOW - timedelta(minutes=ago)).isoformat()} {text}" for ago, text in entries]

    return damage


TIMED_OUT = 'heroku[router]: at=error code=H12 desc="Request timeout" method=GET path="/patients/?q=Lovelace"'
SWAPPING = "heroku[web.1]: Error R14 (Memory quota exceeded)"
GONE_AWAY = 'heroku[router]: at=warning code=H27 desc="Client Request Interrupted"'
CLOSED = 'heroku[router]: at=info code=H80 desc="Maintenance mode"'
FORGED = "app[web.1]: Error R14 heroku[router]: at=error code=H12"
GAP = "heroku[logplex]: Error L10 (output buffer overflow)"


@pytest.mark.parametrize(
    ("damage", "wanted", "words"),
    [
        (lines((1, "app[web.1]: GET / 200")), "pass", "no error"),
        (lines(*[(1, TIMED_OUT)] * 10), "pass", "10 H12"),
        (lines(*[(1, TIMED_OUT)] * 8, *[(1, SWAPPING)] * 3), "fail", "8 H12, 3 R14"),
        (lines(*[(11, TIMED_OUT)] * 20, (0, "app[web.1]: fine")), "pass", "no error"),
        (lines(*[(9, TIMED_OUT)] * 20, (0, "app[web.1]: fine")), "fail", "20 H12 in the last 9 min"),
        (lines(*[(1, GONE_AWAY)] * 20, *[(1, CLOSED)] * 20, *[(1, FORGED)] * 20), "pass", "no error"),
        (lines(*[(1, GAP)] * 20), "pass", "20 L10"),
        (lines(), "inconclusive", "no readable line"),
        (lambda place: place.log.append("no time and no form"), "inconclusive", "no readable line"),
    ],
)
def test_log(damage: Damage, wanted: str, words: str) -> None:
    found, evidence = after(damage, "log")
    assert (found, words in evidence, "Lovelace" in evidence) == (wanted, True, False), evidence


def test_what_a_log_may_hold() -> None:
    assert after(lines((1, TIMED_OUT), (1, SWAPPING)), "log", most=1)[0] == "fail"
    assert after(lines((3, TIMED_OUT), (0, TIMED_OUT)), "log", most=1, within="2m")[0] == "pass"
    assert after(lines((1, TIMED_OUT), (0, "app[web.1]: fine")), "log", most=0, lines=1)[0] == "pass"


# addons, monitoring


def addon(plan: str, state: str = "provisioned") -> AddOn:
    return AddOn(id=plan, name=plan, state=state, plan=plan)


def owning(*addons: AddOn) -> Damage:
    return lambda place: setattr(place, "owned", list(addons))


@pytest.mark.parametrize(
    ("damage", "wanted", "words"),
    [
        (lambda _: None, "pass", "provisioned: heroku-postgresql, heroku-redis"),
        (owning(addon("heroku-postgresql:x")), "fail", "heroku-redis is missing"),
        (owning(addon("heroku-postgresql:x"), addon("heroku-redis-x:y")), "fail", "heroku-redis is missing"),
        (owning(addon("heroku-postgresql:x"), addon("heroku-redis:y", "deprovisioned")), "fail", "is deprovisioned"),
        (owning(addon("heroku-postgresql:x"), addon("heroku-redis:y", "provisioning")), "inconclusive", "provisioning"),
        (owning(addon("heroku-postgresql"), addon("heroku-redis:y"), addon("heroku-redis:z", "provisioning")),
         "pass", "provisioned"),
    ],
)  # fmt: skip
def test_addons(damage: Damage, wanted: str, words: str) -> None:
    found, evidence = after(damage, "addons", services=["heroku-postgresql", "heroku-redis"])
    assert (found, words in evidence) == (wanted, True), evidence


def test_a_check_of_no_addon_is_refused() -> None:
    with pytest.raises(ValidationError):
        after(lambda _: None, "addons", services=[])


@pytest.mark.parametrize(
    ("damage", "wanted", "words"),
    [
        (lambda _: None, "fail", "no log drain, and no add-on of papertrail or librato, and no variable SENTRY_DSN"),
        (lambda place: place.drains.append(LogDrain(id="1", host="logs.example")), "pass", "log drain to logs.example"),
        (lambda place: place.owned.append(addon("papertrail:choklad")), "pass", "add-on papertrail"),
        (lambda place: place.owned.append(addon("papertrail:choklad", "deprovisioned")), "fail", "no log drain"),
        (lambda place: place.vars.update(SENTRY_DSN="https://planted-secret@s.example"), "pass", "variable SENTRY_DSN"),
        (lambda place: place.vars.update(SENTRY_DSN=" "), "fail", "no variable SENTRY_DSN"),
    ],
)
def test_monitoring(damage: Damage, wanted: str, words: str) -> None:
    found, evidence = after(damage, "monitoring", services=["papertrail", "librato"], variables=["SENTRY_DSN"])
    assert (found, words in evidence) == (wanted, True), evidence


def test_nothing_but_a_drain_counts_where_nothing_else_is_named() -> None:
    assert verdict(world(Place()), "monitoring") == (
        "fail",
        "no external monitoring of the application: there is no log drain",
    )


@pytest.mark.parametrize("kind", ["dynos", "release", "schedule", "log", "monitoring", "config"])
def test_a_platform_that_does_not_answer_makes_no_verdict(kind: str) -> None:
    class Dark(Place):
        def __getattribute__(self, name: str) -> Any:
            raise ProviderError("The platform does not answer.", provider="fake")

    with pytest.raises(ProviderError):
        checked(world(Dark()), kind)
