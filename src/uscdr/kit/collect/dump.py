"""The database dump: download it from the platform's backups, prove it on this machine, store it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from uscdr.backups.proofs import Grade, ProofDocument
from uscdr.backups.proving import Code, EncryptionKey, ProofResult, ProofSubject, Questions
from uscdr.errors import BadInput, Interrupted, MachineError, ProviderError
from uscdr.kit.collect.sources import BuildRequest, Gaps, Gathering, Sources, Unavailable, present
from uscdr.kit.content import DumpFacts, SourceFacts
from uscdr.kit.manifest import DUMP, DumpProof, KitPart
from uscdr.models.postgres import LeftOut
from uscdr.models.transfers import Transfer, Transfers
from uscdr.redaction import fingerprint
from uscdr.words import plural, size

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic import SecretStr

    from uscdr.models.heroku import AddOn, Attachment, Download

# The proof of the kit's dump: a restore on this machine, with the key and the code of the same kit.


MARGIN = timedelta(minutes=5)
"""The largest difference between the platform's clock and this machine's."""


@dataclass(frozen=True)
class Collected:
    """Results of earlier parts of the same kit. `released_at`: the last change of code or configuration."""

    config: Mapping[str, SecretStr] = field(default_factory=dict, repr=False)
    source: SourceFacts | None = None
    released_at: datetime | None = None

    def key(self, name: str, app: str) -> EncryptionKey:
        """The application's key from the kit; `name`: its variable, empty if none is configured."""
        value = self.config.get(name) if name else None
        why = f"the kit does not contain {name}" if name else "scenarios.yaml names no key"
        return EncryptionKey(name, value, why=why, fingerprint=fingerprint(value, app) if value else "")

    @property
    def code(self) -> Code:
        """The migrations of the kit's code."""
        if self.source and self.source.migrations:
            return Code(self.source.commit[:12], self.source)
        return Code(why="the kit contains no code")


@dataclass(frozen=True)
class _Proven:
    """The verdict for the manifest, the complete proof, and facts from the database (fields of DumpFacts)."""

    verdict: DumpProof
    document: ProofDocument | None = None
    seen: Mapping[str, Any] = field(default_factory=dict)


def _prove(gathering: Gathering, gaps: Gaps, subject: ProofSubject, plain: Path, known: Collected) -> _Proven:
    """Prove the dump, unless a proof exists or the operator skipped it; objections to the dump become gaps.

    Raises Interrupted.
    """
    if gathering.request.unproven:
        return _Proven(
            DumpProof(grade=Grade.EXISTS, origin="left out", why="The operator skipped the proof (--unproven).")
        )
    before = gathering.sources.proofs.fresh(subject.sha256)
    key = known.key(gathering.request.key, subject.app).fingerprint
    if before is not None and _still_speaks(before, gathering.request, known.released_at, key):
        gathering.tell.say(f"an earlier proof of the same bytes exists: {before.grade}")
        _say_what_is_not(gathering, before)
        return _Proven(_verdict(before, "vault"), before, {"restored": True})
    gathering.tell.say("restoring the dump on this machine to prove it")
    try:
        return _restored(gathering, gaps, subject, plain, known)
    except Interrupted:
        raise
    except (ProviderError, MachineError, Unavailable) as error:
        gaps.note("proof that the dump restores", error.reason)
        return _Proven(DumpProof(grade=Grade.EXISTS, origin="failed", why=error.reason))


def _still_speaks(proof: ProofDocument, request: BuildRequest, released_at: datetime | None, key: str = "") -> bool:
    """Whether an earlier proof is valid for this kit: it found no defect, and the key has not changed.

    A change of the configuration is a release, so a release after the proof may have changed the key. `key` is the
    fingerprint of the kit's key, if it has one.
    """
    if key and proof.canary.fingerprint and key != proof.canary.fingerprint:
        return False
    if not proof.grade.reaches(Grade.DECRYPTS if request.canaries and request.key else Grade.INVARIANTS):
        return False
    if proof.migrations.verdict == "ahead" or released_at is None:
        return False
    return released_at + MARGIN < proof.proven_at - timedelta(seconds=proof.seconds)


def _restored(gathering: Gathering, gaps: Gaps, subject: ProofSubject, plain: Path, known: Collected) -> _Proven:
    asked, sources, watch = (
        _questions(gathering.request, known, subject.app),
        gathering.sources,
        gathering.watch("dump"),
    )
    with asked.examined(plain, sources.decode, present(sources.scratch), lambda _: watch) as (shown, _):
        document = shown.document(subject, asked)
    _say_what_is_not(gathering, document)
    sources.proofs.keep(document)
    _note(gaps, document, shown)
    return _Proven(_verdict(document, "build"), document, _seen(shown))


def _say_what_is_not(gathering: Gathering, proof: ProofDocument) -> None:
    if proof.left_out:
        gathering.tell.say(f"the proof does not cover these parts of the dump: {LeftOut.words_of(proof.left_out)}")


def _questions(request: BuildRequest, known: Collected, app: str) -> Questions:
    """The questions use key and code of this kit, to prove that its parts match."""
    return Questions(
        invariants=request.invariants,
        expected_tables=request.expected_tables,
        canaries=request.canaries,
        key=known.key(request.key, app),
        code=known.code,
        freshness=request.freshness,
    )


def _verdict(document: ProofDocument, origin: str) -> DumpProof:
    return DumpProof.model_validate(
        {"grade": document.grade, "origin": origin, "proven_at": document.proven_at, "why": document.why}
    )


