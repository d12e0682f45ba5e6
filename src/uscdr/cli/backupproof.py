"""A proof in words."""

from __future__ import annotations

from collections.abc import Iterator

from uscdr.models.migrations import MigrationsVerdict
from uscdr.models.postgres import words_of
from uscdr.ui.console import Output
from uscdr.vault.backups.proofs import ProofDocument
from uscdr.words import duration, first_of, plural, size

SHOWN = 3
"""Names of migrations in a line."""


def show_proof(proof: ProofDocument, name: str | None, output: Output) -> None:
    """Grade and SHA-256 first, then what was seen; the whole document with --json."""
    if output.json_lines:
        output.record({**proof.model_dump(mode="json"), "document": name})
        return
    output.result(f"{proof.backup}: {proof.grade}")
    output.result(f"  SHA-256     {proof.sha256}")
    for line in _lines(proof):
        output.result(f"  {line}")


def _lines(proof: ProofDocument) -> Iterator[str]:
    if proof.why:
        yield f"no better   {proof.why}"
    yield f"bytes       {size(proof.bytes)}, {_source(proof)}"
    if proof.server:
        held = sum(one.holds is True for one in proof.invariants)
        yield f"content     {plural(proof.tables, 'table')}, {plural(proof.rows, 'row')}"
        yield f"invariants  {held} of {len(proof.invariants)} hold"
        yield f"key         {_key(proof)}"
        yield f"extensions  {', '.join(proof.extensions)}"
        yield f"migrations  {_migrations(proof.migrations)}"
    if proof.left_out:
        yield f"NOT PROVEN  {words_of(proof.left_out)}"
    made = f"uscdr {proof.uscdr}" + (f", pg_restore {proof.pg_restore}" if proof.pg_restore else "")
    made += f", PostgreSQL {proof.server}" if proof.server else ""
    yield f"by          {made}, in {duration(proof.seconds)}"


def _source(proof: ProofDocument) -> str:
    if proof.source == "kit":
        return f"from the kit {proof.copy_id}, with its own key and code"
    if proof.source == "vault":
        return f"from the copy {proof.copy_id}"
    if proof.copy_id:
        return f"from the platform; the copy {proof.copy_id} is intact and of the same bytes, but was not opened"
    return "from the platform; there is no copy off it"


def _key(proof: ProofDocument) -> str:
    canary = proof.canary
    if canary.verdict != "pass":
        return f"{'DOES NOT FIT' if canary.wrong else 'NOT TRIED' if not canary.columns else 'NOT SHOWN'}: {canary.why}"
    words = f"reads {canary.matching} of {canary.sampled} sampled values in {plural(canary.columns, 'column')}"
    return words + (f"; {plural(canary.unencrypted, 'value')} in plain text only" if canary.unencrypted else "")


def _migrations(found: MigrationsVerdict) -> str:
    if not found.known:
        return f"NOT COMPARED: {found.why}"
    words = []
    if found.ahead:
        words.append(f"{len(found.ahead)} that {found.against} does not know: {first_of(found.ahead)}")
    if found.pending:
        named = first_of(found.pending)
        words.append(f"{len(found.pending)} of {found.against} would be applied after a restore: {named}")
    return "; ".join(words) or f"those of {found.against}"
