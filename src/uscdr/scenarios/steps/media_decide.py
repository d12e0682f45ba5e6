"""Which files are put back over what is there: shown and confirmed by a phrase."""

from __future__ import annotations

from typing_extensions import override

from uscdr.engine.step import Action, Blast, Effect, Tell, View
from uscdr.models.base import Fact
from uscdr.scenarios.results import ApplicationChecked
from uscdr.scenarios.results_media import MediaDecided, MediaPlanned, MediaSeen, MediaVerified
from uscdr.scenarios.steps.base import ASSESS, DepsStep
from uscdr.words import duration, plural, size


class MediaDecideSeen(Fact):
    """What the steps before found."""

    look: MediaSeen
    wanted: MediaPlanned


class MediaDecide(DepsStep[MediaDecideSeen, MediaDecided]):
    """Changes nothing itself."""

    name = "media.decide"
    title = "Decide"
    phase = ASSESS
    effect = Effect.IDEMPOTENT
    destructive = True
    manual = ("cld config   # the right cloud?",)
    gives = MediaDecided
    needs = (MediaSeen, MediaPlanned)
    checked_by = (MediaVerified, ApplicationChecked)
    waits = "asked when it is known what is missing"

    @override
    def probe(self, view: View, tell: Tell) -> MediaDecideSeen:
        return MediaDecideSeen(look=view.need(MediaSeen), wanted=view.need(MediaPlanned))

    @override
    def plan(self, seen: MediaDecideSeen, view: View) -> Action:
        wanted = seen.wanted
        if not (wanted.from_backup or wanted.from_copies or wanted.access or seen.look.another):
            return Action("noop", "no file has to be put back")
        words = "; ".join(f"{name}: {fact}" for name, fact in self._facts(seen).items())
        approved = {"cloud": seen.look.cloud, "files": str(wanted.from_backup + wanted.from_copies)}
        return Action("change", words, approved=approved)

    def _facts(self, seen: MediaDecideSeen) -> dict[str, str]:
        look, wanted = seen.look, seen.wanted
        facts = {
            "cloud": f"{look.cloud}{' (ANOTHER one: the application is pointed at it)' if look.another else ''}",
            "from its own backup": plural(wanted.from_backup, "file"),
            "uploaded again": f"{plural(wanted.from_copies, 'file')}, {size(wanted.effort.upload_bytes)}",
            "cannot be had": plural(wanted.lost, "file"),
            "takes": f"about {plural(wanted.effort.calls, 'call')} and {duration(wanted.effort.seconds)}",
        }
        if wanted.access:
            facts["access settings"] = f"of {plural(wanted.access, 'file')} put right"
        if look.replaced:
            facts["not judged"] = (
                f"{plural(look.replaced, 'file')} replaced after they were first stored; only a kit tells if rightly"
            )
        return facts

    @override
    def blast(self, seen: MediaDecideSeen, view: View) -> Blast:
        wanted = seen.wanted
        parts = f"{wanted.from_backup} from its backup, {wanted.from_copies} uploaded, {wanted.lost} not to be had"
        if wanted.access:
            parts += f", access of {wanted.access} put right"
        return Blast(facts=self._facts(seen), phrases=(f"put files back into {seen.look.cloud}: {parts}",))

    @override
    def apply(self, seen: MediaDecideSeen, view: View, tell: Tell) -> MediaDecided:
        return self.unchanged(seen, view)

    @override
    def unchanged(self, seen: MediaDecideSeen, view: View) -> MediaDecided:
        return MediaDecided(cloud=seen.look.cloud, files=seen.wanted.from_backup + seen.wanted.from_copies)

    @override
    def confirm_effect(self, result: MediaDecided, view: View, tell: Tell) -> str:
        return f"decided: {plural(result.files, 'file')} into {result.cloud}"
