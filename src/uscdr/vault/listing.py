"""Which kits a store has, and which one is meant. Needs no key."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from uscdr.errors import BadInput, CheckFailed
from uscdr.models.base import Fact
from uscdr.vault.manifest import KITS, MANIFEST
from uscdr.vault.reader import read_card
from uscdr.vault.store import Store


class KitLine(Fact):
    """One line of `uscdr kit list`. `unfinished`: its build was cut off, it has no manifest."""

    kit: str
    state: Literal["complete", "incomplete", "unfinished", "damaged"]
    created_at: datetime | None = None
    app: str = ""
    objects: int = 0
    bytes: int = 0


def kits(store: Store) -> tuple[KitLine, ...]:
    """Every kit, oldest first, unfinished and damaged ones too."""
    names = store.names(KITS)
    found = sorted({name.split("/")[1] for name in names if name.count("/") > 1})
    return tuple(_line(store, kit) for kit in found)


def _line(store: Store, kit: str) -> KitLine:
    if store.size(f"{KITS}/{kit}/{MANIFEST}") is None:
        return KitLine(kit=kit, state="unfinished")
    try:
        card = read_card(store, kit)
    except (CheckFailed, BadInput):
        return KitLine(kit=kit, state="damaged")
    state: Literal["complete", "incomplete"] = "complete" if card.complete else "incomplete"
    return KitLine(
        kit=kit, state=state, created_at=card.created_at, app=card.app, objects=card.objects, bytes=card.bytes
    )


def find(store: Store, wanted: str | None) -> str:
    """The kit whose id begins with `wanted`, or the newest finished one. Raises BadInput."""
    lines = kits(store)
    if wanted is None:
        finished = [line.kit for line in lines if line.state != "unfinished"]
        if not finished:
            raise BadInput(f"There is no kit in {store.place}.", next_action="Make one: uscdr kit build")
        return finished[-1]
    matches = [line.kit for line in lines if line.kit.startswith(wanted)]
    if len(matches) != 1 and wanted not in matches:
        what = "No kit" if not matches else f"{len(matches)} kits"
        raise BadInput(f"{what} in {store.place} match “{wanted}”.", next_action="See: uscdr kit list")
    return wanted if wanted in matches else matches[0]
