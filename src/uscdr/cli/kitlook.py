"""Looking at escape kits: no network, no credentials, and with a path no configuration either."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from uscdr.cli.context import Globals, state
from uscdr.cli.kitwords import Narrator, show_examination
from uscdr.errors import ExitCode
from uscdr.scenarios.model_kit import KitSettings
from uscdr.ui.tables import show_table
from uscdr.ui.text import duration, size
from uscdr.vault import listing
from uscdr.vault.card import card_text
from uscdr.vault.examine import examine
from uscdr.vault.manifest import KITS
from uscdr.vault.reader import read_card
from uscdr.vault.seal import identities
from uscdr.vault.store import LocalStore


@dataclass(frozen=True)
class Wanted:
    """Which kit is meant: an id or its beginning, a path, or the newest in `to`."""

    kit: str | None = None
    to: Path | None = None


def check_kit(given: Globals, wanted: Wanted, identity: Path | None, *, as_json: bool) -> int:
    """Look at everything; 1 for damage or for a kit that lacks something."""
    output = given.output(json_lines=as_json)
    store, kit = _find(given, wanted)
    keys = identities(identity) if identity is not None else ()
    narrator = Narrator(output)
    found = examine(store, kit, keys, state() / "scratch", narrator.checked)
    show_examination(found, output)
    return int(ExitCode.DONE if found.sound and found.card.complete else ExitCode.CHECK_FAILED)


def list_kits(given: Globals, to: Path | None, *, as_json: bool) -> None:
    """The list on stdout."""
    output = given.output(json_lines=as_json)
    lines = listing.kits(_store(given, to))
    rows = [line.model_dump(mode="json") if output.json_lines else _row(line) for line in lines]
    show_table(rows, output, empty="No kit.")


def _row(line: listing.KitLine) -> dict[str, object]:
    return {
        "kit": line.kit,
        "state": line.state,
        "age": duration((datetime.now(UTC) - line.created_at).total_seconds()) if line.created_at else None,
        "application": line.app,
        "objects": line.objects,
        "size": size(line.bytes),
    }


def show_card(given: Globals, wanted: Wanted, *, as_json: bool) -> None:
    """The card on stdout."""
    output = given.output(json_lines=as_json)
    store, kit = _find(given, wanted)
    card = read_card(store, kit)
    if output.json_lines:
        output.record(card.model_dump(mode="json"))
    else:
        output.result(card_text(card).rstrip("\n"))


def _find(given: Globals, wanted: Wanted) -> tuple[LocalStore, str]:
    """The store and the kit; a path to a kit needs no configuration at all."""
    path = Path(wanted.kit) if wanted.kit else None
    if path is not None and path.is_dir() and path.absolute().parent.name == KITS:
        path = path.absolute()
        return LocalStore(path.parent.parent), path.name
    store = _store(given, wanted.to)
    return store, listing.find(store, wanted.kit)


def place_of(settings: KitSettings) -> Path:
    """Where kits go when the command line does not say."""
    return Path(settings.to).expanduser() if settings.to else state() / "vault"


def _store(given: Globals, to: Path | None) -> LocalStore:
    if to is not None:
        return LocalStore(to)
    from uscdr.targets import load_config

    return LocalStore(place_of(load_config(given.config, os.environ).config.kit))
