"""Copying a backup off the platform."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from uscdr.assembly import vault
from uscdr.cli.backupdesk import Desk, Wiring, desk
from uscdr.cli.invocation import Globals
from uscdr.cli.speech import Speech
from uscdr.errors import BadInput
from uscdr.models.transfers import Transfer
from uscdr.scenarios.backups.copying import copy, copy_for
from uscdr.ui.console import Output
from uscdr.vault.backups.catalog import Entry, find
from uscdr.vault.backups.manifest import CopyCard
from uscdr.vault.backups.pulling import Keyring
from uscdr.words import size


@dataclass(frozen=True)
class PullOptions:
    """What stands on the command line."""

    backup: str
    to: str | None
    recipients: tuple[str, ...]
    passphrase_file: Path | None


def pull(given: Globals, wanted: PullOptions, *, as_json: bool) -> None:
    """Copy it, unless it is there; say what there is."""
    output = given.output(json_lines=as_json)
    config = given.place().config
    keys = vault.keyring(wanted.recipients, wanted.passphrase_file, config, os.environ)
    given.warn_of(wanted.passphrase_file)
    with desk(given, output, Wiring(wanted.to, writes=True)) as work:
        transfer, entry = _chosen(work, wanted.backup)
        there = copy_for(entry.copies, keys)
        card, fetched = (there, False) if there else _copy(work, transfer, keys)
        _tell(output, card, work.store.place, fetched=fetched)


def _chosen(work: Desk, wanted: str) -> tuple[Transfer, Entry]:
    """Of what the platform still has. Raises BadInput."""
    found = work.entries()
    entry = find([one for one in found if one.on_platform] if wanted == "newest" else found, wanted)
    if entry.transfer is None or not entry.on_platform:
        why = entry.transfer.unfit if entry.transfer else "not listed at the platform any more"
        raise BadInput(f"{entry.name} cannot be pulled: {why}.", next_action="See: uscdr backup list")
    return entry.transfer, entry


def _copy(work: Desk, transfer: Transfer, keys: Keyring) -> tuple[CopyCard, bool]:
    work.output.say(f"pulling {transfer.name} into {work.store.place}, encrypted on the way")
    return copy(work.deps, work.attachment(), transfer, keys, Speech(work.output))


def _tell(output: Output, card: CopyCard, place: str, *, fetched: bool) -> None:
    if output.json_lines:
        facts = {"backup": card.origin.name, "copy": card.id, "fetched": fetched, "place": place}
        output.record({**facts, "bytes": card.dump.plain_size, "sha256": card.dump.plain_sha256})
        return
    dump, more = card.dump, card.dump.plain_size - card.origin.processed_bytes
    if fetched and more:
        output.warn(f"It is {more:,} bytes longer than the platform says.")
    words = "is copied" if fetched else "was copied before"
    output.result(f"{card.origin.name} {words}: {card.id}, {size(dump.plain_size)}, in {place}")
    output.result(f"SHA-256  {dump.plain_sha256}")
    if fetched:
        output.say("Not proven yet: uscdr backup prove")
