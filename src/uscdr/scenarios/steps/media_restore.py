"""Restore files from the service's own backup, a hundred in each call; each file has its own answer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Reporter, View
from uscdr.errors import AnswerLost, CheckFailed
from uscdr.models.base import Call, Fact
from uscdr.models.media import Access, Asset, AssetKey, KnownAsset, RestoredAsset
from uscdr.providers.ports.media import LOOKUP_BATCH, RESTORE_BATCH
from uscdr.scenarios.media.compare import FileState, ListedAsset
from uscdr.scenarios.media.repair import Repairs, batches, by_kind
from uscdr.scenarios.results.media import MediaDecided, MediaPlanned, MediaUploaded
from uscdr.scenarios.steps.media_base import PROVIDER, MediaStep
from uscdr.words import plural, size

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Sequence
    from pathlib import Path

    from uscdr.scenarios.media.compare import MediaSurvey

MOST_ROUNDS = 2
"""A second round restores an earlier version if the latest one is the changed file."""
MOST_TRIES = 3
ANSWER_LOST = "The service's answer to a restore was lost; uscdr asked which files are back."
"""How the note of a lost answer begins; the number of files follows."""
MOST_DELIVERED = 10
IN_FLIGHT = "in flight when the last process of this run ended"
"""In the note of a resumed upload, between their number and how many had arrived."""


class _MediaRestored(Fact):
    """Files that the service's own backup gave back, and those that it did not."""

    restored: int
    refused: int = 0


def _changes(request: str) -> Call:
    """A call to the media service that changes something."""
    return Call(provider=PROVIDER, request=request, writes=True)


class _MediaRestoreSeen(Fact):
    """The files to restore from the service's backup now."""

    latest: int
    versions: int

    @property
    def files(self) -> int:
        """The total."""
        return self.latest + self.versions


@dataclass(frozen=True)
class _Batch:
    """The files of one call, of one kind; with a version id for each, or without versions."""

    keys: Sequence[AssetKey]
    versions: Sequence[str] | None

    def without(self, done: Container[AssetKey]) -> _Batch:
        """The batch without the files in `done`."""
        left = [i for i, key in enumerate(self.keys) if key not in done]
        versions = None if self.versions is None else [self.versions[i] for i in left]
        return _Batch([self.keys[i] for i in left], versions)


def _batches(repairs: Repairs) -> list[_Batch]:
    latest = [
        _Batch(keys, None) for alike in by_kind(repairs.restore).values() for keys in batches(alike, RESTORE_BATCH)
    ]
    wanted = repairs.versions
    chosen = [
        _Batch(keys, [wanted[key] for key in keys])
        for alike in by_kind(tuple(wanted)).values()
        for keys in batches(alike, RESTORE_BATCH)
    ]
    return latest + chosen


