"""The card of a kit: in words, or as a page to print with who to call."""

from __future__ import annotations

from datetime import UTC, datetime

from uscdr.cli.invocation import Globals, state
from uscdr.cli.kitlook import Wanted
from uscdr.errors import BadInput
from uscdr.scenarios.model import Config
from uscdr.ui.console import Output
from uscdr.vault.card import card_text
from uscdr.vault.cardpage import Printing, card_page
from uscdr.vault.examine import known
from uscdr.vault.freshness import Seen, judge
from uscdr.vault.manifest import Card, Contact
from uscdr.vault.reader import KitReader, read_card
from uscdr.vault.seal import identities
from uscdr.vault.store import Store


def show_card(given: Globals, wanted: Wanted, *, html: bool, as_json: bool) -> None:
    """The card on stdout."""
    output = given.output(json_lines=as_json)
    store, kit = wanted.find(given)
    given.warn_of(wanted.identity)
    reader = _opened(store, kit, wanted)
    card = reader.card if reader else read_card(store, kit)
    if reader is None:
        output.warn("By its card, not checked: whether the sealed manifest says the same shows --identity FILE.")
    if html:
        page = card_page(_printing(given, card, reader, store, output))
        output.record({"kit": kit, "html": page}) if output.json_lines else output.result(page.rstrip("\n"))
    elif output.json_lines:
        output.record(card.model_dump(mode="json"))
    else:
        output.result(card_text(card).rstrip("\n"))


def _opened(store: Store, kit: str, wanted: Wanted) -> KitReader | None:
    """The kit, with an identity. Raises CheckFailed for a card that is not the kit's: it is not printed."""
    if wanted.identity is None:
        return None
    reader = KitReader(store, kit, identities(wanted.identity), state() / "scratch")
    for doubt in reader.doubts:
        raise doubt
    return reader


def _printing(given: Globals, card: Card, reader: KitReader | None, store: Store, output: Output) -> Printing:
    """With an identity everything is of the kit itself; without, contacts are of scenarios.yaml."""
    if reader is None:
        fresh = judge(Seen(at=datetime.now(UTC), card=card, rpo=card.rpo))
        return Printing(card, store.place, _configured(given, output), fresh)
    seen = Seen(at=datetime.now(UTC), card=card, rpo=card.rpo, manifest=reader.manifest, **known(reader))
    return Printing(card, store.place, reader.manifest.contacts or _configured(given, output), judge(seen))


def _configured(given: Globals, output: Output) -> tuple[Contact, ...]:
    """Of scenarios.yaml; a card can be printed without it."""
    try:
        return contacts_of(given.loaded(lazily=True).config)
    except BadInput as error:
        output.warn(f"No contacts: {error.message}")
        return ()


def contacts_of(config: Config) -> tuple[Contact, ...]:
    """As kits keep them."""
    return tuple(Contact(role=one.role, name=one.name, how=one.how) for one in config.contacts)
