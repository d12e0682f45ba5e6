"""What will be brought back, from where, at which cost; and what nobody has any more."""

from __future__ import annotations

from collections import Counter

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.models.media import DELIVERIES, RESOURCE_TYPES, AssetKey
from uscdr.scenarios.deps import now
from uscdr.scenarios.media.compare import State
from uscdr.scenarios.media.estimate import effort
from uscdr.scenarios.media.survey import Survey
from uscdr.scenarios.results_media import MediaPlanned, MediaSeen
from uscdr.scenarios.steps.base import ASSESS
from uscdr.scenarios.steps.media_base import SURVEY_AGE, MediaStep, asks, some_of
from uscdr.words import duration, plural, size


class MediaRepairs(MediaStep[MediaPlanned, MediaPlanned]):
    """Decides for every file. For a changed one the service is asked for its versions, one call each."""

    name = "media.plan"
    title = "What comes back from where"
    default_id = "media_plan"
    phase = ASSESS
    effect = Effect.READ
    manual = ("cld admin resource $PUBLIC_ID versions=true",)
    gives = MediaPlanned
    needs = (MediaSeen,)
    waits = "known when the media have been looked at"
    fresh_for = SURVEY_AGE

    @override
    def probe(self, view: View, tell: Tell) -> MediaPlanned:
        survey = self.survey(tell)
        self.look_at_versions(tell)
        states = self.book.states()
        repairs, cloud = self.book.repairs(own_backup=not self.another), self.cloud()
        listed = Counter((key.resource_type, key.delivery) for key in survey.held)
        return MediaPlanned(
            from_backup=repairs.from_backup,
            asked=sum(states[key] is State.MISSING for key in repairs.restore),
            from_copies=len(repairs.upload),
            access=len(set(self.book.misopened()) - set(repairs.upload)),
            unguarded=sum(self._unguarded(key, survey) for key in repairs.upload),
            lost=len(repairs.lost),
            unavailable=self.places(repairs.lost, survey),
            effort=effort(
                repairs,
                self.copies(tell),
                listed=[listed[kind, delivery] for kind in RESOURCE_TYPES for delivery in DELIVERIES],
                searched=[sum(listed[kind, one] for one in DELIVERIES) for kind in RESOURCE_TYPES],
                quota=cloud.quota,
                now=now(),
            ),
        )

    def _unguarded(self, key: AssetKey, survey: Survey) -> bool:
        """Whether it comes back open because nobody tells how it was."""
        there, copied = survey.held.get(key), (self.book.copies or {}).get(key)
        told = (there.access if there else None) or (copied.access if copied else None)
        return key.delivery == "upload" and told is None

    @override
    def plan(self, seen: MediaPlanned, view: View) -> Action:
        calls = (asks("GET /resources/{type}/upload/… ?versions=true (one for each changed file)"),)
        return Action("read", "; ".join(_words(seen)), calls)


def _words(seen: MediaPlanned) -> list[str]:
    cost = seen.effort
    if not (seen.from_backup or seen.from_copies or seen.lost or seen.access):
        return ["nothing has to be brought back"]
    words = [f"{plural(seen.from_backup, 'file')} from the service's own backup"]
    if seen.asked:
        words.append(f"{seen.asked:,} of them are only asked for: the service does not list them as deleted")
    if seen.from_copies:
        words.append(f"{plural(seen.from_copies, 'file')} uploaded again, {size(cost.upload_bytes)}")
    if seen.unguarded:
        words.append(
            f"{plural(seen.unguarded, 'file')} of these from a copy that does not know who may have them: "
            "anybody can have them then"
        )
    if seen.access:
        words.append(f"{plural(seen.access, 'file')} given the access setting that the copy knows")
    if seen.lost:
        words.append(f"{plural(seen.lost, 'file')} that neither backup nor copy has: " + some_of(seen.unavailable))
    wait = f", of which {duration(cost.wait_seconds)} waiting for the hourly allowance" if cost.wait_seconds else ""
    return [*words, f"about {plural(cost.calls, 'call')} and {duration(cost.seconds)}{wait}"]
