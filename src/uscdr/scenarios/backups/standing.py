"""The recovery point objective by what platform and vault hold now, and in a line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal

from uscdr.models.base import Fact
from uscdr.scenarios.backups.inventory import Inventory, scope, vault_of
from uscdr.scenarios.deps import Deps
from uscdr.vault.backups.catalog import Entry, Scope
from uscdr.vault.backups.cron import cron_line, rhythm
from uscdr.vault.backups.proofs import ProofDocument, Proofs
from uscdr.vault.backups.rpo import Point, Standing, assess
from uscdr.words import duration

REMEMBERED = timedelta(days=9)
"""How far back proofs count as a memory of backups that retention removed: a week and some."""


class Objective(Fact):
    """One part of the objective: whether it holds, the arithmetic, and what to do when it does not."""

    name: str
    verdict: Literal["pass", "fail", "not checked"]
    evidence: str
    mend: str = ""


def stand(deps: Deps, known: Inventory, at: datetime) -> Standing:
    """The objective as of `at`. Without a vault that can be read nothing off the platform counts."""
    proofs = known.vault.proofs if known.vault else None
    found = made(known.entries, proofs, scope(deps, known.attachment), at)
    return assess(found, known.schedules, at, deps.config.objectives.rpo)


def made(entries: Sequence[Entry], proofs: Proofs | None, of: Scope, at: datetime) -> tuple[Point, ...]:
    """Every backup that is known to have been made, also when only its proof is left."""
    left = proofs.since(at - REMEMBERED) if proofs else ()
    return (*points(entries), *forgotten(entries, left, of))


def points(entries: Sequence[Entry]) -> tuple[Point, ...]:
    """Every backup that was once whole, dropped ones too: they show how often backups were made."""
    return tuple(_point(one) for one in entries if one.once_whole and not one.damaged_state)


def _point(entry: Entry) -> Point:
    return Point(
        name=entry.name, taken_at=entry.taken_at, ready_at=entry.finished_at, there=not entry.unfit,
        off_platform=bool(entry.copies), proven=entry.proven,
    )  # fmt: skip


def forgotten(entries: Sequence[Entry], proofs: Sequence[ProofDocument], of: Scope) -> Iterator[Point]:
    """Backups of which only a proof is left: without them what retention removed would look like a gap."""
    listed = {one.transfer_id for one in entries}
    for proof in proofs:
        if of.owns(proof) and proof.transfer_id not in listed:
            listed.add(proof.transfer_id)
            yield Point(
                name=proof.backup, taken_at=proof.taken_at, ready_at=None, there=False, off_platform=False, proven=False
            )


def objectives(seen: Standing, cron: str) -> tuple[Objective, ...]:
    """What `Standing.met` is made of, each with its own next action."""
    return (_schedule(seen), _proven(seen), _often(seen, cron))


def _schedule(seen: Standing) -> Objective:
    words = ", ".join(seen.schedules) or "the platform schedules no backup"
    return Objective(
        name="backups are scheduled",
        verdict="pass" if seen.schedules else "fail",
        evidence=words,
        mend="" if seen.schedules else "Schedule them: uscdr backup schedule --apply",
    )


def _proven(seen: Standing) -> Objective:
    limit = f"objective {duration(seen.objective)}"
    good = seen.proven_age is not None and seen.proven_age <= seen.objective
    newest = "none" if seen.proven_age is None else f"{seen.proven}, {duration(seen.proven_age)} old"
    return Objective(
        name="newest proven copy off the platform",
        verdict="pass" if good else "fail",
        evidence=f"{newest}, {limit}",
        mend="" if good else "Copy and prove one: uscdr backup pull, then uscdr backup prove",
    )


def _often(seen: Standing, cron: str) -> Objective:
    limit = f"objective {duration(seen.objective)}"
    good = seen.worst is not None and seen.worst <= seen.objective
    return Objective(
        name="backups come often enough",
        verdict="pass" if good else "fail",
        evidence=f"{'; '.join(_rhythms(seen)) or 'nothing is known of how often'}; {limit}",
        mend="" if good else f"Add to `crontab -e`: {cron}",
    )


def _rhythms(seen: Standing) -> Iterator[str]:
    if seen.day_gap is not None:
        yield _sum("at most", seen.day_gap, seen.capture) + " as seen in the last 24 h"
    if seen.schedule_gap is not None:
        yield _sum(f"{', '.join(seen.schedules)}:", seen.schedule_gap, seen.capture)


def _sum(what: str, gap: float, capture: float) -> str:
    return f"{what} {duration(gap)} between two + {duration(capture)} for one = up to {duration(gap + capture)}"


def platform_alone(seen: Standing) -> bool:
    """Whether the platform's own schedule is enough: what was captured by hand today says nothing of tomorrow."""
    return seen.schedule_gap is not None and seen.schedule_gap + seen.capture <= seen.objective


def cron_for(deps: Deps) -> str:
    """The line that makes, copies and proves backups often enough."""
    place, config = vault_of(deps), deps.config
    return cron_line(rhythm(config.vault.every, config.objectives.rpo), place.target, place.to)


def in_words(seen: Standing, parts: Sequence[Objective]) -> str:
    """One sentence for a plan's line."""
    missed = [f"{one.name} ({one.evidence})" for one in parts if one.verdict != "pass"]
    return f"RPO {duration(seen.objective)}: " + (f"MISSED: {'; '.join(missed)}" if missed else "met")