def _note(gaps: Gaps, document: ProofDocument, shown: ProofResult) -> None:
    """Record the objections that a reader must know before using the dump."""
    if not document.grade.reaches(Grade.RESTORES):
        gaps.note("a dump that restores", document.why)
    for result in shown.invariants:
        if result.holds is not True:
            gaps.note(f"invariant: {result.name}", f"seen {result.seen}, expected {result.expected}")
    if shown.missing:
        gaps.note("expected tables", document.why)
    if document.canary.verdict == "fail":
        gaps.note("a key that decrypts the encrypted columns", document.canary.why)


def _seen(shown: ProofResult) -> dict[str, Any]:
    """Fields of DumpFacts; empty if the dump did not restore."""
    if shown.refusal is not None:
        return {}
    return {
        "restored": True,
        "tables": shown.tables,
        "invariants": shown.invariants,
        "newest": dict(shown.newest),
        "migrations": shown.applied,
        "extensions": shown.extensions,
    }


@dataclass(frozen=True)
class _Chosen:
    attachment: Attachment
    transfer: Transfer


def check_named(sources: Sources, request: BuildRequest) -> None:
    """Raises BadInput if the named backup does not exist: another backup must not replace it silently.

    If the platform does not answer, `collect` reports it.
    """
    if request.backup is None or "dump" in request.without:
        return
    try:
        found, why = _chosen(sources, request)
    except ProviderError:
        return
    if found is None:
        raise BadInput(
            f"{request.app} has no complete backup “{request.backup}”.",
            why=why,
            next_action="See: uscdr backup list. Or omit --backup to use the newest one, or use --without dump.",
        )


def collect_dump(gathering: Gathering, known: Collected) -> tuple[KitPart, DumpProof | None]:
    """The part, and the result of restoring the dump.

    Raises ProviderError if there is no database, no complete backup, or none that can be downloaded.
    """
    chosen, why = _chosen(gathering.sources, gathering.request)
    if chosen is None:
        none = KitPart.missing("dump", why)
        return none.model_copy(update={"gaps": (*none.gaps, *_not_dumped(gathering).found)}), None
    plain = gathering.work / f"{secrets.token_hex(8)}.dump"
    try:
        return _keep(gathering, chosen, plain, known)
    finally:
        plain.unlink(missing_ok=True)


def _chosen(sources: Sources, request: BuildRequest) -> tuple[_Chosen | None, str]:
    """The named backup, else the newest usable one; or the reason why there is none."""
    attachment = sources.platform.database(request.app, request.database)
    transfers = sources.backups.transfers(attachment)
    if request.backup is None:
        good = Transfers(transfers).usable(request.damaged)
        why = "The platform has no usable backup. Create one: uscdr kit build --capture"
        return (_Chosen(attachment, good[-1]), "") if good else (None, why)
    named = next((one for one in transfers if one.is_backup and one.answers_to(request.backup)), None)
    if named is None:
        return None, f"The platform has no backup {request.backup}."
    return (None, f"{named.name}: {named.unusable}.") if named.unusable else (_Chosen(attachment, named), "")


def _keep(
    gathering: Gathering, chosen: _Chosen, plain: Path, known: Collected
) -> tuple[KitPart, DumpProof | None]:  # fmt: skip
    gaps, transfer = _not_dumped(gathering), chosen.transfer
    got = _fetch(gathering, chosen, plain)
    proven = _prove(gathering, gaps, _subject(gathering, chosen, got), plain, known)
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
    part = gaps.part("dump", _summary(transfer, got, proven))
    return part.model_copy(update={"taken_at": facts.taken_at}), proven.verdict


def _not_dumped(gathering: Gathering) -> Gaps:
    """Other add-ons that store data: a kit contains one database."""
    gaps, request, platform = Gaps(), gathering.request, gathering.sources.platform
    none: tuple[AddOn, ...] = ()
    addons = gaps.attempt("further databases", lambda: platform.addons(request.app), none)
    main = platform.database(request.app, request.database).addon_id
    for one in addons:
        if one.keeps_data and one.owned_by(request.app) and one.id != main:
            names = ", ".join(one.config_vars) or "no variable"
            why = f"{one.plan}, {names}: its data is NOT in this kit, and no recovery restores it. "
            gaps.note(one.name, why + f"Keep your own copy: heroku addons:info {one.name} --app {request.app}")
    return gaps


def _subject(gathering: Gathering, chosen: _Chosen, got: Download) -> ProofSubject:
    transfer, addon_id = chosen.transfer, chosen.attachment.addon_id
    return ProofSubject(
        sha256=got.sha256, size=got.size, app=gathering.request.app, backup=transfer.name, transfer_id=transfer.id,
        taken_at=transfer.taken_at, source="platform", addon_id=addon_id, identity=gathering.request.identity,
    )  # fmt: skip


def _summary(transfer: Transfer, got: Download, proven: _Proven) -> str:
    """The dump and its grade in words."""
    words = f"{transfer.name}, {size(got.size)}"
    if proven.document is None:
        return f"{words}, NOT PROVEN"
    tables, rows = plural(proven.document.tables, "table"), plural(proven.document.rows, "row")
    return f"{words}, {tables}, {rows}; {proven.verdict.grade}"


def _fetch(gathering: Gathering, chosen: _Chosen, plain: Path) -> Download:
    gathering.tell.say(f"downloading {chosen.transfer.name}")
    owner = chosen.attachment.owner_app_name or gathering.request.app
    return gathering.sources.backups.download(owner, chosen.transfer.num, plain, gathering.watch("dump"))


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
        canaries=tuple(gathering.request.canaries),
    )
