"""All known backups, on the platform and in the vault, one entry each."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from uscdr.backups.manifest import BACKUPS, CARD, MANIFEST, BackupOrigin, CopyCard, inside
from uscdr.backups.proofs import Grade, ProofDocument, Proofs
from uscdr.errors import BadInput, CheckFailed
from uscdr.models.base import elapsed
from uscdr.models.transfers import DAMAGED, Transfer, Whose, ahead, warned
from uscdr.words import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from uscdr.store.store import ObjectInfo as Stored
    from uscdr.store.store import Store

_PART = re.compile(rf"{BACKUPS}/(?P<copy>[^/]+)/(?P<part>.+)")
Where = Literal["platform", "vault", "both", "nowhere"]


@dataclass(frozen=True)
class StoredCopies:
    """The copies in a store: complete ones, and the defects of others in words.

    `unfinished`: ids of copies whose pull or removal stopped early or is in progress, with the time of the last write.
    """

    copies: tuple[CopyCard, ...]
    unfinished: Mapping[str, datetime] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()

    @classmethod
    def of(cls, store: Store) -> StoredCopies:
        """Read every copy's card, and check that its objects exist and have the right size. Needs no key."""
        parts: dict[str, dict[str, Stored]] = {}
        for entry in store.listing(BACKUPS):
            if match := _PART.fullmatch(entry.name):
                parts.setdefault(match["copy"], {})[match["part"]] = entry
        copies: list[CopyCard] = []
        damaged: list[str] = []
        for copy in sorted(one for one, there in parts.items() if MANIFEST in there):
            try:
                copies.append(_card(store, copy, parts[copy]))
            except (CheckFailed, BadInput) as error:
                damaged.append(error.message)
        unfinished = {
            copy: max(entry.modified_at for entry in there.values())
            for copy, there in sorted(parts.items())
            if MANIFEST not in there
        }
        return cls(tuple(copies), unfinished, tuple(damaged))


@dataclass(frozen=True)
class BackupEntry:
    """One backup: the platform's record, its copies, and the newest proof of its bytes."""

    transfer: Transfer | None
    copies: tuple[CopyCard, ...] = ()
    proof: ProofDocument | None = None
    damaged_state: bool = False
    whose: Whose = Whose.OURS

    @property
    def name(self) -> str:
        """The platform's name: `b001`."""
        return self.transfer.name if self.transfer else self.copies[0].origin.name

    @property
    def kind(self) -> str:
        """Manual or scheduled."""
        return self.transfer.kind.value if self.transfer else self.copies[0].origin.kind

    @property
    def taken_at(self) -> datetime:
        """The time of its data: later writes are not in it."""
        return self.transfer.taken_at if self.transfer else self.copies[0].origin.taken_at

    def age(self, at: datetime) -> float:
        """Seconds from `taken_at` to `at`; 0 for a later date."""
        return elapsed(self.taken_at, at)

    @property
    def finished_at(self) -> datetime | None:
        """The time at which it was complete."""
        return self.transfer.finished_at if self.transfer else self.copies[0].origin.finished_at

    @property
    def transfer_id(self) -> str:
        """The platform's id."""
        return self.transfer.id if self.transfer else self.copies[0].origin.transfer_id

    @property
    def size(self) -> int:
        """Size of the dump in bytes."""
        return self.copies[0].dump.plain_size if self.copies else self.transfer.processed_bytes if self.transfer else 0

    @property
    def warnings(self) -> int:
        """The platform's count of warnings."""
        return self.transfer.warnings if self.transfer else self.copies[0].origin.warnings

    @property
    def on_platform(self) -> bool:
        """Whether the platform can restore it now."""
        return self.transfer is not None and not self.transfer.unfit

    @property
    def where(self) -> Where:
        """The places that have it."""
        if self.on_platform:
            return "both" if self.copies else "platform"
        return "vault" if self.copies else "nowhere"

    @property
    def unfit(self) -> str:
        """Why it is unusable; empty if it is usable. A copy replaces a backup that the platform has dropped."""
        if self.damaged_state:
            return DAMAGED
        return self.lost

    @property
    def lost(self) -> str:
        """Why it cannot restore this database; empty if it can."""
        if self.whose is not Whose.OURS:
            return self.transfer.unfit if self.transfer else f"of {self.whose.value}"
        return self.transfer.unfit if self.transfer and not self.copies else ""

    @property
    def once_whole(self) -> bool:
        """Whether it is a finished backup of this database; the platform may have dropped it since."""
        return self.whose is Whose.OURS and (self.transfer is None or self.transfer.whole)

    @property
    def proven(self) -> bool:
        """Whether it exists and a proof has shown that it restores."""
        return not self.unfit and self.shown_good

    @property
    def shown_good(self) -> bool:
        """Whether a proof has shown that it restores, for any database."""
        return not self.damaged_state and self.proof is not None and self.proof.sound


