"""The proof of the kit's dump: restored on this machine, with the key and the code that are in the same kit.

An earlier proof of the same bytes is good enough when nothing that it depends on can have changed since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from uscdr.errors import Interrupted, MachineError, ProviderError
from uscdr.fingerprint import fingerprint
from uscdr.models.postgres import CanaryColumn, words_of
from uscdr.vault.backups import proving
from uscdr.vault.backups.grade import Grade
from uscdr.vault.backups.proofs import ProofDocument
from uscdr.vault.backups.proving import Code, Key, ProofResult, Questions, Subject
from uscdr.vault.collect.sources import Gaps, Gathering, Unavailable, Wishes, in_words, present
from uscdr.vault.content import SourceFacts
from uscdr.vault.manifest import DumpProof

MARGIN = timedelta(minutes=5)
"""How far the platform's clock and this machine's may be apart."""


@dataclass(frozen=True)
class Collected:
    """What earlier parts of the same kit know. `released_at`: the last change of code or configuration."""

    config: Mapping[str, SecretStr] = field(default_factory=dict, repr=False)
    source: SourceFacts | None = None
    released_at: datetime | None = None


@dataclass(frozen=True)
class Proven:
    """The verdict for the manifest, the whole proof, and what was seen in the database (fields of DumpFacts)."""

    verdict: DumpProof
    document: ProofDocument | None = None
    seen: Mapping[str, Any] = field(default_factory=dict)


def prove(gathering: Gathering, gaps: Gaps, subject: Subject, plain: Path, known: Collected) -> Proven:
    """Prove it, unless that was done or is not wished; what speaks against the dump becomes gaps.

    Raises Interrupted.
    """
    if gathering.wishes.unproven:
        return Proven(DumpProof(grade=Grade.EXISTS, origin="left out", why="The operator said so (--unproven)."))
    before = gathering.sources.proofs.fresh(subject.sha256)
    key = _print(gathering.wishes, known, subject.app)
    if before is not None and still_speaks(before, gathering.wishes, known.released_at, key):
        gathering.tell.say(f"proven before, with the same bytes: {before.grade}")
        _say_what_is_not(gathering, before)
        return Proven(_verdict(before, "vault"), before, {"restored": True})
    gathering.tell.say("restoring the dump on this machine, to prove it")
    try:
        return _restored(gathering, gaps, subject, plain, known)
    except Interrupted:
        raise
    except (ProviderError, MachineError, Unavailable) as error:
        gaps.note("proof that the dump restores", in_words(error))
        return Proven(DumpProof(grade=Grade.EXISTS, origin="failed", why=in_words(error)))


def still_speaks(proof: ProofDocument, wishes: Wishes, released_at: datetime | None, key: str = "") -> bool:
    """Whether an earlier proof holds for this kit: nothing was found wanting, and its key is still the key.

    A change of the configuration is a release; what was released after the proof may be another key. `key` is the
    fingerprint of the kit's, when it holds one.
    """
    if key and proof.canary.fingerprint and key != proof.canary.fingerprint:
        return False
    if not proof.grade.reaches(Grade.DECRYPTS if wishes.canaries and wishes.key else Grade.INVARIANTS):
        return False
    if proof.migrations.verdict == "ahead" or released_at is None:
        return False
    return released_at + MARGIN < proof.proven_at - timedelta(seconds=proof.seconds)


def _restored(gathering: Gathering, gaps: Gaps, subject: Subject, plain: Path, known: Collected) -> Proven:
    asked, sources, watch = _questions(gathering.wishes, known, subject.app), gathering.sources, gathering.watch("dump")
    with proving.examined(plain, asked, sources.decode, present(sources.scratch), lambda _: watch) as (shown, _):
        document = proving.document(subject, shown, asked)
    _say_what_is_not(gathering, document)
    sources.proofs.keep(document)
    _note(gaps, document, shown)
    return Proven(_verdict(document, "build"), document, _seen(shown))


def _say_what_is_not(gathering: Gathering, proof: ProofDocument) -> None:
    if proof.left_out:
        gathering.tell.say(f"not proven of the dump, as a proof does not make it: {words_of(proof.left_out)}")


def _print(wishes: Wishes, known: Collected, app: str) -> str:
    """The fingerprint of the kit's key; empty when it holds none."""
    return key_in_kit(wishes.key, known.config, app).fingerprint


def _questions(wishes: Wishes, known: Collected, app: str) -> Questions:
    """The key and the code are those of this kit: what is proven is that its parts fit each other."""
    return Questions(
        invariants=wishes.invariants,
        expected_tables=wishes.expected_tables,
        canaries=tuple(CanaryColumn(**canary.model_dump()) for canary in wishes.canaries),
        key=key_in_kit(wishes.key, known.config, app),
        code=code_in_kit(known.source),
        freshness=wishes.freshness,
    )


def key_in_kit(name: str, config: Mapping[str, SecretStr], app: str) -> Key:
    """The application's key as the kit holds it; `name`: its variable, empty when none is named."""
    value = config.get(name) if name else None
    why = f"the kit does not hold {name}" if name else "no key is named"
    return Key(name, value, why=why, fingerprint=fingerprint(value, app) if value else "")


def code_in_kit(source: SourceFacts | None) -> Code:
    """The migrations of the code that the kit holds."""
    return Code(source.commit[:12], source) if source and source.migrations else Code(why="the kit holds no code")


def _verdict(document: ProofDocument, origin: str) -> DumpProof:
    return DumpProof.model_validate(
        {"grade": document.grade, "origin": origin, "proven_at": document.proven_at, "why": document.why}
    )


def _note(gaps: Gaps, document: ProofDocument, shown: ProofResult) -> None:
    """What a person must know before they rely on it."""
    if not document.grade.reaches(Grade.RESTORES):
        gaps.note("a dump that restores", document.why)
    for result in shown.invariants:
        if result.holds is not True:
            gaps.note(f"invariant: {result.name}", f"seen {result.seen}, expected {result.expected}")
    if shown.missing:
        gaps.note("expected tables", document.why)
    if document.canary.verdict == "fail":
        gaps.note("a key that opens the dump", document.canary.why)


def _seen(shown: ProofResult) -> dict[str, Any]:
    """Fields of DumpFacts; none when it did not restore."""
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
