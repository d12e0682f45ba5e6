"""How far a backup can be relied on, and why no further (DESIGN, section 8). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from uscdr.models.transfers import warned
from uscdr.words import plural

SMALLEST, LARGEST = 0.5, 2.0
"""Of the median of the earlier ones: a size outside is not plausible."""


class Grade(StrEnum):
    """From nothing to all that can be shown, in order."""

    NONE = "none"
    EXISTS = "exists"
    FINISHED = "finished without warnings"
    FRESH = "fresh"
    PLAUSIBLE = "plausible size"
    DECODES = "decodes"
    RESTORES = "restores"
    INVARIANTS = "satisfies the invariants"
    DECRYPTS = "encrypted columns decrypt"

    @property
    def rank(self) -> int:
        """0 for the lowest."""
        return tuple(Grade).index(self)

    def reaches(self, wanted: Grade) -> bool:
        """Whether this is `wanted` or better."""
        return self.rank >= wanted.rank


@dataclass(frozen=True)
class Shown:
    """What the newest proof of these bytes showed: `EXISTS` when they do not even decode."""

    grade: Grade
    why: str = ""


@dataclass(frozen=True)
class Evidence:
    """What is known of one backup. `age` and `rpo` in seconds, sizes in bytes, `earlier` of older backups."""

    age: float
    rpo: float
    size: int
    warnings: int = 0
    unfit: str = ""
    """Why there is nothing to restore, such as `failed` or `expired`; empty when there is."""
    ahead: str = ""
    """That it is dated in the future, so that nobody knows how old it is; empty when it is not."""
    damaged_state: bool = False
    """Whether a recovery captured it as the damaged state."""
    earlier: Sequence[int] = ()
    shown: Shown | None = None


@dataclass(frozen=True)
class Judgement:
    """The grade, why it is no better (empty for the best), and what else should be known."""

    grade: Grade
    why: str
    remarks: tuple[str, ...] = ()


def judge(seen: Evidence) -> Judgement:
    """What a restore has shown outranks the signs that stand before it: those become remarks then."""
    if seen.unfit:
        return Judgement(Grade.NONE, seen.unfit)
    if seen.damaged_state:
        return Judgement(Grade.EXISTS, "it is the capture of a damaged state")
    signs = list(_signs(seen))
    doubts = tuple(why for _, why in signs if why)
    if seen.shown is not None:
        return Judgement(seen.shown.grade, seen.shown.why, doubts)
    reached = Grade.EXISTS
    for number, (grade, why) in enumerate(signs):
        if why:
            return Judgement(reached, why, tuple(later for _, later in signs[number + 1 :] if later))
        reached = grade
    return Judgement(reached, "not proven by a restore")


def _signs(seen: Evidence) -> Iterator[tuple[Grade, str]]:
    """Each sign with what speaks against it."""
    yield Grade.FINISHED, warned(seen.warnings)
    yield Grade.FRESH, seen.ahead or ("older than the RPO" if seen.age > seen.rpo else "")
    yield Grade.PLAUSIBLE, _implausible(seen)


def _implausible(seen: Evidence) -> str:
    if not seen.earlier:
        return "no earlier backup to compare its size with"
    share = seen.size / max(1.0, median(seen.earlier))
    if SMALLEST <= share <= LARGEST:
        return ""
    return f"its size is {share:.0%} of the median of {plural(len(seen.earlier), 'earlier one')}"
