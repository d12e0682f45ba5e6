"""Whether running dynos are stable: how long each has been up, and its earlier crashes. Sends no request.

A process that crashes seconds after each start may be up at the moment of a check. Two facts show the difference: the
time since the last change of state, and the platform's own lines in the log. A dyno is stable if it has been up for the
required time, and for twice as long as its longest life before a crash (at most five minutes per crash). A dyno that
crashed once because its database did not exist yet, and has run longer since, is not a finding.

Earlier crashes do not count: those of an earlier release, and those before an orderly stop of the process (a restart,
the daily cycling, scaling to 0).
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


# Parses the lines of an application's log into time, process and text.


LINE = re.compile(r"(?P<at>\S+)\s+(?P<source>app|heroku)\[(?P<process>[\w.-]+)\]:\s?(?P<text>.*)", re.DOTALL)
ROUTER = re.compile(r"\bat=(?:error|warning)\s+code=(?P<code>H\d{2})\b")
PROCESS = re.compile(r"^Error (?P<code>[RLH]\d{2})\b")


class LogLine(NamedTuple):
    """One line. `at` is aware UTC, None if it is unreadable; `process` is `router`, `api` or a dyno's name."""

    at: datetime | None
    source: str
    process: str
    text: str

    @property
    def of_platform(self) -> bool:
        """Whether the platform wrote the line. Only these lines count: an application can print anything."""
        return self.source == "heroku"

    @property
    def code(self) -> str:
        """The platform's error code in the line; empty without one."""
        if not self.of_platform:
            return ""
        # The router quotes the request's path and host, which a visitor chooses; its code comes before them.
        match = ROUTER.match(self.text) if self.process == "router" else PROCESS.match(self.text)
        return match["code"] if match else ""

    @classmethod
    def read(cls, lines: Iterable[str]) -> Iterator[LogLine]:
        """The log lines among `lines`, in their order."""
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


LOG_LINES = 1500
"""The number of lines that the platform keeps."""
WINDOW = 30.0
"""Seconds for which a dyno must have been up, unless the configuration of the target has another value."""
UP, IDLE, CRASHED = "up", "idle", "crashed"
RUNS = (UP, IDLE)
"""States of a dyno that serves requests; a dyno on a plan that sleeps is idle until the next request."""
OUTLIVED = 2.0
"""A dyno that has been up for this many times its longest life before a crash has survived the cause."""
MOST_PER_FALL = 300.0
"""The greatest number of required seconds per crash."""
_CRASH = re.compile(r"^State changed from [\w-]+ to crashed\b")
_BEGUN = re.compile(r"^(?:Starting process with command\b|State changed from [\w-]+ to up\b)")
_ORDERLY = re.compile(
    r"^(?:Stopping all processes with SIGTERM|State changed from [\w-]+ to down|Cycling|Restarting)\b"
)
_EXIT = re.compile(r"^Process exited with status (?P<status>\d{1,3})\b")


@dataclass(frozen=True)
class DynoRestart:
    """A crash of a dyno: the time, the reason (`exit status 1`; may be empty), and the seconds since its start."""

    at: datetime
    why: str
    lived: float

    @classmethod
    def by_dyno(cls, lines: Iterable[str], release: Release | None) -> Mapping[str, tuple[DynoRestart, ...]]:
        """By dyno, its crashes since the release took effect and since its last orderly stop."""
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
    """The current release of `releases` (newest first); if none is marked as current, the newest successful one."""
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
    """One dyno of the formation: the seconds for which it has been up (None if unknown), and its crashes."""

    dyno: Dyno
    up: float | None
    falls: tuple[DynoRestart, ...] = ()

    def needs(self, window: float) -> float:
        """The seconds for which it must have been up to count as stable."""
        lived = max((one.lived for one in self.falls), default=0.0)
        return max(window, min(OUTLIVED * lived, MOST_PER_FALL * len(self.falls)))

    def stands(self, window: float) -> bool:
        """Whether it has been up for long enough. An idle dyno was, before it fell asleep."""
        if self.dyno.state == IDLE:
            return True
        return self.dyno.state == UP and self.up is not None and self.up >= self.needs(window)

    @property
    def unsettled(self) -> bool:
        """Whether it crashed, and has not been up for long enough since."""
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
        """A remark about a stable dyno: it started recently, or crashed before. Empty without one."""
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
        """The dynos of these process types. One-off dynos do not count, because they end."""
        return tuple(
            cls(one, elapsed(one.updated_at, now) if one.updated_at else None, fallen.get(one.name, ()))
            for one in dynos
            if one.type in kinds
        )
