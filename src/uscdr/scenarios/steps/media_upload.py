"""Files that no backup gave back are put back from a copy, under the same ids and tags, file by file."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.errors import AnswerLost, CheckFailed
from uscdr.models.base import Fact
from uscdr.models.media import Access, Asset, AssetKey, KnownAsset
from uscdr.scenarios.media.compare import State, judge
from uscdr.scenarios.media.survey import held
from uscdr.scenarios.results_media import MediaPlanned, MediaRestored, MediaUploaded
from uscdr.scenarios.steps.media_base import MediaStep, changes
from uscdr.words import plural, size

MOST_TRIES = 3


class UploadSeen(Fact):
    """What has to be uploaded now: files, bytes, and how many of them replace something that is there."""

    files: int
    bytes: int
    replaced: int
    access: int = 0
    """Files whose access setting has to be put right."""


class UploadCopies(MediaStep[UploadSeen, MediaUploaded]):
    """What is there already, whole, is seen by looking: a resumed run uploads no finished file again."""

    name = "media.upload"
    title = "Upload copies of what is missing"
    default_id = "media_upload"
    effect = Effect.IDEMPOTENT
    manual = (
        "cld uploader upload $FILE public_id=$PUBLIC_ID resource_type=$TYPE type=$DELIVERY overwrite=true tags={tag}",
    )
    gives = MediaUploaded
    needs = (MediaPlanned, MediaRestored)
    plans_with = (MediaPlanned,)
    waits = "known when it is known what has to come back"
    _damaged: int = 0

    @override
    def probe(self, view: View, tell: Tell) -> UploadSeen:
        survey = self.survey(tell)
        self.look_closer(survey, tell)
        self.look_at_versions(tell)
        wanted, copies = self._wanted(), self.copies(tell)
        there = [key for key in wanted if key in survey.held and not survey.held[key].placeholder]
        size_wanted, access = sum(copies[key].bytes for key in wanted), len(self._misopened())
        return UploadSeen(files=len(wanted), bytes=size_wanted, replaced=len(there), access=access)

    def _misopened(self) -> dict[AssetKey, Access]:
        """An upload brings its access setting along."""
        uploaded = set(self._wanted())
        return {key: access for key, access in self.book.misopened().items() if key not in uploaded}

    def _wanted(self) -> tuple[AssetKey, ...]:
        return self.book.repairs(own_backup=not self.another).upload

    @override
    def plan(self, seen: UploadSeen, view: View) -> Action:
        files = self.place.files
        if files is None or not (seen.files or seen.access):
            return Action("noop", "nothing to upload" if files else "nothing to upload: no kit and no folder was named")
        words = f"{plural(seen.files, 'file')}, {size(seen.bytes)}, from {files.name} into {self.cloud().cloud}"
        if seen.access:
            words += f"; {plural(seen.access, 'file')} given the access setting that {files.name} knows"
        if seen.replaced:
            words += f"; {seen.replaced:,} of them replace a file that is not the one known"
        calls = (
            changes("POST /{type}/upload (public_id, overwrite, invalidate, tags, access)"),
            *((changes("POST /resources/{type}/{delivery}/… (access)"),) if seen.access else ()),
        )
        return Action("change", words, calls)

    @override
    def baseline(self, seen: UploadSeen) -> dict[str, Any]:
        return {"files": seen.files, "cloud": self.cloud().cloud}

    @override
    def apply(self, seen: UploadSeen, view: View, tell: Tell) -> MediaUploaded:
        wanted, copies, sizes = self._wanted(), self.copies(tell), list[int]()

        def one(key: AssetKey) -> None:
            if self._put_back(key, copies[key], tell):
                with self.book.lock:
                    sizes.append(copies[key].bytes)
            tell.progress("uploading", len(sizes), len(wanted), "files")

        misopened = self._misopened()
        self.together([partial(one, key) for key in wanted])
        self.together([partial(self._set_access, key, access, tell) for key, access in misopened.items()])
        return MediaUploaded(
            uploaded=len(sizes), bytes=sum(sizes), damaged=self._damaged, access=len(misopened)
        )  # fmt: skip

    def _set_access(self, key: AssetKey, access: Access, tell: Tell) -> None:
        """Sent again after a lost answer: it says how it shall be, not what to change."""
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

    def _put_back(self, key: AssetKey, known: KnownAsset, tell: Tell) -> bool:
        files = self.place.files
        if files is None:
            return False
        try:
            with files.open(key) as path:
                asset = self._uploaded(key, path, self._like(key, known), tell)
        except CheckFailed as error:
            # One damaged copy must not keep the others from coming back; the verification names its rows.
            tell.warn(f"A copy is not usable: {error.message}")
            with self.book.lock:
                self._damaged += 1
            return False
        if judge(held(asset), known) in (State.CHANGED, State.MISSING, State.DELETED):
            raise CheckFailed(
                "The service stored something else than what was sent.",
                why=f"{size(asset.bytes)} instead of {size(known.bytes)}, or another digest.",
                next_action="Look for an incoming transformation or moderation in the cloud's upload settings.",
            )
        with self.book.lock:
            if self.book.survey is not None:
                self.book.survey.note(asset)
            if asset.etag:
                self.book.digests[key, asset.version] = asset.etag
        if known.access is not None and asset.access is not None and asset.access != known.access:
            self._set_access(key, known.access, tell)
        return True

    def _uploaded(self, key: AssetKey, path: Path, like: Asset, tell: Tell) -> Asset:
        """One file; after a lost answer it is looked for before it is sent again."""
        survey = self.survey(tell)
        before = survey.held.get(key)
        for _ in range(MOST_TRIES):
            try:
                return self.allowed(partial(self.cloud().upload, key, path, like=like), tell)
            except AnswerLost:
                there = self.allowed(partial(self.cloud().look_up, [key]), tell).get(key)
            if there is not None and there.present and (before is None or there.version != before.version):
                return there
        self.book.forget()
        raise AnswerLost(
            "A file was sent to the service; whether it was stored is not known.",
            provider="Cloudinary",
            why=f"{MOST_TRIES} answers in a row were lost.",
            next_action="uscdr runs resume (it looks first and repeats nothing).",
        )

    def _like(self, key: AssetKey, known: KnownAsset) -> Asset:
        """What to give back besides the bytes; the storage's tag always, or clean-ups would take it for an orphan."""
        survey, tag = self.book.survey, self._deps.config.media.tag
        there = survey.held.get(key) if survey else None
        tags = dict.fromkeys((*known.tags, *(there.tags if there else ()), *((tag,) if tag else ())))
        return Asset(
            key=key,
            tags=tuple(tags),
            context=known.context or (dict(there.context) if there else {}),
            asset_folder=known.asset_folder,
            display_name=known.display_name,
            # Another cloud may not have the fields that these are values of, and would refuse the file.
            metadata={} if self.another else known.metadata,
            access=known.access or (there.access if there else None),
        )

    @override
    def unchanged(self, seen: UploadSeen, view: View) -> MediaUploaded:
        return MediaUploaded(uploaded=0)

    @override
    def confirm_effect(self, result: MediaUploaded, view: View, tell: Tell) -> str:
        left = [key for key in self._wanted() if judge(self.survey(tell).held.get(key), None) is not State.PRESENT]
        if len(left) > result.damaged:
            raise CheckFailed(
                f"{plural(len(left), 'file')} that had to be uploaded are not there.", next_action="uscdr runs resume"
            )
        bad = f"; {plural(result.damaged, 'copy', 'copies')} not usable" if result.damaged else ""
        access = f"; access settings of {plural(result.access, 'file')} put right" if result.access else ""
        return f"{plural(result.uploaded, 'file')} uploaded, {size(result.bytes)}{bad}{access}"
