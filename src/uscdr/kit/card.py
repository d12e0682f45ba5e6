"""The card of a kit, for a wall or a wallet, and the list of sums that `sha256sum -c` understands."""

from __future__ import annotations

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

_UP = "../../"
"""From a kit's directory to the store."""
_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")


def sums_text(kit: str, listed: Mapping[str, str]) -> bytes:
    """`SHA256  name` a line, names relative to the kit's directory: checked there with `sha256sum -c`."""
    own = f"{KITS}/{kit}/"
    near = {name.removeprefix(own) if name.startswith(own) else _UP + name: digest for name, digest in listed.items()}
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(near.items())).encode()


def parse_sums(kit: str, data: bytes) -> dict[str, str]:
    """Names in the store and their digests. Raises ObjectLost."""
    found: dict[str, str] = {}
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            name = f"{KITS}/{kit}/{SUMS}"
            raise ObjectLost(name, f"{name} is damaged (line {number}).", next_action="Use another kit: uscdr kit list")
        name = match[2]
        found[name.removeprefix(_UP) if name.startswith(_UP) else f"{KITS}/{kit}/{name}"] = match[1]
    return found


def card_text(card: Card) -> str:
    """The card in words, 78 columns, to be printed and kept away from the computers."""
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
        "Is it whole?      uscdr kit check PLACE:ID        (no key needed)",
        "What is in it?    uscdr kit check PLACE:ID --identity FILE",
        "Rebuild from it:  uscdr recover infra --kit PLACE:ID --identity FILE",
        "Without uscdr:    card.html, beside this file",
        f"By hand, there:   sha256sum -c {SUMS}",
        f"                  age -d -i FILE {MANIFEST}",
        rule,
    ]
    return "\n".join(lines) + "\n"


def _part_line(part: CardPart) -> str:
    as_of = f"as of {moment(part.taken_at)}" if part.taken_at else ""
    return f"  {part.name:<8} {part.state:<10} {as_of}".rstrip()


# The card of a kit as one page for paper: what its template is given. Pure.


@dataclass(frozen=True)
class Printing:
    """What is printed. `place`: where the store is. Contacts and freshness: as far as the printer knows them."""

    card: Card
    place: str
    contacts: Sequence[KitContact] = ()
    freshness: Freshness | None = None

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
    whole = "COMPLETE" if card.complete else "INCOMPLETE: something could not be had when it was made"
    return f"{whole}. {card.dump.worth[:1].upper()}{card.dump.worth[1:]}." if card.dump else f"{whole}."


def _commands(printing: Printing) -> tuple[tuple[str, str], ...]:
    named = shlex.quote(f"{printing.place}:{printing.card.kit}")
    return (
        ("Is it whole? No key needed.", f"uscdr kit check {named}"),
        ("What is in it, and could we rebuild from it?", f"uscdr kit check {named} --identity FILE"),
        ("Rebuild the application from it.", f"uscdr recover infra --kit {named} --identity FILE"),
        ("Bring lost media files back.", f"uscdr recover media --kit {named} --identity FILE"),
        ("Take a part out.", f"uscdr kit restore --kit {named} --identity FILE --part dump --into DIR"),
        ("Without uscdr, in the kit's directory.", f"sha256sum -c {SUMS}; age -d -i FILE {MANIFEST}"),
    )
