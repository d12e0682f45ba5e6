"""Whether dynos that are up stay up: how long each has been so, and whether it came down before. Pure.

A process that dies seconds after its start is up whenever somebody looks in those seconds. Two things tell it from one
that stands: the time since its last change of state, and the platform's own lines in the log. A dyno stands when it has
been up for the wanted time, and for twice as long as it ever lived before it came down (at most five minutes for each
time): one that came down once while its database was not there yet, and has outlived that, is no finding.

What was before does not count: crashes under an earlier release, and those of a process that was then stopped in order
(a restart, the daily cycling, scaling to 0).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from uscdr.models.base import elapsed
from uscdr.words import duration, moment, plural

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from uscdr.models.heroku import Dyno, Release


# A line of an application's log, taken apart: when, whose, what. Pure.


LINE = re.compile(r"(?P<at>\S+)\s+(?P<source>app|heroku)\[(?P<process>[\w.-]+)\]:\s?(?P<text>.*)", re.DOTALL)
ROUTER = re.compile(r"\bat=(?:error|warning)\s+code=(?P<code>H\d{2})\b")
PROCESS = re.compile(r"^Error (?P<code>[RLH]\d{2})\b")


class LogLine(NamedTuple):
    """One line. `at` is aware UTC, None where it cannot be read; `process` is `router`, `api` or a dyno's name."""

    at: datetime | None
    source: str
    process: str
    text: str

    @property
    def of_platform(self) -> bool:
        """Only such lines are read for codes and states: an application can print anything."""
        return self.source == "heroku"

    @property
    def code(self) -> str:
        """The platform's error code in it; empty when there is none."""
        if not self.of_platform:
            return ""
        # The router quotes the request's path and host, which a visitor chooses; its code comes before them.
        match = ROUTER.match(self.text) if self.process == "router" else PROCESS.match(self.text)
        return match["code"] if match else ""

    @classmethod
    def read(cls, lines: Iterable[str]) -> Iterator[LogLine]:
        """Those that are log lines, in their order."""
        for line in lines:
            match = LINE.match(line.rstrip("\r\n"))
            if match:
                yield cls(_moment(match["at"]), match["source"], match["process"], match["text"])


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)


WINDOW = 30.0
"""Seconds for which a dyno must have been up, unless the target says otherwise."""
UP, IDLE, CRASHED = "up", "idle", "crashed"
RUNS = (UP, IDLE)
"""States of a dyno that serves; one on a plan that sleeps is idle until it is asked."""
OUTLIVED = 2.0
"""Up for so many times its longest life before, a dyno has come through what brought it down."""
MOST_PER_FALL = 300.0
"""Seconds: longer than that for each time that it came down is not asked for."""
_CRASH = re.compile(r"^State changed from [\w-]+ to crashed\b")
_BEGUN = re.compile(r"^(?:Starting process with command\b|State changed from [\w-]+ to up\b)")
_ORDERLY = re.compile(
    r"^(?:Stopping all processes with SIGTERM|State changed from [\w-]+ to down|Cycling|Restarting)\b"
)
_EXIT = re.compile(r"^Process exited with status (?P<status>\d{1,3})\b")


@dataclass(frozen=True)
class DynoRestart:
    """A dyno that came down by itself: when, why (`exit status 1`; may be empty), after how many seconds of life."""

    at: datetime
    why: str
    lived: float

    @classmethod
    def by_dyno(cls, lines: Iterable[str], release: Release | None) -> Mapping[str, tuple[DynoRestart, ...]]:
        """By dyno, what brought it down since the release took effect and since it was last stopped in order."""
        since = (release.updated_at or release.created_at) if release else None
        found: dict[str, list[DynoRestart]] = {}
        lives: dict[str, _Life] = {}
        for line in LogLine.read(lines):
            if line.of_platform and line.at and (since is None or line.at >= since):
                _follow(line, line.at, lives.setdefault(line.process, _Life()), found.setdefault(line.process, []))
        return {name: tuple(fell) for name, fell in found.items() if fell}


@dataclass
class _Life:
    begun: datetime | None = None
    signs: list[str] = field(default_factory=list)


def in_force(releases: Sequence[Release]) -> Release | None:
    """The current release (newest first); where none is marked so, the newest that succeeded."""
    marked = [one for one in releases if one.current] or [one for one in releases if one.status == "succeeded"]
    return marked[0] if marked else None


def _follow(line: LogLine, at: datetime, life: _Life, fell: list[DynoRestart]) -> None:
    if _ORDERLY.match(line.text):
        fell.clear()
        life.begun, life.signs = None, []
    elif _BEGUN.match(line.text):
        life.begun, life.signs = life.begun or at, []
    elif exited := _EXIT.match(line.text):
        life.signs.append(f"exit status {exited['status']}")
    elif _CRASH.match(line.text):
        lived = elapsed(life.begun, at) if life.begun else 0.0
        fell.append(DynoRestart(at, ", ".join(dict.fromkeys(life.signs)), lived))
        life.begun, life.signs = None, []
    elif line.code:
        life.signs.append(line.code)


@dataclass(frozen=True)
class DynoUptime:
    """One dyno of the formation: for how many seconds it has been up (None: not told), and what brought it down."""

    dyno: Dyno
    up: float | None
    falls: tuple[DynoRestart, ...] = ()

    def needs(self, window: float) -> float:
        """Seconds for which it must be up, to be said to stand."""
        lived = max((one.lived for one in self.falls), default=0.0)
        return max(window, min(OUTLIVED * lived, MOST_PER_FALL * len(self.falls)))

    def stands(self, window: float) -> bool:
        """Whether it has been up for long enough; one that is idle was, before it fell asleep."""
        if self.dyno.state == IDLE:
            return True
        return self.dyno.state == UP and self.up is not None and self.up >= self.needs(window)

    @property
    def unsettled(self) -> bool:
        """Whether it came down, and has not outlived that."""
        return self.dyno.state == CRASHED or (bool(self.falls) and not self.stands(0.0))

    @property
    def words(self) -> str:
        """`worker.1 crashed 2 times, last at … (exit status 1), up for only 3 s`."""
        parts = [f"{self.dyno.name} crashed{self._how()}"] if self.falls or self.dyno.state == CRASHED else []
        if self.dyno.state == UP and self.up is not None:
            only = "only " if self.unsettled or not self.falls else ""
            parts.append(f"{'' if parts else self.dyno.name + ' '}up for {only}{duration(self.up)}")
        elif self.dyno.state != CRASHED:
            parts.append(f"{'now' if parts else self.dyno.name} {self.dyno.state}")
        return ", ".join(parts)

    def remark(self, window: float) -> str:
        """What is worth a word of one that is no finding: that it is young, or has outlived a crash."""
        if self.falls or (self.dyno.state == UP and self.up is not None and self.up < window):
            return self.words
        return ""

    def _how(self) -> str:
        if not self.falls:
            return ""
        often = f" {plural(len(self.falls), 'time')}, last" if len(self.falls) > 1 else ""
        why = f" ({self.falls[-1].why})" if self.falls[-1].why else ""
        return f"{often} at {moment(self.falls[-1].at)}{why}"

    @classmethod
    def of(
        cls, dynos: Iterable[Dyno], fallen: Mapping[str, tuple[DynoRestart, ...]], now: datetime, kinds: Collection[str]
    ) -> tuple[DynoUptime, ...]:
        """Each dyno of these process types; one-off dynos end, and are none."""
        return tuple(
            cls(one, elapsed(one.updated_at, now) if one.updated_at else None, fallen.get(one.name, ()))
            for one in dynos
            if one.type in kinds
        )
