"""Proofs: the result of restoring a dump on some machine. They name the dump by its plain SHA-256.

    proofs/<plain SHA-256>/<time>-<nonce>.json

A proof is created once and never changed. It contains numbers and names of tables and columns, never a value of a row.
Proofs are not signed: anybody with write access to the store can create one. So uscdr never destroys data because of a
proof alone.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from uscdr.backups.manifest import Document
from uscdr.errors import BadInput, CheckFailed
from uscdr.models.base import CLOCKS, Count, Fact, Moment, Span, elapsed
from uscdr.models.migrations import MigrationsVerdict
from uscdr.models.postgres import CanaryVerdict, LeftOut

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from uscdr.models.data_settings import Invariant
    from uscdr.store.store import Store


class Grade(StrEnum):
    """The grades of a backup, from the lowest to the highest."""

    NONE = "none"
    EXISTS = "exists"
    FINISHED = "finished without warnings"
    FRESH = "fresh"
    PLAUSIBLE = "plausible size"
    DECODES = "decodes"
    RESTORES = "restores"
    INVARIANTS = "satisfies the invariants"
    DECRYPTS = "encrypted columns decrypt"

    @property
    def rank(self) -> int:
        """0 for the lowest."""
        return tuple(Grade).index(self)

    def reaches(self, wanted: Grade) -> bool:
        """Whether this is `wanted` or better."""
        return self.rank >= wanted.rank


PROOFS = "proofs"
MOMENT = "%Y%m%dT%H%M%S.%fZ"
"""The time format in names, fine enough to order proofs by name."""
GATE_HOURS = 24
"""The greatest age of a proof that a kit accepts."""
_NAME = re.compile(rf"{PROOFS}/(?P<sha256>[0-9a-f]{{64}})/(?P<at>[0-9]{{8}}T[0-9]{{6}}\.[0-9]{{6}}Z)-[0-9a-f]+\.json")


class ProvenInvariant(Fact):
    """An invariant's name and verdict, without its result."""

    name: str
    holds: bool | None


class ProofDocument(Document):
    """One proof. `seconds` is its duration, `source` the origin of the bytes."""

    sha256: str
    bytes: Count
    app: str
    addon_id: str = ""
    """The database add-on's id; empty in a proof of an earlier version."""
    identity: str | None = None
    """The identity of the sandbox whose backup it is; empty at the platform; None in a proof of an earlier version."""
    backup: str
    transfer_id: str
    taken_at: Moment
    proven_at: Moment
    seconds: Span
    source: Literal["vault", "platform", "kit"]
    copy_id: str = ""
    """The copy with these bytes, or the kit; empty without one."""
    copy_opened: bool = False
    """Whether that copy was decrypted, and not only its checksum verified."""
    grade: Grade
    why: str = ""
    uscdr: str
    pg_restore: str = ""
    server: str = ""
    dumped_from: str = ""
    tables: Count = 0
    rows: Count = 0
    invariants: tuple[ProvenInvariant, ...] = ()
    demands: str = ""
    """The digest of the invariants: `demands_digest`."""
    canary: CanaryVerdict = Field(default_factory=CanaryVerdict.untried)
    extensions: tuple[str, ...] = ()
    migrations: MigrationsVerdict = Field(default_factory=MigrationsVerdict.uncompared)
    counts: dict[str, Count] = Field(default_factory=dict)
    """Exact rows by table; empty in a proof of an earlier version."""
    newest: dict[str, str | None] = Field(default_factory=dict)
    """The newest time by `table.column`."""
    left_out: tuple[LeftOut, ...] = ()
    """Parts of the dump that were not restored, and so are not proven; contains no rows."""

    @property
    def sound(self) -> bool:
        """Whether the dump restores and satisfies the invariants, and no key failed."""
        return self.grade.reaches(Grade.INVARIANTS) and self.canary.verdict != "fail"

    def keep(self, store: Store) -> str:
        """Store the proof; returns its name in the store."""
        name = f"{PROOFS}/{self.sha256}/{self.proven_at.astimezone(UTC):{MOMENT}}-{secrets.token_hex(4)}.json"
        store.put_once(name, self.model_dump_json(indent=1).encode() + b"\n")
        return name


def demands_digest(invariants: Sequence[Invariant]) -> str:
    """A digest that identifies a set of invariants."""
    text = "\0".join(one.model_dump_json(exclude={"why"}) for one in invariants)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Proofs:
    """The newest proof of each dump in a store, read on first use.

    Ignores a damaged document, and one whose content contradicts its name.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._newest: dict[str, str] = {}
        self._read: dict[str, ProofDocument | None] = {}
        for name in store.names(PROOFS):  # sorted: the newest of each digest is the last one
            if (match := _NAME.fullmatch(name)) and _moment(name) is not None:
                self._newest[match["sha256"]] = name

    def of(self, sha256: str) -> ProofDocument | None:
        """The newest proof of the bytes with this SHA-256."""
        if sha256 not in self._newest:
            return None
        if sha256 not in self._read:
            self._read[sha256] = self._load(sha256)
        return self._read[sha256]

    def of_transfers(self, wanted: Collection[str], since: datetime) -> dict[str, ProofDocument]:
        """Proofs made since `since`, by the platform's transfer id, for backups that were never pulled."""
        found = (self.of(sha256) for sha256, name in self._newest.items() if _is_since(name, since))
        return {one.transfer_id: one for one in _by_time(found) if one.transfer_id in wanted}

    def since(self, moment: datetime) -> tuple[ProofDocument, ...]:
        """Proofs made since then, oldest first, including proofs of copies that retention removed."""
        return tuple(_by_time(self.of(sha256) for sha256, name in self._newest.items() if _is_since(name, moment)))

    def all(self) -> tuple[ProofDocument, ...]:
        """All proofs, oldest first."""
        return self.since(datetime.min.replace(tzinfo=UTC))

    def _load(self, sha256: str) -> ProofDocument | None:
        name = self._newest[sha256]
        try:
            found = ProofDocument.read(self._store, name)
        except (CheckFailed, BadInput):
            return None
        return found if found.sha256 == sha256 and found.proven_at == _moment(name) else None

    def fresh(self, sha256: str, invariants: Sequence[Invariant], now: datetime) -> ProofDocument | None:
        """The newest proof of these bytes, if it is recent and the same invariants passed."""
        found = self.of(sha256)
        if (
            found is None
            or elapsed(now, found.proven_at) > CLOCKS
            or now - found.proven_at > timedelta(hours=GATE_HOURS)
        ):
            return None
        return found if found.grade.reaches(Grade.INVARIANTS) and found.demands == demands_digest(invariants) else None


def _by_time(found: Iterator[ProofDocument | None]) -> list[ProofDocument]:
    return sorted((one for one in found if one is not None), key=lambda one: one.proven_at)


def _is_since(name: str, moment: datetime) -> bool:
    made = _moment(name)
    return made is not None and made >= moment


def _moment(name: str) -> datetime | None:
    """The time in the name of a proof; None if the name has none."""
    match = _NAME.fullmatch(name)
    try:
        return datetime.strptime(match["at"], MOMENT).replace(tzinfo=UTC) if match else None
    except ValueError:
        return None
