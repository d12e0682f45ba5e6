"""What a campaign found: its one line, and every complaint behind it."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, field

_EVERY = 10
_PRINTING = threading.Lock()


@dataclass
class Tally:
    """Counts of one campaign; each number but the first must end at 0."""

    name: str
    cases: int = 0
    wrong: list[str] = field(default_factory=list)
    doubles: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    limit: float = float("inf")
    """Seconds after which a campaign of drawn cases draws no more."""
    cut_short: bool = False
    seconds: float | None = None
    """How long it took; None while it runs."""

    @property
    def clean(self) -> bool:
        """Whether cases ran and nothing was found."""
        return self.cases > 0 and not (self.wrong or self.doubles or self.leaks)

    def goes_on(self) -> bool:
        """Whether there is time for another drawn case; the campaign's line says so when there is not."""
        self.cut_short = self.cut_short or time.monotonic() - self.started > self.limit
        return not self.cut_short

    def case(self, name: str, *, wrong: list[str], doubles: list[str] | None = None) -> None:
        """Count one case; complaints are said at once, because a campaign is long."""
        self.cases += 1
        self.wrong += [f"{name}: {what}" for what in wrong]
        self.doubles += [f"{name}: {what}" for what in doubles or []]
        if self.cases % _EVERY == 0:
            sys.stderr.write(f"  … {self.line()}\n")
        for what in wrong:
            say(f"  {self.name} wrong: {name}: {what}")
        for what in doubles or []:
            say(f"  {self.name} double: {name}: {what}")

    def leak(self, name: str, found: list[str]) -> None:
        """Count places where something secret was found."""
        self.leaks += [f"{name}: {what}" for what in found]
        for what in found:
            say(f"  {self.name} leak: {name}: {what}")

    def line(self) -> str:
        """The claim."""
        took = time.monotonic() - self.started if self.seconds is None else self.seconds
        return (
            f"{self.name}: {self.cases} cases run, {len(self.wrong)} wrong verdicts, "
            f"{len(self.doubles)} double effects, {len(self.leaks)} leaks ({took:.0f} s"
            + (", cut short by the clock)" if self.cut_short else ")")
        )


def say(text: str) -> None:
    """One line on stdout, whole, whatever other lanes say."""
    with _PRINTING:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
