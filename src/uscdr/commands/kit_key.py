"""The key pair of this operator: makes it once, and shows its public half."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

from uscdr.errors import BadInput
from uscdr.files import disk_errors, private_parents
from uscdr.settings import Directories, user_path
from uscdr.store.encryption import Identity
from uscdr.ui.schemas import Schema
from uscdr.wiring.kits import ill_kept
from uscdr.words import escape

if TYPE_CHECKING:
    from pathlib import Path

    from uscdr.ui.console import Output


class _KeyObject(TypedDict):
    public_key: str
    file: str
    created: bool


def key(file: Path | None, output: Output) -> None:
    """Print the public key of the private key in `file`; a file that does not exist is made. Never overwrites one.

    `file`: None means identity.txt in the user's configuration directory.
    Raises BadInput for a file that is no age key, MachineError, and MissingExtra before anything is written.
    """
    place = (user_path(file) if file is not None else Directories(os.environ).config / "identity.txt").absolute()
    created = not os.path.lexists(place)
    public = _made(place) if created else _known(place)
    for words in ill_kept(place, os.environ):
        output.warn_once(f"Warning: {words}")
    if output.json_lines:
        output.record(Schema.KIT_KEY, _KeyObject(public_key=public, file=str(place), created=created))
        return
    output.say(f"{'Made' if created else 'Found'} the private key {escape(str(place))}. Only you can read it.")
    if created:
        output.say("Keep a second copy away from this machine: without the private key nobody opens a kit.")
    output.result(public)


def _made(place: Path) -> str:
    with disk_errors(f"uscdr cannot write {escape(str(place))}.", "Name another file: uscdr kit key FILE"):
        private_parents(place)
        return Identity.create(place).text


def _known(place: Path) -> str:
    first = Identity.read(place)[0].public()
    if first is None:
        raise BadInput(
            f"{escape(str(place))} has an SSH key. Its public half stands in a file of its own.",
            next_action=f"Show it: ssh-keygen -y -f {escape(str(place))}",
        )
    return first.text