class RestoreBackups(MediaStep[_MediaRestoreSeen, _MediaRestored]):
    """Restores files. A resumed run finds restored files and restores nothing twice."""

    name = "media.restore_backups"
    title = "Restore from the service's own backup"
    default_id = "media_restore"
    effect = Effect.IDEMPOTENT
    manual = ("cld admin restore $PUBLIC_ID resource_type=$TYPE   # 100 ids in each call",)
    gives = _MediaRestored
    needs = (MediaPlanned, MediaDecided)
    plans_with = (MediaPlanned,)
    waits = "known after the media restore is planned"
    _restored: Collection[AssetKey] = ()
    """Files that this process restored."""

    @override
    def probe(self, view: View, tell: Reporter) -> _MediaRestoreSeen:
        self.look_closer(self.survey(tell), tell)
        self.look_at_versions(tell)
        repairs = self._repairs()
        return _MediaRestoreSeen(latest=len(repairs.restore), versions=len(repairs.versions))

    def _repairs(self) -> Repairs:
        return self.book.repairs(own_backup=not self.another)

    @override
    def plan(self, seen: _MediaRestoreSeen, view: View) -> Action:
        if not seen.files:
            why = (
                "the new cloud has no backup of these files"
                if self.another
                else "no file to restore from the service's backup"
            )
            return Action("noop", why)
        words = f"restore {plural(seen.files, 'file')} from the service's own backup into {self.cloud().cloud}"
        if seen.versions:
            words += f", {seen.versions:,} of them in the version before the change"
        calls = (_changes(f"POST /resources/{{type}}/{{delivery}}/restore ({RESTORE_BATCH} files in each call)"),)
        return Action("change", words, calls)

    @override
    def before(self, seen: _MediaRestoreSeen) -> dict[str, Any]:
        return {"files": seen.files, "cloud": self.cloud().cloud}

    @override
    def apply(self, seen: _MediaRestoreSeen, view: View, tell: Reporter) -> _MediaRestored:
        restored = self._restored = set[AssetKey]()
        for _ in range(MOST_ROUNDS):
            repairs = self._repairs()
            if not repairs.from_backup:
                break
            self._round(repairs, restored, tell)
            self.look_at_versions(tell)
        return _MediaRestored(restored=len(restored), refused=len(self.book.refused))

    def _round(self, repairs: Repairs, restored: set[AssetKey], tell: Reporter) -> None:
        def one(batch: _Batch) -> None:
            answers = self._restore(batch, tell)
            with self.book.lock:
                restored.update(self._noted(answers))
            tell.progress("restoring", len(restored), repairs.from_backup, "files")

        self.together([partial(one, batch) for batch in _batches(repairs)])

    def _restore(self, batch: _Batch, tell: Reporter) -> tuple[RestoredAsset, ...]:
        """Restore one batch; after a lost answer, request only the files that are not back."""
        found: list[RestoredAsset] = []
        for _ in range(MOST_TRIES):
            try:
                return (*found, *self.allowed(partial(self.cloud().restore, batch.keys, batch.versions), tell))
            except AnswerLost:
                there = self._back_now(batch, tell)
                tell.warn(f"{ANSWER_LOST} Back: {len(there):,} of {plural(len(batch.keys), 'file')}.")
                found += there.values()
                batch = batch.without(there)
            if not batch.keys:
                return tuple(found)
        self.book.forget()
        raise AnswerLost(
            "It is not known whether the media service restored the requested files.",
            provider="Cloudinary",
            why=f"{MOST_TRIES} answers in a row were lost.",
            next_action="Continue; uscdr first checks what was done: uscdr runs resume",
        )

    def _back_now(self, batch: _Batch, tell: Reporter) -> dict[AssetKey, RestoredAsset]:
        """Files that are back although the answer was lost. A restored version has a new version number."""
        there = self.allowed(partial(self.cloud().look_up, batch.keys), tell)
        before = self.survey(tell).held
        return {
            key: RestoredAsset(key=key, asset=asset)
            for key, asset in there.items()
            if asset.present
            and not (batch.versions is not None and key in before and asset.version == before[key].version)
        }

    def _noted(self, answers: Sequence[RestoredAsset]) -> set[AssetKey]:
        """Record the answers; a file that is still missing counts as refused."""
        survey, copies, back = self.book.survey, self.book.copies or {}, set()
        for one in answers:
            if one.asset is not None and survey is not None:
                survey.note(one.asset)
                self.book.details.pop(one.key, None)
            state = FileState.of(survey.held.get(one.key), copies.get(one.key)) if survey else FileState.MISSING
            if one.asset is None or state in (FileState.MISSING, FileState.DELETED):
                self.book.refused.add(one.key)
            else:
                back.add(one.key)
        return back

    @override
    def current(self, seen: _MediaRestoreSeen, view: View) -> _MediaRestored:
        return _MediaRestored(restored=0, refused=len(self.book.refused))

    @override
    def verify(self, result: _MediaRestored, view: View, tell: Reporter) -> str:
        kept = self.survey(tell).held
        some = sorted(self._restored, key=str)[:MOST_DELIVERED]
        there = self.together([partial(self.delivers, key, kept[key]) for key in some])
        gone = there.count(False)
        if gone:
            self.book.forget()
            raise CheckFailed(
                f"{plural(gone, 'file')} that the service reported as restored cannot be downloaded.",
                next_action="See: https://status.cloudinary.com. Then: uscdr runs resume",
            )
        refused = f"; {result.refused:,} not restored" if result.refused else ""
        return f"{plural(result.restored, 'file')} restored from the service's own backup{refused}"


# Upload files that no backup has, from a copy, with the same ids and tags.


class _UploadSeen(Fact):
    """The uploads now: files, bytes, and how many replace an existing file."""

    files: int
    bytes: int
    replaced: int
    access: int = 0
    """Files whose access setting must be corrected."""


