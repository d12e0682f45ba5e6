"""The faults of a surprise drill: which there are, which ones a seed chooses, and what uscdr must do about each.

A fault hits requests by their kind and number, never by time: the same seed, scenario and damage give the same plan.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any

from uscdr.errors import ExitCode
from uscdr.words import plural


class Reaction(StrEnum):
    """What uscdr must do about a fault."""

    SURVIVE = "survive: finish the recovery in spite of it"
    CHOOSE = "detect: choose another backup, and say so"
    AGAIN = "stop safely, name the next action, and finish once the cause is gone"
    STOP = "stop safely, and name the next action"

    @property
    def stops(self) -> bool:
        """Whether the first attempt must end without success."""
        return self in (Reaction.AGAIN, Reaction.STOP)


class Sign(StrEnum):
    """What in the journal, or in the error, shows that uscdr noticed the fault."""

    RETRIED = "a retry"
    SETTLED = "a settled write"
    LASTED = "the duration of a step"
    PASSED_OVER = "a backup that was passed over"
    REFUSED = "a refusal of the credentials"
    BROKEN = "a download that was cut and taken up again"
    LOCKED = "a refusal because of the lock"


@dataclass(frozen=True)
class FaultRule:
    """A rule of the sandbox: calls `call` to `call + count - 1` of those that match; `count` 0 is without end."""

    kind: str
    method: str
    path: str
    call: int = 1
    count: int = 1
    provider: str = "heroku"

    def document(self) -> dict[str, Any]:
        """The body of the sandbox's control `POST faults`."""
        return {key: getattr(self, key) for key in ("kind", "method", "path", "call", "count", "provider")}


@dataclass(frozen=True)
class PlannedFault:
    """One fault, and what is expected. A rule hits requests; a bad backup and a lock are prepared instead."""

    name: str
    what: str
    expected: Reaction
    sign: Sign
    rule: FaultRule | None = None
    bad_backup: str = ""
    """The sandbox's kind of fault with which the newest backup is taken; empty for a good one."""
    codes: tuple[ExitCode, ...] = ()
    """The exit codes with which uscdr may stop."""
    delay: float = 0.0
    """Seconds by which each answer is late."""

    @property
    def locks(self) -> bool:
        """Whether a colleague holds the lock of the target."""
        return self.sign is Sign.LOCKED


Place = tuple[str, str]
"""Method and pattern of the path, as the sandbox's rules have them."""


@dataclass(frozen=True)
class Places:
    """The requests of one scenario that faults may hit."""

    polls: tuple[Place, ...]
    """Reads that a wait repeats."""
    reads: tuple[Place, ...]
    writes: tuple[Place, ...]
    """Writes whose lost answer uscdr settles by looking."""
    middle: tuple[int, int]
    """Between which requests, by number, a token may expire: before anything is overwritten."""
    provider: str = "heroku"
    downloads: bool = False
    """Whether it downloads a backup."""
    chooses: bool = False
    """Whether it chooses among backups."""


TRANSFER, TRANSFERS = ("GET", "*/transfers/*"), ("GET", "*/transfers")
CAPTURE = ("POST", "*/backups")
PLACES = {
    "db": Places(
        polls=(TRANSFER, ("GET", "*/dynos")),
        reads=(TRANSFERS, ("GET", "*/formation"), ("GET", "*/config-vars"), ("GET", "*/releases")),
        writes=(CAPTURE, ("POST", "*/restores"), ("PATCH", "/apps/*"), ("PATCH", "*/formation")),
        middle=(20, 80),
        downloads=True,
        chooses=True,
    ),
    "app": Places(
        polls=(("GET", "*/dynos"), ("GET", "*/formation")),
        reads=(("GET", "*/builds"), ("GET", "*/config-vars"), ("GET", "*/releases")),
        writes=(("PATCH", "/apps/*"),),
        middle=(5, 20),
    ),
    "media": Places(
        polls=(),
        reads=(("GET", "*/resources/*"), ("POST", "*/resources/search")),
        writes=(("POST", "*/restore"),),
        middle=(3, 12),
        provider="cloudinary",
    ),
    "infra": Places(
        polls=(("GET", "*/addons/*"), ("GET", "*/releases/*"), ("GET", "*/dynos")),
        reads=(("GET", "*/addons"), ("GET", "*/config-vars"), ("GET", "*/domains")),
        writes=(("POST", "/apps"), ("POST", "*/builds"), CAPTURE),
        middle=(20, 60),
    ),
    "backups": Places(
        polls=(TRANSFER,),
        reads=(TRANSFERS, ("GET", "*/transfer-schedules")),
        writes=(CAPTURE,),
        middle=(8, 25),
        downloads=True,
    ),
}
"""By scenario."""
STOPPED = (ExitCode.FAILED, ExitCode.UNKNOWN)
"""How uscdr may stop: a provider failed, or the outcome of a write is not known."""
LATE = 1.5
"""Seconds of a slow answer: far below every time limit."""
BAD_BACKUPS = {
    "transfer-cut": "the newest backup is cut off in the middle",
    "transfer-empty": "the newest backup has the tables, but no rows",
    "transfer-strange": "the newest backup is one of another database",
}
SECOND = 0.4
"""How often there is a second fault."""


