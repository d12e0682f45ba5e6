"""The manifest of a kit (encrypted) and its card (readable by anybody). Sizes are bytes, times UTC."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import BaseModel, Field, SecretStr, ValidationError

from uscdr.backups.proofs import Grade
from uscdr.errors import BadInput
from uscdr.models.base import Count, Fact, Moment, Span
from uscdr.models.placeholders import reaches_nobody
from uscdr.store.store import ObjectLost
from uscdr.words import moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from uscdr.store.store import Store

M = TypeVar("M", bound=BaseModel)
FORMAT = 1
KITS, MEDIA = "kits", "media"
MANIFEST, SUMS = "manifest.json.age", "SHA256SUMS"
DUMP = "database.dump"
"""The manifest's name for the decrypted dump."""
CARD, CARD_TEXT, CARD_PAGE = "card.json", "card.txt", "card.html"

PartName = Literal["app", "config", "dns", "dump", "source", "media"]
PARTS: tuple[PartName, ...] = ("app", "config", "dns", "dump", "source", "media")
ObjectKind = PartName | Literal["audience"]
"""Of a stored object. The list of recipients of notices is no part that a rebuild needs; a kit may lack it."""
PartState = Literal["complete", "partial", "missing", "left out"]


class KitGap(Fact):
    """A missing item, and the reason."""

    what: str
    why: str


class StoredObject(Fact):
    """One encrypted object. `path` is its name in the store; `sha256` and `size` are of the ciphertext."""

    kind: ObjectKind
    name: str
    """Its plain name: `config.json`, `database.dump`, `source.tar.gz`."""
    path: str
    sha256: str
    size: Count
    plain_sha256: str
    plain_size: Count


class KitPart(Fact):
    """One part of a kit: its completeness, its time, and its gaps."""

    name: PartName
    state: PartState
    summary: str = ""
    taken_at: Moment | None = None
    gaps: tuple[KitGap, ...] = ()

    @property
    def wanting(self) -> bool:
        """Whether something is missing that the operator did not exclude."""
        return self.state in ("partial", "missing")

    @classmethod
    def missing(cls, name: PartName, why: str) -> KitPart:
        """A part without any content."""
        return cls(name=name, state="missing", gaps=(KitGap(what=name, why=why),))


class Fingerprints(Fact):
    """HMAC-SHA256 of every configuration value with a salt of this kit, to compare values without storing them."""

    salt: str = Field(default="", repr=False, pattern="^([0-9a-f]{2})*$")
    values: dict[str, str] = Field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, values: Mapping[str, SecretStr], salt: str = "") -> Fingerprints:
        """Comparable digests of `values`, with a new salt unless one is given."""
        salt = salt or secrets.token_hex(32)
        return cls(
            salt=salt,
            values={
                name: hmac.new(bytes.fromhex(salt), value.get_secret_value().encode(), hashlib.sha256).hexdigest()
                for name, value in values.items()
            },
        )


class DumpProof(Fact):
    """The grade of the kit's dump, and the origin of the proof.

    `build`: restored when the kit was built. `vault`: an earlier proof of the same bytes.
    `left out`: the operator skipped the proof. `failed`: the proof could not run.
    """

    grade: Grade
    origin: Literal["build", "vault", "left out", "failed"]
    proven_at: Moment | None = None
    why: str = ""
    """Why the grade is not higher; not on the card."""

    @property
    def shown(self) -> bool:
        """Whether the dump was restored."""
        return self.proven_at is not None

    @property
    def worth(self) -> str:
        """The proof of the dump in one line."""
        match self.origin:
            case "left out":
                return "the dump is NOT PROVEN: the operator skipped the proof (--unproven)"
            case "failed":
                return "the dump is NOT PROVEN: the proof could not run when the kit was built"
            case _:
                when = f" ({moment(self.proven_at)})" if self.proven_at else ""
                return f"the dump, restored: {self.grade}{when}"


class KitContact(Fact):
    """A contact from scenarios.yaml."""

    role: str
    name: str = ""
    how: str = ""

    @property
    def is_placeholder(self) -> bool:
        """Whether the contact is a placeholder and reaches nobody."""
        return reaches_nobody(self.name, self.how)


