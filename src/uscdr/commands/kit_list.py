"""Which kit is meant, and which there are: no credentials, and with a place no configuration either."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from uscdr.commands.housekeeping import state, warn_exposed
from uscdr.errors import BadInput
from uscdr.kit.card import Printing
from uscdr.kit.find import KitLine, Open
from uscdr.kit.freshness import Freshness, Seen
from uscdr.kit.manifest import Card, KitContact
from uscdr.kit.reader import KitReader, read_card
from uscdr.models.base import aged
from uscdr.store.encryption import Identity
from uscdr.ui.tables import show_table
from uscdr.wiring.kits import KitLocations
from uscdr.words import escape, size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from uscdr.scenarios.config import Config
    from uscdr.store.store import Store
    from uscdr.ui.console import Output
    from uscdr.wiring.targets import Targets


@dataclass(frozen=True)
class KitChoice:
    """Which kit is meant (`Named.parse`), or the newest in `to`; and what opens it."""

    kit: str | None = None
    to: str | None = None
    identity: Path | None = None

    def find(self, targets: Targets) -> tuple[Store, str]:
        """The store and the kit. Raises BadInput."""
        return locations(targets).find(self.kit, self.to)


@dataclass(frozen=True)
class Opening:
    """A kit that was found, and what opens it."""

    store: Store
    kit: str
    keys: Sequence[Identity]


def one_of(argument: str | None, option: str | None) -> str | None:
    """The kit, named either way. Raises BadInput for both."""
    if argument is not None and option is not None:
        raise BadInput("The kit is named twice.", next_action="Name it once: KIT, or --kit KIT")
    return option if argument is None else argument


def locations(targets: Targets) -> KitLocations:
    """The configuration is read only when nothing else says where kits are."""

    def configured() -> str | None:
        return targets.loaded(lazily=True).config.kit.to

    return KitLocations(configured, state(), os.environ)


def list_kits(targets: Targets, output: Output, to: str | None, identity: Path | None) -> None:
    """The list on stdout; without an identity by what the cards say, and that is said."""
    store = locations(targets).store(to)
    lines = KitLine.all(store, _opener(store, identity) if identity else None)
    rows = [line.model_dump(mode="json") if output.json_lines else _row(line) for line in lines]
    show_table(rows, output, empty="No kit.")
    if any(line.created_at and not line.checked for line in lines):
        output.say(
            "By their cards, not checked: uscdr kit list --identity FILE, or uscdr kit check KIT --identity FILE"
        )
    for line in lines:
        if line.why:
            output.say(escape(f"{line.kit}: {line.why}"))


def _opener(store: Store, identity: Path) -> Open:
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


# The card of a kit: in words, or as a page to print with who to call.


def show_card(targets: Targets, output: Output, wanted: KitChoice, *, html: bool) -> None:
    """The card on stdout."""
    store, kit = wanted.find(targets)
    warn_exposed(output, wanted.identity)
    reader = _opened(store, kit, wanted)
    card = reader.card if reader else read_card(store, kit)
    if reader is None:
        output.warn("By its card, not checked: whether the sealed manifest says the same shows --identity FILE.")
    if html:
        page = _printing(targets, card, reader, store, output).page()
        output.record({"kit": kit, "html": page}) if output.json_lines else output.result(page.rstrip("\n"))
    elif output.json_lines:
        output.record(card.model_dump(mode="json"))
    else:
        output.result(Printing(card, store.place).text().rstrip("\n"))


def _opened(store: Store, kit: str, wanted: KitChoice) -> KitReader | None:
    """The kit, with an identity. Raises CheckFailed for a card that is not the kit's: it is not printed."""
    if wanted.identity is None:
        return None
    reader = KitReader(store, kit, Identity.read(wanted.identity), state() / "scratch")
    for doubt in reader.doubts:
        raise doubt
    return reader


def _printing(targets: Targets, card: Card, reader: KitReader | None, store: Store, output: Output) -> Printing:
    """With an identity everything is of the kit itself; without, contacts are of scenarios.yaml."""
    if reader is None:
        fresh = Freshness.of(Seen(at=datetime.now(UTC), card=card, rpo=card.rpo))
        return Printing(card, store.place, _configured(targets, output), fresh)
    seen = Seen(at=datetime.now(UTC), card=card, rpo=card.rpo, manifest=reader.manifest, **reader.contents)
    return Printing(card, store.place, reader.manifest.contacts or _configured(targets, output), Freshness.of(seen))


def _configured(targets: Targets, output: Output) -> tuple[KitContact, ...]:
    """Of scenarios.yaml; a card can be printed without it."""
    try:
        return contacts_of(targets.loaded(lazily=True).config)
    except BadInput as error:
        output.warn(f"No contacts: {error.message}")
        return ()


def contacts_of(config: Config) -> tuple[KitContact, ...]:
    """As kits keep them."""
    return tuple(KitContact(role=one.role, name=one.name, how=one.how) for one in config.contacts)
