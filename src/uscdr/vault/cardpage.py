"""The card of a kit as one page for paper: what its template is given. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from uscdr.pages.rendering import rendered
from uscdr.vault.card import worth
from uscdr.vault.freshness import Freshness, is_placeholder
from uscdr.vault.manifest import KITS, MANIFEST, SUMS, Card, Contact


@dataclass(frozen=True)
class Printing:
    """What is printed. `place`: where the store is. Contacts and freshness: as far as the printer knows them."""

    card: Card
    place: str
    contacts: Sequence[Contact] = ()
    freshness: Freshness | None = None


def card_page(printing: Printing) -> str:
    """The whole document; every value is escaped."""
    card = printing.card
    return rendered(
        "kit_card",
        title=f"Escape kit of {card.app}",
        card=card,
        verdict=_verdict(card),
        contacts=[(one, is_placeholder(one)) for one in printing.contacts],
        place=printing.place,
        kits=KITS,
        commands=_commands(printing),
        freshness=printing.freshness,
        digests=((MANIFEST, card.manifest_sha256), (SUMS, card.sums_sha256)),
    )


def _verdict(card: Card) -> str:
    whole = "COMPLETE" if card.complete else "INCOMPLETE: something could not be had when it was made"
    return f"{whole}. {worth(card.dump)[:1].upper()}{worth(card.dump)[1:]}." if card.dump else f"{whole}."


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
