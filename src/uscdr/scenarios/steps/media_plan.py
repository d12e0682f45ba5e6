"""Plan the media restore: the source of each file, the cost, and the files that are lost."""

from __future__ import annotations

from collections import Counter

from typing_extensions import override

from uscdr.clock import system_time
from uscdr.engine.step import Action, BlastRadius, Effect, Reporter, View
from uscdr.models.base import Fact
from uscdr.models.media import DELIVERIES, RESOURCE_TYPES, AssetKey
from uscdr.phrase import short_phrase
from uscdr.scenarios.media.compare import FileState, MediaSurvey
from uscdr.scenarios.results.app import MediaVerified
from uscdr.scenarios.results.db import ApplicationChecked
from uscdr.scenarios.results.media import MediaDecided, MediaPlanned, MediaSeen
from uscdr.scenarios.steps.base import ASSESS, ScenarioStep
from uscdr.scenarios.steps.media_base import SURVEY_AGE, MediaStep, asks, some_of
from uscdr.words import duration, plural, size


class MediaRepairs(MediaStep[MediaPlanned, MediaPlanned]):
    """Chooses a source for every file. For each changed file it requests the versions, one call each."""

    name = "media.plan"
    title = "Plan the media restore"
    default_id = "media_plan"
    phase = ASSESS
    effect = Effect.READ
    manual = ("cld admin resource $PUBLIC_ID versions=true",)
    gives = MediaPlanned
    needs = (MediaSeen,)
    waits = "known after the media are inspected"
    fresh_for = SURVEY_AGE

    @override
    def probe(self, view: View, tell: Reporter) -> MediaPlanned:
        survey = self.survey(tell)
        self.look_at_versions(tell)
        states = self.book.states()
        repairs, cloud = self.book.repairs(own_backup=not self.another), self.cloud()
        listed = Counter((key.resource_type, key.delivery) for key in survey.held)
        return MediaPlanned(
            from_backup=repairs.from_backup,
            asked=sum(states[key] is FileState.MISSING for key in repairs.restore),
            from_copies=len(repairs.upload),
            access=len(set(self.book.misopened()) - set(repairs.upload)),
            unguarded=sum(self._unguarded(key, survey) for key in repairs.upload),
            lost=len(repairs.lost),
            unavailable=self.places(repairs.lost, survey),
            effort=repairs.effort(
                self.copies(tell),
                listed=[listed[kind, delivery] for kind in RESOURCE_TYPES for delivery in DELIVERIES],
                searched=[sum(listed[kind, one] for one in DELIVERIES) for kind in RESOURCE_TYPES],
                quota=cloud.quota,
                now=system_time(),
            ),
        )

    def _unguarded(self, key: AssetKey, survey: MediaSurvey) -> bool:
        """Whether the file will be public because its earlier access setting is not known."""
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
        return ["no file has to be restored"]
    words = [f"{plural(seen.from_backup, 'file')} from the service's own backup"]
    if seen.asked:
        words.append(f"{seen.asked:,} of them may not be there: the service does not list them as deleted")
    if seen.from_copies:
        words.append(f"{plural(seen.from_copies, 'file')} uploaded again, {size(cost.upload_bytes)}")
    if seen.unguarded:
        words.append(
            f"{plural(seen.unguarded, 'file')} of these will be PUBLIC: the copy has no access setting for them"
        )
    if seen.access:
        words.append(f"{plural(seen.access, 'file')} get the access setting of the copy")
    if seen.lost:
        words.append(
            f"{plural(seen.lost, 'file')} LOST, in neither the backup nor a copy: " + some_of(seen.unavailable)
        )
    wait = f", of which {duration(cost.wait_seconds)} waiting for the hourly rate limit" if cost.wait_seconds else ""
    return [*words, f"about {plural(cost.calls, 'call')} and {duration(cost.seconds)}{wait}"]


# Confirm the restore of files over existing ones, by a phrase.


class _MediaDecideSeen(Fact):
    """What the earlier steps found."""

    look: MediaSeen
    wanted: MediaPlanned


class MediaDecide(ScenarioStep[_MediaDecideSeen, MediaDecided]):
    """Asks for the confirmation; changes nothing itself."""

    name = "media.decide"
    title = "Decide"
    phase = ASSESS
    effect = Effect.IDEMPOTENT
    destructive = True
    manual = ("cld config   # the right cloud?",)
    gives = MediaDecided
    needs = (MediaSeen, MediaPlanned)
    checked_by = (MediaVerified, ApplicationChecked)
    waits = "asked after the media are inspected"

    @override
    def probe(self, view: View, tell: Reporter) -> _MediaDecideSeen:
        return _MediaDecideSeen(look=view.need(MediaSeen), wanted=view.need(MediaPlanned))

    @override
    def plan(self, seen: _MediaDecideSeen, view: View) -> Action:
        wanted = seen.wanted
        if not (wanted.from_backup or wanted.from_copies or wanted.access or seen.look.another):
            return Action("noop", "no file has to be restored")
        words = "; ".join(f"{name}: {fact}" for name, fact in self._facts(seen).items())
        approved = {"cloud": seen.look.cloud, "files": str(wanted.from_backup + wanted.from_copies)}
        return Action("change", words, approved=approved)

    def _facts(self, seen: _MediaDecideSeen) -> dict[str, str]:
        look, wanted = seen.look, seen.wanted
        facts = {
            "cloud": f"{look.cloud}{' (a NEW one: uscdr points the application to it)' if look.another else ''}",
            "from its own backup": plural(wanted.from_backup, "file"),
            "uploaded again": f"{plural(wanted.from_copies, 'file')}, {size(wanted.effort.upload_bytes)}",
            **(
                {"in all": plural(wanted.from_backup + wanted.from_copies, "file")}
                if wanted.from_backup and wanted.from_copies
                else {}
            ),
            "not available": plural(wanted.lost, "file"),
            "takes": f"about {plural(wanted.effort.calls, 'call')} and {duration(wanted.effort.seconds)}",
        }
        if wanted.access:
            facts["access settings"] = f"of {plural(wanted.access, 'file')} corrected"
        if look.replaced:
            facts["not judged"] = (
                f"{plural(look.replaced, 'file')} replaced after they were first stored; "
                "only a kit shows whether that was right"
            )
        return facts

    @override
    def blast(self, seen: _MediaDecideSeen, view: View) -> BlastRadius:
        wanted = seen.wanted
        files = wanted.from_backup + wanted.from_copies
        doing, number = ("restore", files) if files else ("correct", wanted.access)
        noun = "file" if number == 1 else "files"
        return BlastRadius(self._facts(seen), short_phrase(seen.look.cloud, f"{doing} {number} {noun}"))

    @override
    def apply(self, seen: _MediaDecideSeen, view: View, tell: Reporter) -> MediaDecided:
        return self.current(seen, view)

    @override
    def current(self, seen: _MediaDecideSeen, view: View) -> MediaDecided:
        return MediaDecided(cloud=seen.look.cloud, files=seen.wanted.from_backup + seen.wanted.from_copies)

    @override
    def verify(self, result: MediaDecided, view: View, tell: Reporter) -> str:
        return f"decided: {plural(result.files, 'file')} into {result.cloud}"
