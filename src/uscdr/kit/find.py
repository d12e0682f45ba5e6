"""Find and select kits in a store. Needs no key: data from their cards is a hint."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

from uscdr.backups.proofs import Grade
from uscdr.errors import BadInput, CheckFailed
from uscdr.kit.manifest import KITS, MANIFEST, Card, read_card
from uscdr.models.base import Fact, Moment
from uscdr.store.encryption import WrongIdentity

if TYPE_CHECKING:
    from uscdr.kit.reader import KitReader
    from uscdr.store.store import Store

# Parses a reference to a kit: `newest`, an id or its beginning, a store, or both as `STORE:ID`. A word is a store if it
# cannot begin an id: `safe` names a store wherever a kit or a store is named.


NEWEST = "newest"
_WHOLE_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-.+")
_BEGINNING = re.compile(r"[0-9]{1,8}|[0-9]{8}T[0-9]{0,6}|[0-9]{8}T[0-9]{6}Z.*")


def _is_id(text: str) -> bool:
    """Whether the text can be a complete kit id."""
    return _WHOLE_ID.fullmatch(text) is not None


@dataclass(frozen=True)
class KitReference:
    """A reference to a kit. `place` None: the configured store; `kit` None: the newest kit."""

    place: str | None
    kit: str | None

    @classmethod
    def parse(cls, text: str) -> KitReference:
        """Parse a reference. Raises BadInput for an empty one; the error never shows credentials."""
        before, colon, after = text.rpartition(":")
        if not colon or after.startswith("//"):  # no separator, or only that of a URL
            return _id(None, text) if not text or text == NEWEST or _BEGINNING.fullmatch(text) else _place(text)
        if "/" in after or "@" in after:
            # a directory with a colon in its name, or a URL with a port or a password: the store reports the error
            return _place(text)
        if not before:
            raise _nothing()
        return _id(before, after)


def names_newest(text: str) -> bool:
    """Whether a reference names the newest kit in so many words: `newest` or `STORE:newest`."""
    return text.rpartition(":")[2] == NEWEST


def store_named(text: str) -> str:
    """A store where no kit can be named, such as the one of a new kit. Raises BadInput for the name of a kit."""
    _, colon, after = text.rpartition(":")
    if names_newest(text) or (colon and _BEGINNING.fullmatch(after)):
        raise BadInput(
            f"--to names a store, but “{text}” names a kit.",
            next_action="Pass the store alone, for example: --to s3://safe",
        )
    return text


def _id(place: str | None, kit: str) -> KitReference:
    if not kit:
        raise _nothing()
    return KitReference(place, None if kit == NEWEST else kit)


def _place(text: str) -> KitReference:
    """The newest kit of a store, or one kit by its path: `STORE/kits/ID`."""
    path = PurePosixPath(text.rstrip("/"))
    if path.parent.name != KITS or not _is_id(path.name):
        return KitReference(text, None)
    above = text.rstrip("/").removesuffix(f"{KITS}/{path.name}").rstrip("/")
    return KitReference(above or ("/" if text.startswith("/") else "."), path.name)


def _nothing() -> BadInput:
    return BadInput(
        "The name of the kit is empty.", next_action="Use newest, an id (uscdr kit list), or STORE:ID: s3://safe:newest"
    )


class KitLine(Fact):
    """One line of `uscdr kit list`. `unfinished`: the kit has no manifest, because its build stopped early.

    `checked`: the data comes from the encrypted manifest; otherwise it comes from the card and is not verified.
    """

    kit: str
    state: Literal["complete", "incomplete", "unfinished", "damaged"]
    created_at: Moment | None = None
    app: str = ""
    objects: int = 0
    bytes: int = 0
    dump: Grade | None = None
    """The grade of the dump when the kit was built."""
    checked: bool = False
    why: str = ""
    """The damage in words."""

    @classmethod
    def all(cls, store: Store, open_one: Open | None = None, only: str | None = None) -> tuple[KitLine, ...]:
        """Every kit, oldest first, including unfinished and damaged ones; with a key, from the encrypted manifests.

        `only`: the id of the one that is wanted.
        """
        return tuple(
            _line(store, kit, open_one) if finished else cls(kit=kit, state="unfinished")
            for kit, finished in _found(store).items()
            if only in (None, kit)
        )


Open = Callable[[str], "KitReader"]
"""Opens a kit. Raises as `KitReader`."""


def _found(store: Store) -> dict[str, bool]:
    """Each kit and whether it has a manifest, oldest first, from one listing."""
    parts: dict[str, set[str]] = {}
    for name in store.names(KITS):
        _, kit, *rest = name.split("/")
        if rest:
            parts.setdefault(kit, set()).add("/".join(rest))
    return {kit: MANIFEST in parts[kit] for kit in sorted(parts)}


def _line(store: Store, kit: str, open_one: Open | None) -> KitLine:
    checked = open_one is not None
    try:
        card = _sealed(kit, open_one) if open_one is not None else read_card(store, kit)
    except WrongIdentity:
        return _line(store, kit, None)
    except (CheckFailed, BadInput) as error:
        return KitLine(kit=kit, state="damaged", checked=checked, why=error.message)
    return KitLine(
        kit=kit, state="complete" if card.complete else "incomplete", created_at=card.created_at, app=card.app,
        objects=card.objects, bytes=card.bytes, dump=card.dump.grade if card.dump else None, checked=checked,
    )  # fmt: skip


def _sealed(kit: str, open_one: Open) -> Card:
    """The card from the manifest. Raises CheckFailed for a card that differs from it."""
    reader = open_one(kit)
    for doubt in reader.doubts:
        raise doubt
    return reader.card


@dataclass(frozen=True)
class KitOwner:
    """The owner of the kits: an application at the platform, or in the sandbox with this identity."""

    app: str
    identity: str = ""


def find(store: Store, wanted: str | None, of: KitOwner | None = None) -> str:
    """The kit whose id begins with `wanted`, or the newest finished one of `of`. Raises BadInput."""
    found = _found(store)
    if wanted is None:
        finished = [kit for kit, whole in found.items() if whole and _is_id(kit)]
        if not finished:
            raise BadInput(
                f"There is no kit in {store.place}.",
                next_action="If your kits are in another store, name it: STORE:newest, such as s3://safe:newest. "
                "To create a kit while the application exists: uscdr kit build",
            )
        return finished[-1] if of is None else _newest(store, finished, of)
    matches = [kit for kit in found if kit.startswith(wanted)]
    if len(matches) != 1 and wanted not in matches:
        what = "No kit" if not matches else f"{len(matches)} kits"
        raise BadInput(f"{what} in {store.place} match “{wanted}”.", next_action="See: uscdr kit list")
    return wanted if wanted in matches else matches[0]


def _newest(store: Store, finished: Sequence[str], of: KitOwner) -> str:
    """The newest kit of that owner. A damaged kit may be chosen; opening it reports the damage."""
    others: set[str] = set()
    for kit in reversed(finished):
        try:
            card = read_card(store, kit)
        except CheckFailed:
            return kit
        if KitOwner(card.app, card.identity) == of:
            return kit
        others.add(f"{card.app} ({card.target})")
    raise BadInput(
        f"There is no kit of {of.app} in {store.place}.",
        why=f"The store has kits of {', '.join(sorted(others))}.",
        next_action="To use one of them, name it: uscdr kit list, then --kit ID. Or create one: uscdr kit build",
    )
