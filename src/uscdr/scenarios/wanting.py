"""What a proven backup lacks to be one that may replace the database."""

from __future__ import annotations

from uscdr.models.postgres import InvariantResult
from uscdr.scenarios.results import Proof
from uscdr.words import first_of, plural


def failing(results: tuple[InvariantResult, ...]) -> list[str]:
    """Invariants that do not surely hold, in words."""
    return [f"{r.name} ({r.seen}, expected {r.expected})" for r in results if r.holds is not True]


def wanting(proof: Proof, key: str) -> str:
    """Why nothing may be replaced by it; empty when nothing speaks against it. `key`: the key's variable."""
    if proof.missing:
        return f"tables are missing: {first_of(proof.missing)}"
    broken = failing(proof.invariants)
    if broken:
        return f"it breaks: {first_of(broken, comma='; ')}"
    if proof.keyless:
        return f"no primary key in {first_of(proof.keyless)}: rows may be there twice"
    broken_schema = (*proof.code.stuck, *(f"recorded as applied, but not there: {one}" for one in proof.code.lacking))
    if broken_schema:
        return f"the deployed code {proof.code.against} cannot go on from it: {first_of(broken_schema, comma='; ')}"
    if proof.key.opens_nothing:
        where = f", {proof.key.where}" if proof.key.where else ""
        shut = f"{proof.key.wrong:,} of {plural(proof.key.sampled, 'sampled value')} stay shut"
        return f"{key} does not fit: {shut}{where}"
    return ""
