"""What shows that an exercise was done: proofs of backups, recorded drills, and records of people, by local date."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from uscdr.backups.catalog import Scope, counting
from uscdr.errors import BadInput
from uscdr.exercises.basis import Basis
from uscdr.exercises.records import ExerciseLog

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date, tzinfo

    from uscdr.backups.proofs import ProofDocument
    from uscdr.exercises.records import DrillRecord
    from uscdr.scenarios.config import Config
    from uscdr.scenarios.config_exercises import Exercise


@dataclass(frozen=True)
class Occurrence:
    """One time that something was done. `doubt` says why it does not count any more; empty if it counts."""

    day: date
    what: str
    doubt: str = ""


@dataclass(frozen=True)
class ExerciseEvidence:
    """The newest occurrence of an exercise, and the newest that counts. None where there is none.

    `parts`: of an exercise of several drills, the newest day on which each was done and counts. `unknown`: why nothing
    is known.
    """

    newest: Occurrence | None = None
    counting: Occurrence | None = None
    parts: Mapping[str, date | None] = field(default_factory=dict)
    unknown: str = ""


@dataclass(frozen=True)
class KnownFacts:
    """All that is known of what was done. `proofs` is None when the store of copies could not be read: `unread` why."""

    config: Config
    zone: tzinfo
    log: ExerciseLog = field(default_factory=ExerciseLog)
    proofs: tuple[ProofDocument, ...] | None = ()
    unread: str = ""
    scope: Scope = field(default_factory=lambda: Scope(""))
    identity: str = ""
    """Of the target if it is a sandbox, whose proofs say nothing of the platform's backups; else empty."""

    def of(self, exercise: Exercise, today: date) -> ExerciseEvidence:
        """The evidence for an exercise. What is dated after today counts for nothing."""
        if exercise.done_by == "proof":
            return ExerciseEvidence(unknown=self.unread) if self.proofs is None else _newest(self._proofs(), today)
        if exercise.done_by == "drill":
            return _together({name: _newest(self._drills(name, today), today) for name in exercise.drills})
        return _newest(self._attested(exercise), today)

    def _proofs(self) -> Iterator[Occurrence]:
        for proof in self.proofs or ():
            if self.scope.owns(proof) and proof.sound and proof.identity in (None, self.identity):
                judged = counting(proof, self.scope) or proof
                doubt = "" if judged.sound else judged.why
                if proof.identity is None:
                    doubt = "it does not say whether the backup is one of a sandbox"
                yield Occurrence(proof.proven_at.astimezone(self.zone).date(), f"proof of {proof.backup}", doubt)

    def _drills(self, scenario: str, today: date) -> Iterator[Occurrence]:
        """The sound drills of a scenario; a later one that did not pass puts the earlier ones in doubt."""
        failed, now = "", self._present(scenario)
        for record in reversed([one for one in self.log.drills if one.scenario == scenario]):
            day = self._day(record)
            if day > today:
                continue
            if record.sound:
                yield Occurrence(day, f"drill {scenario}", failed or _doubt(now, record))
            else:
                failed = failed or f"the drill {scenario} of {day} did not pass"

    def _present(self, scenario: str) -> Basis | str:
        """What a drill would show now, or why nobody can tell. Without a record nobody asks."""
        if not any(one.scenario == scenario for one in self.log.drills):
            return ""
        try:
            return Basis.of(self.config, scenario)
        except KeyError:
            return f"scenarios.yaml has no scenario {scenario} any more"
        except BadInput as error:
            return f"scenarios.yaml has a mistake: {error.message}"

    def _attested(self, exercise: Exercise) -> Iterator[Occurrence]:
        """By name; a communication exercise is also done by any communication drill."""
        for record in self.log.attested:
            if record.name == exercise.name or record.kind == exercise.done_by == "communication":
                yield Occurrence(record.on, f"by {record.by}")

    def _day(self, record: DrillRecord) -> date:
        return record.ended_at.astimezone(self.zone).date()


def _doubt(now: Basis | str, record: DrillRecord) -> str:
    return now if isinstance(now, str) else "; ".join(now.changes(record))


def _newest(found: Iterable[Occurrence], today: date) -> ExerciseEvidence:
    past = sorted((one for one in found if one.day <= today), key=lambda one: one.day)
    good = [one for one in past if not one.doubt]
    return ExerciseEvidence(past[-1] if past else None, good[-1] if good else None)


def _together(found: Mapping[str, ExerciseEvidence]) -> ExerciseEvidence:
    """Of several drills: done since the oldest of their newest ones."""
    parts = {name: one.counting.day if one.counting else None for name, one in found.items()}
    newest = _oldest([one.newest for one in found.values()])
    return ExerciseEvidence(newest, _oldest([one.counting for one in found.values()]), parts)


def _oldest(found: Sequence[Occurrence | None]) -> Occurrence | None:
    """The oldest, with the doubts of all; None when one is missing."""
    there = [one for one in found if one]
    if len(there) < len(found):
        return None
    doubts = "; ".join(dict.fromkeys(one.doubt for one in there if one.doubt))
    return replace(min(there, key=lambda one: one.day), what=", ".join(one.what for one in there), doubt=doubts)
