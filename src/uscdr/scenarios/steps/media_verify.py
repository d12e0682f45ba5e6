"""The end of `recover media`: every reference looked up, a sample fetched and compared, some delivered."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING

from pydantic import ConfigDict, Field
from typing_extensions import override

from uscdr.engine.step import Action, Effect, Reporter, View
from uscdr.scenarios.media.compare import FileState, MediaSurvey
from uscdr.scenarios.results.app import MediaVerified
from uscdr.scenarios.results.media import MediaSeen, MediaSettingsSet
from uscdr.scenarios.steps.base import StepParams
from uscdr.scenarios.steps.media_base import MediaStep, asks, by_column, some_of
from uscdr.words import plural

if TYPE_CHECKING:
    from uscdr.models.base import Fact
    from uscdr.models.media import AssetKey
    from uscdr.scenarios.adapters import Adapters

COPY_WANTED = "Restored files stay. Name a copy that has the rest: uscdr recover media --kit KIT --new (or --from DIR)"
UNJUDGED = (
    "No file is missing, but {files} were replaced after they were first stored, and uscdr cannot tell whether that "
    "was right. Name a kit or directory with the right files (--kit KIT, --from DIR), or the start of the damage "
    "(--replaced-since 2026-11-23T10:00Z restores the files of that time), or accept them (--accept-replaced)."
)
MOST_ASKED = 3
"""Calls for digests that only the service has."""
GOOD = (FileState.PRESENT, FileState.UNPROVEN)


class _VerifyParams(StepParams):
    """`sample`: files to download and hash; `delivered`: addresses to request; `seed`: for the choice of both."""

    model_config = ConfigDict(strict=True)
    sample: int = Field(default=50, ge=1, le=100_000)
    delivered: int = Field(default=10, ge=1, le=1_000)
    seed: int = 1


class VerifyMedia(MediaStep[MediaVerified, MediaVerified]):
    """Checks every file against one listing, and the bytes of a sample; the seed determines the sample."""

    name = "media.verify"
    title = "Verify every file, and the bytes of a sample"
    default_id = "media_verify"
    effect = Effect.READ
    params = _VerifyParams
    manual = ("cld admin resources max_results=500 resource_type=image", "heroku open --app {app}   # a campaign")
    gives = MediaVerified
    needs = (MediaSeen, MediaSettingsSet)
    waits = "every reference is checked after the files are restored"

    def __init__(self, step_id: str, deps: Adapters, params: Fact) -> None:
        super().__init__(step_id, deps, params)
        self._told: dict[AssetKey, str] = {}
        self._params = self.given(_VerifyParams)

    @override
    def probe(self, view: View, tell: Reporter) -> MediaVerified:
        survey = self.survey(tell, fresh=True)
        self.look_at_access(survey, tell)
        sample = self._choose([key for key, state in self.book.states().items() if state in GOOD], self._params.sample)
        wrong = self._wrong(sample, survey, tell)
        states = self.book.states()
        bad = [key for key, state in states.items() if state not in GOOD or key in wrong]
        urls = self._choose([key for key in states if key not in bad], self._params.delivered)
        delivered = sum(self.together([partial(self.delivers, key, survey.held[key]) for key in urls]))
        misopened = self.book.misopened()
        open_twins = survey.laid_open(self.copies(tell))
        seen = MediaVerified(
            files=len(states),
            present=len(states) - len(bad),
            absent=sum(state in (FileState.MISSING, FileState.DELETED) for state in states.values()),
            changed=sum(state is FileState.CHANGED for state in states.values()),
            sampled=len(sample),
            hashed=sum(self._expected(key) != "" for key in sample),
            wrong=len(wrong),
            delivered=delivered,
            undelivered=len(urls) - delivered,
            places=self.places(dict.fromkeys((*bad, *misopened, *open_twins)), survey),
            misopened=len(misopened),
            laid_open=len(open_twins),
            unread=dict(survey.unread),
            unreadable=survey.unreadable,
        )
        _tell(seen, tell)
        return seen

    def _choose(self, keys: list[AssetKey], most: int) -> list[AssetKey]:
        ordered = sorted(keys, key=str)
        return random.Random(self._params.seed).sample(ordered, min(most, len(ordered)))  # noqa: S311 - no secret

    def _wrong(self, sample: list[AssetKey], survey: MediaSurvey, tell: Reporter) -> set[AssetKey]:
        """Files whose bytes differ from the copy or the service's digest, or that are not delivered completely."""
        self.fetch_digests(sample, survey, tell)
        self._ask_for_digests([key for key in sample if not self._expected(key)][:MOST_ASKED], tell)
        digests = {key: self.book.digests[key, survey.held[key].version] for key in sample}
        return {key for key, found in digests.items() if found != (self._expected(key) or self._whole(key, found))}

    def _expected(self, key: AssetKey) -> str:
        copies, survey = self.book.copies or {}, self.book.survey
        told = survey.held[key].etag if survey and key in survey.held else ""
        return copies[key].md5 if key in copies else told or self._told.get(key, "")

    def _ask_for_digests(self, keys: list[AssetKey], tell: Reporter) -> None:
        """Read the service's own digests of a few files without another one; one call each."""
        found = self.together([partial(self.allowed, partial(self.cloud().details, key), tell) for key in keys])
        self._told |= {one.asset.key: one.asset.etag for one in found}

    def _whole(self, key: AssetKey, found: str) -> str:
        """Without a digest, the size of the download must match."""
        return found if self.book.sizes.get(key) == self._listed(key) else ""

    def _listed(self, key: AssetKey) -> int:
        return self.book.survey.held[key].bytes if self.book.survey else -1

    @override
    def plan(self, seen: MediaVerified, view: View) -> Action:
        problems = _problems(seen)
        look = view.get(MediaSeen)
        asked = self._deps.request
        if not problems and look and look.replaced and not (asked.accept_replaced or asked.replaced_since):
            return Action("blocked", UNJUDGED.format(files=plural(look.replaced, "file")))
        if problems:
            return Action("blocked", f"{'; '.join(problems)}. Rows: {some_of(seen.places)}. {COPY_WANTED}")
        if seen.unreadable:
            return Action(
                "blocked",
                f"uscdr could not read every file reference: {'; '.join(seen.unreadable)}. If the data is damaged: "
                "uscdr recover db. When it can be read again: uscdr runs resume",
            )
        known = f"{seen.hashed} by a known digest" if seen.hashed == seen.sampled else (
            f"{seen.hashed} by a known digest, the others by size, because their digest is not known")  # fmt: skip
        words = (
            f"{plural(seen.files, 'file')} checked, none missing; {plural(seen.sampled, 'file')} downloaded, {known}; "
            f"{plural(seen.delivered, 'address', 'addresses')} delivered correctly"
        )
        if seen.unread:
            words += f"; NOT CHECKED, because uscdr does not understand these file names: {by_column(seen.unread)}"
        return Action(
            "read", words, (asks("GET /resources/{image,raw,video}/upload"), asks("GET of delivery addresses"))
        )


