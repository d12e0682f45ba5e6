"""Which kit is meant, and which there are: no credentials, and with a place no configuration either."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from uscdr.assembly.escrow import KitPlaces
from uscdr.cli.invocation import Globals, state
from uscdr.errors import BadInput
from uscdr.models.duration import aged
from uscdr.ui.tables import show_table
from uscdr.vault import listing
from uscdr.vault.reader import KitReader
from uscdr.vault.seal import Identity, identities
from uscdr.vault.store import Store
from uscdr.words import escape, size


@dataclass(frozen=True)
class Wanted:
    """Which kit is meant (`whichkit.parse`), or the newest in `to`; and what opens it."""

    kit: str | None = None
    to: str | None = None
    identity: Path | None = None

    def find(self, given: Globals) -> tuple[Store, str]:
        """The store and the kit. Raises BadInput."""
        return places(given).find(self.kit, self.to)


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


def places(given: Globals) -> KitPlaces:
    """The configuration is read only when nothing else says where kits are."""

    def configured() -> str | None:
        return given.loaded(lazily=True).config.kit.to

    return KitPlaces(configured, state(), os.environ)


def list_kits(given: Globals, to: str | None, identity: Path | None, *, as_json: bool) -> None:
    """The list on stdout; without an identity by what the cards say, and that is said."""
    output = given.output(json_lines=as_json)
    store = places(given).store(to)
    lines = listing.kits(store, _opener(store, identity) if identity else None)
    rows = [line.model_dump(mode="json") if output.json_lines else _row(line) for line in lines]
    show_table(rows, output, empty="No kit.")
    if any(line.created_at and not line.checked for line in lines):
        output.say(
            "By their cards, not checked: uscdr kit list --identity FILE, or uscdr kit check KIT --identity FILE"
        )
    for line in lines:
        if line.why:
            output.say(escape(f"{line.kit}: {line.why}"))


def _opener(store: Store, identity: Path) -> listing.Open:
    keys = identities(identity)
    return lambda kit: KitReader(store, kit, keys, state() / "scratch")


def _row(line: listing.KitLine) -> dict[str, object]:
    return {
        "kit": line.kit,
        "state": line.state if line.checked or not line.created_at else f"{line.state} by its card",
        "age": aged(line.created_at, datetime.now(UTC)) if line.created_at else None,
        "application": line.app,
        "dump": line.dump.value if line.dump else None,
        "objects": line.objects,
        "size": size(line.bytes),
    }