class UploadCopies(MediaStep[_UploadSeen, MediaUploaded]):
    """Uploads files. A resumed run finds complete files and does not upload them again."""

    name = "media.upload"
    title = "Upload copies of missing files"
    default_id = "media_upload"
    effect = Effect.IDEMPOTENT
    manual = (
        "cld uploader upload $FILE public_id=$PUBLIC_ID resource_type=$TYPE type=$DELIVERY overwrite=true tags={tag}",
    )
    gives = MediaUploaded
    needs = (MediaPlanned, _MediaRestored)
    plans_with = (MediaPlanned,)
    waits = "known after the media restore is planned"
    _damaged: int = 0
    _looked: bool = False
    """Whether this process looked for the uploads of an earlier one."""

    @override
    def probe(self, view: View, tell: Reporter) -> _UploadSeen:
        survey = self.survey(tell)
        self._look_for_the_last(survey, tell)
        self.look_closer(survey, tell)
        self.look_at_versions(tell)
        wanted, copies = self._wanted(), self.copies(tell)
        there = [key for key in wanted if key in survey.held and not survey.held[key].placeholder]
        size_wanted, access = sum(copies[key].bytes for key in wanted), len(self._misopened())
        return _UploadSeen(files=len(wanted), bytes=size_wanted, replaced=len(there), access=access)

    def _look_for_the_last(self, survey: MediaSurvey, tell: Reporter) -> None:
        """Look for what was under way when the last process of this run died: a listing may be behind."""
        left = [] if self._looked else self.place.uploads.left(survey.wanted)
        self._looked = True
        if not left:
            return
        there: dict[AssetKey, Asset] = {}
        for keys in batches(left, LOOKUP_BATCH):
            there |= self.allowed(partial(self.cloud().look_up, keys), tell)
        copies = self.copies(tell)
        for asset in there.values():
            survey.note(asset)
        good = (FileState.PRESENT, FileState.UNPROVEN)
        arrived = sum(FileState.of(survey.held.get(key), copies.get(key)) in good for key in left)
        were = "was" if len(left) == 1 else "were"
        tell.warn(f"{plural(len(left), 'upload')} {were} {IN_FLIGHT}; {arrived:,} had arrived.")

    def _misopened(self) -> dict[AssetKey, Access]:
        """Wrong access settings of files that are not uploaded: an upload also sets the access."""
        misopened = self.book.misopened()
        uploaded = set(self._wanted()) if misopened else ()
        return {key: access for key, access in misopened.items() if key not in uploaded}

    def _wanted(self) -> tuple[AssetKey, ...]:
        return self.book.repairs(own_backup=not self.another).upload

    @override
    def plan(self, seen: _UploadSeen, view: View) -> Action:
        files = self.place.files
        if files is None or not (seen.files or seen.access):
            return Action(
                "noop",
                "nothing to upload"
                if files
                else "nothing to upload: no kit and no directory was named (--kit KIT, --from DIR)",
            )
        words = f"upload {plural(seen.files, 'file')}, {size(seen.bytes)}, from {files.name} into {self.cloud().cloud}"
        if seen.access:
            words += f"; {plural(seen.access, 'file')} get the access setting of {files.name}"
        if seen.replaced:
            words += f"; {seen.replaced:,} of them replace a file with other content"
        calls = (
            _changes("POST /{type}/upload (public_id, overwrite, invalidate, tags, access)"),
            *((_changes("POST /resources/{type}/{delivery}/… (access)"),) if seen.access else ()),
        )
        return Action("change", words, calls)

    @override
    def before(self, seen: _UploadSeen) -> dict[str, Any]:
        return {"files": seen.files, "cloud": self.cloud().cloud}

    @override
    def apply(self, seen: _UploadSeen, view: View, tell: Reporter) -> MediaUploaded:
        wanted, copies, sizes = self._wanted(), self.copies(tell), list[int]()

        def one(key: AssetKey) -> None:
            if self._put_back(key, copies[key], tell):
                with self.book.lock:
                    sizes.append(copies[key].bytes)

        misopened = self._misopened()
        self.place.uploads.clear()
        self.place.uploads.open()
        self.each(wanted, one, "uploading", tell)
        self.place.uploads.clear()
        self.together([partial(self._set_access, key, access, tell) for key, access in misopened.items()])
        return MediaUploaded(
            uploaded=len(sizes), bytes=sum(sizes), damaged=self._damaged, access=len(misopened)
        )  # fmt: skip

    def _set_access(self, key: AssetKey, access: Access, tell: Reporter) -> None:
        """Set the access of a file; safe to repeat after a lost answer."""
        for left in reversed(range(MOST_TRIES)):
            try:
                self.allowed(partial(self.cloud().set_access, key, access), tell)
                break
            except AnswerLost:
                if not left:
                    raise
        with self.book.lock:
            survey = self.book.survey
            if survey is not None:
                survey.held[key] = survey.held[key]._replace(access=access)

    def _put_back(self, key: AssetKey, known: KnownAsset, tell: Reporter) -> bool:
        files = self.place.files
        if files is None:
            return False
        try:
            with files.open(key) as copy, self.place.uploads.sending(key):
                asset = self._uploaded(key, copy, self._like(key, known), tell)
        except CheckFailed as error:
            # One damaged copy must not stop the others; the verification names its rows.
            tell.warn(f"uscdr cannot use a copy: {error.message}")
            with self.book.lock:
                self._damaged += 1
            return False
        if FileState.of(ListedAsset.of(asset), known) in (FileState.CHANGED, FileState.MISSING, FileState.DELETED):
            raise CheckFailed(
                "The media service stored a file with other content than uscdr sent.",
                why=f"{size(asset.bytes)} instead of {size(known.bytes)}, or another digest.",
                next_action=(
                    "Check the cloud's upload settings for incoming transformations or moderation. Then: "
                    "uscdr runs resume"
                ),
            )
        with self.book.lock:
            if self.book.survey is not None:
                self.book.survey.note(asset)
            if asset.etag:
                self.book.digests[key, asset.version] = asset.etag
        if known.access is not None and asset.access is not None and asset.access != known.access:
            self._set_access(key, known.access, tell)
        return True

    def _uploaded(self, key: AssetKey, copy: Path | bytes, like: Asset, tell: Reporter) -> Asset:
        """Upload one file; after a lost answer, look for it before a new attempt."""
        survey = self.survey(tell)
        before = survey.held.get(key)
        for _ in range(MOST_TRIES):
            try:
                return self.allowed(partial(self.cloud().upload, key, copy, like=like), tell)
            except AnswerLost:
                there = self.allowed(partial(self.cloud().look_up, [key]), tell).get(key)
            if there is not None and there.present and (before is None or there.version != before.version):
                return there
        self.book.forget()
        raise AnswerLost(
            "It is not known whether the media service stored a file.",
            provider="Cloudinary",
            why=f"{MOST_TRIES} answers in a row were lost.",
            next_action="Continue; uscdr first checks what was done: uscdr runs resume",
        )

    def _like(self, key: AssetKey, known: KnownAsset) -> Asset:
        """The properties to restore besides the bytes; always with the storage's tag, which clean-ups require."""
        survey, tag = self.book.survey, self._deps.config.media.tag
        there = survey.held.get(key) if survey else None
        tags = dict.fromkeys((*known.tags, *(there.tags if there else ()), *((tag,) if tag else ())))
        return Asset(
            key=key,
            tags=tuple(tags),
            context=known.context or (dict(there.context) if there else {}),
            asset_folder=known.asset_folder,
            display_name=known.display_name,
            # A new cloud may not define these metadata fields, and would refuse the file.
            metadata={} if self.another else known.metadata,
            access=known.access or (there.access if there else None),
        )

    @override
    def current(self, seen: _UploadSeen, view: View) -> MediaUploaded:
        return MediaUploaded(uploaded=0)

    @override
    def verify(self, result: MediaUploaded, view: View, tell: Reporter) -> str:
        left = [
            key
            for key in self._wanted()
            if FileState.of(self.survey(tell).held.get(key), None) is not FileState.PRESENT
        ]
        if len(left) > result.damaged:
            raise CheckFailed(
                f"{plural(len(left), 'file')} are still missing after the upload.", next_action="uscdr runs resume"
            )
        bad = f"; {plural(result.damaged, 'copy', 'copies')} could not be used" if result.damaged else ""
        access = f"; access settings of {plural(result.access, 'file')} corrected" if result.access else ""
        return f"{plural(result.uploaded, 'file')} uploaded, {size(result.bytes)}{bad}{access}"