def _lost_poll(chance: Random, places: Places) -> PlannedFault:
    kind = chance.choice(("reset-before", "reset-after", "reset-before", "timeout-before"))
    method, path = chance.choice(places.polls or places.reads)
    rule = FaultRule(kind, method, path, chance.randint(1, 3), 1, places.provider)
    how = "is never answered" if kind == "timeout-before" else "breaks off"
    return PlannedFault("lost poll", f"a request {method} {path} {how}", Reaction.SURVIVE, Sign.RETRIED, rule)


def _lost_answer(chance: Random, places: Places) -> PlannedFault:
    method, path = chance.choice(places.writes)
    rule = FaultRule(chance.choice(("reset-after", "truncated")), method, path, provider=places.provider)
    what = f"{method} {path} takes effect, and its answer is lost"
    return PlannedFault("lost answer", what, Reaction.SURVIVE, Sign.SETTLED, rule)


def _slow(chance: Random, places: Places) -> PlannedFault:
    method, path = chance.choice(places.polls[:1] or places.writes)
    count = chance.randint(1, 3) if places.polls else 1
    rule = FaultRule(f"slow:{LATE}", method, path, 2 if places.polls else 1, count, places.provider)
    what = f"{method} {path} is answered {LATE} s late, {plural(count, 'time')}"
    return PlannedFault("slow provider", what, Reaction.SURVIVE, Sign.LASTED, rule, delay=LATE)


def _server_errors(chance: Random, places: Places) -> PlannedFault:
    kind, (method, path) = chance.choice(("500", "503-html")), chance.choice((*places.polls, *places.reads))
    count = chance.randint(2, 3)
    rule = FaultRule(kind, method, path, chance.randint(1, 2), count, places.provider)
    what = f"{method} {path} fails {plural(count, 'time')} with {kind[:3]}"
    return PlannedFault("server errors", what, Reaction.SURVIVE, Sign.RETRIED, rule)


def _rate_limit(chance: Random, places: Places) -> PlannedFault:
    kind = chance.choice(("429", "429-bare"))
    method, path = chance.choice((*places.polls, *places.reads, *places.writes))
    rule = FaultRule(kind, method, path, 1, chance.randint(1, 2), places.provider)
    what = f"{method} {path} is refused with 429, {plural(rule.count, 'time')}"
    return PlannedFault("rate limit", what, Reaction.SURVIVE, Sign.RETRIED, rule)


def _token(chance: Random, places: Places, name: str, expected: Reaction) -> PlannedFault:
    rule = FaultRule("401", "*", "*", chance.randint(*places.middle), 0, places.provider)
    until = "until it is renewed" if expected is Reaction.AGAIN else "for good"
    what = f"from request {rule.call} on the token is refused with 401, {until}"
    return PlannedFault(name, what, expected, Sign.REFUSED, rule, codes=STOPPED)


def _expired(chance: Random, places: Places) -> PlannedFault:
    return _token(chance, places, "expired token", Reaction.AGAIN)


def _revoked(chance: Random, places: Places) -> PlannedFault:
    return _token(chance, places, "revoked token", Reaction.STOP)


def _cut_download(chance: Random, places: Places) -> PlannedFault:
    del chance, places
    rule = FaultRule("truncated", "GET", "/archives/*")
    return PlannedFault(
        "cut download", "the first download of a backup breaks off", Reaction.SURVIVE, Sign.BROKEN, rule
    )  # fmt: skip


def _bad_backup(chance: Random, places: Places) -> PlannedFault:
    del places
    kind = chance.choice(tuple(BAD_BACKUPS))
    return PlannedFault("bad backup", BAD_BACKUPS[kind], Reaction.CHOOSE, Sign.PASSED_OVER, bad_backup=kind)


def _locked(chance: Random, places: Places) -> PlannedFault:
    del places
    expected = chance.choice((Reaction.AGAIN, Reaction.STOP))
    until = "until uscdr has refused once" if expected is Reaction.AGAIN else "for good"
    what = f"a colleague's run holds the lock of the target, {until}"
    return PlannedFault("colleague's lock", what, expected, Sign.LOCKED, codes=(ExitCode.LOCKED,))


Maker = Callable[[Random, Places], PlannedFault]
_GENTLE: tuple[Maker, ...] = (_lost_poll, _lost_answer, _slow, _server_errors)
_ABRUPT: tuple[Maker, ...] = (_expired, _revoked, _locked)


def makers(places: Places) -> tuple[Maker, ...]:
    """The kinds of faults that make sense for a scenario with these requests."""
    found = (*_GENTLE, *_ABRUPT)
    found += (_rate_limit,) if places.provider == "heroku" else ()
    found += (_cut_download,) if places.downloads else ()
    return found + ((_bad_backup,) if places.chooses else ())


def faults_of(seed: int, scenario: str, how: str) -> tuple[PlannedFault, ...]:
    """One fault, or two; the same for the same seed, scenario and damage."""
    chance, places = Random(f"{seed}/{scenario}/{how}"), PLACES[scenario]  # noqa: S311 - repeatable, not secret
    first = chance.choice(makers(places))(chance, places)
    again = chance.random() < SECOND
    gentle = [one for maker in _GENTLE if not _collides(one := maker(chance, places), first)]
    return (first, chance.choice(gentle)) if again and gentle and not first.locks else (first,)


def _collides(one: PlannedFault, other: PlannedFault) -> bool:
    """Whether the evidence of one could be that of the other, or both hit the same requests."""
    if one.sign is other.sign:
        return True
    rules = [(fault.rule.method, fault.rule.path) for fault in (one, other) if fault.rule]
    return len(set(rules)) < len(rules)