def _card(store: Store, copy: str, parts: Mapping[str, Stored]) -> CopyCard:
    name = inside(copy, CARD)
    card = CopyCard.read(store, name)
    if card.id != copy or not card.dump.path.startswith(inside(copy, "objects/")):
        raise CheckFailed(f"{name} is damaged: it belongs to another copy.")
    for path, size in ((card.dump.path, card.dump.size), (inside(copy, MANIFEST), card.manifest_size)):
        found = parts.get(path.removeprefix(inside(copy, "")))
        if found is None or found.size != size:
            what = "missing" if found is None else f"{found.size:,} bytes long instead of {size:,}"
            raise CheckFailed(f"{path} is {what}.")
    return card


@dataclass(frozen=True)
class Scope:
    """The application and the database add-on whose backups are listed.

    `addon_id` is empty if the platform could not be asked. `damaged` are transfer ids of captured damaged states.
    """

    app: str
    addon_id: str = ""
    damaged: Collection[str] = ()
    key: Callable[[], str] = str
    """Tells the fingerprint of the application's present key, empty if unknown; asked only for a proof with a key."""
    demands: str = ""
    """The digest of the present invariants: `proofs.demands_digest`."""

    def owns(self, document: BackupOrigin | ProofDocument) -> bool:
        """Whether a copy or proof belongs to this database, as far as both are known."""
        known = self.addon_id and document.addon_id
        return document.app == self.app and (not known or document.addon_id == self.addon_id)

    def entries(
        self, transfers: Sequence[Transfer], copies: Sequence[CopyCard], proofs: Proofs | None
    ) -> tuple[BackupEntry, ...]:
        """All backups of the application, oldest first; `whose` is not OURS for those of its other databases."""
        backups = [one for one in transfers if one.is_backup]
        mine: dict[str, list[CopyCard]] = {}
        for card in copies:
            if card.origin.app == self.app:
                mine.setdefault(card.origin.transfer_id, []).append(card)
        since = min((one.created_at for one in backups), default=None)
        shown = proofs.of_transfers({one.id for one in backups}, since) if proofs and since else {}
        found = [_entry(one, mine.pop(one.id, ()), proofs, shown, self) for one in backups]
        found += [_entry(None, cards, proofs, shown, self) for cards in mine.values()]
        return tuple(sorted(found, key=lambda one: (one.taken_at, one.name)))


def _entry(
    transfer: Transfer | None,
    cards: Sequence[CopyCard],
    proofs: Proofs | None,
    shown: dict[str, ProofDocument],
    of: Scope,
) -> BackupEntry:
    """The newest copy comes first; a proof of its bytes takes precedence over one of the platform's."""
    ordered = tuple(sorted(cards, key=lambda card: card.made_at, reverse=True))
    number = transfer.id if transfer else ordered[0].origin.transfer_id
    of_bytes = (proofs.of(card.dump.plain_sha256) for card in ordered) if proofs else ()
    proof = counting(next(filter(None, of_bytes), None) or shown.get(number), of)
    known = Whose.OURS if not ordered or of.owns(ordered[0].origin) else Whose.OTHER
    return BackupEntry(transfer, ordered, proof, number in of.damaged, transfer.whose if transfer else known)


def counting(proof: ProofDocument | None, of: Scope) -> ProofDocument | None:
    """A proof counts only for the key and the invariants that it was made with."""
    if proof is None:
        return None
    if of.demands and proof.demands and of.demands != proof.demands and proof.grade.reaches(Grade.INVARIANTS):
        words = "the invariants have changed since the proof"
        return proof.model_copy(update={"grade": Grade.RESTORES, "why": words})
    known = proof.canary.fingerprint
    if known and proof.grade.reaches(Grade.DECRYPTS) and (now := of.key()) not in ("", known):
        words = f"the application's key has changed since the proof (now {now}, then {known})"
        return proof.model_copy(update={"grade": Grade.INVARIANTS, "why": words})
    return proof


SMALLEST, LARGEST = 0.5, 2.0
"""The plausible range of sizes, as shares of the median of earlier backups."""


