"""Which kit is meant by a text: `newest`, an id or its beginning, a place, or both as `PLACE:ID`.

A place is a directory or a bucket's URL, whose own colon is no separator: `s3://safe/kits-of-usc:newest`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from uscdr.errors import BadInput
from uscdr.vault.manifest import KITS

NEWEST = "newest"
_WHOLE_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-.+")


def is_id(text: str) -> bool:
    """Whether it can be the whole id of a kit."""
    return _WHOLE_ID.fullmatch(text) is not None


@dataclass(frozen=True)
class Named:
    """A kit as it was named. `place` None: the configured one; `kit` None: the newest."""

    place: str | None
    kit: str | None


def parse(text: str) -> Named:
    """What `text` names. Raises BadInput for what names nothing; a text with credentials in it is not repeated."""
    before, colon, after = text.rpartition(":")
    if not colon or after.startswith("//"):  # no separator, or only that of a URL
        return _place(text) if "/" in text else _id(None, text)
    if "/" in after or "@" in after:
        # a directory with a colon in its name, or a URL with a port or a password: the store says what is wrong
        return _place(text)
    if not before:
        raise _nothing()
    return _id(before, after)


def _id(place: str | None, kit: str) -> Named:
    if not kit:
        raise _nothing()
    return Named(place, None if kit == NEWEST else kit)


def _place(text: str) -> Named:
    """The newest of a place; or one kit by where it lies: `PLACE/kits/ID`."""
    path = PurePosixPath(text.rstrip("/"))
    if path.parent.name != KITS or not is_id(path.name):
        return Named(text, None)
    above = text.rstrip("/").removesuffix(f"{KITS}/{path.name}").rstrip("/")
    return Named(above or ("/" if text.startswith("/") else "."), path.name)


def _nothing() -> BadInput:
    return BadInput(
        "No kit is named.", next_action="Name it: newest, its id (uscdr kit list), or PLACE:ID as in s3://safe:newest"
    )
