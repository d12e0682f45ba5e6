"""One line of the benchmark: pairs of figures, the ratio of each pair, and what was aimed at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Pairs:
    """Figures of ours and of the other side, pair by pair, of one unit."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @classmethod
    def alternate(cls, ours: Callable[[], float], theirs: Callable[[], float], rounds: int) -> Pairs:
        """Measure both by turns, each one first every other time, so that what else the machine does meets both."""
        left, right = [], []
        for number in range(rounds):
            if number % 2:
                right.append(theirs())
                left.append(ours())
            else:
                left.append(ours())
                right.append(theirs())
        return cls(tuple(left), tuple(right))

    @property
    def ratios(self) -> tuple[float, ...]:
        """Ours as a multiple of theirs, pair by pair."""
        return tuple(one / other for one, other in zip(self.ours, self.theirs, strict=True))

    @property
    def ratio(self) -> float:
        """The median of the ratios."""
        return median(self.ratios)

    @property
    def spread(self) -> str:
        """The smallest and the largest ratio."""
        return f"{min(self.ratios):.2f} to {max(self.ratios):.2f}"


@dataclass(frozen=True)
class Row:
    """One comparison. `aim` is the largest ratio that is good, or the smallest if `at_least`; None: no aim, a fact.

    `megabytes` is the peak memory of our process.
    """

    part: str
    what: str
    against: str
    pairs: Pairs
    unit: str = "s"
    aim: float | None = None
    at_least: bool = False
    megabytes: float | None = None
    note: str = ""

    @property
    def good(self) -> bool | None:
        """Whether the median ratio reaches the aim."""
        if self.aim is None:
            return None
        return self.pairs.ratio >= self.aim if self.at_least else self.pairs.ratio <= self.aim

    def as_object(self) -> dict[str, Any]:
        """For the JSON document."""
        return asdict(self) | {"ratio": round(self.pairs.ratio, 4), "good": self.good}

    def cells(self) -> tuple[str, ...]:
        """For the table."""
        sign = "≥" if self.at_least else "≤"
        verdict = {None: "", True: " met", False: " **missed**"}[self.good]
        return (
            self.what,
            self.against,
            f"{median(self.pairs.ours):.3g} {self.unit}",
            f"{median(self.pairs.theirs):.3g} {self.unit}",
            f"{self.pairs.ratio:.2f} ({self.pairs.spread}, n = {len(self.pairs.ours)})",
            f"{sign} {self.aim:.3g}{verdict}" if self.aim is not None else "",
            f"{self.megabytes:.0f} MB" if self.megabytes is not None else "",
            self.note,
        )


HEADS = ("ours", "against", "we take", "it takes", "ratio (least to most)", "aim", "memory", "remark")


def table(rows: Sequence[Row]) -> str:
    """All rows as Markdown, a heading for each part."""
    lines: list[str] = []
    for part in dict.fromkeys(row.part for row in rows):
        lines += [f"## {part}", "", _line(HEADS), _line(["---"] * len(HEADS))]
        lines += [_line(row.cells()) for row in rows if row.part == part]
        lines.append("")
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
