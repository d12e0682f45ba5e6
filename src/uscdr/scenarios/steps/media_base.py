"""What the steps of `recover media` share: the cloud, the copies, and the comparison of both with the database."""

from __future__ import annotations

import random
import secrets
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from uscdr.errors import BadInput, NotFound, RateLimited
from uscdr.models.base import Call, Fact
from uscdr.models.media import RESOURCE_TYPES, Access, Asset, AssetDetails, AssetKey, FileReferences, KnownAsset
from uscdr.scenarios.media.compare import FileState, ListedAsset, MediaSurvey
from uscdr.scenarios.media.repair import MediaCache, has_file, undecided
from uscdr.scenarios.steps.base import ScenarioStep
from uscdr.threads import MOST, run_all
from uscdr.words import duration, first_of, plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from uscdr.engine.step import Reporter
    from uscdr.engine.wait import Stop
    from uscdr.models.data_settings import ResourceType
    from uscdr.providers.ports.media import Media
    from uscdr.scenarios.adapters import MediaAccess

# Calls within the hourly rate limit: if it is used up, wait for the next hour and show the progress.


T = TypeVar("T")
LONGEST = 3 * 3600.0
"""Seconds that one call may wait in total."""
UNKNOWN_WAIT = 60.0
"""Seconds until the next attempt if the service gives no time."""
LOOK = 3.0
_USED_UP = "the hourly rate limit is used up; next attempt"
_NOT_SAID = "the service refuses more calls and gives no time; next attempt"
SLACK = 1.0
"""Seconds added to the service's time, because clocks differ."""


def _within(call: Callable[[], T], stop: Stop, tell: Reporter) -> T:
    """Repeat the call while the rate limit refuses it. Raises the last RateLimited after LONGEST, or Interrupted."""
    begun = time.monotonic()
    while True:
        stop.check()
        try:
            return call()
        except RateLimited as error:
            wait = UNKNOWN_WAIT if error.retry_after is None else error.retry_after + SLACK
            if time.monotonic() - begun + wait > LONGEST:
                raise
            what = _NOT_SAID if error.retry_after is None else _USED_UP
            _sit_out(wait, what, stop, tell)


def _sit_out(seconds: float, what: str, stop: Stop, tell: Reporter) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        tell.progress(f"{what} in {duration(left)}", seconds - left, seconds)
        stop.pause(min(LOOK, left))


S = TypeVar("S", bound=Fact)
R = TypeVar("R", bound=Fact)

SURVEY_AGE = 1800.0
"""Seconds for which a comparison of all files stays valid; the run's own writes update it."""
RESERVE = 100
"""Calls reserved for the restores and the last listing."""
MOST_BY_CHANCE = 200
"""Files compared by their bytes if the copy has no version; the verification samples the rest."""
MOST_ASKED = 50
"""Files whose access setting is requested one by one."""
PLACES_SHOWN = 5
PROVIDER = "cloudinary"
UNDELIVERED = "undelivered"
"""In place of the digest of a listed file that is not delivered."""


