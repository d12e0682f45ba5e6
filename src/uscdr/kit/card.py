"""The printable card of a kit, and its list of checksums in the format of `sha256sum -c`."""

from __future__ import annotations

import hashlib
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from uscdr.kit.manifest import KITS, MANIFEST, SUMS, Card, CardPart, KitContact
from uscdr.pages.rendering import rendered
from uscdr.store.store import ObjectLost
from uscdr.words import moment, plural, size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from uscdr.kit.freshness import Freshness
    from uscdr.store.store import Store

_UP = "../../"
"""The path from a kit's directory to the store."""
_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")
_LARGEST_SUMS = 1 << 28


@dataclass(frozen=True)
class Checksums:
    """The SHA-256 of every object that a kit needs, by name in the store. `data`: the file for `sha256sum -c`."""

    listed: Mapping[str, str]
    data: bytes

    @property
    def sha256(self) -> str:
        """The digest of the file."""
        return hashlib.sha256(self.data).hexdigest()

    @classmethod
    def of(cls, kit: str, listed: Mapping[str, str]) -> Checksums:
        """One `SHA256  name` per line, names relative to the kit's directory."""
        own = f"{KITS}/{kit}/"
        near = {
            name.removeprefix(own) if name.startswith(own) else _UP + name: digest for name, digest in listed.items()
        }
        return cls(listed, "".join(f"{digest}  {name}\n" for name, digest in sorted(near.items())).encode())

    @classmethod
    def read(cls, store: Store, kit: str) -> Checksums:
        """Read the file of a kit. Raises ObjectLost (missing or damaged)."""
        name = f"{KITS}/{kit}/{SUMS}"
        with store.open(name) as file:
            data = file.read(_LARGEST_SUMS)
        found: dict[str, str] = {}
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
            match = _LINE.fullmatch(line)
            if match is None:
                raise ObjectLost.damaged(name, f"line {number} is not a checksum")
            near = match[2]
            found[near.removeprefix(_UP) if near.startswith(_UP) else f"{KITS}/{kit}/{near}"] = match[1]
        return cls(found, data)


def _part_line(part: CardPart) -> str:
    as_of = f"as of {moment(part.taken_at)}" if part.taken_at else ""
    return f"  {part.name:<8} {part.state:<10} {as_of}".rstrip()


@dataclass(frozen=True)
class Printing:
    """The data to print. `place`: the store's location. Contacts and freshness may be unknown."""

    card: Card
    place: str
    contacts: Sequence[KitContact] = ()
    freshness: Freshness | None = None

    def text(self) -> str:
        """The card as text of 78 columns, to print and store off the computers."""
        card = self.card
        rule = "=" * 78
        lines = [
            rule,
            f"ESCAPE KIT  {card.kit}",
            f"application {card.app} ({card.target}), made {moment(card.created_at)} by uscdr {card.uscdr}",
            "COMPLETE" if card.complete else "INCOMPLETE: see below, and `uscdr kit check`",
            "",
            *(_part_line(part) for part in card.parts),
            *([f"  {card.dump.worth}"] if card.dump else []),
            "",
            f"{plural(card.objects, 'encrypted object')}, {size(card.bytes)}",
            f"recipients  {'  '.join(card.recipients)}",
            "manifest    SHA-256",
            f"  {card.manifest_sha256}",
            "",
            "Check integrity:  uscdr kit check STORE:ID        (no key needed)",
            "Check contents:   uscdr kit check STORE:ID --identity FILE",
            "Rebuild:          uscdr recover infra --kit STORE:ID --identity FILE",
            "Without uscdr:    card.html, beside this file",
            f"By hand, there:   sha256sum -c {SUMS}",
            f"                  age -d -i FILE {MANIFEST}",
            rule,
        ]
        return "\n".join(lines) + "\n"

    def page(self) -> str:
        """The whole document; every value is escaped."""
        card = self.card
        return rendered(
            "kit_card",
            title=f"Escape kit of {card.app}",
            card=card,
            verdict=_verdict(card),
            contacts=[(one, one.is_placeholder) for one in self.contacts],
            place=self.place,
            kits=KITS,
            commands=_commands(self),
            freshness=self.freshness,
            digests=((MANIFEST, card.manifest_sha256), (SUMS, card.sums_sha256)),
        )


def _verdict(card: Card) -> str:
    whole = "COMPLETE" if card.complete else "INCOMPLETE: some parts were not available when it was built"
    return f"{whole}. {card.dump.worth[:1].upper()}{card.dump.worth[1:]}." if card.dump else f"{whole}."


def _commands(printing: Printing) -> tuple[tuple[str, str], ...]:
    named = shlex.quote(f"{printing.place}:{printing.card.kit}")
    return (
        ("Check its integrity, without a key.", f"uscdr kit check {named}"),
        ("Check its contents and whether you can rebuild from it.", f"uscdr kit check {named} --identity FILE"),
        ("Rebuild the application from it.", f"uscdr recover infra --kit {named} --identity FILE"),
        ("Restore lost media files.", f"uscdr recover media --kit {named} --identity FILE"),
        ("Extract a part.", f"uscdr kit restore --kit {named} --identity FILE --part dump --into DIR"),
        ("Without uscdr, in the kit's directory.", f"sha256sum -c {SUMS}; age -d -i FILE {MANIFEST}"),
    )
