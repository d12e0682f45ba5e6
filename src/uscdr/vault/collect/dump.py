"""The database dump: downloaded from the platform's backups, proven here, and kept."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from uscdr.errors import BadInput, MachineError, ProviderError
from uscdr.models.heroku import AddOn, Attachment, Download
from uscdr.models.transfers import Transfer, usable
from uscdr.vault.backups.proving import Subject
from uscdr.vault.collect.proof import Collected, Proven, prove
from uscdr.vault.collect.sources import Gaps, Gathering, Sources, Wishes, missing, part_of
from uscdr.vault.content import DumpFacts
from uscdr.vault.manifest import DUMP, DumpProof, Part
from uscdr.words import plural, size

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
    try:
        found, why = _chosen(sources, wishes)
    except ProviderError:
        return
    if found is None:
        raise BadInput(
            f"There is no whole backup “{wishes.backup}” of {wishes.app}.",
            why=why,
            next_action="See: uscdr backup list. Or leave --backup out for the newest, or --without dump.",
        )


def collect(gathering: Gathering, known: Collected) -> tuple[Part, DumpProof | None]:
    """The part, and what a restore of the dump showed.

    Raises ProviderError when there is no database, no whole backup, or none that can be downloaded.
    """
    chosen, why = _chosen(gathering.sources, gathering.wishes)
    if chosen is None:
        none = missing("dump", why)
        return none.model_copy(update={"gaps": (*none.gaps, *_not_dumped(gathering).found)}), None
    plain = gathering.work / f"{secrets.token_hex(8)}.dump"
    try:
        return _keep(gathering, chosen, plain, known)
    finally:
        plain.unlink(missing_ok=True)


def _chosen(sources: Sources, wishes: Wishes) -> tuple[_Chosen | None, str]:
    """The backup that was named, else the newest usable one; or why there is none."""
    attachment = sources.platform.database(wishes.app, wishes.database)
    transfers = sources.backups.transfers(attachment)
    if wishes.backup is None:
        good = usable(transfers, wishes.damaged)
        why = "The platform has no backup that can be used. Make one: uscdr kit build --capture"
        return (_Chosen(attachment, good[-1]), "") if good else (None, why)
    named = next((one for one in transfers if one.is_backup and one.answers_to(wishes.backup)), None)
    if named is None:
        return None, f"The platform knows no backup {wishes.backup}."
    return (None, f"{named.name}: {named.unusable}.") if named.unusable else (_Chosen(attachment, named), "")


def _keep(
    gathering: Gathering, chosen: _Chosen, plain: Path, known: Collected
) -> tuple[Part, DumpProof | None]:  # fmt: skip
    gaps, transfer = _not_dumped(gathering), chosen.transfer
    got = _fetch(gathering, chosen, plain)
    proven = prove(gathering, gaps, _subject(gathering, chosen, got), plain, known)
    facts = _facts(gathering, gaps, chosen, got).model_copy(update=dict(proven.seen))
    watch = gathering.watch("dump", got.size)
    stored = gathering.writer.add_file("dump", DUMP, plain, lambda done: watch(done, None))
    if stored.plain_sha256 != got.sha256:
        raise MachineError("The dump changed on this machine's disk between download and encryption.")
    gathering.writer.add_bytes("dump", "database.json", facts.model_dump_json().encode())
    if proven.document is not None:
        gathering.writer.add_bytes("dump", "proof.json", proven.document.model_dump_json().encode())
    for remark in transfer.remarks(datetime.now(UTC)):
        gaps.note("dump", f"{transfer.name}: {remark}.")
    part = part_of("dump", gaps, _summary(transfer, got, proven))
    return part.model_copy(update={"taken_at": facts.taken_at}), proven.verdict


def _not_dumped(gathering: Gathering) -> Gaps:
    """What else of the application keeps data: a kit holds one database."""
    gaps, wishes, platform = Gaps(), gathering.wishes, gathering.sources.platform
    none: tuple[AddOn, ...] = ()
    addons = gaps.attempt("further databases", lambda: platform.addons(wishes.app), none)
    main = platform.database(wishes.app, wishes.database).addon_id
    for one in addons:
        if one.keeps_data and one.owned_by(wishes.app) and one.id != main:
            names = ", ".join(one.config_vars) or "no variable"
            why = f"{one.plan}, {names}: its data are NOT in this kit, and no recovery brings them back. "
            gaps.note(one.name, why + f"Keep a copy of your own: heroku addons:info {one.name} --app {wishes.app}")
    return gaps


def _subject(gathering: Gathering, chosen: _Chosen, got: Download) -> Subject:
    transfer, addon_id = chosen.transfer, chosen.attachment.addon_id
    return Subject(
        sha256=got.sha256, size=got.size, app=gathering.wishes.app, backup=transfer.name, transfer_id=transfer.id,
        taken_at=transfer.taken_at, source="platform", addon_id=addon_id,
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
        taken_at=transfer.taken_at,
        warnings=transfer.warnings,
        bytes=got.size,
        sha256=got.sha256,
        database=attachment.addon_name,
        plan=attachment.plan,
        server_version=info.server_version if info else "",
        canaries=tuple(gathering.wishes.canaries),
    )