class MediaStep(ScenarioStep[S, R], Generic[S, R]):
    """A step that works on a media cloud."""

    @property
    def place(self) -> MediaAccess:
        """The access to the media. Raises BadInput if the target has none."""
        if self._deps.media is None:
            raise BadInput(
                "This target has no media service.",
                next_action="Add `cloudinary: {cloud: NAME}` to the target in scenarios.yaml.",
            )
        return self._deps.media

    @property
    def book(self) -> MediaCache:
        """What this process has read so far."""
        return self.place.book

    @property
    def another(self) -> bool:
        """Whether the files go to a new cloud instead of the configured one."""
        return self.place.open_new is not None

    def cloud(self) -> Media:
        """The cloud to restore into, opened once."""
        book = self.book
        if book.target is None:
            book.target = (self.place.open_new or self.place.open_old)()
        return book.target

    def allowed(self, call: Callable[[], T], tell: Reporter) -> T:
        """Make a call within the hourly rate limit."""
        return _within(call, self._deps.stop, tell)

    def together(self, tasks: Sequence[Callable[[], T]]) -> list[T]:
        """Run tasks in parallel, at the pace that the service allows; Ctrl-C takes effect between them."""
        return run_all(tasks, workers=MOST, stop=self._deps.stop.event)

    def each(self, keys: Sequence[AssetKey], work: Callable[[AssetKey], object], what: str, tell: Reporter) -> None:
        """Do the same for every file in parallel, and tell the progress."""
        done = _Progress(what, len(keys), tell)

        def one(key: AssetKey) -> None:
            work(key)
            done.count()

        self.together([partial(one, key) for key in keys])

    def copies(self, tell: Reporter) -> Mapping[AssetKey, KnownAsset]:
        """The inventory of the kit or folder, read once."""
        book = self.book
        if book.copies is None:
            files = self.place.files
            if files is not None:
                tell.progress(f"reading the inventory of {files.name}")
            book.copies = {} if files is None else files.inventory()
        return book.copies

    def survey(self, tell: Reporter, *, fresh: bool = False) -> MediaSurvey:
        """The comparison of cloud and database; repeated if `fresh`, or if the last one is too old."""
        book = self.book
        if book.survey is None or fresh or book.survey.age > SURVEY_AGE:
            book.survey, survey = None, MediaSurvey()  # the former one makes room
            self.cloud()  # opened here: the listings share it
            references: list[FileReferences] = []
            tasks: list[Callable[[], object]] = [
                partial(self._list_kind, kind, survey, tell) for kind in RESOURCE_TYPES
            ]
            told = dict[AssetKey, Access]()
            tasks += [partial(self._ask_for_access, kind, told, tell) for kind in RESOURCE_TYPES]
            tasks += [partial(self._read_references, references, tell), partial(self.copies, tell)]
            self.together(tasks)
            survey.tell_access(told)
            self._resolve(survey, references[0], tell)
            book.survey = survey
        return book.survey

    def _list_kind(self, kind: ResourceType, survey: MediaSurvey, tell: Reporter) -> None:
        found = self.allowed(partial(self._list, kind, tell), tell)
        with self.book.lock:
            survey.held |= found

    def _list(self, kind: ResourceType, tell: Reporter) -> dict[AssetKey, ListedAsset]:
        found: dict[AssetKey, ListedAsset] = {}
        for page in self.cloud().listing(kind):
            self._deps.stop.check()
            found |= {asset.key: ListedAsset.of(asset) for asset in page}
            tell.progress(f"listing {kind} files", len(found))
        return found

    def _ask_for_access(self, kind: ResourceType, told: dict[AssetKey, Access], tell: Reporter) -> None:
        found = self.allowed(partial(self.cloud().access_of, kind), tell)
        with self.book.lock:
            told |= found

    def _read_references(self, references: list[FileReferences], tell: Reporter) -> None:
        tell.progress("reading file references from the database")
        references.append(self._deps.database().file_references(self._deps.config.media.references))

    def _resolve(self, survey: MediaSurvey, references: FileReferences, tell: Reporter) -> None:
        settings = self._deps.config.media
        configured = self._deps.services.cloudinary
        clouds = {self.cloud().cloud} | ({configured.cloud} if configured else set())
        survey.resolve(references, settings, clouds=frozenset(clouds), known=self.copies(tell))

    def fetch_digests(self, keys: Iterable[AssetKey], survey: MediaSurvey, tell: Reporter) -> None:
        """Download files and keep the MD5 of their bytes. Downloads do not count for the rate limit."""
        wanted = [key for key in keys if (key, survey.held[key].version) not in self.book.digests]
        copies = self.copies(tell)

        def one(key: AssetKey) -> None:
            found, fetched = self._digest(key, survey.held[key])
            if key in copies:
                _ = copies[key].md5  # read now, with progress and side by side, not in the comparison
            with self.book.lock:
                self.book.sizes[key] = fetched
                self.book.digests[key, survey.held[key].version] = found

        self.each(wanted, one, "comparing bytes", tell)

    def _digest(self, key: AssetKey, there: ListedAsset) -> tuple[str, int]:
        asset = Asset(key=key, version=there.version, format=there.format, bytes=there.bytes, access=there.access)
        destination: Path = self._deps.work / f"media-{secrets.token_hex(6)}"
        try:
            done = self.cloud().download(asset, destination)
        except NotFound:
            return UNDELIVERED, 0
        else:
            return done.md5, done.size
        finally:
            destination.unlink(missing_ok=True)

    def look_closer(self, survey: MediaSurvey, tell: Reporter) -> None:
        """Compare the bytes of files with the known size in another version; not in a new cloud."""
        if self.another:
            return
        copies = self.copies(tell)
        unproven = [key for key, state in self.book.states().items() if state is FileState.UNPROVEN]
        sure = [key for key in unproven if copies[key].version]
        others = [key for key in unproven if not copies[key].version]
        # Seeded, so that a second comparison takes the same files.
        some = random.Random(len(others)).sample(others, min(MOST_BY_CHANCE, len(others)))  # noqa: S311 - no secret
        self.fetch_digests([*sure, *some], survey, tell)

    def look_at_access(self, survey: MediaSurvey, tell: Reporter) -> None:
        """Request access settings that the listing lacks, or that differ from the copy.

        The listing may be older than recent writes. One call per file, at most MOST_ASKED.
        """
        wrong = self.book.misopened() if survey is self.book.survey else {}
        there = [key for key in survey.wanted if key in survey.held and not survey.held[key].placeholder]
        untold = [key for key in there if survey.held[key].access is None]
        asked = [*(key for key in there if key in wrong), *untold][:MOST_ASKED]

        def one(key: AssetKey) -> None:
            access = self.allowed(lambda: self._details(key), tell).asset.access
            if access is not None:
                with self.book.lock:
                    survey.held[key] = survey.held[key]._replace(access=access)

        self.together([partial(one, key) for key in asked])

    def look_at_versions(self, tell: Reporter) -> None:
        """Request the versions of changed files, one call each; near the rate limit, not for files with a copy."""
        book, copies, quota = self.book, self.copies(tell), self.cloud().quota
        keys = [] if self.another else undecided(book.states(), book.details)
        short = quota is not None and quota.remaining < len(keys) + RESERVE
        wanted = [key for key in keys if not (short and has_file(copies, key))]

        def one(key: AssetKey) -> None:
            found = self.allowed(lambda: self._details(key), tell)
            with book.lock:
                book.details[key] = found
                if found.asset.etag:
                    book.digests[key, found.asset.version] = found.asset.etag

        self.each(wanted, one, "reading versions", tell)

    def _details(self, key: AssetKey) -> AssetDetails:
        try:
            return self.cloud().details(key)
        except NotFound:
            return AssetDetails(asset=Asset(key=key))

    def delivers(self, key: AssetKey, there: ListedAsset) -> bool:
        """Whether delivery is right: an open file to anybody, a restricted one to nobody without a signature."""
        asset = Asset(key=key, access=there.access)
        # As the application asks: without a version, with the extension that its rows may carry.
        answer = self.cloud().delivered(self.cloud().delivery_url(key, format=there.format))
        if there.access is None and key.delivery == "upload":
            return answer != "missing"
        return answer != "delivered" if asset.restricted else answer == "delivered"

    def places(self, keys: Iterable[AssetKey], survey: MediaSurvey) -> tuple[str, ...]:
        """The rows that refer to these files, for people; without file names."""
        return tuple(f"{place} ({key.digest})" for key in keys for place in survey.wanted[key].places)


class _Progress:
    """Tells how many files are done, about a hundred times in all: a screen needs no more, and each time costs."""

    def __init__(self, what: str, total: int, tell: Reporter) -> None:
        self._what, self._total, self._tell = what, total, tell
        self._every = max(1, total // _TOLD)
        self._done = 0
        self._turn = threading.Lock()

    def count(self) -> None:
        """One more is done."""
        with self._turn:
            self._done += 1
            done = self._done
        if done % self._every == 0 or done == self._total:
            self._tell.progress(self._what, done, self._total, "files")


_TOLD = 100


def asks(request: str) -> Call:
    """A call to the media service that only reads."""
    return Call(provider=PROVIDER, request=request, writes=False)


def by_column(rows: Mapping[str, int]) -> str:
    """`table.column: 3 rows, …`; without a number for a column that has no file names."""
    return ", ".join(f"{column}: {plural(number, 'row')}" if number else column for column, number in rows.items())


def some_of(places: Sequence[str]) -> str:
    """The first few rows or files, and where to find the rest."""
    words = first_of(places, PLACES_SHOWN) or "none"
    return f"{words} (all in the run's report)" if len(places) > PLACES_SHOWN else words