def _problems(seen: MediaVerified) -> list[str]:
    parts = (
        (seen.absent, "missing"),
        (seen.changed, "different from the inventory"),
        (seen.wrong, "with wrong bytes"),
        (seen.undelivered, "listed, but not delivered, or delivered to people without access"),
        (seen.misopened, "with another access setting than in the copy"),
        (seen.laid_open, "that should be restricted, but are PUBLIC under the same name (delivery type upload)"),
    )
    return [f"{plural(number, 'file')} {what}" for number, what in parts if number]


def _tell(seen: MediaVerified, tell: Reporter) -> None:
    tell.check(
        "every stored file reference", "pass" if seen.present == seen.files else "fail",
        f"{seen.present:,} of {seen.files:,} present and unchanged",
    )  # fmt: skip
    sure = "pass" if seen.hashed or not seen.sampled else "inconclusive"
    tell.check(
        "bytes of a sample", "fail" if seen.wrong else sure,  # type: ignore[arg-type] # a literal by either way
        f"{seen.sampled - seen.wrong} of {seen.sampled} right; {seen.hashed} compared by digest, the rest by size",
    )  # fmt: skip
    for words in seen.unreadable:
        tell.check("every column that names files can be read", "fail", words)
    if seen.unread:
        tell.check("stored names that are not understood", "not checked", by_column(seen.unread))
    tell.check(
        "delivery addresses", "fail" if seen.undelivered else "pass",
        f"{seen.delivered} of {seen.delivered + seen.undelivered} delivered correctly",
    )  # fmt: skip
