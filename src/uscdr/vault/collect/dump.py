"""The database dump: downloaded from the platform's backups, proven here, and kept."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from uscdr.errors import BadInput, MachineError, NotFound, ProviderError
from uscdr.models.heroku import Attachment, Download, Transfer, TransferState
from uscdr.vault.backups.proving import Subject
from uscdr.vault.collect.proof import Collected, Proven, prove
from uscdr.vault.collect.sources import Gaps, Gathering, Sources, Wishes, missing, part_of
from uscdr.vault.content import DumpFacts
from uscdr.vault.manifest import DumpProof, Part
from uscdr.words import plural, size

SERVER_VERSION = "PG Version"
"""The data API's label."""


@dataclass(frozen=True)
class _Chosen:
    attachment: Attachment
    transfer: Transfer


def check_named(sources: Sources, wishes: Wishes) -> None:
    """Raises BadInput for a named backup that there is not: another one, or none, is not what was wished.

    A platform that does not answer is left to `collect`.
    """
    if wishes.backup is None or "dump" in wishes.without:
        return
    owner, found = wishes.app, None
    try:
        owner = sources.platform.database(wishes.app, wishes.database).owner_app_name or wishes.app
        with suppress(NotFound):
            found = sources.backups.transfer(owner, wishes.backup)
    except ProviderError:
        return
    if found is None or not _is_whole(found):
        raise BadInput(
            f"There is no whole backup “{wishes.backup}” of {owner}.",
            why="It failed, expired or is none." if found else "The platform does not know it.",
            next_action="See: uscdr backup list. Or leave --backup out for the newest, or --without dump.",
        )


def collect(gathering: Gathering, known: Collected) -> tuple[Part, DumpProof | None]:
    """The part, and what a restore of the dump showed.

    Raises ProviderError when there is no database, no whole backup, or none that can be downloaded.
    """
    chosen = _choose(gathering)
    if chosen is None:
        return missing(
            "dump", "The platform has no complete, unexpired backup. Make one: uscdr kit build --capture"
        ), None
    plain = gathering.work / f"{secrets.token_hex(8)}.dump"
    try:
        return _keep(gathering, chosen, plain, known)
    finally:
        plain.unlink(missing_ok=True)


def _choose(gathering: Gathering) -> _Chosen | None:
    wishes, sources = gathering.wishes, gathering.sources
    attachment = sources.platform.database(wishes.app, wishes.database)
    owner = attachment.owner_app_name or wishes.app
    if wishes.backup is not None:
        return _Chosen(attachment, sources.backups.transfer(owner, wishes.backup))
    whole = [one for one in sources.backups.transfers(owner) if _is_whole(one)]
    return _Chosen(attachment, max(whole, key=_taken)) if whole else None


def _is_whole(transfer: Transfer) -> bool:
    return transfer.is_backup and transfer.state is TransferState.COMPLETED and not transfer.expired


def _taken(transfer: Transfer) -> datetime:
    return transfer.started_at or transfer.created_at


def _keep(
    gathering: Gathering, chosen: _Chosen, plain: Path, known: Collected
) -> tuple[Part, DumpProof | None]:  # fmt: skip
    gaps, transfer = Gaps(), chosen.transfer
    if not _is_whole(transfer):
        return missing(
            "dump", f"{transfer.name} is {transfer.state}{' and expired' if transfer.expired else ''}."
        ), None
    got = _fetch(gathering, chosen, plain)
    proven = prove(gathering, gaps, _subject(gathering, transfer, got), plain, known)
    facts = _facts(gathering, gaps, chosen, got).model_copy(update=dict(proven.seen))
    watch = gathering.watch("dump", got.size)
    stored = gathering.writer.add_file("dump", "database.dump", plain, lambda done: watch(done, None))
    if stored.plain_sha256 != got.sha256:
        raise MachineError("The dump changed on this machine's disk between download and encryption.")
    gathering.writer.add_bytes("dump", "database.json", facts.model_dump_json().encode())
    if proven.document is not None:
        gathering.writer.add_bytes("dump", "proof.json", proven.document.model_dump_json().encode())
    if transfer.warnings:
        gaps.note("dump", f"{transfer.name} finished with {transfer.warnings} warnings.")
    part = part_of("dump", gaps, _summary(transfer, got, proven))
    return part.model_copy(update={"taken_at": facts.taken_at}), proven.verdict


def _subject(gathering: Gathering, transfer: Transfer, got: Download) -> Subject:
    return Subject(
        sha256=got.sha256, size=got.size, app=gathering.wishes.app, backup=transfer.name, transfer_id=transfer.id,
        taken_at=_taken(transfer), source="platform",
    )  # fmt: skip


def _summary(transfer: Transfer, got: Download, proven: Proven) -> str:
    """What it is, and what it is worth."""
    words = f"{transfer.name}, {size(got.size)}"
    if proven.document is None:
        return f"{words}, NOT PROVEN"
    tables, rows = plural(proven.document.tables, "table"), plural(proven.document.rows, "row")
    return f"{words}, {tables}, {rows}; {proven.verdict.grade}"


def _fetch(gathering: Gathering, chosen: _Chosen, plain: Path) -> Download:
    gathering.tell.say(f"downloading {chosen.transfer.name}")
    owner = chosen.attachment.owner_app_name or gathering.wishes.app
    link = gathering.sources.backups.public_url(owner, chosen.transfer.num)
    return gathering.sources.backups.download(link, plain, gathering.watch("dump"))


def _facts(gathering: Gathering, gaps: Gaps, chosen: _Chosen, got: Download) -> DumpFacts:
    transfer, attachment = chosen.transfer, chosen.attachment
    info = gaps.attempt(
        "description of the database", lambda: gathering.sources.backups.database_info(attachment.addon_id), None
    )
    return DumpFacts(
        backup=transfer.name,
        transfer_id=transfer.id,
        kind=transfer.kind.value,
        taken_at=_taken(transfer),
        warnings=transfer.warnings,
        bytes=got.size,
        sha256=got.sha256,
        database=attachment.addon_name,
        plan=attachment.plan,
        server_version=info.value(SERVER_VERSION) if info else "",
        canaries=tuple(gathering.wishes.canaries),
    )
