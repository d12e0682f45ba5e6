"""Lists kits, finds one and prints its card, without credentials; with a named store, without configuration."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

from uscdr.commands.housekeeping import state, warn_exposed
from uscdr.errors import BadInput
from uscdr.kit.card import Printing
from uscdr.kit.find import KitLine, Open
from uscdr.kit.freshness import Freshness, Seen
from uscdr.kit.manifest import Card, KitContact, read_card
from uscdr.models.base import aged
from uscdr.ui.schemas import Schema
from uscdr.ui.tables import show_table
from uscdr.wiring.kits import KitLocations
from uscdr.words import escape, size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from uscdr.kit.reader import KitReader
    from uscdr.scenarios.config import Config
    from uscdr.store.encryption import Identity
    from uscdr.store.store import Store
    from uscdr.ui.console import Output
    from uscdr.wiring.targets import Targets


@dataclass(frozen=True)
class KitChoice:
    """The kit that the operator named (`KitReference.parse`), or the newest in `to`; and its identity file."""

    kit: str | None = None
    to: str | None = None
    identity: Path | None = None

    def find(self, targets: Targets) -> tuple[Store, str]:
        """The store and the kit. Raises BadInput."""
        return locations(targets).find(self.kit, self.to)


@dataclass(frozen=True)
class Opening:
    """A kit that was found, and the keys that decrypt it."""

    store: Store
    kit: str
    keys: Sequence[Identity]


def one_of(argument: str | None, option: str | None) -> str | None:
    """The kit from the argument or the option. Raises BadInput for both."""
    if argument is not None and option is not None:
        raise BadInput("The command names the kit twice.", next_action="Pass either KIT or --kit KIT")
    return option if argument is None else argument


def locations(targets: Targets) -> KitLocations:
    """Where kits are. The configuration is read only when nothing else names the store."""

    def configured() -> str | None:
        return targets.loaded(lazily=True).config.kit.to

    return KitLocations(configured, state(), os.environ)


def list_kits(targets: Targets, output: Output, wanted: KitChoice) -> None:
    """Print every kit of the store on stdout, or the one that was named.

    Without an identity file it is what the cards say, and a message says so.
    """
    store, kit = locations(targets).listed(wanted.kit, wanted.to)
    lines = KitLine.all(store, _opener(store, wanted.identity) if wanted.identity else None, kit)
    rows = [line.model_dump(mode="json") if output.json_lines else _row(line) for line in lines]
    show_table(Schema.KIT, rows, output, empty="No kits.")
    if any(line.created_at and not line.checked for line in lines):
        output.say(
            "This is what the cards say; uscdr checked nothing. To check: uscdr kit list --identity FILE, or "
            "uscdr kit check KIT --identity FILE"
        )
    for line in lines:
        if line.why:
            output.say(escape(f"{line.kit}: {line.why}"))


def _opener(store: Store, identity: Path) -> Open:
    from uscdr.kit.reader import KitReader
    from uscdr.store.encryption import Identity

    keys = Identity.read(identity)
    return lambda kit: KitReader(store, kit, keys, state() / "scratch")


def _row(line: KitLine) -> dict[str, object]:
    return {
        "kit": line.kit,
        "state": line.state if line.checked or not line.created_at else f"{line.state} by its card",
        "age": aged(line.created_at, datetime.now(UTC)) if line.created_at else None,
        "application": line.app,
        "dump": line.dump.value if line.dump else None,
        "objects": line.objects,
        "size": size(line.bytes),
    }


# Prints the card of a kit: as text, or as an HTML page with contacts.


def show_card(targets: Targets, output: Output, wanted: KitChoice, *, html: bool) -> None:
    """Print the card on stdout."""
    store, kit = wanted.find(targets)
    warn_exposed(output, wanted.identity)
    reader = _opened(store, kit, wanted)
    card = reader.card if reader else read_card(store, kit)
    if reader is None:
        output.warn(
            "This is what the card says; uscdr did not compare it with the sealed manifest. To compare: "
            "uscdr kit card KIT --identity FILE"
        )
    if html:
        page = _printing(targets, card, reader, store, output).page()
        _show_page({"kit": kit, "html": page}, output)
    elif output.json_lines:
        output.record(Schema.KIT_CARD, card.model_dump(mode="json"))
    else:
        output.result(Printing(card, store.place).text().rstrip("\n"))


class _PageObject(TypedDict):
    kit: str
    html: str


def _show_page(page: _PageObject, output: Output) -> None:
    if output.json_lines:
        output.record(Schema.KIT_PAGE, page)
    else:
        output.result(page["html"].rstrip("\n"))


def _opened(store: Store, kit: str, wanted: KitChoice) -> KitReader | None:
    """The decrypted kit, or None without an identity file. Raises CheckFailed when the card is not the kit's."""
    if wanted.identity is None:
        return None
    from uscdr.kit.reader import KitReader
    from uscdr.store.encryption import Identity

    reader = KitReader(store, kit, Identity.read(wanted.identity), state() / "scratch")
    for doubt in reader.doubts:
        raise doubt
    return reader


def _printing(targets: Targets, card: Card, reader: KitReader | None, store: Store, output: Output) -> Printing:
    """From the sealed manifest if it is open; otherwise from the card, with the contacts of scenarios.yaml."""
    if reader is None:
        fresh = Freshness.of(Seen(at=datetime.now(UTC), card=card, rpo=card.rpo))
        return Printing(card, store.place, _configured(targets, output), fresh)
    seen = Seen(at=datetime.now(UTC), card=card, rpo=card.rpo, manifest=reader.manifest, **reader.contents)
    return Printing(card, store.place, reader.manifest.contacts or _configured(targets, output), Freshness.of(seen))


def _configured(targets: Targets, output: Output) -> tuple[KitContact, ...]:
    """The contacts of scenarios.yaml; without a valid one, none and a warning."""
    try:
        return contacts_of(targets.loaded(lazily=True).config)
    except BadInput as error:
        output.warn(f"The page has no contacts: {error.message}")
        return ()


def contacts_of(config: Config) -> tuple[KitContact, ...]:
    """The contacts of scenarios.yaml in the form that kits keep."""
    return tuple(KitContact(role=one.role, name=one.name, how=one.how) for one in config.contacts)
