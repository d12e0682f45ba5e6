"""Score whether a kit could rebuild the application today without the old platform: 0 to 100 points. Pure functions.

Each question has a weight (`WEIGHTS`, which add up to 100). An unknown answer gets no points and is counted separately.
Ages and the objective are seconds. docs/kit.md has the table.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from uscdr.backups.proofs import Grade
from uscdr.models.base import Fact, aged, elapsed
from uscdr.words import duration, plural

if TYPE_CHECKING:
    from collections.abc import Mapping

    from uscdr.kit.manifest import Card, DumpProof, Manifest, PartName, PartState

WEIGHTS: Mapping[str, int] = {
    "dump age": 15,
    "dump proof": 15,
    "proof age": 5,
    "config": 15,
    "parts": 20,
    "media": 10,
    "media backup": 5,
    "recipients": 5,
    "source": 5,
    "contacts": 5,
}
PART_WEIGHTS: Mapping[PartName, int] = {"app": 4, "config": 6, "dns": 2, "dump": 5, "source": 3}
"""The 20 points for parts; a partial one gets half, rounded down."""
DUMP_AGES: tuple[tuple[float, int], ...] = ((1, 15), (6, 10), (42, 4))
"""Multiples of the objective -> points: for 4 h these are 4 h, a day, a week."""
PROOF_AGES: tuple[tuple[timedelta, int], ...] = ((timedelta(days=7), 5), (timedelta(days=31), 2))
GRADES: Mapping[Grade, int] = {Grade.DECRYPTS: 15, Grade.INVARIANTS: 10, Grade.RESTORES: 5}
SKEW = timedelta(minutes=5)
ENOUGH_RECIPIENTS = 2


@dataclass(frozen=True)
class Now:
    """The present state of platform and media service. None: unknown; `why` has the reason by question."""

    config_changed: tuple[str, ...] | None = None
    """Names of variables that are new, removed or changed."""
    commit: str | None = None
    media_backup: bool | None = None
    why: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """The known facts about a kit. Without `manifest` it was not decrypted, and `commit` and `media` are unknown."""

    at: datetime
    card: Card
    damaged: int = 0
    """The number of damaged, missing or foreign objects."""
    rpo: float | None = None
    manifest: Manifest | None = None
    commit: str | None = None
    media: tuple[int, int] | None = None
    """The number of files with their original, and of all files."""
    now: Now = Now()


class Reason(Fact):
    """One question: its points, its weight, and the reason."""

    question: str
    points: int
    of: int
    state: Literal["good", "less", "unknown"]
    words: str


class Freshness(Fact):
    """The total. `unknown`: points that depend on unknown answers."""

    score: int
    unknown: int
    reasons: tuple[Reason, ...]

    @classmethod
    def of(cls, seen: Seen) -> Freshness:
        """Answer every question in the order of WEIGHTS; a damaged kit gets no points."""
        if seen.damaged:
            words = f"{plural(seen.damaged, 'damaged or missing object')}: do not rebuild from this kit"
            return cls(
                score=0, unknown=0, reasons=(Reason(question="whole", points=0, of=100, state="less", words=words),)
            )
        reasons = (
            _dump_age(seen), _dump_proof(seen), _proof_age(seen), _config(seen), _parts(seen), _media(seen),
            _media_backup(seen), _recipients(seen), _source(seen), _contacts(seen),
        )  # fmt: skip
        unknown = sum(one.of - one.points for one in reasons if one.state == "unknown")
        return cls(score=sum(one.points for one in reasons), unknown=unknown, reasons=reasons)


def _reason(question: str, points: int, words: str) -> Reason:
    of = WEIGHTS[question]
    return Reason(question=question, points=points, of=of, state="good" if points == of else "less", words=words)


def _unknown(question: str, words: str) -> Reason:
    return Reason(question=question, points=0, of=WEIGHTS[question], state="unknown", words=words)


def _state(seen: Seen, name: PartName) -> PartState:
    """The state from the manifest if it was decrypted, else from the card."""
    parts = seen.manifest.card_parts() if seen.manifest else seen.card.parts
    return next((part.state for part in parts if part.name == name), "missing")


def _taken(seen: Seen, name: PartName) -> datetime | None:
    parts = seen.manifest.card_parts() if seen.manifest else seen.card.parts
    return next((part.taken_at for part in parts if part.name == name), None)


def _proof(seen: Seen) -> DumpProof | None:
    return seen.manifest.dump if seen.manifest else seen.card.dump


def _has_dump(seen: Seen) -> bool:
    return _state(seen, "dump") in ("complete", "partial")


def _dump_age(seen: Seen) -> Reason:
    taken, question = _taken(seen, "dump"), "dump age"
    if not _has_dump(seen):
        return _reason(question, 0, "the kit has no dump")
    if taken is None or seen.rpo is None:
        return _unknown(question, "the date of the dump or the RPO is unknown")
    if taken > seen.at + SKEW:
        return _unknown(question, "the date of the dump is in the future: check the clocks")
    age = elapsed(taken, seen.at)
    points = next((points for times, points in DUMP_AGES if age <= times * seen.rpo), 0)
    against = "within" if age <= seen.rpo else "beyond"
    return _reason(question, points, f"the dump is {duration(age)} old: {against} the RPO of {duration(seen.rpo)}")


def _dump_proof(seen: Seen) -> Reason:
    proof, question = _proof(seen), "dump proof"
    if not _has_dump(seen):
        return _reason(question, 0, "the kit has no dump")
    if proof is None or not proof.shown:
        left_out = proof is not None and proof.origin == "left out"
        return _reason(question, 0, f"never restored{' (--unproven)' if left_out else ''}: it may not restore")
    return _reason(question, GRADES.get(proof.grade, 0), f"a restore showed: {proof.grade}")


def _proof_age(seen: Seen) -> Reason:
    proof, question = _proof(seen), "proof age"
    if proof is None or proof.proven_at is None:
        return _reason(question, 0, "the dump has no proof")
    if proof.proven_at > seen.at + SKEW:
        return _unknown(question, "the date of the proof is in the future: check the clocks")
    age = max(timedelta(0), seen.at - proof.proven_at)
    points = next((points for limit, points in PROOF_AGES if age <= limit), 0)
    return _reason(question, points, f"proven {duration(age.total_seconds())} ago")


def _config(seen: Seen) -> Reason:
    question, changed, taken = "config", seen.now.config_changed, _taken(seen, "config")
    if _state(seen, "config") not in ("complete", "partial"):
        return _reason(question, 0, "the kit has no configuration")
    if changed is None:
        age = f"it is {aged(taken, seen.at)} old; " if taken else ""
        return _unknown(question, f"{age}uscdr does not know whether it has changed: {_why(seen, question)}")
    if changed:
        return _reason(question, 0, f"changed since the build: {', '.join(changed)}")
    return _reason(question, WEIGHTS[question], "the platform has the same")


def _parts(seen: Seen) -> Reason:
    states = {name: _state(seen, name) for name in PART_WEIGHTS}
    points = sum(
        PART_WEIGHTS[name] if state == "complete" else PART_WEIGHTS[name] // 2 if state == "partial" else 0
        for name, state in states.items()
    )
    wanting = [f"{name} {state}" for name, state in states.items() if state != "complete"]
    return _reason("parts", points, ", ".join(wanting) or "all complete")


def _media(seen: Seen) -> Reason:
    question, state = "media", _state(seen, "media")
    full = WEIGHTS[question]
    if state in ("missing", "left out"):
        return _reason(question, 0, f"{state}: only the media service has these files")
    if seen.media is not None and state == "partial":
        stored, present = seen.media
        points = min(full - 1, full * stored // present) if present else 0
        return _reason(question, points, f"the kit has {stored:,} of {present:,} files")
    return _reason(question, full if state == "complete" else full // 2, state)


def _media_backup(seen: Seen) -> Reason:
    question, on = "media backup", seen.now.media_backup
    if on is None:
        return _unknown(
            question, f"uscdr does not know whether the media service keeps backups: {_why(seen, question)}"
        )
    words = "the media service keeps backups" if on else "OFF: the media service keeps no backup of new files"
    return _reason(question, WEIGHTS[question] if on else 0, words)


def _recipients(seen: Seen) -> Reason:
    count = len(seen.manifest.recipients if seen.manifest else seen.card.recipients)
    enough = count >= ENOUGH_RECIPIENTS
    words = f"{count} keys decrypt it" if enough else "only one key decrypts it: if you lose that key, you lose the kit"
    return _reason("recipients", WEIGHTS["recipients"] if enough else 0, words)


def _source(seen: Seen) -> Reason:
    question, deployed = "source", seen.now.commit
    if _state(seen, "source") not in ("complete", "partial"):
        return _reason(question, 0, "the kit has no code")
    if seen.commit is None:
        return _unknown(question, "without a key, uscdr cannot read which code the kit has (--identity FILE)")
    if deployed is None:
        return _unknown(question, f"{seen.commit[:12]}; the deployed commit is unknown: {_why(seen, question)}")
    if seen.commit != deployed:
        return _reason(question, 0, f"the kit has {seen.commit[:12]}, the platform runs {deployed[:12]}")
    return _reason(question, WEIGHTS[question], f"the platform runs the same commit: {deployed[:12]}")


def _contacts(seen: Seen) -> Reason:
    question = "contacts"
    if seen.manifest is None:
        return _unknown(question, "without a key, uscdr cannot read them (--identity FILE)")
    contacts = seen.manifest.contacts
    empty = [one.role for one in contacts if one.is_placeholder]
    if not contacts or len(empty) == len(contacts):
        return _reason(question, 0, "scenarios.yaml has no contacts")
    if empty:
        return _reason(question, WEIGHTS[question] // 2, f"placeholders, not people: {', '.join(empty)}")
    return _reason(question, WEIGHTS[question], f"{len(contacts)} people with a way to reach them")


def _why(seen: Seen, question: str) -> str:
    return seen.now.why.get(question, "not asked (--online)")
