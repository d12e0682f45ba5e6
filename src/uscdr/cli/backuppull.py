"""Copying a backup off the platform."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from uscdr.assembly import vault
from uscdr.cli.backupdesk import Desk, Wiring, desk
from uscdr.cli.context import Globals
from uscdr.cli.kitwords import Narrator
from uscdr.errors import BadInput, ProviderError
from uscdr.models.heroku import Transfer
from uscdr.scenarios.steps.words import size
from uscdr.ui.console import Output
from uscdr.vault.backups import pulling
from uscdr.vault.backups.catalog import Entry, find
from uscdr.vault.backups.manifest import CopyCard, Origin, origin_of
from uscdr.vault.backups.pulling import Keyring, Order, Stream

SERVER_VERSION = "PG Version"
"""The data API's label."""
TELL_EVERY, PIECE = 8 << 20, 64 << 10
"""Bytes between two looks at the clock, and the most that comes at once."""


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
    with desk(given, output, Wiring(wanted.to)) as work:
        transfer, entry = _chosen(work, wanted.backup)
        there = next((card for card in entry.copies if _opens_for_all(card, keys)), None)
        card = there or _copy(work, transfer, keys)
        _tell(output, card, work.store.place, fetched=there is None)


def _chosen(work: Desk, wanted: str) -> tuple[Transfer, Entry]:
    """Of what the platform still has. Raises BadInput."""
    found = work.entries(work.transfers())
    entry = find([one for one in found if one.on_platform] if wanted == "newest" else found, wanted)
    if entry.transfer is None or not entry.on_platform:
        raise BadInput(f"The platform does not have {entry.name} any more, or never had it whole: nothing to pull.",
                       next_action="See: uscdr backup list")  # fmt: skip
    return entry.transfer, entry


def _opens_for_all(card: CopyCard, keys: Keyring) -> bool:
    """Whether everybody who shall be able to open it can: a passphrase is not compared, only that there is one."""
    readers = {recipient.fingerprint for recipient in keys.recipients}
    return readers <= set(card.recipients) and (keys.passphrase is None or card.passphrase)


def _copy(work: Desk, transfer: Transfer, keys: Keyring) -> CopyCard:
    narrator, deps, output = Narrator(work.output), work.deps, work.output
    owner = deps.attachment().owner_app_name

    def watch(done: int) -> None:
        deps.stop.check()
        if done % TELL_EVERY < PIECE:  # called for every few kilobytes
            narrator.progress(transfer.name, done, transfer.processed_bytes or None, "B")

    def again(error: ProviderError) -> None:
        output.warn(f"{error.message} Again, from the beginning.")
        deps.stop.pause(1.0)

    @contextmanager
    def open_dump() -> Iterator[Stream]:
        link = deps.backups.public_url(owner, transfer.num)
        with vault.download(work.job, link, deps.stop.event) as stream:
            yield stream

    output.say(f"pulling {transfer.name} into {work.store.place}, encrypted on the way")
    order = Order(_origin(work, transfer), work.job.place.name, watch, again)
    return pulling.pull(order, open_dump, work.store, keys)


def _origin(work: Desk, transfer: Transfer) -> Origin:
    """A platform that does not describe its database is no reason not to copy."""
    try:
        info = work.deps.backups.database_info(work.deps.attachment().addon_id)
    except ProviderError:
        return origin_of(transfer, work.deps.app, "")
    return origin_of(transfer, work.deps.app, info.value(SERVER_VERSION))


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
