"""The last look at the dynos: not that they started, but that they stay up. It waits only for what is missing of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from uscdr.engine.wait import Patience, until
from uscdr.errors import ProviderError
from uscdr.scenarios.deps import Deps, now
from uscdr.scenarios.releases import InForce, fallen_lately, look_in_force
from uscdr.verify.standing import UP, Fall, Standing, standings
from uscdr.words import duration

if TYPE_CHECKING:
    from uscdr.engine.step import Tell
    from uscdr.models.heroku import Dyno

MOST = 4.0
"""So many times the wanted seconds are waited for at most; what does not stand then is a finding."""


@dataclass(frozen=True)
class Steady:
    """What was seen. `fallen`: why it is not done; `remarks`: what is worth a word, though the dynos stand."""

    words: str
    fallen: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass
class _Watch:
    """Keeps what was seen: the log is read again only when a dyno changed, and since when each was seen up."""

    deps: Deps
    window: float
    seen: dict[tuple[str, str], float] = field(default_factory=dict)
    fallen: dict[str, tuple[Fall, ...]] = field(default_factory=dict)
    unread: str = ""

    def look(self) -> tuple[InForce, tuple[Standing, ...]]:
        force = look_in_force(self.deps)
        marks = {_mark(one): one for one in force.dynos}
        if not self.seen or marks.keys() - self.seen.keys():
            self._read()
        begun = time.monotonic()
        self.seen = {mark: self.seen.get(mark, begun) for mark in marks}
        return force, tuple(map(self._aged, standings(force.dynos, self.fallen, now(), set(force.running))))

    def _aged(self, one: Standing) -> Standing:
        """Up for at least as long as it was watched: this machine's clock may be behind, or the platform not tell."""
        watched = time.monotonic() - self.seen[_mark(one.dyno)]
        return Standing(one.dyno, max(one.up or 0.0, watched), one.falls) if one.dyno.state == UP else one

    def _read(self) -> None:
        try:
            self.fallen, self.unread = dict(fallen_lately(self.deps)), ""
        except ProviderError as error:
            self.unread = f"whether a dyno crashed before is not known: {error.message}"


def watch(deps: Deps, tell: Tell) -> Steady:
    """Looks until every dyno of the formation has been up for the target's seconds, or one is seen to come down.

    Raises OutcomeUnknown when looking itself fails, Interrupted.
    """
    window = deps.target.heroku.steady
    eyes, end = _Watch(deps, window), time.monotonic() + MOST * window

    def look() -> tuple[InForce, tuple[Standing, ...]]:
        force, found = eyes.look()
        young = [one for one in found if not one.stands(window)]
        if young:
            least = min(young, key=lambda one: (one.up or 0.0) - one.needs(window))
            up, needed = duration(int(least.up or 0.0)), duration(least.needs(window))
            tell.progress(f"waiting until {least.dyno.name} has been up for {needed} ({least.dyno.state}, {up})")
        elif not force.reached:
            tell.progress(force.words)
        return force, found

    def done(seen: tuple[InForce, tuple[Standing, ...]]) -> bool:
        force, found = seen
        stand = force.reached and all(one.stands(window) for one in found)
        return stand or bool(force.crashed or force.failed) or _hopeless(found, end) or time.monotonic() >= end

    patience = Patience("the start of the dynos", 2 * MOST * window + 60, f"heroku ps --app {deps.app}")
    return _judged(*until(look, done, patience, deps.stop), eyes)


def _hopeless(found: tuple[Standing, ...], end: float) -> bool:
    """Whether one came down and cannot outlive that before the end of the wait."""
    left = end - time.monotonic()
    return any(one.falls and one.needs(0.0) - (one.up or 0.0) > left for one in found)


def _judged(force: InForce, found: tuple[Standing, ...], eyes: _Watch) -> Steady:
    short = [one for one in found if not one.stands(eyes.window)]
    fallen = [one.words for one in short if one.unsettled] or [one.words for one in short]
    if not force.reached and not fallen:
        fallen = [force.words]
    remarks = [one.words for one in found if one.falls and one.words not in fallen]
    remarks += [eyes.unread] if eyes.unread else []
    return Steady(_good(found, force), tuple(fallen), tuple(remarks))


def _good(found: tuple[Standing, ...], force: InForce) -> str:
    ages = [one.up for one in found if one.up is not None]
    return f"{force.words}, up for {duration(min(ages))} or longer" if ages else force.words


def _mark(dyno: Dyno) -> tuple[str, str]:
    """The same for as long as its state is."""
    return dyno.name, f"{dyno.id} {dyno.state} {dyno.updated_at}"