@dataclass(frozen=True)
class Judgement:
    """The grade, the reason why it is not higher (empty for the highest), and remarks."""

    grade: Grade
    why: str
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Evidence:
    """The facts about one backup. `age` and `rpo` in seconds, sizes in bytes, `earlier`: sizes of older backups."""

    age: float
    rpo: float
    size: int
    warnings: int = 0
    unfit: str = ""
    """Why it cannot be restored, such as `failed` or `expired`; empty if it can."""
    ahead: str = ""
    """A message that its date is in the future and its age unknown; else empty."""
    damaged_state: bool = False
    """Whether a recovery captured it as the damaged state."""
    earlier: Sequence[int] = ()
    shown: Judgement | None = None
    """The result of the newest proof of these bytes: `EXISTS` if they cannot be decoded."""

    def judged(self) -> Judgement:
        """The result of a restore outranks all lower signs, which then become remarks."""
        if self.unfit:
            return Judgement(Grade.NONE, self.unfit)
        if self.damaged_state:
            return Judgement(Grade.EXISTS, "it is the capture of a damaged state")
        signs = list(_signs(self))
        doubts = tuple(why for _, why in signs if why)
        if self.shown is not None:
            return Judgement(self.shown.grade, self.shown.why, doubts)
        reached = Grade.EXISTS
        for number, (grade, why) in enumerate(signs):
            if why:
                return Judgement(reached, why, tuple(later for _, later in signs[number + 1 :] if later))
            reached = grade
        return Judgement(reached, "not proven by a restore")


def _signs(seen: _Evidence) -> Iterator[tuple[Grade, str]]:
    """Each grade with the objection to it, if any."""
    yield Grade.FINISHED, warned(seen.warnings)
    yield Grade.FRESH, seen.ahead or ("older than the RPO" if seen.age > seen.rpo else "")
    yield Grade.PLAUSIBLE, _implausible(seen)


def _implausible(seen: _Evidence) -> str:
    if not seen.earlier:
        return "no earlier backup to compare its size with"
    from statistics import median

    share = seen.size / max(1.0, median(seen.earlier))
    if SMALLEST <= share <= LARGEST:
        return ""
    return f"its size is {share:.0%} of the median of {plural(len(seen.earlier), 'earlier one')}"


def judged(found: Sequence[BackupEntry], now: datetime, rpo: float) -> tuple[tuple[BackupEntry, Judgement], ...]:
    """Each entry with its grade; `rpo` in seconds."""
    sizes: list[int] = []
    graded = []
    for entry in found:
        graded.append((entry, _evidence(entry, tuple(sizes), now, rpo).judged()))
        if entry.once_whole:
            sizes.append(entry.size)
    return tuple(graded)


def _evidence(entry: BackupEntry, earlier: tuple[int, ...], now: datetime, rpo: float) -> _Evidence:
    return _Evidence(
        age=entry.age(now),
        rpo=rpo,
        size=entry.size,
        warnings=entry.warnings,
        unfit=entry.lost,
        ahead=ahead(entry.taken_at, now),
        damaged_state=entry.damaged_state,
        earlier=earlier,
        shown=Judgement(entry.proof.grade, entry.proof.why) if entry.proof else None,
    )


def newest(found: Sequence[BackupEntry]) -> BackupEntry | None:
    """The newest backup that could be restored from now; `found` has the oldest first."""
    return next((one for one in reversed(found) if not one.unfit), None)


def last_proof(found: Sequence[BackupEntry]) -> ProofDocument | None:
    """The newest proof of a backup that could be restored from now."""
    proofs = [one.proof for one in found if one.proven and one.proof]
    return max(proofs, key=lambda one: one.proven_at, default=None)


def find(found: Sequence[BackupEntry], wanted: str) -> BackupEntry:
    """The entry with this platform name, transfer id or copy (id or its beginning), or the `newest` usable one.

    Raises BadInput.
    """
    if wanted == "newest":
        good = newest(found)
        if good is None:
            raise BadInput("There is no backup to restore.", next_action="Create one: uscdr backup capture")
        return good
    matches = list(_matching(found, wanted))
    if len(matches) == 1:
        return matches[0]
    what = "There is no backup" if not matches else f"{len(matches):,} backups match"
    raise BadInput(f"{what} “{wanted}”.", next_action="See: uscdr backup list")


def _matching(found: Sequence[BackupEntry], wanted: str) -> Iterator[BackupEntry]:
    text = wanted.lower()
    exact = [one for one in found if text in (one.name, one.transfer_id)]
    # after a rebuild the platform counts from b001 again: choose the newest of a name, this database's own first
    if exact:
        ours = [one for one in exact if one.whose is Whose.OURS]
        yield (ours or exact)[-1]
        return
    yield from (one for one in found if any(card.id.startswith(wanted) for card in one.copies))
