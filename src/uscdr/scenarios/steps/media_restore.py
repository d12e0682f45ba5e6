"""Files come back from the service's own backup, a hundred a call; each item has an answer of its own."""

from __future__ import annotations

from collections.abc import Collection, Container, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.errors import AnswerLost, CheckFailed
from uscdr.models.base import Fact
from uscdr.models.media import AssetKey, Restored
from uscdr.providers.ports.media import RESTORE_BATCH
from uscdr.scenarios.media.compare import State, judge
from uscdr.scenarios.media.repair import Repairs, batches, by_kind
from uscdr.scenarios.results_media import MediaDecided, MediaPlanned, MediaRestored
from uscdr.scenarios.steps.media_base import MediaStep, changes
from uscdr.words import plural

MOST_ROUNDS = 2
"""What comes back in its latest version may turn out to be the changed one; then its versions are looked at."""
MOST_TRIES = 3
MOST_DELIVERED = 10


class RestoreSeen(Fact):
    """What the service's backup has to give back now."""

    latest: int
    versions: int

    @property
    def files(self) -> int:
        """In all."""
        return self.latest + self.versions


@dataclass(frozen=True)
class Batch:
    """What one call restores: files of one kind, and a version id for each or none at all."""

    keys: Sequence[AssetKey]
    versions: Sequence[str] | None

    def without(self, done: Container[AssetKey]) -> Batch:
        """The rest."""
        left = [i for i, key in enumerate(self.keys) if key not in done]
        versions = None if self.versions is None else [self.versions[i] for i in left]
        return Batch([self.keys[i] for i in left], versions)


def _batches(repairs: Repairs) -> list[Batch]:
    latest = [
        Batch(keys, None) for alike in by_kind(repairs.restore).values() for keys in batches(alike, RESTORE_BATCH)
    ]
    wanted = repairs.versions
    chosen = [
        Batch(keys, [wanted[key] for key in keys])
        for alike in by_kind(tuple(wanted)).values()
        for keys in batches(alike, RESTORE_BATCH)
    ]
    return latest + chosen


class RestoreBackups(MediaStep[RestoreSeen, MediaRestored]):
    """What is back already is seen by looking, so that a resumed run restores nothing twice."""

    name = "media.restore_backups"
    title = "Restore from the service's own backup"
    default_id = "media_restore"
    effect = Effect.IDEMPOTENT
    manual = ("cld admin restore $PUBLIC_ID resource_type=$TYPE   # 100 ids a call",)
    gives = MediaRestored
    needs = (MediaPlanned, MediaDecided)
    plans_with = (MediaPlanned,)
    waits = "known when it is known what has to come back"
    _restored: Collection[AssetKey] = ()
    """What this process restored."""

    @override
    def probe(self, view: View, tell: Tell) -> RestoreSeen:
        self.look_closer(self.survey(tell), tell)
        self.look_at_versions(tell)
        repairs = self._repairs()
        return RestoreSeen(latest=len(repairs.restore), versions=len(repairs.versions))

    def _repairs(self) -> Repairs:
        return self.book.repairs(own_backup=not self.another)

    @override
    def plan(self, seen: RestoreSeen, view: View) -> Action:
        if not seen.files:
            why = "another cloud has no backup of ours" if self.another else "nothing to restore from its own backup"
            return Action("noop", why)
        words = f"{plural(seen.files, 'file')} from the service's own backup into {self.cloud().cloud}"
        if seen.versions:
            words += f", {seen.versions:,} of them in the version before the change"
        calls = (changes(f"POST /resources/{{type}}/{{delivery}}/restore ({RESTORE_BATCH} files a call)"),)
        return Action("change", words, calls)

    @override
    def baseline(self, seen: RestoreSeen) -> dict[str, Any]:
        return {"files": seen.files, "cloud": self.cloud().cloud}

    @override
    def apply(self, seen: RestoreSeen, view: View, tell: Tell) -> MediaRestored:
        restored = self._restored = set[AssetKey]()
        for _ in range(MOST_ROUNDS):
            repairs = self._repairs()
            if not repairs.from_backup:
                break
            self._round(repairs, restored, tell)
            self.look_at_versions(tell)
        return MediaRestored(restored=len(restored), refused=len(self.book.refused))

    def _round(self, repairs: Repairs, restored: set[AssetKey], tell: Tell) -> None:
        def one(batch: Batch) -> None:
            answers = self._restore(batch, tell)
            with self.book.lock:
                restored.update(self._noted(answers))
            tell.progress("restoring", len(restored), repairs.from_backup, "files")

        self.together([partial(one, batch) for batch in _batches(repairs)])

    def _restore(self, batch: Batch, tell: Tell) -> tuple[Restored, ...]:
        """One batch; after a lost answer the files are looked up, and only those not back are asked for again."""
        found: list[Restored] = []
        for _ in range(MOST_TRIES):
            try:
                return (*found, *self.allowed(partial(self.cloud().restore, batch.keys, batch.versions), tell))
            except AnswerLost:
                there = self._back_now(batch, tell)
                found += there.values()
                batch = batch.without(there)
            if not batch.keys:
                return tuple(found)
        self.book.forget()
        raise AnswerLost(
            "The service was asked to restore files; whether it did is not known.",
            provider="Cloudinary",
            why=f"{MOST_TRIES} answers in a row were lost.",
            next_action="uscdr runs resume (it looks first and repeats nothing).",
        )

    def _back_now(self, batch: Batch, tell: Tell) -> dict[AssetKey, Restored]:
        """Those that came back although nobody said so. A restored version is told by its new version number."""
        there = self.allowed(partial(self.cloud().look_up, batch.keys), tell)
        before = self.survey(tell).held
        return {
            key: Restored(key=key, asset=asset)
            for key, asset in there.items()
            if asset.present
            and not (batch.versions is not None and key in before and asset.version == before[key].version)
        }

    def _noted(self, answers: Sequence[Restored]) -> set[AssetKey]:
        """Keep what was said; what is not there afterwards counts as refused."""
        survey, copies, back = self.book.survey, self.book.copies or {}, set()
        for one in answers:
            if one.asset is not None and survey is not None:
                survey.note(one.asset)
                self.book.details.pop(one.key, None)
            state = judge(survey.held.get(one.key), copies.get(one.key)) if survey else State.MISSING
            if one.asset is None or state in (State.MISSING, State.DELETED):
                self.book.refused.add(one.key)
            else:
                back.add(one.key)
        return back

    @override
    def unchanged(self, seen: RestoreSeen, view: View) -> MediaRestored:
        return MediaRestored(restored=0, refused=len(self.book.refused))

    @override
    def confirm_effect(self, result: MediaRestored, view: View, tell: Tell) -> str:
        kept = self.survey(tell).held
        some = sorted(self._restored, key=str)[:MOST_DELIVERED]
        there = self.together([partial(self.delivers, key, kept[key]) for key in some])
        gone = there.count(False)
        if gone:
            self.book.forget()
            raise CheckFailed(
                f"{plural(gone, 'file')} that the service said to have restored are not delivered.",
                next_action="Look at status.cloudinary.com, then: uscdr runs resume.",
            )
        refused = f"; {result.refused:,} it did not bring back" if result.refused else ""
        return f"{plural(result.restored, 'file')} restored from the service's own backup{refused}"