class Manifest(Fact):
    """The list of the kit's contents."""

    format: int
    kit: str
    created_at: Moment
    uscdr: str
    app: str
    target: str
    identity: str = ""
    """The identity of the sandbox; empty for an application at the platform."""
    account: str
    """E-mail address of the platform account that built the kit."""
    scenarios_digest: str
    recipients: tuple[str, ...]
    """Fingerprints of the public keys."""
    parts: tuple[KitPart, ...]
    objects: tuple[StoredObject, ...]
    fingerprints: Fingerprints = Field(default_factory=Fingerprints)
    dump: DumpProof | None = None
    """None when there is no dump."""
    contacts: tuple[KitContact, ...] = ()
    rpo: Span | None = None
    """The objective when the kit was made."""
    public_keys: tuple[str, ...] = ()
    """Those that `recipients` are fingerprints of."""

    @property
    def complete(self) -> bool:
        """Whether nothing is missing that the operator did not exclude."""
        return not any(part.wanting for part in self.parts)

    def part(self, name: PartName) -> KitPart:
        """One part; a part that the manifest does not name counts as missing."""
        unknown = KitPart(name=name, state="missing", gaps=(KitGap(what=name, why="The manifest does not name it."),))
        return next((part for part in self.parts if part.name == name), unknown)

    def card_parts(self) -> tuple[CardPart, ...]:
        """The parts without their reasons, which may be confidential."""
        return tuple(CardPart(name=part.name, state=part.state, taken_at=part.taken_at) for part in self.parts)

    def card_dump(self) -> DumpProof | None:
        """The dump's proof without its reason."""
        return self.dump.model_copy(update={"why": ""}) if self.dump else None

    def as_card(self, size: tuple[int, int], sha256: str, sums_sha256: str) -> Card:
        """The card that belongs to this manifest.

        `size`: the number of the kit's objects, and their bytes. `sha256` is of the encrypted manifest, `sums_sha256`
        of the list of checksums.
        """
        return Card(
            format=self.format, kit=self.kit, created_at=self.created_at, uscdr=self.uscdr, app=self.app,
            target=self.target, identity=self.identity, recipients=self.recipients, complete=self.complete,
            parts=self.card_parts(), objects=size[0], bytes=size[1], manifest_sha256=sha256,
            sums_sha256=sums_sha256, dump=self.card_dump(), rpo=self.rpo, public_keys=self.public_keys,
        )  # fmt: skip


class CardPart(Fact):
    """One part as shown on the card, without reasons, which may be confidential."""

    name: PartName
    state: PartState
    taken_at: Moment | None = None


class Card(Fact):
    """The description of a kit that is readable without a key. Contains no secrets and no personal data.

    Anybody with write access to the store can change it, so the decrypted manifest always takes precedence.
    """

    format: int
    kit: str
    created_at: Moment
    uscdr: str
    app: str
    target: str
    identity: str = ""
    recipients: tuple[str, ...]
    complete: bool
    parts: tuple[CardPart, ...]
    objects: Count
    bytes: Count
    manifest_sha256: str
    sums_sha256: str
    dump: DumpProof | None = None
    rpo: Span | None = None
    public_keys: tuple[str, ...] = ()


def parsed(model: type[M], data: bytes, name: str) -> M:
    """Parse a document of the kit; never show the text of a validation error, which may contain secrets.

    Raises BadInput for another format, ObjectLost for a damaged document.
    """
    found = _format_of(data)
    if found is not None and found != FORMAT:
        raise BadInput(
            f"{name} has format {found}; this uscdr reads {FORMAT}.", next_action="Use the uscdr version on the card."
        )
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors(include_input=False, include_url=False)[0]["loc"])
        raise ObjectLost.damaged(name, f"this version of uscdr cannot parse it ({place or 'not JSON'})") from None


def _format_of(data: bytes) -> int | None:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    found = document.get("format") if isinstance(document, dict) else None
    return found if isinstance(found, int) else None


# The card of a kit, which can be read without a key.


_LARGEST_CARD = 1 << 20


def read_card(store: Store, kit: str) -> Card:
    """The card of a kit, readable without a key: a hint, because anybody can write it.

    Raises CheckFailed (missing, damaged, of another kit), BadInput (another format).
    """
    card, doubts = card_hint(store, kit)
    if card is None:
        raise doubts[0]
    return card


def card_hint(store: Store, kit: str) -> tuple[Card | None, tuple[ObjectLost, ...]]:
    """The card, if it is readable; a kit can be opened without one. Raises ObjectLost for another kit's card."""
    name = f"{KITS}/{kit}/{CARD}"
    try:
        with store.open(name) as file:
            card = parsed(Card, file.read(_LARGEST_CARD), name)
    except ObjectLost as error:
        return None, (error,)
    if card.kit != kit:
        raise foreign(name, f"it is the card of {card.kit}")
    return card, ()


def foreign(path: str, whose: str) -> ObjectLost:
    """The error for an object of another kit."""
    return ObjectLost(
        path,
        f"{path} does not belong to this kit: {whose}.",
        next_action="Somebody copied or renamed it. Use another kit (uscdr kit list), or copy this one again.",
    )
