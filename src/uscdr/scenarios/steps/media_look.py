"""Inspect the media: the service, its rate limit, and every file that the database refers to. Reads only."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Reporter, View
from uscdr.errors import ProviderError
from uscdr.models.base import is_ours
from uscdr.scenarios.media.compare import FileState, ListedAsset, MediaSurvey
from uscdr.scenarios.media.repair import FORBIDDEN, ORPHANS_STAY
from uscdr.scenarios.results.media import MediaSeen, Skew
from uscdr.scenarios.steps.base import ASSESS, sql
from uscdr.scenarios.steps.media_base import SURVEY_AGE, MediaStep, asks, by_column
from uscdr.threads import Ahead
from uscdr.words import duration, plural, size

if TYPE_CHECKING:
    from collections.abc import Callable

    from uscdr.models.media import AssetKey, MediaUsage
    from uscdr.models.probes import StatusReport


class MediaLook(MediaStep[MediaSeen, MediaSeen]):
    """Finds missing files, changed files and wrong access settings."""

    name = "media.look"
    title = "Inspect the media"
    default_id = "media"
    phase = ASSESS
    effect = Effect.READ
    manual = (
        "cld admin ping",
        "cld admin usage",
        "cld admin resources max_results=500 resource_type=image   # and raw, video; next_cursor=… for more",
    )
    gives = MediaSeen
    fresh_for = SURVEY_AGE

    @override
    def probe(self, view: View, tell: Reporter) -> MediaSeen:
        status = Ahead(partial(self._status, tell))
        used: list[MediaUsage] = []
        cloud = self.cloud()
        looks: list[Callable[[], object]] = [
            partial(self.allowed, cloud.ping, tell),
            lambda: used.append(self.allowed(cloud.usage, tell)),
            partial(self.survey, tell, fresh=True),
        ]
        try:
            self.together(looks)
        except ProviderError:
            tell.warn(f"The status page of the media service says: {_status_words(status.result())}.")
            raise
        survey = self.survey(tell)
        self.look_closer(survey, tell)
        self.look_at_access(survey, tell)
        return self._seen(status.result(), used[0], survey)

    def _status(self, tell: Reporter) -> StatusReport | None:
        try:
            return self.place.status.current()
        except ProviderError as error:
            tell.warn(f"uscdr could not read the media service's status page: {error.message}")
            return None

    def _seen(self, status: StatusReport | None, usage: MediaUsage, survey: MediaSurvey) -> MediaSeen:
        there = Counter(key.resource_type for key, asset in survey.held.items() if not asset.placeholder)
        orphans = list(survey.orphans())
        files = self.place.files
        return MediaSeen(
            cloud=self.cloud().cloud,
            another=self.another,
            systems=status.systems if status else (),
            incidents=status.incidents if status else (),
            plan=usage.plan,
            storage_bytes=usage.storage_bytes,
            allowance=self.cloud().quota,
            assets={str(kind): number for kind, number in sorted(there.items())},
            placeholders=sum(asset.placeholder for asset in survey.held.values()),
            copies=files.name if files else "",
            rows=survey.rows,
            files=len(survey.wanted),
            orphans=len(orphans),
            elsewhere=survey.elsewhere.total(),
            elsewhere_in=dict(survey.elsewhere),
            unread=dict(survey.unread),
            unreadable=survey.unreadable,
            odd_times=dict(survey.odd_times),
            absolute=survey.absolute,
            absent=survey.absent,
            skew=_skew(survey),
            **self._states(survey),
            **self._access(survey),
        )

    def _states(self, survey: MediaSurvey) -> dict[str, int]:
        """The number of files in each state, as fields of `MediaSeen`."""
        judged = self.book.states()
        states = Counter(judged.values())
        return {
            "present": states[FileState.PRESENT],
            "deleted": states[FileState.DELETED],
            "missing": states[FileState.MISSING],
            "changed": states[FileState.CHANGED],
            "unproven": states[FileState.UNPROVEN],
            "replaced": survey.replaced_since_stored(self.book.copies or {}, judged, self._deps.memory.own_media),
        }

    def _access(self, survey: MediaSurvey) -> dict[str, int]:
        """The number of files by access setting, as fields of `MediaSeen`."""
        misopened, held = self.book.misopened(), survey.held
        there = [held[key] for key in survey.wanted if key in held and not held[key].placeholder]
        return {
            "misopened": len(misopened),
            "opened": sum(one.restricted and not _restricted(key, held[key]) for key, one in misopened.items()),
            "restricted": sum(_restricted(key, held.get(key)) for key in survey.wanted),
            "untold": sum(one.access is None for one in there),
        }

    @override
    def plan(self, seen: MediaSeen, view: View) -> Action:
        calls = (
            asks("GET /ping"),
            asks("GET /usage"),
            asks("GET /resources/{image,raw,video}/{upload,private,authenticated} (pages of 500)"),
            asks("POST /resources/search (access settings; pages of 500)"),
            sql("SELECT key, name of file FROM every configured column"),
        )
        return Action("read", "; ".join(_words(seen)), calls)


def _restricted(key: AssetKey, held: ListedAsset | None) -> bool:
    return key.delivery != "upload" or (held is not None and held.access is not None and held.access.restricted)


def _skew(survey: MediaSurvey) -> Skew:
    """Which side is older, the media or the database, and how many files that affects."""
    rows = max((wanted.written for wanted in survey.wanted.values()), default=0.0)
    files = max((asset.created for asset in survey.held.values() if not asset.placeholder), default=0.0)
    behind = sum(1 for key, one in survey.wanted.items() if one.written > files and key not in survey.held)
    ahead = sum(1 for key in survey.orphans() if survey.held[key].created > rows)
    return Skew(
        newest_reference=_moment(rows),
        newest_asset=_moment(files),
        missing_after_newest_asset=behind if files else 0,
        orphans_after_newest_reference=ahead if rows else 0,
    )


def _moment(seconds: float) -> datetime | None:
    found = datetime.fromtimestamp(seconds, UTC) if seconds else None
    return found if found is not None and is_ours(found) else None


def _status_words(status: StatusReport | None) -> str:
    if status is None:
        return "not known"
    bad = [f"{one.system} {one.status}" for one in status.systems if one.status != "green"]
    return ", ".join(bad) + f"; {plural(len(status.incidents), 'incident')}" if bad else "all green"


def _words(seen: MediaSeen) -> list[str]:
    parts = [
        (seen.deleted, "deleted (backup kept)"), (seen.missing, "missing"), (seen.changed, "changed"),
        (seen.opened, "restricted before and PUBLIC now"),
        (seen.misopened - seen.opened, "with another access setting than in the copy"),
    ]  # fmt: skip
    bad = ", ".join(f"{number:,} {word}" for number, word in parts if number)
    words = [
        f"{seen.cloud}: {plural(seen.files, 'file')} referred to by {plural(seen.rows, 'row')}, "
        + (bad or "none missing"),
        _service_words(seen),
    ]
    if seen.restricted:
        words.append(f"{plural(seen.restricted, 'file')} restricted (by delivery type or access setting)")
    if seen.untold:
        words.append(f"the service does not report the access setting of {plural(seen.untold, 'file')}")
    if seen.orphans:
        words.append(f"{plural(seen.orphans, 'file')} without a row. {ORPHANS_STAY}")
    if seen.replaced:
        words.append(
            f"{plural(seen.replaced, 'file')} replaced since first stored; no inventory shows whether that was right"
        )
    if seen.elsewhere:
        words.append(f"{plural(seen.elsewhere, 'row')} with files stored elsewhere ({by_column(seen.elsewhere_in)})")
    words += seen.unreadable
    if seen.odd_times:
        words.append(f"impossible times (in the future, or before the year 1): {by_column(seen.odd_times)}")
    if seen.unread:
        words.append(f"NOT CHECKED, because uscdr does not understand these file names: {by_column(seen.unread)}")
    if seen.absent:
        words.append("columns not in the database: " + ", ".join(seen.absent))
    return words + _skew_words(seen.skew)


def _service_words(seen: MediaSeen) -> str:
    bad = [f"{one.system} {one.status}" for one in seen.systems if one.status != "green"]
    status = "status not known" if not seen.systems else ", ".join(bad) or "all green"
    quota = seen.allowance
    left = "" if quota is None else f", {quota.remaining:,} of {quota.limit:,} calls left this hour"
    return f"service: {status}; plan {seen.plan or 'unknown'}, {size(seen.storage_bytes)}{left}"


def _skew_words(found: Skew) -> list[str]:
    words = []
    if found.missing_after_newest_asset:
        words.append(
            f"{plural(found.missing_after_newest_asset, 'missing file')} newer than every existing file: the media are "
            f"{duration(abs(found.seconds or 0))} behind the database"
        )
    if found.orphans_after_newest_reference:
        words.append(
            f"{plural(found.orphans_after_newest_reference, 'file')} newer than every row: the database is "
            f"{duration(abs(found.seconds or 0))} behind the media. Never run deleteorphanedmedia now: "
            + FORBIDDEN["deleteorphanedmedia"]
        )
    return words
